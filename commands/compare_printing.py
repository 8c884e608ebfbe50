"""A comparison as text: a table for people, CSV and JSON for programs; one line for each run, or for each group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.run_columns import for_json
from commands.run_csv import record
from commands.run_json import array_lines
from commands.run_table import aligned_lines, shown_cell
from ledger.text import printable
from projections.cells import Cell

if TYPE_CHECKING:
    from projections.comparison import Comparison
    from projections.comparison_columns import Column
    from projections.grouping import Group, Spread

RUNS = "runs"
"""Header of the column that says how many runs a group has."""

_DIGITS = 6
_MOST_DECIMALS = 12


class RunLines:
    """The runs of a comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._headers = [column.header for column in comparison.columns]

    def table(self) -> Iterator[str]:
        """Yield the lines of a table."""
        columns = self._comparison.columns
        rows = ([*map(_shown, columns, line.cells)] for line in self._comparison.lines())
        return aligned_lines(rows, [printable(header) for header in self._headers])

    def csv(self) -> Iterator[str]:
        """Yield a header and a record for each run, as `record` gives them."""
        yield record(self._headers)
        for line in self._comparison.lines():
            yield record(line.cells)

    def json(self) -> Iterator[str]:
        """Yield the lines of a JSON array, an object for each run."""
        return array_lines(
            dict(zip(self._headers, map(for_json, line.cells), strict=True)) for line in self._comparison.lines()
        )


class GroupLines:
    """Groups of runs, with means and deviations of what they reported."""

    def __init__(self, groups: Iterable[Group], by: Sequence[Column], columns: Sequence[Column]) -> None:
        self._groups, self._by, self._columns = groups, by, columns

    def table(self) -> Iterator[str]:
        """Yield the lines of a table, with `MEAN ± DEVIATION` in the columns of numbers."""
        header = [*(column.header for column in self._by), RUNS, *(column.header for column in self._columns)]
        rows = (
            [*map(_shown, self._by, group.keys), str(group.runs), *map(shown_spread, group.spreads)]
            for group in self._groups
        )
        return aligned_lines(rows, [*map(printable, header)])

    def csv(self) -> Iterator[str]:
        """Yield a header and a record for each group: of each column mean, deviation, and how many have a number."""
        told = [f"{column.header} {what}" for column in self._columns for what in ("mean", "sd", "count")]
        yield record([*(column.header for column in self._by), RUNS, *told])
        for group in self._groups:
            numbers: list[Cell] = []
            for one in group.spreads:
                numbers += [None, None, 0] if one is None else [one.mean, one.deviation, one.runs]
            yield record([*group.keys, group.runs, *numbers])

    def json(self) -> Iterator[str]:
        """Yield the lines of a JSON array, an object for each group."""
        return array_lines(self._object(group) for group in self._groups)

    def _object(self, group: Group) -> dict[str, object]:
        keys = {column.header: for_json(key) for column, key in zip(self._by, group.keys, strict=True)}
        spreads = {
            column.header: None
            if one is None
            else {"mean": for_json(one.mean), "sd": for_json(one.deviation), "count": one.runs}
            for column, one in zip(self._columns, group.spreads, strict=True)
        }
        return {**keys, RUNS: group.runs, **spreads}


def _shown(column: Column, cell: Cell) -> str:
    """Return what a person is shown: what was reported rounded to six digits, what was given to the run as it is."""
    if column.kind == "scalar" and isinstance(cell, float):
        return f"{cell:.{_DIGITS}g}"
    return shown_cell(column.sources[0].name if column.kind == "attribute" else "", cell)


def shown_spread(spread: Spread | None) -> str:
    """Return `MEAN ± DEVIATION`, the deviation with two digits and the mean as exact as that; of one run the mean."""
    if spread is None:
        return ""
    mean, deviation = spread.mean, spread.deviation
    if deviation is None:
        return f"{mean:.{_DIGITS}g}"
    if not deviation or not math.isfinite(deviation):
        return f"{mean:.{_DIGITS}g} ± {deviation:g}"
    decimals = max(0, 1 - math.floor(math.log10(deviation)))
    if decimals > _MOST_DECIMALS or abs(mean) >= 10**_MOST_DECIMALS:
        return f"{mean:.{_DIGITS}g} ± {deviation:.2g}"
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"
