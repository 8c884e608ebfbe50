"""What the full-screen table asks, answered from the home of the command: `view.terminal.port.Source`."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from commands.app import App
from commands.comparing import unreported
from commands.reaping import reap
from commands.selecting import unknown_names
from commands.terminal import heard
from commands.view_actions import AppActions
from ledger.dataclass import replace
from ledger.errors import GuildError, LedgerError, UsageError
from ledger.ids import RunId, run_of
from ledger.text import printable
from projections.column_specs import parse_columns
from projections.comparison import Comparison
from projections.comparison_columns import Column, columns_of, looked_up
from projections.comparison_defaults import every_column
from projections.errors import IndexDamagedError, index_errors
from projections.query import runs_by_id
from projections.schema import DELETED, LIVE
from view.terminal.port import Answer, Changes, Details, Line, Question, Start

if TYPE_CHECKING:
    from artifacts.series import Series, SeriesFollower
    from ledger.rows import TimedEvent
    from projections.index import Index
    from view.actions import Actions

T = TypeVar("T")

Base = Callable[[App, str], Comparison]
"""Returns the runs of a place that the command line is about, without the expression, on the caught-up index."""

_REAP_SECONDS = 3.0
_MOST_TOUCHED = 500
"""Above so many, all runs count as changed."""

_CHUNK = 500
_QUIET = frozenset((
    "run.scalars_recorded", "run.status_changed", "run.labeled", "run.tagged", "run.commented", "run.marked",
    "run.comment_withdrawn", "run.protected", "run.dependencies_resolved",
))  # fmt: skip
"""Events after which the runs are listed in the same order, when all are, the most recently started first."""


_SPAN = 1 << 40
"""More than the runs of an index: by so much the numbers of each further index are greater, and none means two runs."""


class HomeSource:
    """See the head of this module."""

    def __init__(self, app: App, start: Start, base: Base) -> None:
        self._app, self._start, self._base = app, start, base
        self._actions = AppActions(app.another)
        self._comparison: Comparison | None = None
        self._question = start.question
        self._known: frozenset[int] = frozenset()
        self._every: tuple[Column, ...] = ()
        self._every_for: tuple[object, ...] = ()
        self._seq = self._position = self._names = 0
        self._reaped = time.monotonic()
        self._has_file = os.path.exists(app.home.ledger_path)
        self._is_anew = False
        """Whether what was known before is of no use: all has to be asked again."""
        self._numbered: Index | None = None
        self._offset = 0
        """What is added to the numbers of the index that is open."""
        self._followers: dict[RunId, SeriesFollower] = {}

    @property
    def actions(self) -> Actions:
        """What can be done to runs."""
        return self._actions

    def ask(self, question: Question) -> Answer:
        """Return all runs that match."""
        return self._answered(lambda: self._ask(question))

    def _ask(self, question: Question) -> Answer:
        made = self._base(self._app, DELETED if question.deleted else LIVE)
        if not self._start.past:
            made = replace(made, now=None)  # runs that are running are measured when they are drawn
        made = made.where(question.expression, made.query.filter.now)
        if question.sort:
            made = made.sorted_by(self._column(made, question.sort), reverse=question.reverse)
        offset = self._numbering()
        order = made.numbers()
        if offset:
            order = array("q", (number + offset for number in order))
        self._comparison, self._question, self._known = made, question, frozenset(order)
        self._remember()
        self._list_columns(made, question)
        notes = [words for _, words in unknown_names(made.query)]
        return Answer(order, self._every, notes, made.most)

    def _numbering(self) -> int:
        """Return what is added to the numbers of the index; of another index than before all is asked again."""
        index = self._app.index
        if index is not self._numbered:
            if self._numbered is not None:
                self._offset += _SPAN
                self._is_anew = True
            self._numbered = index
        return self._offset

    def numbered(self, ids: Sequence[RunId]) -> dict[RunId, int]:
        """Return the numbers of runs as they now are."""

        def found() -> dict[RunId, int]:
            offset = self._numbering()
            return {run_id: row.number + offset for run_id, row in runs_by_id(self._app.index, ids).items()}

        return self._answered(found)

    def _list_columns(self, made: Comparison, question: Question) -> None:
        known = self._names, question.expression, question.deleted
        if known != self._every_for:
            self._every = columns_of(made.query.index.db, every_column(made.query))
            self._every_for = known

    def _remember(self) -> None:
        """Note how far the index has read."""
        read = self._app.index.checkpoint()
        self._seq, self._position, self._names = read.seq, read.position, self._count_names()

    def _count_names(self) -> int:
        with index_errors():
            return int(self._app.index.db.execute("SELECT count(*) FROM name").fetchone()[0])

    def usual(self, every: Sequence[Column]) -> list[Column]:
        """Return the columns to begin with: those that were named, else those of the operations and their runs."""
        return list(self._made().columns) or list(every)

    def column(self, spec: str) -> tuple[Column, Sequence[str]]:
        """Return the column that a spec names, and what is to be said of it."""

        def found() -> tuple[Column, Sequence[str]]:
            made = self._made()
            return self._column(made, spec), list(unreported(made.query.index.db, parse_columns(spec)))

        return self._answered(found)

    def _column(self, made: Comparison, spec: str) -> Column:
        found = columns_of(made.query.index.db, parse_columns(spec))
        if len(found) != 1:
            raise UsageError("one column is wanted here", hint="Example: min loss as best")
        return found[0]

    def differing(self, columns: Sequence[Column]) -> list[Column]:
        """Return those of the columns in which the runs are not all alike."""
        return self._answered(lambda: self._differing(self._made(), columns))

    def _differing(self, made: Comparison, columns: Sequence[Column]) -> list[Column]:
        found = made.with_columns(looked_up(made.query.index.db, columns)).differing()
        specs = {column.spec for column in found}
        return [column for column in columns if column.spec in specs]

    def lines(self, numbers: Sequence[int], columns: Sequence[Column]) -> dict[int, Line]:
        """Return runs by their numbers."""
        return self._answered(lambda: dict(self._lines(numbers, columns)))

    def _lines(self, numbers: Sequence[int], columns: Sequence[Column]) -> Iterator[tuple[int, Line]]:
        made, offset = self._made(), self._numbering()
        if made.query.index is not self._numbered or any(not 0 <= number - offset < _SPAN for number in numbers):
            self._is_anew = True
            raise GuildError("the list of runs is made anew", hint="Look at it and choose again.")
        specs = [column.spec for column in columns]
        columns = looked_up(made.query.index.db, columns)
        for start in range(0, len(numbers), _CHUNK):
            rows = made.query.rows_numbered([number - offset for number in numbers[start : start + _CHUNK]])
            for line in made.cells(rows, columns):
                row = line.row._replace(number=line.row.number + offset) if offset else line.row
                yield row.number, Line(row, dict(zip(specs, line.cells, strict=True)))

    def changes(self) -> Changes | None:
        """Look whether the ledger has grown."""
        return self._answered(self._changes)

    def _changes(self) -> Changes | None:
        app = self._app
        self._refuse_vanished()
        if not app.ledger.store.is_current():
            app.close()
        if time.monotonic() - self._reaped > _REAP_SECONDS:
            self._reaped = time.monotonic()
            app.index.catch_up(app.ledger)
            reap(app)
        self._numbering()
        if self._is_anew:
            self._is_anew = False
            return Changes(self._known, reorder=True, anew=True)
        if app.ledger.store.head().seq == self._seq:
            return None
        app.index.catch_up(app.ledger)
        new = list(islice(app.ledger.store.timed_events(self._position), 20 * _MOST_TOUCHED + 1))
        names = self._names
        self._remember()
        return self._touched(new, has_new_names=names != self._names)

    def _touched(self, new: Sequence[TimedEvent], *, has_new_names: bool) -> Changes:
        ids = list(dict.fromkeys(run for event in new if (run := run_of(event.stream)) is not None))
        if len(ids) > _MOST_TOUCHED or not new:
            return Changes(self._known, reorder=True)
        rows = runs_by_id(self._app.index, ids).values()
        is_limited = bool(self._question.sort or self._is_limited())
        is_quiet = all(event.type in _QUIET for event in new)
        touched = frozenset(row.number + self._offset for row in rows)
        return Changes(touched, is_limited or has_new_names or not is_quiet)

    def _is_limited(self) -> bool:
        wanted = self._made().query.filter
        return wanted.has_conditions() or bool(wanted.statuses)

    def details(self, run_id: RunId) -> Details:
        """Return all that is to be said of a run."""
        from commands.compare_details import details

        return self._answered(lambda: details(self._app, run_id))

    def series(self, run_id: RunId, points: int) -> Mapping[str, Series]:
        """Return the scalars of a run; what was read of a run before is not read again."""
        return self._answered(lambda: self._series(run_id, points))

    def _series(self, run_id: RunId, points: int) -> Mapping[str, Series]:
        from artifacts.series import SeriesFollower

        if self._start.past:
            raise GuildError("curves are drawn from files, and those are of now", hint="Leave --at out to see them.")
        row = runs_by_id(self._app.index, [run_id]).get(run_id)
        if row is None:
            return {}
        home = self._app.home
        folder = home.run_dir(run_id) if row.place == LIVE else home.trash_run_dir(run_id)
        follower = self._followers.setdefault(run_id, SeriesFollower(folder, None, points))
        follower.read()
        return follower.series()

    def spelled(self, question: Question, columns: Sequence[Column]) -> str:
        """Return the command that prints this table."""
        from commands.compare_screen import spelled

        return spelled(self._start, question, columns, self._made().most)

    def close(self) -> None:
        """Let go of everything."""
        self._app.close()

    # --- What may go wrong --------------------------------------------------------------------------------------------

    def _made(self) -> Comparison:
        if self._comparison is None:
            self._ask(self._question)
            return self._made()
        return self._comparison

    def _answered(self, ask: Callable[[], T]) -> T:
        """Return an answer; an index that proves damaged is made anew, a ledger that cannot be read is opened anew."""
        with heard(), _system_errors():
            for is_last in (False, True):
                try:
                    self._refuse_vanished()
                    return ask()
                except IndexDamagedError as error:
                    if is_last:
                        raise
                    self._app.rebuild_index(error.message)
                    self._is_anew = True
                    self._ask(self._question)
                except LedgerError:
                    self._app.close()
                    self._comparison = None
                    self._is_anew = True
                    raise
        raise AssertionError("not reached")

    def _refuse_vanished(self) -> None:
        """Refuse to go on without a ledger that was there: opening it would make a new one in its place.

        Raises:
            LedgerError: its file is gone.
        """
        path = self._app.home.ledger_path
        if self._has_file and not os.path.exists(path):
            raise LedgerError(f"the ledger {printable(path, 300)!r} is gone")
        self._has_file = self._has_file or os.path.exists(path)


@contextmanager
def _system_errors() -> Iterator[None]:
    """Tell what the system refused as every error is told."""
    try:
        yield
    except OSError as error:
        raise GuildError(f"{printable(str(error.filename or 'a file'), 300)}: {error.strerror}") from error
