"""`guild compare --group-by`: repeats of a run as one line, with means and deviations of what they reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.compare_printing import RUNS, GroupLines
from ledger.dataclass import replace
from ledger.text import did_you_mean, printable
from projections.column_specs import ANY, ATTRIBUTE, FLAG, SCALAR, ColumnError, ColumnSpec, parse_columns
from projections.comparison_columns import Column, columns_of
from projections.grouping import Group, groups, rank

if TYPE_CHECKING:
    from commands.comparing import Choice
    from projections.cells import Cell
    from projections.comparison import Comparison


def grouped(comparison: Comparison, by: str, choice: Choice) -> GroupLines:
    """Return the groups of the runs of a comparison.

    Args:
        comparison: the runs, and the columns of which the scalars are told.
        by: columns that have something in common, as typed; a bare name is that of a flag, if there is one.
        choice: the columns that were asked for, the order, and how many groups are shown.

    Raises:
        ColumnError: a column that there is not, or of which there is no mean.
    """
    database = comparison.query.index.db
    keys = columns_of(database, [_flag_first(comparison, spec) for spec in parse_columns(by)])
    asked = [spec for text in (*choice.columns, *choice.strict) for spec in parse_columns(text)]
    wanted = {_checked(spec, columns_of(database, [spec])[0]).spec for spec in asked}
    taken = {column.spec for column in keys}
    columns = [
        column
        for column in comparison.columns
        if (column.kind == SCALAR or column.spec in wanted) and column.spec not in taken
    ]
    found = groups(replace(comparison, most=None), keys, columns)
    text = choice.least or choice.greatest
    if text:
        found = _ordered(found, keys, columns, text, reverse=bool(choice.greatest))
    return GroupLines(found[: choice.most], keys, columns)


def _flag_first(comparison: Comparison, spec: ColumnSpec) -> ColumnSpec:
    if spec.kind != ANY:
        return spec
    flag = replace(spec, kind=FLAG)
    return flag if columns_of(comparison.query.index.db, [flag])[0].sources[0].number else spec


def _checked(spec: ColumnSpec, column: Column) -> Column:
    if column.kind == ATTRIBUTE and not column.is_number():
        raise spec.error("there is no mean of this", hint="With --group-by, columns are of numbers.")
    return column


def _ordered(
    found: Sequence[Group], keys: Sequence[Column], columns: Sequence[Column], text: str, *, reverse: bool
) -> list[Group]:
    """Return the groups by the mean of a column, or by what they have in common; those without any come last."""
    named = text.strip()
    for place, column in enumerate((*keys, *columns)):
        if named in (column.header, column.spec):
            return sorted(found, key=lambda group: _rank(_cell(group, place), reverse=reverse))
    if named == RUNS:
        return sorted(found, key=lambda group: group.runs, reverse=reverse)
    known = [column.header for column in (*keys, *columns)]
    raise ColumnError(
        f"the groups have no column '{printable(named, 80)}'{did_you_mean(named, known)}", text, 0,
        hint=f"They can be sorted by {', '.join(map(printable, known))} and {RUNS}.",
    )  # fmt: skip


def _cell(group: Group, place: int) -> Cell:
    if place < len(group.keys):
        return group.keys[place]
    one = group.spreads[place - len(group.keys)]
    return None if one is None else one.mean


def _rank(cell: Cell, *, reverse: bool) -> tuple[int, float, str]:
    kind, number, text = rank(cell)
    return kind, -number if reverse else number, text
