"""What a screen can do to runs: shown before it is done, done as the command line does it, and taken back.

The full-screen table and the page in the browser both act through this; `commands/` carries it out, so that plan,
refusals, events and undo are those of the commands of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ledger.dataclass import dataclass
from ledger.ids import RunId
from projections.rows import RunRow

NOTES = ("label", "tag", "untag", "comment", "mark", "unmark", "protect", "unprotect")
"""Actions of which the command line does not ask when they are about a single run: they are easily taken back."""

ACTIONS = (*NOTES, "delete", "restore", "stop")
"""`label` takes the label (empty text clears it), `tag` and `untag` tags with commas between, `comment` the text."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do.

    Attributes:
        action: which one.
        heading: the line above the runs.
        question: to be answered with yes before it is done.
        runs: those that would be changed; runs that are as wanted are left out, and there may be none.
        details: what is said of single runs.
        size: what their directories hold, in bytes, where it matters; else None.
        asks: whether the command line would ask.
        warnings: what else is to be known before.
    """

    action: str
    heading: str
    question: str
    runs: Sequence[RunRow]
    details: Mapping[RunId, Sequence[str]]
    size: int | None
    asks: bool
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action.

    Attributes:
        seq: its transaction; None when there was nothing to record.
        count: how many runs are as was asked for.
        of: how many were to be.
        said: that, in words.
        undo: what `Actions.undo` takes to take it back; None where it cannot be.
        warnings: what went wrong with single runs, or is to be known.
        again: whether `undo` does something again that was taken back: to be called redo.
    """

    seq: int | None
    count: int
    of: int
    said: str
    undo: int | None
    warnings: Sequence[str] = ()
    again: bool = False


class Actions(Protocol):
    """Each call opens what it needs and lets go of it; calls may come from any thread, and must not be in a hurry.

    Every method may raise `GuildError`: `UsageError` for what cannot be meant (an unknown action, a label that is
    none), `SelectionError` for a run that there is not, and others, the changes of somebody else (`ConflictError`)
    among them, when it is refused. Nothing was changed then.
    """

    def preview(self, action: str, ids: Sequence[str], value: str | None = None) -> Preview:
        """Return what an action of `ACTIONS` would do to the runs with these whole ids; nothing is changed."""

    def perform(
        self, action: str, ids: Sequence[str], value: str | None = None, *, versions: Mapping[str, int] | None = None
    ) -> Outcome:
        """Do it, in one transaction; who asked before has had the answer yes.

        Args:
            action: one of `ACTIONS`.
            ids: whole ids of runs.
            value: a label, tags or a comment.
            versions: `RunRow.version` of runs as they were shown: when one has changed since, nothing is done, and
                nothing is stopped; numbers that a run reports while it runs are no change.
        """

    def undo(self, seq: int | None = None) -> Outcome:
        """Take a transaction back (of one that takes something back: do that again); None: the newest own change."""

    def redo(self) -> Outcome:
        """Do again what was taken back last."""
