"""The columns that a list can show: attributes by name, flags and scalars; imported only when columns are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

from commands.run_json import array_lines, as_object
from ledger.errors import UsageError
from ledger.text import utc_time
from projections.attributes import attribute, named_value
from projections.details import comment_counts, digests_of, tags_of, values_of

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from projections.query import Query, RunRow


class Time(int):
    """Microseconds since 1970, UTC."""


Cell = bool | int | float | str | list[str] | None
"""What a run has in a column; durations in seconds."""

CHUNK = 500
_MICROSECONDS = 1_000_000

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
    """A few hundred runs, and what was read of them beyond their rows."""

    def __init__(self, app: App, columns: Sequence[Column], rows: Sequence[RunRow], first: int) -> None:
        self._app, self._columns, self._rows, self._first = app, columns, rows, first
        self._runs = [row.number for row in rows]
        wanted = {one.attribute for one in columns}
        index = app.index
        self._tags = tags_of(index, self._runs) if "tag" in wanted else {}
        self._comments = comment_counts(index, self._runs) if "comment" in wanted else {}
        self._digests = digests_of(index, self._runs) if "digest" in wanted else {}
        names = [one.value for one in columns if one.value]
        self._values = values_of(index, self._runs, names) if names else {}
        self._more: Mapping[str, Callable[[int, RunRow], Cell]] = {
            "index": lambda number, _: number,
            "duration": lambda _, row: duration(row),
            "started": lambda _, row: Time(row.started),
            "stopped": lambda _, row: None if row.stopped is None else Time(row.stopped),
            "tag": lambda _, row: self._tags.get(row.number, []),
            "comment": lambda _, row: self._comments.get(row.number, 0),
            "digest": lambda _, row: self._digests.get(row.number),
        }

    def cells(self) -> list[list[Cell]]:
        """Return a list for each run."""
        return [self._of(number, row) for number, row in enumerate(self._rows, self._first)]

    def _of(self, number: int, row: RunRow) -> list[Cell]:
        known = as_object(row, self._app)
        return [
            self._values.get((row.number, one.value))
            if one.value is not None
            else self._more[one.attribute](number, row)
            if one.attribute in self._more
            else cast("Cell", known[one.attribute])
            for one in self._columns
        ]


def duration(row: RunRow) -> float | None:
    """Return how long a run took, in seconds; None while it runs."""
    return None if row.stopped is None else (row.stopped - row.started) / _MICROSECONDS


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
