"""What takes a transaction back: computed from the events of the runs it is about, and from nothing else.

Undo never removes anything: it appends what brings the runs back to how they were. That is only done where nothing was
built on it since: a label that somebody has changed again, a restored run that was started anew, are not overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.events.base import Event
from ledger.events.life import RunDeleted, RunRestored
from ledger.events.notes import RunCommentWithdrawn, RunLabeled, RunMarked, RunProtected, RunTagged
from ledger.ids import RunId, run_of
from ledger.registry import VERSIONS, current_body
from ledger.rows import EventRow
from projections.facts import LABEL, MARKED, PLACE, PROTECTED, STATUS, Key, Touch, touches_of
from projections.schema import DELETED, LIVE, PURGED, PURGING

CHANGES = frozenset(
    (
        "run.labeled", "run.tagged", "run.commented", "run.comment_withdrawn", "run.marked", "run.protected",
        "run.deleted", "run.restored", "run.staged",
    )
)  # fmt: skip
"""Events that can be taken back."""

REASONS: Mapping[str, tuple[str, str | None]] = {
    "run.purge_started": ("a run that is removed for good cannot come back", None),
    "run.purged": ("a run that is removed for good cannot come back", None),
    "run.started": ("a run that was started cannot be unstarted", "`guild runs rm` deletes it."),
    "run.restarted": ("a run that was started cannot be unstarted", "`guild runs rm` deletes it."),
    "run.imported": ("an import is not taken back", "`guild runs rm` deletes the runs."),
    "run.status_changed": ("it records how a run ended, which stays so", None),
    "run.dependencies_resolved": ("it records what a run was given, which stays so", None),
    "run.scalars_recorded": ("it records what a run reported, which stays so", None),
    "ledger.imported": ("what was merged stays", "A backup from before has the ledger without it."),
    "ledger.redacted": ("what was redacted is gone", None),
}
"""Why other events cannot be, and what to do instead."""

_PLACES = ("run.deleted", "run.restored")
_ANSWER = (PLACE, PURGING, PURGED)
_STARTS = ("run.started", "run.restarted")


class CannotUndoError(GuildError):
    """A transaction that is not taken back, whatever else has happened."""


class Brief(NamedTuple):
    """What planning needs to know of a transaction: place, id, time, and the id of the one that it takes back."""

    seq: int
    txn_id: bytes
    time: int
    undoes: bytes | None


class Obstacle(NamedTuple):
    """A later transaction that built on what was to be taken back, of one run."""

    seq: int
    run_id: RunId
    key: Key


class Step(NamedTuple):
    """What brings one run back.

    Attributes:
        run_id: which run.
        version: how many events its stream must hold when this is done.
        events: to append.
        changes: the attributes that change, with how they are and how they will be.
    """

    run_id: RunId
    version: int
    events: tuple[Event, ...]
    changes: tuple[Touch, ...]


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """A plan.

    Attributes:
        target: the transaction that is taken back.
        steps: each run that comes back.
        obstacles: what hinders others, of one run perhaps several.
    """

    target: Brief
    steps: tuple[Step, ...]
    obstacles: tuple[Obstacle, ...]


def refuse_what_stays(seq: int, events: Sequence[EventRow]) -> None:
    """Let pass only a transaction all of whose events can be taken back.

    Raises:
        CannotUndoError: one of them cannot.
    """
    for event in events:
        if event.type in CHANGES and event.schema_version <= VERSIONS[event.type] and not has_cause(event):
            continue
        why, hint = REASONS.get(event.type, ("it is about the ledger itself", None))
        if event.type not in VERSIONS or event.schema_version > VERSIONS[event.type]:
            why, hint = f"{event.type!r} is not known to this program", "Update guild-ledger."
        elif event.type in CHANGES:
            why = "it records what the file system refused"
        raise CannotUndoError(f"transaction {seq} cannot be taken back: {why}", hint=hint)


def has_cause(event: EventRow) -> bool:
    """Tell whether an event is no wish of anybody, but takes back a move that the file system refused."""
    if event.type not in _PLACES or event.body is None:
        return False
    return current_body(event.type, event.schema_version, event.body).get("cause") is not None


def plan_undo(target: Brief, streams: Mapping[str, Sequence[EventRow]], txns: Mapping[int, Brief]) -> UndoPlan:
    """Return what takes `target` back.

    Args:
        target: a transaction all of whose events can be taken back.
        streams: all events of each run that it is about, in the order in which they count.
        txns: the transactions of these events, by their place.
    """
    steps, obstacles = [], []
    times = {seq: txn.time for seq, txn in txns.items()}
    for stream, rows in streams.items():
        run_id = run_of(stream)
        if run_id is None:
            continue
        life = _Life(rows, touches_of(rows, times), txns)
        own = life.net(target.seq)
        if not own or life.is_cancelled(target.seq):
            continue
        events = _unhindered(_inverse(own), is_protected=life.is_protected())
        if later := life.built_on(target.seq, own):
            obstacles += [Obstacle(seq, run_id, key) for seq, key in later.items()]
        elif events:
            steps.append(Step(run_id, len(rows), events, tuple(own)))
    return UndoPlan(target, tuple(steps), tuple(obstacles))


class _Life:
    """The history of one run, with what in it counts no more."""

    def __init__(self, rows: Sequence[EventRow], touches: Sequence[Touch], txns: Mapping[int, Brief]) -> None:
        void = _void(rows)
        self._touches = [touch for touch in touches if touch.event.position not in void]
        self._cancelled: set[int] = set()
        seqs = dict.fromkeys(row.txn_seq for row in rows if row.position not in void)
        by_id = {txns[seq].txn_id: seq for seq in seqs}
        undone: set[bytes] = set()
        self._rank = {seq: rank for rank, seq in enumerate(seqs)}
        for seq in sorted(seqs, key=self._rank.__getitem__, reverse=True):
            txn = txns[seq]
            if txn.txn_id in undone:
                self._cancelled.add(seq)
            elif txn.undoes is not None and txn.undoes in by_id:
                undone.add(txn.undoes)
                # What took something back, and is not taken back itself, leaves the run as if neither had been.
                self._cancelled.add(seq)
        self._undone = {by_id[txn_id] for txn_id in undone}

    def is_protected(self) -> bool:
        """Tell whether the run may not be deleted now."""
        return next((bool(touch.after) for touch in reversed(self._touches) if touch.key == PROTECTED), False)

    def is_cancelled(self, seq: int) -> bool:
        """Tell whether what a transaction did to the run was taken back."""
        return seq in self._undone

    def net(self, seq: int) -> list[Touch]:
        """Return what a transaction changed of the run: one touch for each attribute."""
        found: dict[Key, Touch] = {}
        for touch in self._touches:
            if touch.event.txn_seq == seq:
                first = found.pop(touch.key, touch)
                found[touch.key] = touch._replace(before=first.before)
        return [touch for touch in found.values() if touch.before != touch.after]

    def built_on(self, seq: int, own: Sequence[Touch]) -> dict[int, Key]:
        """Return the later transactions that rest on what a transaction changed, each with what of it."""
        keys = {touch.key for touch in own}
        seqs = dict.fromkeys(touch.event.txn_seq for touch in self._touches)
        return {
            later: touch.key
            for later in seqs
            if self._rank[later] > self._rank[seq] and later not in self._cancelled
            for touch in self.net(later)
            if touch[1:] != _ANSWER  # which only says that what was asked for before is done
            and _rests(touch, keys, own)
        }


def _rests(later: Touch, keys: set[Key], own: Sequence[Touch]) -> bool:
    """Tell whether a later change would not be what it is without a transaction's own."""
    if later.key == PLACE and later.after in (PURGING, PURGED):
        return True  # its history is closed
    begins = STATUS in keys
    brings = any(touch.key == PLACE and touch.after == LIVE for touch in own)
    if brings and (later.event.type in _STARTS or (later.key == PROTECTED and later.after is True)):
        return True  # it ran again, or somebody wants it kept: it must not be deleted behind their back
    if begins:
        return later.key in (PLACE, STATUS)
    if any(touch.key == PROTECTED and touch.after is False for touch in own) and later.key == PLACE:
        return later.after != LIVE  # it could only be deleted because of that
    return later.key in keys


def _void(rows: Sequence[EventRow]) -> set[int]:
    """Return the positions of moves that the file system refused, and of the events that say so."""
    void: set[int] = set()
    moves: list[int] = []
    for row in rows:
        if not row.type.startswith(_PLACES):
            continue
        if has_cause(row):
            void |= {row.position, *moves[-1:]}
            del moves[-1:]
        else:
            moves.append(row.position)
    return void


def _inverse(own: Sequence[Touch]) -> tuple[Event, ...]:
    """Return the events that bring a run's attributes back; nothing for a staged run that was deleted at once."""
    after = {touch.key: touch.after for touch in own}
    if STATUS in after:
        return (RunDeleted(),) if after.get(PLACE) == LIVE else ()
    events: list[Event] = []
    tags = [touch for touch in own if touch.key[0] == "tag"]
    if tags:
        added = tuple(touch.key[1] for touch in tags if touch.before)
        removed = tuple(touch.key[1] for touch in tags if not touch.before)
        events.append(RunTagged(added=added, removed=removed))
    return (*events, *(_back(touch) for touch in sorted(own, key=_order) if touch.key[0] != "tag"))


def _unhindered(events: tuple[Event, ...], *, is_protected: bool) -> tuple[Event, ...]:
    """Return events that can be appended: what was restored protected is deleted protected, as it was before."""
    kinds = [event.type for event in events]
    if not is_protected or "run.deleted" not in kinds or "run.protected" in kinds:
        return events
    return (RunProtected(protected=False), *events, RunProtected(protected=True))


def _order(touch: Touch) -> int:
    """Return when an attribute comes back: a run is deleted while it is not protected."""
    if touch.key == PROTECTED:
        return 3 if touch.before else 1
    return 2 if touch.key == PLACE else 0


def _back(touch: Touch) -> Event:
    if touch.key == LABEL:
        return RunLabeled(label=cast("str | None", touch.before))
    if touch.key == MARKED:
        return RunMarked(marked=bool(touch.before))
    if touch.key == PROTECTED:
        return RunProtected(protected=bool(touch.before))
    if touch.key[0] == "comment":
        return RunCommentWithdrawn(written=int(touch.key[1]), withdrawn=touch.before is None)
    return RunRestored() if touch.after == DELETED else RunDeleted()
