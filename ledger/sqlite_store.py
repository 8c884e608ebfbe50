"""The embedded ledger: one SQLite file, spoken to with the standard library's sqlite3.

Importing SQLAlchemy takes many times as long as starting Python, and most commands live for a few milliseconds; so the
default store has its own few statements. `ledger.sql_store` says the same to any database; one test class holds both.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, groupby, islice
from typing import Any

from ledger.errors import IntegrityError, LedgerBusyError, LedgerError, replaced
from ledger.format import TRIGGERS
from ledger.gate import gate
from ledger.ids import BEHIND_IDS
from ledger.ordering import in_time
from ledger.rows import EventRow, EventTuple, Head, OriginRow, TimedEvent, TxnRow, TxnTuple
from ledger.sqlite_errors import no_space, translated
from ledger.sqlite_uri import sqlite_uri

BUSY_MS = 60_000
"""How long a statement waits for another program's lock."""

MINIMUM_SQLITE = (3, 37, 0)
"""First SQLite with STRICT tables."""

_CHUNK = 500
PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=1",
    "PRAGMA checkpoint_fullfsync=1",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA recursive_triggers=ON",
)
"""Settings of every connection to a ledger in a file."""

_INSERT_ROW = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?)"
_ROWS = 50
"""Events in one statement: for each statement the interpreter's lock is let go and taken back several times."""

_INSERT_ROWS = _INSERT_ROW + ",(?,?,?,?,?,?,?,?,?)" * (_ROWS - 1)
_HEAD = (
    "SELECT (SELECT count(*) FROM origin), t.seq, (SELECT max(position) FROM event), t.recorded_at, t.lamport,"
    " o.head_seq, o.head_hash FROM origin o"
    " LEFT JOIN (SELECT seq, recorded_at, lamport FROM txn ORDER BY seq DESC LIMIT 1) t WHERE o.origin_id = ?"
)
_HEAD_OF_SEVERAL = (
    "SELECT (SELECT max(seq) FROM txn), (SELECT max(position) FROM event), t.recorded_at, t.lamport, o.head_seq,"
    " o.head_hash FROM origin o LEFT JOIN (SELECT max(recorded_at) AS recorded_at, max(lamport) AS lamport"
    " FROM origin CROSS JOIN txn ON txn.origin_id = origin.origin_id AND origin_seq = head_seq) t WHERE o.origin_id = ?"
)
"""One statement for the whole head, because several may see several different ledgers. Of each origin the newest
transaction is the latest, so only these are looked at; where there is one origin, that is the newest row, found in half
the time. A ledger never has fewer origins than before."""

_TIMED = (
    "SELECT e.position, e.txn_seq, t.recorded_at, e.stream, e.type, e.schema_version, e.body"
    " FROM event e CROSS JOIN txn t ON t.seq = e.txn_seq WHERE e.position > ?"
)

_PATIENCE_SECONDS = 60.0
_PAGES = 4_096
"""Pages that a backup copies between two reports of its progress."""

_CHECK_CACHE_KIB = 65_536
"""SQLite's own check looks up every row in every index; with its usual 2 MiB it would read each page many times."""


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SqliteStore:
    """A ledger in an existing SQLite file; `ledger.opening` makes and migrates the file."""

    def __init__(self, path: str, *, read_only: bool = False, is_full: bool = False) -> None:
        """Open the file at `path`.

        Args:
            path: an existing ledger.
            read_only: for a home on read-only media: the file is taken as it is, without its WAL.
            is_full: the same for a disk without the few kilobytes that SQLite needs beside a ledger, to read it even.

        Raises:
            LedgerError: the file cannot be opened or is no database.
        """
        if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
            raise LedgerError(
                f"SQLite {sqlite3.sqlite_version} is too old, 3.37 is needed", hint="Use a newer Python build."
            )
        self.place = path
        self._gate = gate(path + "-gate", stays=True)
        self.read_only = read_only or is_full
        self.is_full = is_full
        with translated(path):
            file = _identity(path)
            self._db = self._connect()
            self._file = file if file == _identity(path) else None  # exchanged at this very moment
            for pragma in PRAGMAS:
                self._db.execute(pragma)
            self._check_journal()
        self._meta: dict[str, str] | None = None
        self._may_write = False

    def _connect(self) -> sqlite3.Connection:
        mode = "mode=ro&immutable=1" if self.read_only else "mode=rw"
        return sqlite3.connect(
            sqlite_uri(self.place, mode),
            uri=True,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )

    def _check_journal(self) -> None:
        """Make sure of WAL mode: a copy made by other tools may have come without it."""
        if self.read_only or self._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        if self.revision() is None:
            return  # no ledger: whoever's file it is, it stays as it is, and opening refuses it
        if self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
            raise LedgerError(
                f"{self.place!r} cannot be kept safely: its file system has no shared memory",
                hint="Put the home on a local disk, or keep the ledger in PostgreSQL.",
            )

    def close(self) -> None:
        """Close the connection."""
        self._gate.close()
        with translated(self.place):
            self._db.close()

    def revision(self) -> str | None:
        """Return the Alembic revision of the file, or None when it holds no ledger."""
        with translated(self.place):
            found = self._db.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version' AND type = 'table'"
            ).fetchone()
            if found is None:
                return None
            row = self._db.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])

    def meta(self) -> dict[str, str]:
        """Return the rows of `meta`, read once: they never change while a ledger is open."""
        if self._meta is None:
            with translated(self.place):
                rows = self._db.execute("SELECT key, value FROM meta").fetchall()
                self._meta = {str(key): str(value) for key, value in rows}  # in a damaged file they may be bytes
        return self._meta

    def is_current(self) -> bool:
        """Tell whether the open file still has the ledger's name."""
        return self._file is not None and _identity(self.place) == self._file

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock: commit at the end, roll back on an error."""
        if self.is_full:
            raise no_space(self.place)
        if self.read_only:
            raise LedgerError(f"{self.place!r} is read-only", hint="Make the home writable, or choose another with -H.")
        self._refuse_nesting()
        with self._gate, translated(self.place):
            if not self.is_current():
                raise replaced(self.place)
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise LedgerBusyError(
                        f"{self.place!r} is locked by another program for more than a minute",
                        hint="Nothing was changed. Find the program that holds it open, and try again.",
                    ) from error
                raise
            self._may_write = True
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._meta = None  # rows of `meta` that were inserted here are gone again
                self._roll_back()
                raise
            finally:
                self._may_write = False

    def _writer(self) -> sqlite3.Connection:
        if not self._may_write:
            raise LedgerError("the ledger is written to only while its write lock is held")
        return self._db

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one consistent view."""
        self._refuse_nesting()
        with translated(self.place):
            self._db.execute("BEGIN DEFERRED")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _refuse_nesting(self) -> None:
        """Refuse a transaction inside another: at the gate it would wait for itself, for ever."""
        if self._db.in_transaction:
            raise LedgerError("a transaction of the ledger cannot begin inside another")

    def _roll_back(self) -> None:
        # A failed COMMIT (full disk) has rolled back already in some cases; a second error must not hide it.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def head(self) -> Head:
        """Return the end of the ledger."""
        own = bytes.fromhex(self.meta().get("origin_id", ""))
        with translated(self.place):
            origins, *row = self._db.execute(_HEAD, (own,)).fetchone() or (1,)
            if origins > 1:
                row = self._db.execute(_HEAD_OF_SEVERAL, (own,)).fetchone()
        if not row:
            raise IntegrityError(f"{self.place!r} has lost its own origin", hint="Bring the file back from a backup.")
        seq, position, recorded_at, lamport, *origin = row
        return Head(seq or 0, position or 0, recorded_at or 0, lamport or 0, *origin)

    def insert(self, txn: TxnRow, events: Iterable[EventRow]) -> None:
        """Insert a transaction with its events and advance its origin's head."""
        database = self._writer()
        database.execute("INSERT INTO txn VALUES (?,?,?,?,?,?,?,?,?,?)", txn)
        rest = iter(events)
        while len(rows := list(islice(rest, _ROWS))) == _ROWS:
            database.execute(_INSERT_ROWS, list(chain.from_iterable(rows)))
        for row in rows:
            database.execute(_INSERT_ROW, row)
        database.execute(
            "UPDATE origin SET head_seq = ?, head_hash = ? WHERE origin_id = ?",
            (txn.origin_seq, txn.hash, txn.origin_id),
        )

    def empty(self, positions: Sequence[int], seqs: Sequence[int]) -> None:
        """Set the bodies of events and the headers of transactions to NULL."""
        database = self._writer()
        database.execute("PRAGMA secure_delete=ON")
        database.executemany("UPDATE event SET body = NULL WHERE position = ?", [(number,) for number in positions])
        database.executemany("UPDATE txn SET header = NULL WHERE seq = ?", [(number,) for number in seqs])

    def wipe(self, patience: float = _PATIENCE_SECONDS) -> None:
        """Write the file anew, and empty its log: pages that were split or freed may hold what is emptied."""
        from ledger.sqlite_wiping import wipe

        self._refuse_nesting()
        wipe(self._db, self.place, patience)

    def insert_meta(self, key: str, value: str) -> None:
        """Insert one row of `meta`, of a ledger that is being made."""
        self._writer().execute("INSERT INTO meta VALUES (?,?)", (key, value))
        self._meta = None

    def insert_origin(self, origin: OriginRow) -> None:
        """Insert an origin that has not written yet."""
        self._writer().execute("INSERT INTO origin VALUES (?,?,?,?)", origin)

    def txn(self, seq: int) -> TxnRow | None:
        """Return the transaction at `seq`, or None."""
        return self._one_txn("SELECT * FROM txn WHERE seq = ?", seq)

    def find_txn(self, txn_id: bytes) -> TxnRow | None:
        """Return the transaction with this id, or None."""
        return self._one_txn("SELECT * FROM txn WHERE txn_id = ?", txn_id)

    def _one_txn(self, statement: str, *key: int | bytes) -> TxnRow | None:
        with translated(self.place):
            row = self._db.execute(statement, key).fetchone()
        return None if row is None else TxnRow._make(row)

    def transactions(self, after: int = 0, *, newest_first: bool = False) -> Iterator[TxnRow]:
        """Yield the transactions with `seq > after`."""
        order = "DESC" if newest_first else "ASC"
        rows = self._stream(f"SELECT * FROM txn WHERE seq > ? ORDER BY seq {order}", after)  # noqa: S608 - a constant
        return map(TxnRow._make, rows)

    def events(self, after: int = 0, *, newest_first: bool = False) -> Iterator[EventRow]:
        """Yield the events with `position > after`."""
        order = "DESC" if newest_first else "ASC"
        rows = self._stream(
            f"SELECT * FROM event WHERE position > ? ORDER BY position {order}",  # noqa: S608 - a constant
            after,
        )
        return map(EventRow._make, rows)

    def txn_tuples(self, after: int = 0) -> Iterator[TxnTuple]:
        """Yield the transactions with `seq > after` as plain tuples."""
        return self._db.execute("SELECT * FROM txn WHERE seq > ? ORDER BY seq", (after,))

    def event_tuples(self, after: int = 0) -> Iterator[EventTuple]:
        """Yield the events with `position > after` as plain tuples."""
        return self._db.execute("SELECT * FROM event WHERE position > ? ORDER BY position", (after,))

    def seqs_of_types(self, types: Collection[str]) -> Iterator[int]:
        """Yield `seq` of the transactions with an event of one of these types, newest first, each once."""
        marks = ",".join("?" * len(types))
        statement = f"SELECT txn_seq FROM event WHERE type IN ({marks}) ORDER BY position DESC"  # noqa: S608 - marks
        return (seq for seq, _ in groupby(row[0] for row in self._stream(statement, *types)))

    def timed_events(self, after: int = 0, origin_id: bytes | None = None) -> Iterator[TimedEvent]:
        """Yield the events with `position > after`, each with its transaction's time."""
        if origin_id is None:
            rows = self._stream(f"{_TIMED} ORDER BY e.position", after)
        else:
            rows = self._stream(f"{_TIMED} AND e.origin_id = ? ORDER BY e.position", after, origin_id)
        return map(TimedEvent._make, rows)

    def _stream(self, statement: str, *values: int | str | bytes) -> Iterator[Any]:
        with translated(self.place):
            # Chained, because `yield from` would close the cursor with the generator: at the end of a command that
            # is after the database was closed, and an error that nobody can catch.
            yield from chain(self._db.execute(statement, values))

    def txn_events(self, seq: int) -> list[EventRow]:
        """Return the events of the transaction at `seq`, in order of position."""
        with translated(self.place):
            rows = self._db.execute("SELECT * FROM event WHERE txn_seq = ? ORDER BY position", (seq,)).fetchall()
        return [EventRow._make(row) for row in rows]

    def stream_events(self, streams: Iterable[str]) -> list[EventRow]:
        """Return every event of these streams in the order in which they count."""
        wanted = list(dict.fromkeys(streams))
        rows: list[EventRow] = []
        with translated(self.place):
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                found = self._db.execute(f"SELECT * FROM event WHERE stream IN ({marks})", chunk)  # noqa: S608 - marks
                rows += map(EventRow._make, found)
        return in_time(rows, self.txn)

    def last_version(self, stream: str, origin_id: bytes) -> int:
        """Return the version of the newest event that an origin has in a stream, 0 when it has none."""
        statement = "SELECT max(stream_version) FROM event WHERE stream = ? AND origin_id = ?"
        with translated(self.place):
            return int(self._db.execute(statement, (stream, origin_id)).fetchone()[0] or 0)

    def origin_txn(self, origin_id: bytes, origin_seq: int) -> TxnRow | None:
        """Return the transaction with this number in its origin, or None."""
        return self._one_txn("SELECT * FROM txn WHERE origin_id = ? AND origin_seq = ?", origin_id, origin_seq)

    def streams(self, prefix: str, limit: int) -> list[str]:
        """Return the streams of runs whose name begins with `prefix`, in order, at most `limit`."""
        statement = "SELECT DISTINCT stream FROM event WHERE stream >= ? AND stream < ? ORDER BY stream LIMIT ?"
        with translated(self.place):
            return [row[0] for row in self._db.execute(statement, (prefix, prefix + BEHIND_IDS, limit))]

    def origins(self) -> list[OriginRow]:
        """Return all origins."""
        with translated(self.place):
            return [OriginRow._make(row) for row in self._db.execute("SELECT * FROM origin ORDER BY origin_id")]

    def missing_guards(self) -> list[str]:
        """Return the names of the guards that are missing or are not those of this program."""
        from ledger.guards import sqlite_guards

        with translated(self.place):
            stored = dict(self._db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall())
        expected = sqlite_guards()
        return [name for name in TRIGGERS if stored.get(name) != expected[name]]

    def copy_into(self, copy: sqlite3.Connection, progress: Callable[[int, int, int], object] | None = None) -> None:
        """Copy the database as it is at this moment; others may write meanwhile.

        Args:
            copy: an empty database.
            progress: told now and then a status, how many pages are left, and how many there are.
        """
        # In one view of the ledger nothing that others write can make SQLite begin again.
        with self.reading():
            self._db.execute("SELECT 1 FROM sqlite_schema").fetchone()
            self._db.backup(copy, pages=_PAGES, progress=progress)

    def check_file(self) -> list[str]:
        """Return what `PRAGMA integrity_check` found, by a connection of its own, beside any other reading."""
        with translated(self.place), closing(self._connect()) as database:
            database.execute(f"PRAGMA cache_size=-{_CHECK_CACHE_KIB}")
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found
