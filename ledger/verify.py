"""Proof that the stored history is what was written: chain, density, bodies, guards; says where it first breaks.

What is checked, for every row: transactions and events are numbered without a gap, each origin's chain holds from its
genesis to its recorded head, each header and body has its hash (or was redacted on record), each body decodes as its
type and version, and the database still refuses changes. What it cannot show: a whole history rewritten by somebody who
also recomputed every hash; against that, keep a head hash elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ledger.beside import SPLIT_FROM, begin_check, walk_all
from ledger.dataclass import dataclass, field
from ledger.errors import LedgerError
from ledger.events.book import LedgerCreated
from ledger.registry import read_event
from ledger.store import Store
from ledger.walk import UNREADABLE, End, Span, Walked, beginning, walk

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken place: where it is, and what is wrong there."""

    where: str
    what: str


class Point(NamedTuple):
    """How far a ledger was proved to be whole, so that another time only what was added since is read.

    Attributes:
        ledger_id: of which ledger.
        seq: the last transaction that was verified.
        position: its last event.
        hash: its hash.
        ends: where the chain of each origin ended there.
    """

    ledger_id: str
    seq: int
    position: int
    hash: bytes
    ends: Mapping[bytes, End]


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        transactions: how many were read.
        events: how many were read.
        head_hash: hash of this ledger's own head, hexadecimal.
        problems: in the order found, the first broken place first; at most `MOST_PROBLEMS`.
        point: how far the ledger is proved; None when something is wrong.
    """

    transactions: int = 0
    events: int = 0
    head_hash: str = ""
    problems: list[Problem] = field(default_factory=list)
    point: Point | None = None

    def add(self, where: str, what: str) -> None:
        """Note a broken place, unless there are too many already."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(where, what))


def verify(store: Store, progress: Callable[[int], None] | None = None, *, split_from: int = SPLIT_FROM) -> Report:
    """Read the whole ledger and report every broken place.

    Args:
        store: the ledger's rows.
        progress: told now and then how many events have been read.
        split_from: number of events from which on another process reads half of them.

    Raises:
        LedgerError: the database can not be read to its end.
    """
    report = Report()
    found_in_file = begin_check(store)
    with store.reading():
        walked = walk_all(store, progress, split_from)
        for found in found_in_file():
            report.add("the database file", found)
        _finish(store, walked, report)
    return report


def verify_since(store: Store, point: Point, progress: Callable[[int], None] | None = None) -> Report:
    """Read only what was added since a point up to which the ledger was verified, and report every broken place.

    What lies before is vouched for by the hash at the point alone: rows that were altered there since, with their
    hashes left as they were, are not found, nor is damage to the file of which no row that is read is part.

    Raises:
        LedgerError: the database can not be read to its end.
    """
    report = Report()
    with store.reading():
        stored = store.txn(point.seq)
        if stored is None or stored.hash != point.hash:
            what = "is not there any more" if stored is None else "is another one now"
            report.add(f"transaction {point.seq}", f"{what}: it was the last one when the ledger was last verified")
            return report
        rest = walk(store, progress, Span(point.seq, point.position))
        _finish(store, rest._replace(problems=rest.behind(point.ends), ends={**point.ends, **rest.ends}), report)
    return report


def verify_held(store: Store, progress: Callable[[int], None] | None = None) -> Report:
    """Do what `verify` does but for the database's own check; the caller holds one view of the rows.

    Raises:
        LedgerError: the database can not be read to its end.
    """
    report = Report()
    _finish(store, walk(store, progress), report)
    return report


def _finish(store: Store, walked: Walked, report: Report) -> None:
    for name in store.missing_guards():
        report.add(f"trigger {name}", "is missing or altered: the tables are no longer append-only")
    _take_over(store, walked, report)
    if report.problems:
        return
    head = store.head()
    last = store.txn(head.seq)
    if last is not None:
        report.point = Point(store.meta()["ledger_id"], head.seq, head.position, last.hash, walked.ends)


def _take_over(store: Store, walked: Walked, report: Report) -> None:
    """Add to the report what the walk found, and what the ends that it reached should be."""
    report.transactions, report.events = walked.transactions, walked.events
    for where, what in walked.problems:
        report.add(where, what)
    try:
        if walked.unreadable is not None:
            raise walked.unreadable
        _compare_heads(store, walked.ends, report)
        _compare_identity(store, report)
    except UNREADABLE as error:
        if not report.problems:
            raise
        # The database's own check has found values of a wrong type, and nothing can be done with them.
        report.add("the rows", f"cannot be read to their end: {error}")


def _compare_heads(store: Store, ends: Mapping[bytes, End], report: Report) -> None:
    """Compare where each chain ends with what is recorded of it."""
    own = bytes.fromhex(store.meta().get("origin_id", ""))
    known = {origin.origin_id: origin for origin in store.origins()}
    if own not in known:
        report.add(_name(own), "is missing: it is this ledger's own")
    for origin_id, origin in known.items():
        seq, hash_, _ = ends.get(origin_id) or beginning(origin_id)
        if (seq, hash_) != (origin.head_seq, origin.head_hash):
            report.add(_name(origin_id), f"its head is recorded at {origin.head_seq}, its chain ends at {seq}")
    report.head_hash = (ends.get(own) or beginning(own))[1].hex()


def _compare_identity(store: Store, report: Report) -> None:
    """Compare `meta`, which is in no hash, with the making of the ledger, which is."""
    txn, events = store.txn(1), store.txn_events(1)
    try:
        body = read_event(events[0].type, events[0].schema_version, events[0].body or b"") if events else None
    except LedgerError:
        body = None
    if txn is None or not isinstance(body, LedgerCreated):
        report.add("transaction 1", "is not the making of the ledger")
        return
    made = {"ledger_id": body.ledger_id, "format": str(body.format)}
    made |= {"origin_id": txn.origin_id.hex(), "created_at": str(txn.recorded_at)}
    for key, value in made.items():
        if store.meta().get(key) != value:
            report.add("table meta", f"its {key} is not the one that the ledger was made with")


def _name(origin_id: bytes) -> str:
    return f"origin {origin_id.hex()[:8]}"
