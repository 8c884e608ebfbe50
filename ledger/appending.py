"""Appending: the rules, once, above any store. Apart from `ledger.log` because most commands only read.

Order of an append (each step only after the one before):
bodies are encoded and hashed; the write lock is taken; expected versions and the life of every touched run are checked,
each event against the state that includes the earlier ones; rows are inserted; they are read back and compared with
what was hashed; only then comes COMMIT. A transaction with this id that is there already is returned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from ledger.canonical import Value, encode
from ledger.chain import digest, txn_hash
from ledger.errors import ConflictError, IntegrityError, LedgerError
from ledger.events.base import Event
from ledger.ids import Clock, OriginId, Seq, TxnId, run_of
from ledger.lifecycle import UNBORN, Life, advance, settled
from ledger.registry import current_body
from ledger.rows import EventRow, Head, TxnRow
from ledger.seams import seam
from ledger.store import Store
from ledger.transaction import Committed, NewEvent, Transaction

_TELLING = ("run.status_changed", "run.protected", "run.imported", "run.deleted")
"""Event types whose body (not only whose name) decides what may follow."""


class Appender:
    """Appends transactions to one store, as one origin."""

    def __init__(self, store: Store, clock: Clock, origin_id: OriginId) -> None:
        self._store = store
        self._clock = clock
        self._origin_id = origin_id

    def append(self, transaction: Transaction, check: Callable[[], None] | None) -> Committed:
        """Append as `Ledger.append` says."""
        if not transaction.events:
            raise LedgerError("a transaction needs at least one event")
        header = transaction.header.to_bytes()
        bodies = _encoded(transaction.events)
        seam("append.begin")
        try:
            with self._store.writing():
                if check is not None:
                    stored = self._store.find_txn(transaction.txn_id)
                    if stored is not None:
                        return _committed(stored, repeated=True)
                    check()
                txn = self._write(transaction, header, bodies)
                seam("append.commit")
        except (LedgerError, IntegrityError):
            # What is there already cannot be written twice: its streams have moved on, and its id is taken. Only
            # then it is looked up, because nearly nothing is ever appended again.
            stored = self._appended_before(transaction.txn_id)
            if stored is None:
                raise
            return _committed(stored, repeated=True)
        seam("append.committed")
        return _committed(txn, repeated=False)

    def _appended_before(self, txn_id: TxnId) -> TxnRow | None:
        try:
            return self._store.find_txn(txn_id)
        except (LedgerError, IntegrityError):
            return None  # what made the append fail is what there is to tell

    def append_held(self, transaction: Transaction) -> Committed:
        """Append as `append` does, as a part of what the caller, who holds the write lock, will commit."""
        txn = self._write(transaction, transaction.header.to_bytes(), _encoded(transaction.events))
        return _committed(txn, repeated=False)

    def _write(self, transaction: Transaction, header: bytes, bodies: Sequence[bytes]) -> TxnRow:
        head = self._store.head()
        versions = self._checked_versions(transaction)
        txn = self._txn_row(transaction, header, head)
        rows = _event_rows(txn, transaction.events, bodies, versions, head.position)
        txn = TxnRow(*txn[:-1], txn_hash(txn, rows))
        seam("append.insert")
        self._store.insert(txn, rows)
        self._read_back(txn, rows)
        return txn

    def _txn_row(self, transaction: Transaction, header: bytes, head: Head) -> TxnRow:
        # Strictly later than the one before: a clock set back must not reorder runs, which are listed by start time.
        recorded_at = max(self._clock(), head.recorded_at + 1)
        # Not by name, here and below: a named tuple made by names takes three times as long.
        seq, own_seq, lamport = head.seq + 1, head.origin_seq + 1, head.lamport + 1
        txn_id, own, header_hash = transaction.txn_id, self._origin_id, digest(header)
        return TxnRow(seq, txn_id, own, own_seq, recorded_at, lamport, header_hash, header, head.hash, b"")

    def _checked_versions(self, transaction: Transaction) -> dict[str, int]:
        """Return this origin's last version of each touched stream, after every check on them."""
        streams = [new.stream for new in transaction.events]
        histories: dict[str, list[EventRow]] = defaultdict(list)
        for row in self._store.stream_events([*streams, *transaction.expected]):
            histories[row.stream].append(row)
        for stream, expected in transaction.expected.items():
            if len(histories[stream]) != expected:
                raise _conflict(stream, expected, histories[stream])
        _check_lives(transaction.events, histories)
        own = self._origin_id
        return {
            stream: max((row.stream_version for row in histories[stream] if row.origin_id == own), default=0)
            for stream in dict.fromkeys(streams)
        }

    def _read_back(self, txn: TxnRow, rows: Sequence[EventRow]) -> None:
        """Compare what the database now holds with what was hashed, before it is committed.

        Byte for byte: a write that went wrong must not be kept, and what is equal has the same hash.
        """
        if self._store.txn(txn.seq) != txn or self._store.txn_events(txn.seq) != rows:
            raise IntegrityError(
                f"the database did not keep what was written to {self._store.place!r}",
                hint="Nothing was recorded. Run `guild ledger verify` before going on.",
            )


def _encoded(events: Sequence[NewEvent]) -> list[bytes]:
    """Return the body of each event; an event that many runs share is encoded once."""
    known = {id(new.event): new.event for new in events}  # by identity: not every event has a hash
    bodies = {key: encode(event.to_body()) for key, event in known.items()}
    return [bodies[id(new.event)] for new in events]


def _check_lives(events: Sequence[NewEvent], histories: Mapping[str, Sequence[EventRow]]) -> None:
    """Check each event of a run against the run's state including the earlier events of the same transaction."""
    lives: dict[str, Life] = {}
    for new in events:
        run_id = run_of(new.stream)
        if run_id is None:
            continue
        life = lives.get(new.stream)
        if life is None:
            life = _life(histories.get(new.stream, ()))
        lives[new.stream] = advance(life, new.event.type, _telling_body(new.event), run_id[:8])


def _telling_body(event: Event) -> Mapping[str, Value]:
    return event.to_body() if event.type in _TELLING else {}


def _life(rows: Sequence[EventRow]) -> Life:
    """Return the state of a run after its stored events."""
    life = UNBORN
    for row in rows:
        body: Mapping[str, Value] = {}
        if row.type in _TELLING:
            # A redacted body must not lock its run for ever: the strictest verdict that still lets it be deleted.
            redacted: Mapping[str, Value] = {"status": "terminated", "protected": False, "cause": ""}
            body = redacted if row.body is None else current_body(row.type, row.schema_version, row.body)
        life = settled(life, row.type, body)
    return life


def _event_rows(
    txn: TxnRow, events: Sequence[NewEvent], bodies: Sequence[bytes], versions: dict[str, int], position: int
) -> list[EventRow]:
    rows = []
    hashes = {body: digest(body) for body in bodies}
    seq, own = txn.seq, txn.origin_id
    for new, body in zip(events, bodies, strict=True):
        position += 1
        versions[new.stream] += 1
        stream, event = new.stream, new.event
        shape = event.type, event.schema_version, hashes[body], body
        rows.append(EventRow(position, seq, own, stream, versions[stream], *shape))
    return rows


def _conflict(stream: str, expected: int, rows: Sequence[EventRow]) -> ConflictError:
    run_id = run_of(stream)
    name = f"run {run_id[:8]}" if run_id else f"stream {stream!r}"
    what = rows[-1].type.removeprefix("run.").replace("_", " ") if rows else "nothing"
    return ConflictError(
        f"{name} changed meanwhile (now {len(rows)} events, {expected} when it was looked at; the last: {what})",
        hint="Nothing was changed. Look at the list again and repeat the command.",
    )


def _committed(row: TxnRow, *, repeated: bool) -> Committed:
    return Committed(Seq(row.seq), TxnId(row.txn_id), row.recorded_at, row.hash, repeated)
