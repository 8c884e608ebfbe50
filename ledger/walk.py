"""One pass over a stretch of the ledger, transactions and events side by side: what verification rests on.

A stretch may begin anywhere. What it then takes for granted, the ends of the chains where it begins, is told to whoever
walked the stretch before, who compares: two stretches may be walked at the same time and prove what one walk proves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from orjson import dumps, loads

from ledger.chain import genesis, sealed
from ledger.dataclass import required
from ledger.errors import LedgerError
from ledger.registry import VERSIONS, Upcaster, current_body, event_classes, lifting
from ledger.rows import EventRow, EventTuple, TxnRow, TxnTuple
from ledger.store import Store

if TYPE_CHECKING:
    from ledger.redacting import Named

_MOST_PROBLEMS = 100
_STEP = 10_000

UNREADABLE = (TypeError, ValueError, KeyError, AttributeError)
"""What a value of a wrong type leads to, in a file that was damaged."""

UNUSUAL = (TypeError, ValueError, KeyError)
"""What a body leads to that is redacted, has an explicit form, lacks a required field, or is wrong."""


class Span(NamedTuple):
    """A stretch: the transactions after `after_seq` up to `last_seq`, and the events likewise by position."""

    after_seq: int = 0
    after_position: int = 0
    last_seq: int = sys.maxsize
    last_position: int = sys.maxsize


WHOLE = Span()


End = tuple[int, bytes, int]
"""Where an origin's chain ends: the number there, the hash and the time of its last transaction."""


class Walked(NamedTuple):
    """What a walk found.

    Attributes:
        transactions: how many were read.
        events: how many were read.
        problems: pairs of where and what, in the order found.
        firsts: of a stretch in the middle: the first transaction of each origin.
        ends: where each origin's chain ends.
        unreadable: the error at a value of a wrong type, behind which nothing was read.
    """

    transactions: int
    events: int
    problems: list[tuple[str, str]]
    firsts: list[TxnRow]
    ends: dict[bytes, End]
    unreadable: Exception | None = None

    def then(self, rest: Walked) -> Walked | None:
        """Return what one walk over both stretches would have found; `rest` begins where this one ended.

        None when there is something wrong: only one walk over both can say what, in the order of the ledger.
        """
        fits = all(not unlinked(txn, self.ends.get(txn.origin_id) or beginning(txn.origin_id)) for txn in rest.firsts)
        if not fits or self.problems or rest.problems or self.unreadable or rest.unreadable:
            return None
        transactions, events = self.transactions + rest.transactions, self.events + rest.events
        return Walked(transactions, events, [], self.firsts, self.ends | rest.ends)

    def behind(self, ends: Mapping[bytes, End]) -> list[tuple[str, str]]:
        """Return what is wrong with it as what comes behind chains that ended there."""
        links = ((txn.seq, unlinked(txn, ends.get(txn.origin_id) or beginning(txn.origin_id))) for txn in self.firsts)
        return [(f"transaction {seq}", what) for seq, wrong in links for what in wrong] + self.problems


def ends_of(store: Store) -> dict[bytes, End]:
    """Return where the chain of each origin that has written ends, as the ledger says."""
    last = [(origin, store.origin_txn(origin.origin_id, origin.head_seq)) for origin in store.origins()]
    return {origin.origin_id: (txn.origin_seq, txn.hash, txn.recorded_at) for origin, txn in last if txn is not None}


def beginning(origin_id: bytes) -> End:
    """Return where an origin's chain ends before its first transaction."""
    return 0, genesis(origin_id), 0


def walk(store: Store, progress: Callable[[int], None] | None = None, span: Span = WHOLE) -> Walked:
    """Read a stretch and check every row of it.

    Args:
        store: the ledger's rows; the caller holds one view of them.
        progress: told now and then how many events have been read.
        span: the stretch.

    Raises:
        LedgerError: it cannot be read to its end.
    """
    steps = _Walk(store, progress, span)
    unreadable = None
    try:
        steps.run()
    except UNREADABLE as error:
        unreadable = error
    return Walked(steps.transactions, steps.events, steps.problems, steps.firsts, steps.ends, unreadable)


class _Walk:
    """A walk on its way.

    Every event of a long ledger comes through here, so the usual case is told from all others with as little as can
    be: rows stay plain tuples, and what is unusual goes to a method that takes its time.
    """

    def __init__(self, store: Store, progress: Callable[[int], None] | None, span: Span) -> None:
        self.store = store
        self.progress = progress
        self.span = span
        self.position = span.after_position
        self.transactions = 0
        self.events = 0
        self.told = _STEP
        self.problems: list[tuple[str, str]] = []
        self.firsts: list[TxnRow] = []
        self.ends: dict[bytes, End] = {}
        self.redacted: set[tuple[str, int, bytes]] | None = None
        self.required = {name: frozenset(required(cls)) for name, cls in event_classes().items()}
        self.shapes = {
            (name, version): _taking(self.required[name], lifting(name, version))
            for name, newest in VERSIONS.items()
            for version in range(1, newest + 1)
        }

    def run(self) -> None:
        events = self.store.event_tuples(self.span.after_position)
        waiting = next(events, None)
        expected = self.span.after_seq + 1
        for txn in self.store.txn_tuples(self.span.after_seq):
            seq = txn[0]
            if seq > self.span.last_seq:
                break
            if seq != expected:
                self.add(f"transaction {expected}", f"is missing: the next one is {seq}")
            expected = seq + 1
            waiting = self.transaction(txn, waiting, events)
        if waiting is not None and waiting[0] <= self.span.last_position:
            self.add(f"event {waiting[0]}", f"belongs to transaction {waiting[1]}, which is missing")

    def add(self, where: str, what: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append((where, what))

    def transaction(self, txn: TxnTuple, waiting: EventTuple | None, events: Iterator[EventTuple]) -> EventTuple | None:
        """Check `txn` and its events, the first of which is `waiting`; return the first event after them."""
        seq, origin_id = txn[0], txn[2]
        parts: list[bytes] = []
        bad: list[tuple[str, str]] = []
        shapes, position = self.shapes, self.position
        while waiting is not None:
            # Checked and let go of before the next is read: a transaction may have a million.
            at, txn_seq, owner, stream, version, type_, schema, body_hash, body = waiting
            if txn_seq > seq:
                break
            position += 1
            if at != position:
                self.add(f"event {position}", f"is missing: the next one is {at}")
                position = at
            if txn_seq == seq and owner == origin_id:
                named = dumps((stream, version, type_, schema))
                parts.append(len(named).to_bytes(8, "big") + named + body_hash)
                try:
                    # A known type, nothing in an explicit form: what nearly every event is.
                    if body is None or sha256(body).digest() != body_hash or b"$" in body:
                        raise ValueError
                    shapes[type_, schema](loads(body))
                except UNUSUAL:
                    if (wrong := self.event(EventRow._make(waiting))) is not None:
                        bad.append((f"event {at}", wrong))
            else:
                self.add(f"event {at}", f"is not of transaction {seq} as its place says")
            waiting = next(events, None)
        self.position = position
        self.row(txn, parts)
        for where, what in bad:
            self.add(where, what)
        self.count(len(parts))
        return waiting

    def row(self, txn: TxnTuple, parts: list[bytes]) -> None:
        """Check a transaction, its events left aside; its hash becomes the end of the chain."""
        seq, _, origin_id, origin_seq, recorded_at, _, header_hash, header, prev_hash, hash_ = txn
        end = self.ends.get(origin_id)
        self.ends[origin_id] = (origin_seq, hash_, recorded_at)
        whole = header is not None and sha256(header).digest() == header_hash and sealed(txn, parts) == hash_
        if not (
            whole
            and parts
            and end is not None
            and prev_hash == end[1]
            and origin_seq == end[0] + 1
            and recorded_at > end[2]
        ):
            for what in self.wrong(TxnRow._make(txn), parts, end):
                self.add(f"transaction {seq}", what)

    def wrong(self, txn: TxnRow, parts: list[bytes], end: End | None) -> list[str]:
        """Return what is wrong with a transaction behind the `end` of its chain."""
        wrong = []
        if end is None and self.span.after_seq:
            self.firsts.append(txn)
        else:
            wrong = unlinked(txn, end or beginning(txn.origin_id))
        if txn.header is None:
            if not self.is_redacted("txn", txn.origin_seq, txn.origin_id):
                wrong.append("its header is gone, and no redaction is on record")
        elif sha256(txn.header).digest() != txn.header_hash:
            wrong.append("its header was altered")
        if not parts:
            wrong.append("has no events")
        if sealed(txn, parts) != txn.hash:
            wrong.append("its hash does not fit its content")
        return wrong

    def count(self, events: int) -> None:
        self.transactions += 1
        self.events += events
        if self.events >= self.told:
            self.told = self.events - self.events % _STEP + _STEP
            if self.progress is not None:
                self.progress(self.events)

    def event(self, event: EventRow) -> str | None:
        """Return what is wrong with an event's body, or None."""
        _, _, origin_id, stream, stream_version, type_, schema_version, body_hash, body = event
        if body is None:
            redacted = self.is_redacted(stream, stream_version, origin_id)
            return None if redacted else "its body is gone, and no redaction is on record"
        if sha256(body).digest() != body_hash:
            return f"({type_} of {stream}) its body was altered"
        try:
            keys = current_body(type_, schema_version, body).keys()
        except LedgerError as error:
            return error.message
        if self.required[type_] <= keys:
            return None
        return f"{type_}: its body lacks {', '.join(sorted(self.required[type_] - keys))}"

    def is_redacted(self, stream: str, version: int, origin_id: bytes) -> bool:
        if self.redacted is None:
            self.redacted = set(redactions(self.store))
        return (stream, version, origin_id) in self.redacted


def unlinked(txn: TxnRow, end: End) -> list[str]:
    """Return what is wrong with the way a transaction joins the chain that ended at `end`."""
    seq, hash_, time = end
    wrong = []
    if txn.origin_seq != seq + 1:
        wrong.append(f"is number {txn.origin_seq} of its origin, {seq + 1} was expected")
    if txn.prev_hash != hash_:
        wrong.append("does not link to the one before it")
    if txn.recorded_at <= time:
        wrong.append("is not later than the one before it")
    return wrong


def _taking(names: frozenset[str], lift: Upcaster | None) -> Callable[[Any], object]:
    """Return a function that takes these fields out of a lifted body, which fails with KeyError when one is missing.

    What is no mapping fails with TypeError.
    """
    take = itemgetter(*names) if names else dict.keys
    return take if lift is None else lambda body: take(lift(body))


def redactions(store: Store) -> Iterator[Named]:
    """Yield what was redacted on record: stream, version and origin of events; `txn` and `origin_seq` of headers."""
    from ledger.redacting import redaction_of

    for row in store.stream_events(["ledger"]):
        if row.type == "ledger.redacted" and row.body is not None:
            # A record that cannot be read is a problem by itself, and excuses nothing.
            with suppress(LedgerError):
                yield redaction_of(row)
