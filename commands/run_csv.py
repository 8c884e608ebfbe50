"""Runs as CSV (RFC 4180): exact values for other programs; imported only when asked for.

Nothing is changed to please a spreadsheet: a label that begins with `=` stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.run_columns import OF_OBJECT, Column, cells_of, columns_of, exact
from projections.cells import Cell

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from projections.query import Query, RunRow

_SPECIAL = frozenset('",\r\n')


def csv_lines(app: App, query: Query, rows: Iterable[RunRow], layout: Layout) -> Iterator[str]:
    """Return the lines of a header and a record for each run, each with its carriage return.

    Raises:
        UsageError: a column that there is not.
    """
    columns = columns_of(query, layout) if layout.columns else [Column(name, name, None) for name in OF_OBJECT]
    return _lines(app, columns, rows)


def _lines(app: App, columns: Sequence[Column], rows: Iterable[RunRow]) -> Iterator[str]:
    yield record([one.header for one in columns])
    for chunk in cells_of(app, columns, rows):
        yield from map(record, chunk)


def record(cells: Sequence[Cell]) -> str:
    """Return a record, with its carriage return but without its line feed."""
    text = ",".join(map(_field, cells))
    # A record of one empty field would be an empty line, which readers pass by.
    return (text or '""') + "\r"


def _field(cell: Cell) -> str:
    """Return a field: nothing where there is nothing, `""` for an empty text."""
    if cell is None or cell == []:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = ",".join(cell) if isinstance(cell, list) else str(exact(cell))
    is_quoted = not text or text != text.strip() or not _SPECIAL.isdisjoint(text)
    return '"' + text.replace('"', '""') + '"' if is_quoted else text
