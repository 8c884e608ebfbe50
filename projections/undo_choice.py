"""Which transaction `undo` and `redo` are about, as in an editor; and what of the ledger their plan is computed from.

Undo, undo, undo walks back through what one person did; redo walks forward again, until something new is done. A
transaction that takes another back names it in its header, so all of this is read from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from ledger.dataclass import dataclass, field
from ledger.errors import GuildError
from ledger.ids import run_of
from ledger.newest import newest_first
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.transaction import Header
from projections.undoing import (
    CHANGES,
    Brief,
    CannotUndoError,
    UndoPlan,
    has_cause,
    plan_undo,
    refuse_what_stays,
)

_AUTOMATIC = frozenset(
    ("ledger.imported", "run.status_changed", "run.purged", "run.dependencies_resolved", "run.scalars_recorded",
     "run.deleted", "run.restored")
)  # fmt: skip
_STARTS = frozenset(("run.started", "run.restarted"))


class NothingToUndoError(GuildError):
    """There is nothing that could be taken back, or done again."""


class Choice(NamedTuple):
    """What `undo` or `redo` without an argument is about.

    Attributes:
        plan: what takes it back.
        passed: newer transactions of the same person that are left as they are, because they cannot be taken back.
    """

    plan: UndoPlan
    passed: tuple[int, ...]


def brief_of(txn: TxnRow) -> Brief:
    """Return what planning needs of a transaction; one whose header is redacted takes nothing back."""
    undoes = Header.from_bytes(txn.header).undoes if txn.header is not None and b'"undoes"' in txn.header else None
    return Brief(txn.seq, txn.txn_id, txn.recorded_at, None if undoes is None else bytes.fromhex(undoes))


def is_redo(store: Store, brief: Brief) -> bool:
    """Tell whether a transaction does something again: it takes back one that took something back, and so on."""
    depth = 0
    while brief.undoes is not None and (before := store.find_txn(brief.undoes)) is not None:
        depth += 1
        brief = brief_of(before)
    return depth > 0 and depth % 2 == 0


def original_of(store: Store, brief: Brief) -> Brief:
    """Return the transaction that began a chain of undo and redo."""
    while brief.undoes is not None and (before := store.find_txn(brief.undoes)) is not None:
        brief = brief_of(before)
    return brief


def plan(store: Store, seq: int) -> UndoPlan:
    """Return what takes the transaction `seq` back; of one that was taken back and done again, the doing again.

    Raises:
        CannotUndoError: there is no such transaction, or it cannot be taken back.
        NothingToUndoError: it is taken back already, or changed nothing.
    """
    with store.reading():
        return _plan(store, seq)


def _plan(store: Store, seq: int) -> UndoPlan:
    if store.txn(seq) is None:
        raise CannotUndoError(f"there is no transaction {seq}", hint="`guild log` lists them.")
    events = store.txn_events(seq)
    refuse_what_stays(seq, events)
    streams: dict[str, list[EventRow]] = {event.stream: [] for event in events}
    for one in store.stream_events(streams):
        streams[one.stream].append(one)
    seqs = {one.txn_seq for rows in streams.values() for one in rows}
    txns = {number: brief_of(txn) for number in seqs if (txn := store.txn(number))}
    target = txns[seq]
    while (taken_by := _undoer(txns, target)) and (again := _undoer(txns, taken_by)):
        target = again
    made = plan_undo(target, streams, txns)
    if made.steps or made.obstacles:
        return made
    if taken_by is None:
        raise NothingToUndoError(f"transaction {target.seq} left nothing that could be taken back")
    raise NothingToUndoError(
        f"transaction {target.seq} is taken back already, by transaction {taken_by.seq}",
        hint=f"`guild undo {taken_by.seq}` does it again.",
    )


def _undoer(txns: dict[int, Brief], target: Brief) -> Brief | None:
    """Return the newest of the transactions that takes `target` back."""
    return max((txn for txn in txns.values() if txn.undoes == target.txn_id), key=lambda txn: txn.time, default=None)


@dataclass(slots=True)
class _Walk:
    """The way back through the ledger."""

    store: Store
    actor: str
    undone: set[bytes] = field(default_factory=set)
    passed: list[int] = field(default_factory=list)

    def own(self) -> Iterator[tuple[Brief, Sequence[EventRow]]]:
        """Yield what counts of what this person did, newest first: nothing that was taken back.

        What was merged in is left alone: it was done elsewhere, and comes in whatever order.
        """
        here = bytes.fromhex(self.store.meta()["origin_id"])
        for row, events in newest_first(self.store):
            brief = brief_of(row)
            if brief.txn_id in self.undone:
                continue
            if brief.undoes is not None:
                self.undone.add(brief.undoes)
            if row.header is not None and row.origin_id == here and Header.from_bytes(row.header).actor == self.actor:
                yield brief, events


def choose_undo(store: Store, actor: str) -> Choice:
    """Return the newest transaction of a person that changed something, can be taken back and is not.

    Passed by is what happens by itself, the starts of runs (a staging counts as one as soon as one of its runs was
    started), and what other people did.

    Raises:
        NothingToUndoError: there is none.
        CannotUndoError: the last thing done was a purge: then nothing else is meant.
    """
    with store.reading():
        walk = _Walk(store, actor)
        is_first = True
        for brief, events in walk.own():
            kind = _kind(store, events)
            if kind == "automatic":
                continue
            if brief.undoes is None or is_redo(store, brief):
                if brief.undoes is None and kind == "change":
                    with suppress(NothingToUndoError):  # it left everything as it was: nobody means that
                        return Choice(_plan(store, brief.seq), tuple(walk.passed))
                if kind == "purge" and is_first:
                    raise CannotUndoError(
                        f"the last change, transaction {brief.seq}, cannot be taken back: runs were removed for good",
                        hint="`guild undo TXN` takes back an earlier one; `guild log` lists them.",
                    )
                if kind != "change":
                    walk.passed.append(brief.seq)
            is_first = is_first and kind != "change"
    raise NothingToUndoError(f"{actor or 'nobody'} has done nothing that could be taken back", hint=_SEE_LOG)


def choose_redo(store: Store, actor: str) -> Choice:
    """Return the transaction in which a person last took something back, as long as nothing new was done since.

    Raises:
        NothingToUndoError: there is none, or something new was done.
    """
    with store.reading():
        for brief, events in _Walk(store, actor).own():
            if brief.undoes is not None:
                if not is_redo(store, brief):
                    return Choice(_plan(store, brief.seq), ())
                continue
            if _kind(store, events) in ("change", "purge"):
                raise NothingToUndoError(
                    f"there is nothing to do again: the last change is transaction {brief.seq}, and was not taken back",
                    hint=_SEE_LOG,
                )
    raise NothingToUndoError("there is nothing to do again", hint=_SEE_LOG)


_SEE_LOG = "`guild log` shows what was done; `guild undo TXN` takes back any transaction of it."


def _kind(store: Store, events: Sequence[EventRow]) -> str:
    """Return what a transaction is: `change`, `purge`, `start`, or `automatic`."""
    types = {event.type for event in events}
    if "run.purge_started" in types:
        return "purge"
    if all(event.type in _AUTOMATIC and (event.type not in CHANGES or has_cause(event)) for event in events):
        return "automatic"
    if "run.staged" in types:
        streams = {event.stream for event in events if run_of(event.stream)}
        is_started = any(row.type in _STARTS for row in store.stream_events(streams))
        return "start" if is_started else "change"
    return "change" if types <= CHANGES else "start"
