"""Merging: what another ledger has and this one lacks is taken in, whole chains, verified, all or nothing.

Every transaction keeps its origin, its number there, its time and its hash; only its place here is new. So ledgers that
were merged in any order hold the same transactions of each origin, and `ledger.ordering` folds them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, groupby
from operator import itemgetter
from typing import NamedTuple

from ledger.appending import Appender
from ledger.chain import genesis
from ledger.dataclass import dataclass, field
from ledger.errors import IntegrityError, LedgerError
from ledger.events.book import LedgerImported, LedgerRedacted
from ledger.following import followed
from ledger.forking import Fork, Retelling, fork_of, forked_id
from ledger.ids import LEDGER_STREAM, Clock
from ledger.log import Ledger
from ledger.redacting import HEADER_STREAM, Named
from ledger.rows import EventRow, Head, OriginRow, TxnRow
from ledger.seams import seam
from ledger.sense import first_nonsense
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.transaction import Header, NewEvent, Transaction
from ledger.verify import verify_held
from ledger.walk import UNREADABLE, Span, ends_of, redactions, walk

AHEAD = 10 * 60 * 1_000_000
"""Microseconds by which another machine's clock may be ahead of this one's without a word."""


_BEGINNINGS = ("run.started", "run.staged", "run.imported")


class Take(NamedTuple):
    """What is taken of one origin of the other ledger.

    Attributes:
        origin_id: whose, in the other ledger.
        label: the host that it is called after.
        first: first `origin_seq` there.
        last: last `origin_seq` there.
        new_id: under which origin it is kept here: the same, unless it is one side of a fork.
        common: of a fork, how many transactions both sides have; their numbers here begin behind it.
    """

    origin_id: bytes
    label: str
    first: int
    last: int
    new_id: bytes
    common: int = 0

    @property
    def size(self) -> int:
        """How many transactions."""
        return self.last - self.first + 1

    def holds(self, txn: TxnRow) -> bool:
        """Tell whether a transaction of the other ledger is among them."""
        return txn.origin_id == self.origin_id and self.first <= txn.origin_seq <= self.last


@dataclass(frozen=True, slots=True)
class Plan:
    """What a merge would do.

    Attributes:
        takes: what is taken, by origin; nothing when the other ledger has only its own records of merges more.
        forks: where the two went different ways under the same name.
        continues: whether the other ledger is a continuation of this very one: then nothing is recorded of it, and what
            it recorded itself stands.
        newest: the time of the newest transaction that is taken, microseconds UTC.
    """

    takes: tuple[Take, ...]
    forks: tuple[Fork, ...] = ()
    continues: bool = False
    newest: int = 0

    @property
    def count(self) -> int:
        """How many transactions are taken."""
        return sum(take.size for take in self.takes)


@dataclass(slots=True)
class Survey:
    """What is in the transactions that would be taken.

    Attributes:
        events: how many.
        runs: how many runs they begin.
        purges: streams of runs whose removal they ask for, as far as the caller wanted to know.
        left: streams of those whose removal they report as done, elsewhere.
        redactions: how many bodies and headers of this ledger they empty.
        protected: streams of those in `purges` that are protected here; the caller knows.
    """

    events: int = 0
    runs: int = 0
    purges: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    redactions: int = 0
    protected: list[str] = field(default_factory=list)


class Merged(NamedTuple):
    """What a merge did.

    Attributes:
        transactions: how many were taken.
        events: how many were taken.
        emptied: bodies and headers that were emptied here, because what was taken says that they were redacted.
        seq: the transaction that records the merge; None when there is none.
    """

    transactions: int
    events: int
    emptied: int = 0
    seq: int | None = None


def plan_merge(store: Store, source: SqliteStore, *, fork_as_new: bool = False) -> Plan:
    """Return what this ledger lacks of another.

    Args:
        store: this ledger's rows.
        source: the other's; the caller holds one view of them.
        fork_as_new: take what the other side of a fork wrote as an origin of its own.

    Raises:
        LedgerError: one side of a fork that was taken as new before has forked again.
    """
    here = {origin.origin_id: origin.head_seq for origin in store.origins()}
    takes: list[Take] = []
    forks: list[Fork] = []
    for origin in source.origins():
        name, label, there = origin.origin_id, origin.label, origin.head_seq
        fork = fork_of(store, source, origin, here.get(name, 0))
        if fork is not None:
            forks.append(fork)
            take = _other_side(store, source, fork, here) if fork_as_new else None
        else:
            known = here.get(name, 0)
            take = Take(name, label, known + 1, there, name) if there > known else None
            if take is not None and not known and _is_retold(store, source, name):
                take = None
        if take is not None:
            takes.append(take)
    if not any(_tells(source, take) for take in takes):
        takes = []
    own = bytes.fromhex(store.meta()["origin_id"])
    newest = [source.origin_txn(take.origin_id, take.last) for take in takes]
    return Plan(
        tuple(takes),
        tuple(forks),
        continues=any(take.new_id == own for take in takes),
        newest=max((txn.recorded_at for txn in newest if txn is not None), default=0),
    )


def _other_side(store: Store, source: SqliteStore, fork: Fork, here: dict[bytes, int]) -> Take | None:
    """Return what is new of the other side of a fork; it has the same new name whoever takes it."""
    name = forked_id(fork.origin_id, fork.first_hash)
    known, there = here.get(name, 0), fork.common + fork.there
    last = min(known, fork.there)
    if last:
        one, other = store.origin_txn(name, last), source.origin_txn(fork.origin_id, fork.common + last)
        if one is None or other is None or one.txn_id != other.txn_id:
            raise LedgerError(
                "the other side of the fork has forked itself since it was last merged: it was copied again",
                hint="Nothing was changed. Merge from the copy that was merged before.",
            )
    if known >= fork.there:
        return None
    return Take(fork.origin_id, fork.label, fork.common + known + 1, there, name, fork.common)


def _is_retold(store: Store, source: SqliteStore, origin_id: bytes) -> bool:
    """Tell whether an origin is what this ledger has under another name: one side of a fork, merged over there."""
    first = source.origin_txn(origin_id, 1)
    return first is not None and store.find_txn(first.txn_id) is not None


def _tells(source: SqliteStore, take: Take) -> bool:
    """Tell whether what would be taken is more than records of merges: two ledgers would tell of these for ever."""
    for number in range(take.first, take.last + 1):
        txn = source.origin_txn(take.origin_id, number)
        if txn is None or any(event.type != LedgerImported.type for event in source.txn_events(txn.seq)):
            return True
    return False


def survey(store: Store, source: SqliteStore, plan: Plan, is_wanted: Callable[[str], bool]) -> Survey:
    """Return what is in the transactions that would be taken.

    Args:
        store: this ledger's rows.
        source: the other ledger's rows; the caller holds one view of them.
        plan: what would be taken.
        is_wanted: tells of a stream whether its removal is to be told.
    """
    found = Survey()
    purges: dict[str, None] = {}
    for _, _, events in _taken(source, plan.takes):
        for event in events:
            found.events += 1
            found.runs += event.stream_version == 1 and event.type in _BEGINNINGS
            if event.type == "run.purge_started" and is_wanted(event.stream):
                purges[event.stream] = None
            elif event.type == "run.purged" and event.stream in purges:
                del purges[event.stream]
                found.left.append(event.stream)
    found.purges = list(purges)
    found.redactions = sum(one.is_full for one in followed(store, source, _records(source, plan.takes)))
    return found


def refuse_ahead(plan: Plan, now: int) -> None:
    """Refuse history from the future: what is recorded here afterwards would have to be later still.

    Raises:
        LedgerError: its newest transaction is.
    """
    if plan.newest > now + AHEAD:
        minutes = (plan.newest - now) // 60_000_000
        raise LedgerError(
            f"the newest transaction of the other ledger is {minutes} minutes ahead of this machine's clock",
            hint="Nothing was changed. Set the clock that is wrong; with --force it is taken all the same, and what is"
            " recorded here from then on is later still.",
        )


def verify_source(source: SqliteStore, progress: Callable[[int], None] | None = None) -> None:
    """Let pass only a ledger that is whole, and whose rows can be used; the caller holds one view of it.

    Raises:
        IntegrityError: it is not.
    """
    try:
        problems = verify_held(source, progress).problems
        nonsense = None if problems else first_nonsense(source)
    except UNREADABLE as error:
        raise IntegrityError(
            f"the other ledger cannot be read to its end: {error}", hint="Nothing was changed."
        ) from error
    if nonsense is not None:
        raise IntegrityError(
            f"the other ledger cannot be used: {nonsense[0]}: {nonsense[1]}",
            hint="Nothing was changed. No program wrote it like that; `guild ledger salvage` saves what comes before.",
        )
    if problems:
        raise IntegrityError(
            f"the other ledger is not whole: {problems[0].where}: {problems[0].what}",
            hint="Nothing was changed. `guild -H OTHER ledger verify` tells more; `guild ledger salvage` saves what is"
            " whole.",
        )


def merge(
    ledger: Ledger,
    source: SqliteStore,
    header: Header,
    *,
    clock: Clock,
    fork_as_new: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Merged:
    """Take in what this ledger lacks of another one, which `verify_source` has let pass; all of it or nothing.

    Args:
        ledger: takes it.
        source: the other ledger; the caller holds one view of it since it was verified.
        header: who asks; recorded with the merge.
        clock: source of time.
        fork_as_new: take what the other side of a fork wrote as an origin of its own.
        progress: told now and then how many transactions were taken.

    Raises:
        LedgerError: there is a fork and `fork_as_new` is not set, or the store failed; nothing was changed.
        IntegrityError: what was written is not what was read; nothing was changed.
    """
    store = ledger.store
    with store.writing():
        plan = plan_merge(store, source, fork_as_new=fork_as_new)
        if plan.forks and not fork_as_new:
            raise LedgerError("the ledgers went different ways meanwhile", hint="Nothing was changed. Try again.")
        if not plan.takes:
            return Merged(0, 0)
        head, ends = store.head(), ends_of(store)
        seam("merge.rows")
        last = _copy(store, source, plan, head, progress)
        emptied, renamed = _follow(store, source, plan)
        seam("merge.record")
        seq = None if plan.continues else _record(ledger, header, clock, plan, renamed)
        seam("merge.check")
        problems = walk(store, None, Span(head.seq, head.position)).behind(ends)
        if problems:
            raise IntegrityError(
                f"the merged history is not whole: {problems[0][0]}: {problems[0][1]}", hint="Nothing was changed."
            )
        seam("merge.commit")
    seam("merge.committed")
    return Merged(last.seq - head.seq, last.position - head.position, emptied, seq)


def _copy(store: Store, source: SqliteStore, plan: Plan, head: Head, progress: Callable[[int], None] | None) -> Head:
    """Insert what is taken behind the head, in the order of the other ledger; return the new end."""
    known = {origin.origin_id for origin in store.origins()}
    for take in plan.takes:
        if take.new_id not in known:
            label = take.label if take.new_id == take.origin_id else f"{take.label} (copy)"
            store.insert_origin(OriginRow(take.new_id, label, 0, genesis(take.new_id)))
    seq, positions = head.seq, count(head.position + 1)
    for seq, (take, txn, events) in enumerate(_taken(source, plan.takes), head.seq + 1):
        rows: Iterable[EventRow] = events
        if take.new_id != take.origin_id:
            txn, rows = Retelling(store, source, take.new_id, take.common).told(txn, list(events))  # noqa: PLW2901
        store.insert(txn._replace(seq=seq), _placed(rows, seq, positions))
        if progress is not None:
            progress(seq - head.seq)
    return head._replace(seq=seq, position=next(positions) - 1)


def _placed(events: Iterable[EventRow], seq: int, positions: Iterator[int]) -> Iterator[EventRow]:
    """Yield the events of a transaction, each with its place here."""
    return (event._replace(position=next(positions), txn_seq=seq) for event in events)


def _taken(source: SqliteStore, takes: Sequence[Take]) -> Iterator[tuple[Take, TxnRow, Iterator[EventRow]]]:
    """Yield the transactions that are taken, in the order of the other ledger, each with its events while it is one."""
    by_origin = {take.origin_id: take for take in takes}
    firsts = [txn.seq for take in takes if (txn := source.origin_txn(take.origin_id, take.first))]
    if not firsts:
        return
    after = min(firsts) - 1
    position = source.txn_events(after + 1)[0].position - 1
    groups = groupby(source.event_tuples(position), key=itemgetter(1))
    for row, (_, events) in zip(source.txn_tuples(after), groups, strict=True):
        txn = TxnRow._make(row)
        take = by_origin.get(txn.origin_id)
        if take is not None and take.holds(txn):
            yield take, txn, map(EventRow._make, events)


def _records(source: SqliteStore, takes: Sequence[Take]) -> list[EventRow]:
    """Return the records of redactions among what is taken, looked up in the index of the streams."""
    rows = [row for row in source.stream_events([LEDGER_STREAM]) if row.type == LedgerRedacted.type]
    found = [(row, source.txn(row.txn_seq)) for row in rows]
    return [row for row, txn in found if txn is not None and any(take.holds(txn) for take in takes)]


def _follow(store: Store, source: SqliteStore, plan: Plan) -> tuple[int, list[Named]]:
    """Empty here what was redacted there; return how much that was, and what no record names as it is called here."""
    found = followed(store, source, _records(source, plan.takes))
    known = set(redactions(store))
    renamed = [one.named for one in found if one.named not in known]
    if renamed and plan.continues:
        raise LedgerError(
            "the other ledger redacted what is called otherwise here since a fork was merged",
            hint="Nothing was changed. Merge this ledger into the other one, and go on there.",
        )
    full = [one for one in found if one.is_full]
    headers = [one.at for one in full if one.named.stream == HEADER_STREAM]
    store.empty([one.at for one in full if one.named.stream != HEADER_STREAM], headers)
    return len(full), renamed


def _record(ledger: Ledger, header: Header, clock: Clock, plan: Plan, renamed: Sequence[Named]) -> int:
    """Append, as a part of the merge, what was taken of whom, and what was redacted there under another name."""
    events = [
        NewEvent(LEDGER_STREAM, LedgerRedacted(name.stream, name.version, name.origin_id.hex(), "redacted elsewhere"))
        for name in renamed
    ]
    for take in plan.takes:
        first, last = take.first - take.common, take.last - take.common
        txn = ledger.store.origin_txn(take.new_id, last)
        if txn is not None:
            told = LedgerImported(take.new_id.hex(), first, last, txn.hash.hex())
            events.append(NewEvent(LEDGER_STREAM, told))
    appender = Appender(ledger.store, clock, ledger.origin_id)
    return appender.append_held(Transaction(header, tuple(events))).seq
