"""The port between the ledger and a database: rows in, rows out; no hashing, validation or numbering happens below it.

`ledger.log` keeps every rule once, above this line; a store only keeps rows, in order, atomically. All stores pass the
same abstract test class.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ledger.rows import EventRow, EventTuple, Head, OriginRow, TimedEvent, TxnRow, TxnTuple


class Store(Protocol):
    """Rows of one ledger. Every method may raise `LedgerError`; none raises an error of the database's driver."""

    place: str
    """Where the ledger is, for people: a path or a URL without password."""

    def meta(self) -> dict[str, str]:
        """Return the rows of `meta`: ledger_id, origin_id (both hex), format, created_at."""

    def is_current(self) -> bool:
        """Tell whether what is open still is what has the ledger's name: a backup may have taken a file's place."""

    def writing(self) -> AbstractContextManager[None]:
        """Hold the ledger's write lock: what is inserted inside is committed at the end, or rolled back by an error.

        Raises:
            LedgerBusyError: another writer held the lock for a minute.
        """

    def reading(self) -> AbstractContextManager[None]:
        """Hold one consistent view of the rows for everything read inside."""

    def head(self) -> Head:
        """Return the end of the ledger."""

    def insert(self, txn: TxnRow, events: Iterable[EventRow]) -> None:
        """Insert a transaction with its events and advance its origin's head; only inside `writing`."""

    def empty(self, positions: Sequence[int], seqs: Sequence[int]) -> None:
        """Set the bodies of events and the headers of transactions to NULL; only inside `writing`."""

    def wipe(self, patience: float = 60.0) -> None:
        """Remove old copies of emptied bodies and headers from the database's files, as far as it is in our hands.

        Args:
            patience: seconds to wait for those that are reading; with 0 it is tried once.

        Raises:
            LedgerBusyError: others were reading all the time; it can be tried again.
        """

    def insert_meta(self, key: str, value: str) -> None:
        """Insert one row of `meta`, of a ledger that is being made; only inside `writing`."""

    def insert_origin(self, origin: OriginRow) -> None:
        """Insert an origin that has not written yet; only inside `writing`."""

    def txn(self, seq: int) -> TxnRow | None:
        """Return the transaction at `seq`, or None."""

    def find_txn(self, txn_id: bytes) -> TxnRow | None:
        """Return the transaction with this id, or None."""

    def transactions(self, after: int = 0, *, newest_first: bool = False) -> Iterator[TxnRow]:
        """Yield the transactions with `seq > after`."""

    def events(self, after: int = 0, *, newest_first: bool = False) -> Iterator[EventRow]:
        """Yield the events with `position > after`."""

    def txn_tuples(self, after: int = 0) -> Iterator[TxnTuple]:
        """Yield the transactions with `seq > after` as plain tuples, which is quicker; only inside `reading`."""

    def event_tuples(self, after: int = 0) -> Iterator[EventTuple]:
        """Yield the events with `position > after` as plain tuples, which is quicker; only inside `reading`."""

    def txn_events(self, seq: int) -> list[EventRow]:
        """Return the events of the transaction at `seq`, in order of position."""

    def seqs_of_types(self, types: Collection[str]) -> Iterator[int]:
        """Yield `seq` of the transactions with an event of one of these types, newest first, each once.

        No body is read. Only inside `reading`.
        """

    def timed_events(self, after: int = 0, origin_id: bytes | None = None) -> Iterator[TimedEvent]:
        """Yield the events with `position > after`, each with its transaction's time; only those of one origin, if any.

        In order of position; `ledger.ordering` has the order in which they count.
        """

    def stream_events(self, streams: Iterable[str]) -> list[EventRow]:
        """Return every event of these streams in the order in which they count: see `ledger.ordering`."""

    def last_version(self, stream: str, origin_id: bytes) -> int:
        """Return the version of the newest event that an origin has in a stream, 0 when it has none."""

    def origin_txn(self, origin_id: bytes, origin_seq: int) -> TxnRow | None:
        """Return the transaction with this number in its origin, or None."""

    def streams(self, prefix: str, limit: int) -> list[str]:
        """Return the streams of runs whose name begins with `prefix`, in order, at most `limit`; `run/` is part of it.

        Looked up in the index of the streams: the ledger may hold millions of events.
        """

    def origins(self) -> list[OriginRow]:
        """Return all origins."""

    def missing_guards(self) -> list[str]:
        """Return the names of `ledger.format.TRIGGERS` that the database does not hold as this program defines them."""

    def check_file(self) -> list[str]:
        """Return what the database engine's own integrity check found: nothing when all is well."""

    def close(self) -> None:
        """Let go of the database."""
