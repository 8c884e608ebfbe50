"""What people and processes say about a run: labels, tags, comments, marks, protection, scalars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ledger.canonical import Value
from ledger.dataclass import dataclass
from ledger.events.base import Event


@dataclass(frozen=True, slots=True)
class RunLabeled(Event):
    """A run's label was set, or cleared with None."""

    type: ClassVar[str] = "run.labeled"

    label: str | None


@dataclass(frozen=True, slots=True)
class RunTagged(Event):
    """Tags were added to and removed from a run."""

    type: ClassVar[str] = "run.tagged"

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunCommented(Event):
    """Somebody wrote a comment on a run; who and when is in the transaction, unless it came with an imported run.

    Attributes:
        text: what was written.
        author: of a comment that was imported: `actor`, `host` and `time` (microseconds UTC); else None.
    """

    type: ClassVar[str] = "run.commented"
    schema_version: ClassVar[int] = 2

    text: str
    author: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class RunCommentWithdrawn(Event):
    """A comment was taken back, or shown again: it stays in the ledger, but is no longer one of the run's.

    Attributes:
        written: the time of the transaction that holds the comment, microseconds UTC. It names the comment without
            repeating it: a text that is redacted later must not stand here as well.
        withdrawn: False shows it again, with its author and time.
    """

    type: ClassVar[str] = "run.comment_withdrawn"

    written: int
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class RunMarked(Event):
    """A run was marked or unmarked."""

    type: ClassVar[str] = "run.marked"

    marked: bool


@dataclass(frozen=True, slots=True)
class RunProtected(Event):
    """A run was protected against deletion, or the protection was lifted."""

    type: ClassVar[str] = "run.protected"

    protected: bool


@dataclass(frozen=True, slots=True)
class RunScalarsRecorded(Event):
    """Summaries of the numbers that a run reported.

    Attributes:
        scalars: by key: `first`, `last`, `min`, `max` (each a pair of value and step), `mean` and `count`.
    """

    type: ClassVar[str] = "run.scalars_recorded"

    scalars: Mapping[str, Value]
