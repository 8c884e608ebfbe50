"""Undo and redo among everything else that happens: rules to mix into the state machine of commands.

The model shares no code with the program: it remembers how each run was before and after every transaction, and puts
back what differs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from projections.undo_choice import NothingToUndoError, plan
from projections.undoing import CannotUndoError
from tests.kit import run_id
from tests.undo_kit import take_back

if TYPE_CHECKING:
    from ledger.log import Ledger

UNDOABLE = frozenset(
    ("label", "clear", "tag", "untag", "comment", "mark", "unmark", "protect", "unprotect", "delete", "restore")
)
_KEPT = ("number", "version")


@dataclass(frozen=True)
class Record:
    """One transaction: how its runs were before and after it, and whether all of it can be taken back."""

    before: dict[int, Any]
    after: dict[int, Any]
    can: bool


def put_back(run: Any, before: Any, after: Any, count: int) -> Any:
    """Return a run as it is when what differs between `before` and `after` is put back by so many events.

    Before it was staged there was no run; it is put back by deleting it.
    """
    if before is None:
        return replace(run, place="deleted", version=run.version + count)
    changes: dict[str, Any] = {"version": run.version + count}
    for field in fields(run):
        old, new, now = (getattr(one, field.name) for one in (before, after, run))
        if field.name in _KEPT or old == new:
            continue
        if field.name == "tags":
            changes["tags"] = now - (new - old) | (old - new)
        elif field.name == "comments":
            changes["comments"] = tuple(sorted({*now} - ({*new} - {*old}) | ({*old} - {*new})))
        else:
            changes[field.name] = old
    return replace(run, **changes)


class UndoRules:
    """What a machine needs: `ledgers`, `runs` by name, `seq`, and `remember` called after each transaction."""

    ledgers: list[Ledger]
    runs: dict[int, Any]
    seq: int

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[int, Record] = {}

    def remember(self, before: dict[int, Any], names: set[int], kinds: set[str]) -> None:
        """Keep how the runs of the newest transaction were before it."""
        can = kinds <= UNDOABLE
        after = {name: self.runs[name] for name in names}
        self.records[self.seq] = Record({name: before[name] for name in names if name in before}, after, can)

    @precondition(lambda self: self.records)
    @rule(data=st.data(), who=st.integers(0, 1))
    def take_back(self, data: st.DataObject, who: int) -> None:
        """Any transaction: what cannot be is refused and changes nothing, what can is as it was before."""
        seq = data.draw(st.sampled_from(sorted(self.records)))
        record, store = self.records[seq], self.ledgers[who].store
        try:
            made = plan(store, seq)
        except NothingToUndoError:
            return
        except CannotUndoError:
            assert not record.can
            return
        later = {name for at, one in self.records.items() if at > made.target.seq for name in one.after}
        assert {one.seq for one in made.obstacles} <= {at for at in self.records if at > made.target.seq}
        if not later & set(record.after):
            assert made.obstacles == ()
        if made.obstacles:
            return
        target, before = self.records[made.target.seq], dict(self.runs)
        _, done = take_back(self.ledgers[who], seq)
        assert done is not None
        self.seq += 1
        assert done.seq == self.seq
        by_id = {run_id(name): name for name in target.after}
        for step in made.steps:
            name = by_id[step.run_id]
            self.runs[name] = put_back(before[name], target.before.get(name), target.after[name], len(step.events))
        self.remember(before, {by_id[step.run_id] for step in made.steps}, set())
        self.records[self.seq] = replace(self.records[self.seq], can=True)
