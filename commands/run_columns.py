"""The columns that a list can show: attributes by name, flags and scalars; imported only when columns are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from commands.run_json import array_lines, run_dir
from ledger.errors import UsageError
from ledger.text import utc_time
from projections.attributes import attribute, named_value
from projections.cells import CHUNK, Cell, Chunk, Reader, Time, attribute_reader
from projections.details import values_of

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from projections.query import Query, RunRow


OF_OBJECT = (
    *("id", "operation", "status", "started", "stopped", "label", "exit_status", "marked", "protected"),
    *("deleted", "model", "package", "project", "operation_name", "run_dir"),
)
"""Columns that are fields of a run's JSON object."""

ATTRIBUTES = (*OF_OBJECT, "index", "duration", "tag", "comment", "digest")
"""Columns beside flags and scalars."""


class Column(NamedTuple):
    """A column: its header (the name as typed), its attribute, and for a flag or scalar the number of its name.

    Of `attribute` and `value` exactly one is there; `value` is 0 for a name that no run has.
    """

    header: str
    attribute: str
    value: int | None


def columns_of(query: Query, layout: Layout) -> list[Column]:
    """Return the columns that the option names, each once.

    Raises:
        UsageError: one of them is no column; there is none; indexes of a list in which they would mean other runs.
    """
    names = dict.fromkeys(name.strip() for text in layout.columns for name in text.split(","))
    if "" in names:
        raise UsageError("--columns needs names with commas between", hint="Example: --columns id,status,loss.")
    columns = [column(query, name) for name in names]
    if layout.is_sorted() and any(one.attribute == "index" for one in columns):
        raise UsageError(
            "a sorted list has no indexes: they would mean other runs", hint="Show the column id instead of index."
        )
    return columns


def column(query: Query, name: str) -> Column:
    """Return the column of a name.

    Raises:
        UsageError: there is none.
    """
    if attribute(name) in ATTRIBUTES:
        return Column(name, attribute(name), None)
    return Column(name, "", named_value(query.index.db, name, "shown by", ATTRIBUTES))


def cells_of(app: App, columns: Sequence[Column], rows: Iterable[RunRow]) -> Iterator[list[list[Cell]]]:
    """Yield what runs have in the columns, a few hundred runs at a time."""
    left, first = iter(rows), 0
    while chunk := list(islice(left, CHUNK)):
        yield _Chunk(app, columns, chunk, first).cells()
        first += len(chunk)


class _Chunk:
    """A few hundred runs, and what is read of them beyond their rows."""

    def __init__(self, app: App, columns: Sequence[Column], rows: Sequence[RunRow], first: int) -> None:
        self._app, self._rows, self._first = app, rows, first
        self._chunk = Chunk(app.index, rows, app.cwd)
        names = [one.value for one in columns if one.value]
        self._values = values_of(app.index, self._chunk.numbers(), names) if names else {}
        self._readers = [self._reader(one) for one in columns]

    def cells(self) -> list[list[Cell]]:
        """Return a list for each run."""
        return [[read(row) for read in self._readers] for row in self._rows]

    def _reader(self, column: Column) -> Reader:
        number = column.value
        if number is not None:
            return lambda row: self._values.get((row.number, number))
        if column.attribute == "index":
            indexes = {row.number: index for index, row in enumerate(self._rows, self._first)}
            return lambda row: indexes[row.number]
        if column.attribute == "run_dir":
            return lambda row: run_dir(row, self._app)
        return attribute_reader(column.attribute, self._chunk)


def json_of_columns(app: App, query: Query, rows: Iterable[RunRow], layout: Layout) -> Iterator[str]:
    """Return the lines of a JSON array of objects with the columns as their fields."""
    columns = columns_of(query, layout)
    headers = [one.header for one in columns]
    objects = (
        dict(zip(headers, map(for_json, cells), strict=True))
        for chunk in cells_of(app, columns, rows)
        for cells in chunk
    )
    return array_lines(objects)


def exact(cell: Cell) -> Cell:
    """Return what programs are given: times as text, all else as it is."""
    return utc_time(cell) if isinstance(cell, Time) else cell


def for_json(cell: Cell) -> object:
    """Return a value as JSON says it; a number that is not finite as the ledger's bodies do."""
    if isinstance(cell, float) and (cell in (float("inf"), float("-inf")) or cell != cell):  # noqa: PLR0124 - NaN
        return {"$float": str(cell)}
    return exact(cell)
