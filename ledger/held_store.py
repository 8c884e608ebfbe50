"""A ledger in memory that nobody writes to: what is read elsewhere, an archive of runs, for whoever reads ledgers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from typing import NoReturn

from ledger.canonical import encode
from ledger.chain import genesis
from ledger.errors import LedgerError
from ledger.format import FORMAT
from ledger.ids import BEHIND_IDS, OriginId
from ledger.rows import EventRow, EventTuple, Head, OriginRow, TimedEvent, TxnRow, TxnTuple
from ledger.transaction import NewEvent


class HeldStore:
    """The rows of one transaction, held in memory; a `Store` that refuses to be written to.

    Attributes:
        place: what the events are from, for people.
        read_only: True.
    """

    def __init__(self, place: str, ledger_id: str, events: Iterable[NewEvent], recorded_at: int) -> None:
        """Number the events of one transaction.

        Args:
            place: what they are from.
            ledger_id: 32 hexadecimal digits.
            events: at least one, in order; of each stream all there are.
            recorded_at: microseconds UTC.
        """
        self.place = place
        self.read_only = True
        origin = bytes.fromhex(ledger_id)
        nothing = sha256(b"").digest()
        self._txn = TxnRow(1, bytes(16), origin, 1, recorded_at, 1, nothing, None, genesis(OriginId(origin)), nothing)
        self._events: list[EventRow] = []
        self._streams: dict[str, list[EventRow]] = {}
        for position, new in enumerate(events, 1):
            stream = self._streams.setdefault(new.stream, [])
            body = encode(new.event.to_body())
            row = EventRow(
                *(position, 1, origin, new.stream, len(stream) + 1),
                *(new.event.type, new.event.schema_version, sha256(body).digest(), body),
            )
            stream.append(row)
            self._events.append(row)

    def meta(self) -> dict[str, str]:
        """Return what names it; it is its own only origin."""
        name = self._txn.origin_id.hex()
        return {"ledger_id": name, "origin_id": name, "format": str(FORMAT), "created_at": str(self._txn.recorded_at)}

    def is_current(self) -> bool:
        """Return True: nothing can take its place."""
        return True

    def reading(self) -> AbstractContextManager[None]:
        """Hold the view, which never changes."""
        return nullcontext()

    def head(self) -> Head:
        """Return the end."""
        txn = self._txn
        return Head(txn.seq, len(self._events), txn.recorded_at, txn.lamport, txn.origin_seq, txn.hash)

    def txn(self, seq: int) -> TxnRow | None:
        """Return the transaction at `seq`, or None."""
        return self._txn if seq == self._txn.seq else None

    def find_txn(self, txn_id: bytes) -> TxnRow | None:
        """Return the transaction with this id, or None."""
        return self._txn if txn_id == self._txn.txn_id else None

    def transactions(self, after: int = 0, *, newest_first: bool = False) -> Iterator[TxnRow]:  # noqa: ARG002 - one
        """Yield the transaction unless it is before."""
        return iter([self._txn] if after < self._txn.seq else [])

    def events(self, after: int = 0, *, newest_first: bool = False) -> Iterator[EventRow]:
        """Yield the events with `position > after`."""
        rows = self._events[max(0, after) :]
        return iter(rows[::-1] if newest_first else rows)

    def txn_tuples(self, after: int = 0) -> Iterator[TxnTuple]:
        """Yield the transaction as a plain tuple."""
        return self.transactions(after)

    def event_tuples(self, after: int = 0) -> Iterator[EventTuple]:
        """Yield the events as plain tuples."""
        return self.events(after)

    def txn_events(self, seq: int) -> list[EventRow]:
        """Return the events of the transaction."""
        return list(self._events) if seq == self._txn.seq else []

    def seqs_of_types(self, types: Collection[str]) -> Iterator[int]:
        """Yield `seq` of the transaction when one of its events is of one of these types."""
        return iter([self._txn.seq] if any(event.type in types for event in self._events) else [])

    def timed_events(self, after: int = 0, origin_id: bytes | None = None) -> Iterator[TimedEvent]:
        """Yield the events with `position > after`, each with the time of the transaction; of one origin, if any."""
        for row in self.events(after) if origin_id in (None, self._txn.origin_id) else ():
            yield TimedEvent(
                *(row.position, row.txn_seq, self._txn.recorded_at, row.stream),
                *(row.type, row.schema_version, row.body),
            )

    def stream_events(self, streams: Iterable[str]) -> list[EventRow]:
        """Return every event of these streams in order of position."""
        return sorted(row for stream in dict.fromkeys(streams) for row in self._streams.get(stream, ()))

    def last_version(self, stream: str, origin_id: bytes) -> int:
        """Return the version of the newest event of its origin in a stream, 0 when there is none."""
        rows = self._streams.get(stream, ()) if origin_id == self._txn.origin_id else ()
        return max((row.stream_version for row in rows), default=0)

    def origin_txn(self, origin_id: bytes, origin_seq: int) -> TxnRow | None:
        """Return the transaction with this number in its origin, or None."""
        return self._txn if (origin_id, origin_seq) == (self._txn.origin_id, self._txn.origin_seq) else None

    def streams(self, prefix: str, limit: int) -> list[str]:
        """Return the streams whose name begins with `prefix`, in order, at most `limit`."""
        return sorted(name for name in self._streams if prefix <= name < prefix + BEHIND_IDS)[:limit]

    def origins(self) -> list[OriginRow]:
        """Return its only origin."""
        return [OriginRow(self._txn.origin_id, "", self._txn.origin_seq, self._txn.hash)]

    def missing_guards(self) -> list[str]:
        """Return nothing: there is no database."""
        return []

    def check_file(self) -> list[str]:
        """Return nothing: there is no file."""
        return []

    def close(self) -> None:
        """Do nothing: it goes with the process."""

    def writing(self) -> AbstractContextManager[None]:
        """Refuse to be written to."""
        self._refuse()

    def insert(self, txn: TxnRow, events: Iterable[EventRow]) -> None:  # noqa: ARG002 - as the port has it
        """Refuse to be written to."""
        self._refuse()

    def empty(self, positions: Sequence[int], seqs: Sequence[int]) -> None:  # noqa: ARG002 - as the port has it
        """Refuse to be written to."""
        self._refuse()

    def wipe(self, patience: float = 60.0) -> None:  # noqa: ARG002 - as the port has it
        """Refuse to be written to."""
        self._refuse()

    def insert_meta(self, key: str, value: str) -> None:  # noqa: ARG002 - as the port has it
        """Refuse to be written to."""
        self._refuse()

    def insert_origin(self, origin: OriginRow) -> None:  # noqa: ARG002 - as the port has it
        """Refuse to be written to."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LedgerError(f"{self.place!r} can only be read", hint="`guild runs import` takes its runs into a home.")
