"""A comparison: runs side by side, in the columns and the order that somebody asked for, a page at a time.

It is a value: sorting, narrowing and choosing columns give another comparison, over the same index. A page costs the
page, wherever it is, as far as an index of the database knows the order (see `projections.sorting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ledger.dataclass import dataclass, replace
from projections.cells import CHUNK, Cell, Chunk
from projections.column_specs import ATTRIBUTE
from projections.comparison_columns import Column, Source, columns_of, readers
from projections.query import Query, RunRow

if TYPE_CHECKING:
    from array import array

__all__ = ["Cell", "Column", "Comparison", "Line", "Order", "Source", "columns_of"]


_STARTED = Source(ATTRIBUTE, "started")


class Line(NamedTuple):
    """A run, and what it has in each column."""

    row: RunRow
    cells: tuple[Cell, ...]


class Order(NamedTuple):
    """What lines are sorted by.

    Attributes:
        source: None for the usual order, the most recently started first.
        reverse: the other way round, as for the highest first; runs that have nothing there come last either way.
    """

    source: Source | None = None
    reverse: bool = False

    def sort(self) -> str:
        """Return what a query is sorted by."""
        return "started" if self.source is None else self.source.sort()

    def is_reverse(self) -> bool:
        """Tell whether a query is sorted the other way round: the usual way of `started` is the latest first."""
        return not self.reverse if self.source == _STARTED else self.reverse


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs in columns and an order.

    Attributes:
        query: which runs.
        columns: what is shown of them.
        order: how they are sorted.
        most: how many of them at most, None for all.
        now: microseconds UTC, to measure runs that are running; None leaves them without a time.
    """

    query: Query
    columns: tuple[Column, ...]
    order: Order = Order()
    most: int | None = None
    now: int | None = None

    def count(self) -> int:
        """Return how many lines there are."""
        runs = self.query.count()
        return runs if self.most is None else min(runs, self.most)

    def numbers(self) -> array[int]:
        """Return the number (`RunRow.number`) of the run in each line, to go anywhere in a long comparison at once."""
        found = self.query.numbers(sort=self.order.sort(), reverse=self.order.is_reverse())
        return found if self.most is None else found[: self.most]

    def page(self, offset: int, limit: int) -> list[Line]:
        """Return the lines from place `offset` on, at most so many.

        Raises:
            UsageError: runs cannot be sorted by the order's column.
            IndexDamagedError: the index cannot be read.
        """
        return list(self.lines(offset, limit))

    def lines(self, offset: int = 0, limit: int | None = None) -> Iterator[Line]:
        """Yield the lines from place `offset` on, a few hundred runs read at a time; errors as `page` raises them."""
        if self.most is not None:
            left = max(0, self.most - offset)
            limit = left if limit is None else min(left, limit)
        rows = self.query.rows(offset=offset, limit=limit, sort=self.order.sort(), reverse=self.order.is_reverse())
        while chunk := list(islice(rows, CHUNK)):
            yield from self.cells(chunk)

    def cells(self, rows: Sequence[RunRow], columns: Sequence[Column] | None = None) -> list[Line]:
        """Return the lines of a few hundred runs at most, in other columns than the comparison's if these are given."""
        chunk = Chunk(self.query.index, rows, self.query.filter.cwd, self.now)
        each = readers(self.columns if columns is None else columns, chunk)
        return [Line(row, tuple(read(row) for read in each)) for row in rows]

    def sorted_by(self, column: Column | None, *, reverse: bool = False) -> Comparison:
        """Return the comparison in another order; None for the usual one."""
        return replace(self, order=Order(None if column is None else column.sources[0], reverse))

    def with_columns(self, columns: Iterable[Column]) -> Comparison:
        """Return the comparison in other columns: reordered, fewer, or more of them."""
        return replace(self, columns=tuple(columns))

    def where(self, expression: str, now: int) -> Comparison:
        """Return the comparison of those runs only for which an expression holds as well.

        Args:
            expression: see `projections.expression`; empty for all runs that the query has without it.
            now: what `today` is measured by, microseconds UTC.

        Raises:
            ExpressionError: it cannot be understood; the message shows where.
        """
        wanted = self.query.filter
        both = f"({wanted.expression}) and ({expression})" if wanted.expression and expression else (
            wanted.expression or expression
        )  # fmt: skip
        return replace(self, query=Query(self.query.index, replace(wanted, expression=both, now=now)))

    def differing(self) -> tuple[Column, ...]:
        """Return the columns in which the runs are not all alike; having nothing differs from having something."""
        from projections.comparison_differing import differing

        return differing(self)
