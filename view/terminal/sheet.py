"""The table as a value: which runs in which order, which columns, where the cursor is, what is selected; no drawing.

The order is a row of numbers, one for each run: it is all that 100,000 runs cost. What stands in the rows is read for
those that are seen, and kept for a while.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence

from ledger.ids import RunId
from projections.comparison_columns import Column
from view.terminal.cells import Shown, shown, text_width
from view.terminal.port import Line

_MOST_KEPT = 3_000
"""Rows that are kept in memory."""

WIDEST = 40
"""Columns of the terminal that a cell takes, at most."""


class Width:
    """How wide a column has to be: it grows with what is seen of it, and never shrinks under the eyes."""

    __slots__ = ("part", "text", "whole")

    def __init__(self, header: str) -> None:
        self.text = text_width(header)
        self.whole = self.part = 0

    def take(self, cell: Shown) -> None:
        """Make room for a cell."""
        if cell.is_number:
            self.whole = max(self.whole, len(cell.text))
            self.part = max(self.part, len(cell.rest))
        else:
            self.text = max(self.text, text_width(cell.text))

    @property
    def is_numeric(self) -> bool:
        """Whether numbers were seen."""
        return self.whole > 0

    @property
    def cells(self) -> int:
        """How many columns of the terminal."""
        return max(1, min(WIDEST, max(self.text, self.whole + self.part)))


class Sheet:
    """See the head of this module.

    Attributes:
        order: numbers of the runs, as they are listed.
        lines: what was read of runs, by number.
        stale: numbers of runs of which something has changed since it was read.
        selected: numbers of runs; never changed in place, and nor is `order`: what was counted holds for the two.
        row: of the cursor.
        column: of the cursor, counted from 0 among `columns`.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.order: array[int] = array("q")
        self.lines: dict[int, Line] = {}
        self.stale: set[int] = set()
        self.selected: frozenset[int] = frozenset()
        self.row = self.column = 0
        self._counted: tuple[array[int], frozenset[int], int] = (self.order, self.selected, 0)
        self._columns: list[Column] = []
        self._widths: dict[str, Width] = {}

    @property
    def columns(self) -> list[Column]:
        """The columns that are shown, from the left."""
        return self._columns

    @columns.setter
    def columns(self, columns: Sequence[Column]) -> None:
        """Show others; the cursor stays in its column, if that is still there."""
        at = self.current_column()
        self._columns = list(columns)
        self.column = self._columns.index(at) if at in self._columns else min(self.column, len(columns) - 1)
        self.column = max(0, self.column)
        known = set(self._widths)
        for column in columns:
            if column.spec not in known:
                self._widths[column.spec] = Width(column.header)
                for line in self.lines.values():
                    if column.spec in line.cells:
                        self._measure(column, line)
        # Rows that were read without a new column are read again; until then the others can be seen.
        self.stale |= {
            number for number, line in self.lines.items() if any(one.spec not in line.cells for one in columns)
        }

    def current_column(self) -> Column | None:
        """Return the column under the cursor."""
        return self._columns[self.column] if 0 <= self.column < len(self._columns) else None

    def current(self) -> int | None:
        """Return the number of the run under the cursor."""
        return self.order[self.row] if 0 <= self.row < len(self.order) else None

    def current_line(self) -> Line | None:
        """Return the run under the cursor, when it was read."""
        number = self.current()
        return None if number is None else self.lines.get(number)

    def chosen(self) -> list[int]:
        """Return what an action is about: the selected runs of the table in its order, else the one of the cursor.

        That one never stands in for selected runs which the table does not show.
        """
        if self.selected:
            return [number for number in self.order if number in self.selected]
        number = self.current()
        return [] if number is None else [number]

    def count_selected(self) -> int:
        """Return how many runs of the table are selected."""
        order, selected, count = self._counted
        if order is not self.order or selected is not self.selected:
            count = sum(number in self.selected for number in self.order) if self.selected else 0
            self._counted = self.order, self.selected, count
        return count

    def nobody(self) -> str:
        """Say why `chosen` is empty."""
        return "The selected runs are not in this table; Esc selects none" if self.selected else "There is no run here"

    def known_ids(self) -> list[RunId]:
        """Return the ids of the run of the cursor and of those that are selected, as far as they were read."""
        numbers = {number for number in (self.current(), *self.selected) if number is not None}
        return [self.lines[number].row.run_id for number in numbers if number in self.lines]

    def renumber(self, numbers: Mapping[RunId, int]) -> int:
        """Go on with runs that have other numbers: cursor and selection are those of the same runs, all is read anew.

        Args:
            numbers: of runs of which `known_ids` has told; others are forgotten until the new order is there.

        Returns:
            How many runs were selected and are no more, because nothing was known of them.
        """
        old = {number: numbers[line.row.run_id] for number, line in self.lines.items() if line.row.run_id in numbers}
        before = len(self.selected)
        self.selected = frozenset(old[number] for number in self.selected if number in old)
        self.order = array("q", (old.get(number, -1) for number in self.order))
        self.lines.clear()
        self.stale.clear()
        return before - len(self.selected)

    def reorder(self, order: array[int], top: int, *, follow: bool = True) -> int:
        """Take another order over; the cursor stays on its run, and what is looked at where it is.

        Args:
            order: the new one.
            top: first row that is seen.
            follow: whether the cursor stays on its run; else on its row.

        Returns:
            The first row to be seen now.
        """
        cursor, anchor = self.current(), self.order[top] if 0 <= top < len(self.order) else None
        before = self.order
        self.order = order
        self.stale &= set(self.lines)
        found = _place(order, cursor) if follow else None
        if found is None:
            self.row = max(0, min(self.row, len(order) - 1))
            found_anchor = _place(order, anchor) if follow and top else None
            return top if found_anchor is None else found_anchor
        moved = found - self.row
        self.row = found
        if top == 0:
            # From the top of the list one sees new runs arrive, unless the cursor would be pushed out.
            return 0
        if before is not order and anchor is not None and cursor is not None:
            return max(0, top + moved)
        return top

    def forget(self) -> None:
        """Forget what was read, so that it is read again; it stays to be seen until then."""
        self.stale |= set(self.lines)

    def missing(self, first: int, last: int) -> list[int]:
        """Return the numbers of the runs from row `first` to before `last` that have to be read."""
        numbers = self.order[max(0, first) : max(0, last)]
        return [number for number in numbers if number not in self.lines or number in self.stale]

    def take(self, asked: Iterable[int], lines: Mapping[int, Line], keep: Sequence[int]) -> None:
        """Take over what was read.

        Args:
            asked: numbers of the runs that were asked for; one without a line is gone.
            lines: what was read.
            keep: numbers of runs that are seen.
        """
        self.stale.difference_update(asked)
        for number in asked:
            if number not in lines:
                self.lines.pop(number, None)
        self.lines.update(lines)
        for line in lines.values():
            for column in self._columns:
                self._measure(column, line)
        if len(self.lines) > _MOST_KEPT:
            seen = set(keep)
            self.lines = {number: line for number, line in self.lines.items() if number in seen}

    def _measure(self, column: Column, line: Line) -> None:
        self._widths[column.spec].take(self.cell(column, line))

    def width(self, column: Column) -> Width:
        """Return how wide a column is."""
        return self._widths[column.spec]

    def cell(self, column: Column, line: Line) -> Shown:
        """Return what is shown of a run in a column."""
        since = line.row.started if line.row.status == "running" else None
        return shown(column, line.cells.get(column.spec), self.clock(), since)


def _place(order: array[int], number: int | None) -> int | None:
    if number is None:
        return None
    try:
        return order.index(number)
    except ValueError:
        return None
