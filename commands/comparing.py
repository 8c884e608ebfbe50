"""From the options of `guild compare` to a comparison: which runs, in which columns and order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from commands.compare_declared import declared_columns
from commands.selecting import filter_of, open_query, run_filter, selected, tell_moved
from commands.terminal import note
from ledger.dataclass import dataclass, replace
from ledger.errors import UsageError
from ledger.ids import system_clock
from ledger.text import did_you_mean, printable
from projections.attributes import value_names
from projections.column_specs import ATTRIBUTE, ColumnSpec, parse_columns
from projections.comparison import Comparison, Order
from projections.comparison_columns import Column, columns_of, resolved
from projections.comparison_defaults import core_columns, operation_columns
from projections.query import runs_by_id
from projections.schema import DELETED, LIVE

if TYPE_CHECKING:
    import sqlite3

    from commands.app import App
    from commands.options import Limits
    from ledger.ids import RunId
    from projections.comparison_defaults import Declared
    from projections.index import Index
    from projections.query import Query
    from projections.rows import RunFilter
    from projections.schema import OpKey


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say of a comparison beside which runs.

    Attributes:
        runs: the words that name runs; none for all that match.
        columns: `--columns`: beside the usual ones.
        strict: `--strict-columns`: instead of them.
        skip_core: without run, operation, started, time, status and label.
        skip_op: without the columns of operations.
        least: `--min`: the column whose lowest number comes first.
        greatest: `--max`: the same for the highest.
        most: `--top`: so many lines at most; None for all.
        deleted: of runs in the trash.
    """

    runs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    skip_core: bool = False
    skip_op: bool = False
    least: str = ""
    greatest: str = ""
    most: int | None = None
    deleted: bool = False


class Compared:
    """The runs of a comparison, to be asked for again whenever the ledger has grown.

    RUN arguments are resolved once; from then on these very runs are meant.
    """

    def __init__(self, limits: Limits, choice: Choice) -> None:
        self._limits, self._choice = limits, choice
        self._wanted: RunFilter | None = None
        self._named: list[RunId] = []
        self._numbered: Index | None = None
        self._seen: set[OpKey] = set()
        self._declared: dict[OpKey, Declared] = {}

    def comparison(self, app: App) -> Comparison:
        """Return the whole comparison: what is to be printed.

        Raises:
            SelectionError: an argument names no run, or several.
            UsageError: a column that there is not, or none at all.
            ExpressionError: the filter cannot be understood.
        """
        found = self.runs(app)
        column = self._sorted_by(found)
        if column is None:
            return found
        return replace(found, order=Order(column.sources[0], bool(self._choice.greatest)))

    def runs(self, app: App) -> Comparison:
        """Return the comparison in the usual order, and note columns that no run has; errors as of `comparison`."""
        found = self.base(app, DELETED if self._choice.deleted else LIVE, self._limits.expression)
        self._note_unknown(found.query.index.db)
        return found

    def _note_unknown(self, database: sqlite3.Connection) -> None:
        for text in (*self._choice.columns, *self._choice.strict):
            for name in unreported(database, parse_columns(text)):
                note(name)

    def base(self, app: App, place: str, expression: str = "") -> Comparison:
        """Return the runs as they are now, in the usual order; errors as of `comparison`.

        Args:
            app: the program.
            place: `live` or `deleted`.
            expression: what must hold of them.
        """
        query = open_query(app, self._filter(app, place, expression))
        columns = columns_of(query.index.db, self._specs(query))
        return Comparison(query, columns, most=self._choice.most, now=self._now(app))

    def _now(self, app: App) -> int:
        return system_clock() if app.then is None else app.then.now

    def _filter(self, app: App, place: str, expression: str) -> RunFilter:
        choice, limits = self._choice, self._limits
        if self._wanted is None:
            first = run_filter(app, limits, place=DELETED if choice.deleted else LIVE)
            if choice.runs:
                listing = "guild runs --deleted" if choice.deleted else "guild runs"
                self._named = [row.run_id for row in selected(app, first, choice.runs, list_command=listing)]
                tell_moved(app)
            self._wanted = first
        if choice.runs and self._numbered is not app.index:
            # An index that was made anew may have other numbers.
            self._numbered = app.index
            numbers = tuple(row.number for row in runs_by_id(app.index, self._named).values())
            self._wanted = replace(self._wanted, only=numbers)
        held = self._wanted
        # Anew each time: `last 2 hours` is not what it was when somebody began to look.
        limits = replace(limits, expression=expression)
        again = filter_of(limits, place, held.cwd, held.project, None if app.then is None else app.then.now)
        return replace(again, now=self._now(app), only=held.only)

    def _specs(self, query: Query) -> list[ColumnSpec]:
        choice = self._choice
        if choice.strict:
            return [spec for text in choice.strict for spec in parse_columns(text)]
        specs = [] if choice.skip_core else core_columns()
        if not choice.skip_op:
            new = [op for op in query.wanted_ops() if op not in self._seen]
            self._seen.update(new)
            self._declared |= declared_columns(new)
            specs += operation_columns(query, self._declared)
        specs += [spec for text in choice.columns for spec in parse_columns(text)]
        if not specs and choice.skip_core and choice.skip_op:
            raise UsageError("there is no column to show", hint="Name some: --columns 'loss, =lr'.")
        return specs

    def _sorted_by(self, comparison: Comparison) -> Column | None:
        text = self._choice.least or self._choice.greatest
        return column_named(comparison, text) if text else None


def unreported(database: sqlite3.Connection, specs: Iterable[ColumnSpec]) -> Iterator[str]:
    """Yield what is to be said of the flags and scalars among columns that no run has: they stay empty for now."""
    for spec in specs:
        source = resolved(database, spec)
        if source.kind != ATTRIBUTE and not source.number:
            names = [name.partition(":")[2] for name in value_names(database, (source.kind,))]
            yield f"No run has {printable(str(spec), 80)}{did_you_mean(source.name, names)}"


def column_named(comparison: Comparison, text: str) -> Column:
    """Return a column of the comparison by its header or its spec; else the one that a spec names.

    Raises:
        ColumnError: there is none, or more than one.
    """
    for column in comparison.columns:
        if text.strip() in (column.header, column.spec):
            return column
    first, *others = parse_columns(text)
    if others:
        raise others[0].error("one column is enough to sort by")
    source = resolved(comparison.query.index.db, first)
    return Column(first.heading or text.strip(), str(first), (source,))
