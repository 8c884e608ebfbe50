"""Repeats side by side: the runs of a comparison in groups that have something in common, one line for each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from projections.cells import Cell, Time

if TYPE_CHECKING:
    from projections.comparison import Comparison
    from projections.comparison_columns import Column


class Spread(NamedTuple):
    """Numbers that belong together.

    Attributes:
        mean: their mean; not a number if one of them is none.
        deviation: their sample standard deviation, that with n - 1; None for a single number.
        runs: how many have one.
    """

    mean: float
    deviation: float | None
    runs: int


class Group(NamedTuple):
    """Runs that have the same in the columns that they are grouped by.

    Attributes:
        keys: what they have there.
        runs: how many there are.
        spreads: of each column of numbers, None when no run of the group has one.
    """

    keys: tuple[Cell, ...]
    runs: int
    spreads: tuple[Spread | None, ...]


class _Gathered:
    """A group while runs are added to it."""

    def __init__(self, keys: tuple[Cell, ...], columns: int) -> None:
        self.keys = keys
        self.runs = 0
        self.numbers: list[list[float]] = [[] for _ in range(columns)]

    def add(self, cells: Sequence[Cell]) -> None:
        self.runs += 1
        for cell, numbers in zip(cells, self.numbers, strict=True):
            if isinstance(cell, int | float) and not isinstance(cell, bool | Time):
                numbers.append(_float(cell))

    def group(self) -> Group:
        return Group(self.keys, self.runs, tuple(spread(numbers) if numbers else None for numbers in self.numbers))


def groups(comparison: Comparison, by: Sequence[Column], columns: Sequence[Column]) -> list[Group]:
    """Return the groups of all runs of a comparison, in the order of what they have in common, having nothing last.

    Args:
        comparison: which runs; its own columns are not looked at.
        by: what the runs of a group have in common.
        columns: of numbers; what else runs have there does not count.
    """
    found: dict[tuple[object, ...], _Gathered] = {}
    for line in comparison.with_columns((*by, *columns)).lines():
        keys = line.cells[: len(by)]
        same = tuple(map(_identity, keys))
        if same not in found:
            found[same] = _Gathered(keys, len(columns))
        found[same].add(line.cells[len(by) :])
    return sorted((one.group() for one in found.values()), key=lambda group: [*map(rank, group.keys)])


def spread(numbers: Sequence[float]) -> Spread:
    """Return mean and deviation of at least one number, rounded once: equal numbers have no deviation at all."""
    count = len(numbers)
    if all(number == numbers[0] for number in numbers):
        mean, deviation = numbers[0], 0.0
    else:
        mean = _mean(numbers)
        finite = math.isfinite(mean)
        deviation = math.hypot(*(number - mean for number in numbers)) / math.sqrt(count - 1) if finite else math.nan
    if not math.isfinite(mean):
        deviation = math.nan
    return Spread(mean, None if count == 1 else deviation, count)


def rank(cell: Cell) -> tuple[int, float, str]:
    """Return what a cell is sorted by: numbers, then what is no number, then texts, then nothing."""
    if cell is None or cell == []:
        return 3, 0, ""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        number = _float(cell)
        return (1, 0, "") if math.isnan(number) else (0, number, "")
    text = ",".join(cell) if isinstance(cell, list) else str(cell)
    return 2, 0, text.lower() if isinstance(cell, bool) else text


def _mean(numbers: Sequence[float]) -> float:
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:  # the sum is too large, the mean need not be
        return math.fsum(number / len(numbers) for number in numbers)
    except ValueError:  # infinity less infinity
        return math.nan


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _identity(cell: Cell) -> object:
    """Return what is equal for cells that are: NaN equals itself here, and true is not 1."""
    if isinstance(cell, float) and math.isnan(cell):
        return "nan", float
    return (tuple(cell) if isinstance(cell, list) else cell), isinstance(cell, bool), isinstance(cell, str)
