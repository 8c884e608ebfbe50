"""Proof that the stored history is what was written: chain, density, bodies, guards; says where it first breaks.

What is checked, for every row: transactions and events are numbered without a gap, each origin's chain holds from its
genesis to its recorded head, each header and body has its hash (or was redacted on record), each body decodes as its
type and version, and the database still refuses changes. What it cannot show: a whole history rewritten by somebody who
also recomputed every hash; against that, keep a head hash elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.chain import genesis, txn_hash
from ledger.errors import LedgerError
from ledger.events.book import LedgerCreated
from ledger.registry import current_body, event_classes, read_event
from ledger.rows import EventRow, TxnRow
from ledger.store import Store

MOST_PROBLEMS = 20
_STEP = 10_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken place: where it is, and what is wrong there."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        transactions: how many were read.
        events: how many were read.
        head_hash: hash of this ledger's own head, hexadecimal.
        problems: in the order found, the first broken place first; at most `MOST_PROBLEMS`.
    """

    transactions: int = 0
    events: int = 0
    head_hash: str = ""
    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note a broken place, unless there are too many already."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(where, what))


def verify(store: Store, progress: Callable[[int], None] | None = None) -> Report:
    """Read the whole ledger and report every broken place.

    Args:
        store: the ledger's rows.
        progress: told now and then how many events have been read.

    Raises:
        LedgerError: the database can not be read to its end.
    """
    report = Report()
    for found in store.check_file():
        report.add("the database file", found)
    for name in store.missing_guards():
        report.add(f"trigger {name}", "is missing or altered: the tables are no longer append-only")
    try:
        with store.reading():
            _Walk(store, report, progress).run()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if not report.problems:
            raise
        # The database's own check has found values of a wrong type, and nothing can be done with them.
        report.add("the rows", f"cannot be read to their end: {error}")
    return report


class _Walk:
    """One pass over transactions and events side by side."""

    def __init__(self, store: Store, report: Report, progress: Callable[[int], None] | None) -> None:
        self.store = store
        self.report = report
        self.progress = progress
        self.heads: dict[bytes, tuple[int, bytes, int]] = {}
        self.position = 0
        self.redacted: set[tuple[str, int, bytes]] | None = None
        self.required = {name: _required(cls) for name, cls in event_classes().items()}

    def run(self) -> None:
        """Walk to the end, then compare with the recorded heads."""
        own = bytes.fromhex(self.store.meta().get("origin_id", ""))
        known = {origin.origin_id: origin for origin in self.store.origins()}
        events = self.store.events()
        waiting = next(events, None)
        expected = 1
        for txn in self.store.transactions():
            if txn.seq != expected:
                self.report.add(f"transaction {expected}", f"is missing: the next one is {txn.seq}")
            expected = txn.seq + 1
            group, waiting = self._group(txn, waiting, events)
            self._transaction(txn, group)
        if waiting is not None:
            self.report.add(f"event {waiting.position}", f"belongs to transaction {waiting.txn_seq}, which is missing")
        if own not in known:
            self.report.add(_name(own), "is missing: it is this ledger's own")
        for origin_id, origin in known.items():
            seq, hash_, _ = self.heads.get(origin_id, (0, genesis(origin_id), 0))
            if (seq, hash_) != (origin.head_seq, origin.head_hash):
                self.report.add(
                    _name(origin_id),
                    f"its head is recorded at {origin.head_seq}, its chain ends at {seq}",
                )
        self.report.head_hash = self.heads.get(own, (0, genesis(own), 0))[1].hex()
        self._identity()

    def _group(
        self, txn: TxnRow, waiting: EventRow | None, events: Iterator[EventRow]
    ) -> tuple[list[EventRow], EventRow | None]:
        """Return the events of `txn` and the first event after them."""
        group = []
        while waiting is not None and waiting.txn_seq <= txn.seq:
            if waiting.position != self.position + 1:
                self.report.add(f"event {self.position + 1}", f"is missing: the next one is {waiting.position}")
            self.position = waiting.position
            if waiting.txn_seq == txn.seq and waiting.origin_id == txn.origin_id:
                group.append(waiting)
            else:
                self.report.add(f"event {waiting.position}", f"is not of transaction {txn.seq} as its place says")
            waiting = next(events, None)
        return group, waiting

    def _transaction(self, txn: TxnRow, events: list[EventRow]) -> None:
        where = f"transaction {txn.seq}"
        seq, previous, time = self.heads.get(txn.origin_id, (0, b"", 0))
        if txn.origin_seq != seq + 1:
            self.report.add(where, f"is number {txn.origin_seq} of its origin, {seq + 1} was expected")
        if txn.prev_hash != (previous or genesis(txn.origin_id)):
            self.report.add(where, "does not link to the one before it")
        if txn.recorded_at <= time:
            self.report.add(where, "is not later than the one before it")
        if txn.header is None:
            if not self._is_redacted("txn", txn.origin_seq, txn.origin_id):
                self.report.add(where, "its header is gone, and no redaction is on record")
        elif sha256(txn.header).digest() != txn.header_hash:
            self.report.add(where, "its header was altered")
        if not events:
            self.report.add(where, "has no events")
        if txn_hash(txn, events) != txn.hash:
            self.report.add(where, "its hash does not fit its content")
        for event in events:
            self._event(event)
        self.heads[txn.origin_id] = (txn.origin_seq, txn.hash, txn.recorded_at)
        self.report.transactions += 1
        self._count(len(events))

    def _count(self, events: int) -> None:
        before = self.report.events
        self.report.events += events
        if self.progress is not None and before // _STEP != self.report.events // _STEP:
            self.progress(self.report.events)

    def _event(self, event: EventRow) -> None:
        if event.body is None:
            if not self._is_redacted(event.stream, event.stream_version, event.origin_id):
                self.report.add(f"event {event.position}", "its body is gone, and no redaction is on record")
            return
        if sha256(event.body).digest() != event.body_hash:
            self.report.add(f"event {event.position}", f"({event.type} of {event.stream}) its body was altered")
            return
        try:
            body = current_body(event.type, event.schema_version, event.body)
        except LedgerError as error:
            self.report.add(f"event {event.position}", error.message)
            return
        if not self.required[event.type] <= body.keys():
            lacking = ", ".join(sorted(self.required[event.type] - body.keys()))
            self.report.add(f"event {event.position}", f"{event.type}: its body lacks {lacking}")

    def _is_redacted(self, stream: str, version: int, origin_id: bytes) -> bool:
        if self.redacted is None:
            self.redacted = set(_redactions(self.store))
        return (stream, version, origin_id) in self.redacted

    def _identity(self) -> None:
        """Compare `meta`, which is in no hash, with the making of the ledger, which is."""
        txn, events = self.store.txn(1), self.store.txn_events(1)
        try:
            body = read_event(events[0].type, events[0].schema_version, events[0].body or b"") if events else None
        except LedgerError:
            body = None
        if txn is None or not isinstance(body, LedgerCreated):
            self.report.add("transaction 1", "is not the making of the ledger")
            return
        made = {"ledger_id": body.ledger_id, "format": str(body.format)}
        made |= {"origin_id": txn.origin_id.hex(), "created_at": str(txn.recorded_at)}
        for key, value in made.items():
            if self.store.meta().get(key) != value:
                self.report.add("table meta", f"its {key} is not the one that the ledger was made with")


def _name(origin_id: bytes) -> str:
    return f"origin {origin_id.hex()[:8]}"


def _required(cls: type) -> frozenset[str]:
    from dataclasses import MISSING, fields

    return frozenset(f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)


def _redactions(store: Store) -> Iterator[tuple[str, int, bytes]]:
    """Yield what was redacted on record: stream, version and origin of events; `txn` and `origin_seq` of headers."""
    for row in store.stream_events(["ledger"]):
        if row.type == "ledger.redacted" and row.body is not None:
            # A record that cannot be read is a problem by itself, and excuses nothing.
            with suppress(LedgerError, KeyError, ValueError):
                body = current_body(row.type, row.schema_version, row.body)
                yield str(body["stream"]), int(str(body["stream_version"])), bytes.fromhex(str(body["origin_id"]))
