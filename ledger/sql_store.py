"""A ledger in a database that SQLAlchemy speaks to: PostgreSQL for a team, SQLite to prove that stores agree.

What is read or written inside `writing` or `reading` shares one connection; anything else takes one for
itself. One idle connection is kept, since connecting takes a server longer than answering; it is tried
before it is used again, because a server may have dropped it while a user thought about a prompt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from typing import Any

from sqlalchemy import URL, Connection, Executable, Select, func, select, text, true

from ledger import tables
from ledger.errors import IntegrityError, LedgerError
from ledger.format import TRIGGERS
from ledger.gate import gate
from ledger.guards import postgres_function, postgres_guard_facts, sqlite_guards
from ledger.ids import BEHIND_IDS
from ledger.ordering import in_time
from ledger.rows import EventRow, EventTuple, Head, OriginRow, TimedEvent, TxnRow, TxnTuple
from ledger.sql_engine import BUSY_SECONDS, ONE_KEPT, engine_for, ledger_url
from ledger.sql_errors import shown, translated

_CHUNK = 500
_PAGE = 1000
_IDLE_SECONDS = 300

# What was reported as recorded must outlive a crash, even of a server set up to trade that for speed.
_SETTINGS_OF_A_WRITER = text(
    "SELECT set_config('lock_timeout', :busy, true),"
    " set_config('idle_in_transaction_session_timeout', :idle, true),"
    " set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, true)"
)

_GUARDS_OF_POSTGRES = text("""
SELECT t.tgname, c.relname, t.tgtype::int, p.proname, p.prosrc
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (to_regclass('event'), to_regclass('origin'), to_regclass('txn'))
  AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr = ''::int2vector AND NOT t.tgisinternal
""")


class SqlStore:
    """A ledger in the database at a URL; `ledger.migrate` makes and migrates its tables."""

    def __init__(
        self, url: str | URL, *, busy_seconds: int = BUSY_SECONDS, connection: Connection | None = None
    ) -> None:
        """Prepare to use the database at `url`; nothing is connected yet.

        Args:
            url: `sqlite:///path` of an existing file, or `postgresql://...`.
            busy_seconds: how long to wait for the write lock.
            connection: a transaction that the caller holds: then everything happens inside it.

        Raises:
            LedgerError: no URL of a usable database, or its driver is not installed.
        """
        self._url = ledger_url(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self.place = str(self._url.database) if self._is_sqlite else shown(self._url)
        self._busy_seconds = busy_seconds
        if connection is None:
            self._engine = engine_for(self._url, busy_seconds=busy_seconds, pool=ONE_KEPT)
        else:
            self._engine = connection.engine
        self._borrowed = connection is not None
        self._held = connection
        self._may_write = self._borrowed
        self._meta: dict[str, str] = {}

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def revision(self) -> str | None:
        """Return the Alembic revision of the database, or None when it holds no ledger."""
        with self._connection() as connection:
            if not self._engine.dialect.has_table(connection, "alembic_version"):
                return None
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return None if found is None else str(found)

    def is_current(self) -> bool:
        """Tell that it is: nothing takes the place of a database in a server."""
        return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock: commit at the end, roll back on an error."""
        queue = gate(self.place + "-gate") if self._is_sqlite and not self._borrowed else nullcontext()
        options = {"begin_mode": "IMMEDIATE"} if self._is_sqlite else {"isolation_level": "READ COMMITTED"}
        with self._transaction(options, queue):
            self._may_write = True
            try:
                if not self._is_sqlite:
                    self._lock()
                yield
            except BaseException:
                self._meta = {}  # rows of `meta` that were inserted here are gone again
                raise
            finally:
                self._may_write = self._borrowed

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one consistent view."""
        serverside = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._transaction({} if self._is_sqlite else serverside, nullcontext()):
            yield

    @contextmanager
    def _transaction(self, options: Mapping[str, Any], queue: AbstractContextManager[None]) -> Iterator[None]:
        """Hold one transaction for everything that is done inside."""
        if self._borrowed:
            yield
            return
        if self._held is not None:
            raise LedgerError("a transaction of the ledger was begun inside another one")
        with queue, translated(self.place), self._engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                self._held = connection
                try:
                    yield
                finally:
                    self._held = None

    def _lock(self) -> None:
        """Queue for the row of the own origin: from then on all that was committed before is visible."""
        connection = self._writer()
        busy = self._busy_seconds * 1000 or 1  # for PostgreSQL 0 means for ever
        connection.execute(_SETTINGS_OF_A_WRITER, {"busy": f"{busy}ms", "idle": f"{_IDLE_SECONDS}s"})
        own = self.meta().get("origin_id", "")
        mine = select(tables.origin.c.head_seq).where(tables.origin.c.origin_id == bytes.fromhex(own))
        if connection.execute(mine.with_for_update()).first() is None:
            # A ledger that is being made has no row to lock yet; two that make it must still queue.
            connection.execute(text("LOCK TABLE origin IN SHARE ROW EXCLUSIVE MODE"))

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Give the held connection, or one for this use alone."""
        with translated(self.place):
            if self._held is not None:
                yield self._held
            else:
                with self._engine.connect() as connection, connection.begin():
                    yield connection

    def _writer(self) -> Connection:
        if self._held is None or not self._may_write:
            raise LedgerError("the ledger is written to only while its write lock is held")
        return self._held

    def meta(self) -> dict[str, str]:
        """Return the rows of `meta`, read once they are there: they never change while a ledger is open."""
        if not self._meta:
            with self._connection() as connection:
                rows = connection.execute(select(tables.meta))
                self._meta = {str(row.key): str(row.value) for row in rows}
        return self._meta

    def head(self) -> Head:
        """Return the end of the ledger."""
        own = bytes.fromhex(self.meta().get("origin_id", ""))
        with self._connection() as connection:
            found = connection.execute(_head_statement(own)).one()
        seq, recorded_at, lamport, position, origin_seq, hash_ = found
        if hash_ is None:
            raise IntegrityError(f"{self.place!r} has lost its own origin", hint="Bring it back from a backup.")
        return Head(seq or 0, position or 0, recorded_at or 0, lamport or 0, origin_seq, hash_)

    def insert(self, txn: TxnRow, events: Iterable[EventRow]) -> None:
        """Insert a transaction with its events and advance its origin's head."""
        connection = self._writer()
        own = tables.origin.c.origin_id == txn.origin_id
        with translated(self.place):
            connection.execute(tables.txn.insert(), txn._asdict())
            if rows := [row._asdict() for row in events]:
                connection.execute(tables.event.insert(), rows)
            advance = tables.origin.update().where(own).values(head_seq=txn.origin_seq, head_hash=txn.hash)
            connection.execute(advance)

    def empty(self, positions: Sequence[int], seqs: Sequence[int]) -> None:
        """Set the bodies of events and the headers of transactions to NULL."""
        event, txn = tables.event, tables.txn
        with translated(self.place):
            for number in positions:
                self._writer().execute(event.update().where(event.c.position == number).values(body=None))
            for number in seqs:
                self._writer().execute(txn.update().where(txn.c.seq == number).values(header=None))

    def wipe(self, patience: float = 0.0) -> None:
        """Do nothing: a server clears old rows away in its own time, and only its administrator can hurry it."""

    def insert_meta(self, key: str, value: str) -> None:
        """Insert one row of `meta`, of a ledger that is being made."""
        with translated(self.place):
            self._writer().execute(tables.meta.insert(), {"key": key, "value": value})
        self._meta = {}

    def insert_origin(self, origin: OriginRow) -> None:
        """Insert an origin that has not written yet."""
        with translated(self.place):
            self._writer().execute(tables.origin.insert(), origin._asdict())

    def txn(self, seq: int) -> TxnRow | None:
        """Return the transaction at `seq`, or None."""
        rows = self._all(select(tables.txn).where(tables.txn.c.seq == seq))
        return TxnRow._make(rows[0]) if rows else None

    def find_txn(self, txn_id: bytes) -> TxnRow | None:
        """Return the transaction with this id, or None."""
        rows = self._all(select(tables.txn).where(tables.txn.c.txn_id == txn_id))
        return TxnRow._make(rows[0]) if rows else None

    def transactions(self, after: int = 0, *, newest_first: bool = False) -> Iterator[TxnRow]:
        """Yield the transactions with `seq > after`."""
        seq = tables.txn.c.seq
        order = seq.desc() if newest_first else seq
        return map(TxnRow._make, self._stream(select(tables.txn).where(seq > after).order_by(order)))

    def events(self, after: int = 0, *, newest_first: bool = False) -> Iterator[EventRow]:
        """Yield the events with `position > after`."""
        position = tables.event.c.position
        order = position.desc() if newest_first else position
        return map(EventRow._make, self._stream(select(tables.event).where(position > after).order_by(order)))

    def txn_tuples(self, after: int = 0) -> Iterator[TxnTuple]:
        """Yield the transactions with `seq > after` as plain tuples."""
        return map(tuple, self._stream(select(tables.txn).where(tables.txn.c.seq > after).order_by(tables.txn.c.seq)))

    def event_tuples(self, after: int = 0) -> Iterator[EventTuple]:
        """Yield the events with `position > after` as plain tuples."""
        position = tables.event.c.position
        return map(tuple, self._stream(select(tables.event).where(position > after).order_by(position)))

    def seqs_of_types(self, types: Collection[str]) -> Iterator[int]:
        """Yield `seq` of the transactions with an event of one of these types, newest first, each once."""
        row = tables.event.c
        found = self._stream(select(row.txn_seq).where(row.type.in_(types)).order_by(row.position.desc()))
        return (seq for seq, _ in groupby(int(one[0]) for one in found))

    def timed_events(self, after: int = 0, origin_id: bytes | None = None) -> Iterator[TimedEvent]:
        """Yield the events with `position > after`, each with its transaction's time."""
        row = tables.event.c
        wanted = (
            row.position,
            row.txn_seq,
            tables.txn.c.recorded_at,
            row.stream,
            row.type,
            row.schema_version,
            row.body,
        )
        joined = select(*wanted).join(tables.txn, tables.txn.c.seq == row.txn_seq).where(row.position > after)
        if origin_id is not None:
            joined = joined.where(row.origin_id == origin_id)
        return map(TimedEvent._make, self._stream(joined.order_by(row.position)))

    def txn_events(self, seq: int) -> list[EventRow]:
        """Return the events of the transaction at `seq`, in order of position."""
        wanted = select(tables.event).where(tables.event.c.txn_seq == seq).order_by(tables.event.c.position)
        return [EventRow._make(row) for row in self._all(wanted)]

    def stream_events(self, streams: Iterable[str]) -> list[EventRow]:
        """Return every event of these streams in the order in which they count."""
        wanted = list(dict.fromkeys(streams))
        rows: list[EventRow] = []
        with self._connection() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = tables.event.c.stream.in_(wanted[start : start + _CHUNK])
                rows += map(EventRow._make, connection.execute(select(tables.event).where(chunk)))
        return in_time(rows, self.txn)

    def last_version(self, stream: str, origin_id: bytes) -> int:
        """Return the version of the newest event that an origin has in a stream, 0 when it has none."""
        row = tables.event.c
        wanted = select(func.max(row.stream_version)).where(row.stream == stream, row.origin_id == origin_id)
        return int(self._all(wanted)[0][0] or 0)

    def origin_txn(self, origin_id: bytes, origin_seq: int) -> TxnRow | None:
        """Return the transaction with this number in its origin, or None."""
        row = tables.txn.c
        rows = self._all(select(tables.txn).where(row.origin_id == origin_id, row.origin_seq == origin_seq))
        return TxnRow._make(rows[0]) if rows else None

    def streams(self, prefix: str, limit: int) -> list[str]:
        """Return the streams of runs whose name begins with `prefix`, in order, at most `limit`."""
        stream = tables.event.c.stream
        wanted = select(stream).where(stream >= prefix, stream < prefix + BEHIND_IDS)
        return [str(row[0]) for row in self._all(wanted.distinct().order_by(stream).limit(limit))]

    def origins(self) -> list[OriginRow]:
        """Return all origins."""
        return [OriginRow._make(row) for row in self._all(select(tables.origin).order_by(tables.origin.c.origin_id))]

    def missing_guards(self) -> list[str]:
        """Return the names of the guards that are missing or are not those of this program."""
        with self._connection() as connection:
            held = _sqlite_held(connection) if self._is_sqlite else _postgres_held(connection)
        return [name for name in TRIGGERS if name not in held]

    def check_file(self) -> list[str]:
        """Return what `PRAGMA integrity_check` found; a server checks its own files."""
        if not self._is_sqlite:
            return []
        found = [str(row[0]) for row in self._all(text("PRAGMA integrity_check(20)"))]
        return [] if found == ["ok"] else found

    def _all(self, statement: Executable) -> Sequence[Sequence[Any]]:
        with self._connection() as connection:
            return connection.execute(statement).all()

    def _stream(self, statement: Executable) -> Iterator[Sequence[Any]]:
        """Yield rows as the server delivers them, a page in memory at a time."""
        with (
            self._connection() as connection,
            connection.execute(statement, execution_options={"yield_per": _PAGE}) as rows,
        ):
            yield from rows


def _head_statement(own: bytes) -> Select[Any]:
    """Return one statement for the whole head, because two statements may see two different ledgers."""
    txn, origin = tables.txn.c, tables.origin.c
    newest = select(func.max(txn.seq).label("seq")).subquery()
    ends = (txn.origin_id == origin.origin_id) & (txn.origin_seq == origin.head_seq)
    latest = (func.max(txn.recorded_at).label("recorded_at"), func.max(txn.lamport).label("lamport"))
    last = select(*latest).select_from(tables.origin.join(tables.txn, ends)).subquery()
    position = select(func.max(tables.event.c.position).label("position")).subquery()
    mine = select(origin.head_seq, origin.head_hash).where(origin.origin_id == own).subquery()
    always = position.outerjoin(newest, true()).outerjoin(last, true()).outerjoin(mine, true())
    columns = (newest.c.seq, last.c.recorded_at, last.c.lamport, position.c.position)
    return select(*columns, mine.c.head_seq, mine.c.head_hash).select_from(always)


def _sqlite_held(connection: Connection) -> set[str]:
    """Return the names of the guards that the file holds as this program defines them."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    return {str(name) for name, sql in rows if sqlite_guards().get(name) == sql}


def _postgres_held(connection: Connection) -> set[str]:
    """Return the names of the guards that are enabled and do what this program defines."""
    expected = {
        (name, guard.table, guard.fires, postgres_function(name), guard.body)
        for name, guard in postgres_guard_facts().items()
    }
    return {str(row[0]) for row in connection.execute(_GUARDS_OF_POSTGRES) if tuple(row) in expected}
