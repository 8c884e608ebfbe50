"""What the full-screen table asks of the program: it knows no home, no ledger and no command line.

`commands/` carries it out. All methods are called in one thread, the one that opened the source: what they ask takes
as long as it takes, and the screen goes on answering its keys.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ledger.dataclass import dataclass, field
from ledger.ids import RunId
from projections.cells import Cell
from projections.comparison_columns import Column
from projections.rows import RunRow

if TYPE_CHECKING:
    from artifacts.series import Series
    from view.actions import Actions


@dataclass(frozen=True, slots=True)
class Question:
    """Which runs, in which order.

    Attributes:
        expression: of the language of `-F`; empty for all that the command line let through.
        sort: spec of a column; empty for the order in which runs were started.
        reverse: the other way round.
        deleted: those in the trash.
    """

    expression: str = ""
    sort: str = ""
    reverse: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """All runs that match.

    Attributes:
        order: their numbers; a number that meant a run never means another, but a run may get another number.
        every: the columns that there are.
        notes: what else is to be said of the question, such as names that no run has.
        most: how many runs there are at most, because no more were asked for; None for all.
    """

    order: array[int]
    every: Sequence[Column]
    notes: Sequence[str] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A run and what it has in the columns that were asked for, by spec."""

    row: RunRow
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Changes:
    """What the ledger has got since it was last asked.

    Attributes:
        runs: numbers of the runs that it is about.
        reorder: whether the question has to be asked again.
        anew: whether runs have other numbers than before: see `Source.numbered`.
    """

    runs: frozenset[int] = frozenset()
    reorder: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a run, for people: titles, each with names and values, and the end of what it printed."""

    row: RunRow
    sections: Mapping[str, Mapping[str, str]]
    output: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """What the command line asked for.

    Attributes:
        columns: specs of the columns to begin with; empty for the usual ones.
        question: what to begin with.
        words: the options of the command line that limit the runs, as they were typed, but not the expression.
        past: the moment in words when what is shown is the past: nothing can be changed, and nothing changes.
    """

    columns: Sequence[str] = ()
    question: Question = field(default_factory=Question)
    words: Sequence[str] = ()
    past: str = ""


class Source(Protocol):
    """The runs. Every method may raise `GuildError`; the screen shows it and goes on."""

    @property
    def actions(self) -> Actions:
        """What can be done to runs."""

    def ask(self, question: Question) -> Answer:
        """Return all runs that match.

        Raises:
            UsageError: the expression, or the column to sort by, cannot be understood.
        """

    def usual(self, every: Sequence[Column]) -> list[Column]:
        """Return the columns to begin with."""

    def column(self, spec: str) -> tuple[Column, Sequence[str]]:
        """Return the column that a spec names, and what is to be said of it, such as that no run has it.

        Raises:
            UsageError: there is none.
        """

    def differing(self, columns: Sequence[Column]) -> list[Column]:
        """Return those of the columns in which the runs that were last asked for are not all the same."""

    def lines(self, numbers: Sequence[int], columns: Sequence[Column]) -> dict[int, Line]:
        """Return runs by their numbers; what is gone is left out.

        Raises:
            GuildError: runs have other numbers by now.
        """

    def numbered(self, ids: Sequence[RunId]) -> dict[RunId, int]:
        """Return the numbers that runs have now; what is gone is left out."""

    def changes(self) -> Changes | None:
        """Look whether the ledger has grown; None when it has not. It costs next to nothing then."""

    def details(self, run_id: RunId) -> Details:
        """Return all that is to be said of a run."""

    def series(self, run_id: RunId, points: int) -> Mapping[str, Series]:
        """Return the scalars of a run as they were reported, by name."""

    def spelled(self, question: Question, columns: Sequence[Column]) -> str:
        """Return the command that prints this table."""

    def close(self) -> None:
        """Let go of everything."""
