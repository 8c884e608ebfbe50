"""A list of runs as a table of chosen columns: `--columns`, `--simple`, and sorted lists; imported only for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from commands.run_columns import Column, cells_of, column, columns_of
from commands.table import SHORT_ID, cut, local_time, padded, text_width
from commands.terminal import width
from ledger.text import printable
from projections.attributes import attribute
from projections.cells import CHUNK, Cell, Time

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from projections.query import Query, RunRow

_LONGEST = 200
_WIDEST = 40
"""Columns that one cell takes on a terminal, at most: what stands behind it shall be seen as well."""

_SHORT = 60
"""Seconds."""

_USUAL = ("id", "operation", "started", "status")


def table(app: App, query: Query, rows: Iterable[RunRow], layout: Layout) -> Iterator[str]:
    """Return the lines of the table.

    Raises:
        UsageError: a column that there is not.
    """
    if layout.columns:
        columns = columns_of(query, layout)
        attributes = [one.attribute for one in columns]
        texts = ([*map(shown_cell, attributes, cells)] for cells in _all(app, columns, rows))
        return aligned_lines(texts, [printable(one.header) for one in columns])
    names = ("id", "operation", "label") if layout.simple else (*_USUAL, *_sorted_by(layout), "label")
    if not layout.is_sorted():
        names = ("index", *names)
    columns = [column(query, name) for name in names]
    return aligned_lines((_row(columns, cells) for cells in _all(app, columns, rows)), None)


def _sorted_by(layout: Layout) -> Sequence[str]:
    """Return the column by which the list is sorted, unless it is shown anyway."""
    by = attribute(layout.sort)
    return () if by in ("", *_USUAL, "label") else (layout.sort,)


def _all(app: App, columns: Sequence[Column], rows: Iterable[RunRow]) -> Iterator[list[Cell]]:
    for chunk in cells_of(app, columns, rows):
        yield from chunk


def _row(columns: Sequence[Column], cells: Sequence[Cell]) -> list[str]:
    """Return the cells of a row that looks like one of the usual list: `[INDEX:ID]`, and `NAME=VALUE` for others."""
    head, rest = "", []
    for one, cell in zip(columns, cells, strict=True):
        text = shown_cell(one.attribute, cell)
        if one.attribute == "index":
            head = f"{text}:"
        elif one.attribute == "id":
            rest.append(f"[{head}{text}]")
        else:
            is_usual = one.attribute in (*_USUAL, "label")
            rest.append(text if is_usual else f"{printable(one.header)}={text}" if text else "")
    return rest


def shown_cell(attribute: str, cell: Cell) -> str:
    """Return what a person is shown of an attribute; of a flag or scalar for an empty name."""
    if cell is None:
        return ""
    if attribute == "id":
        return str(cell)[:SHORT_ID]
    if isinstance(cell, Time):
        return local_time(cell)
    if attribute == "duration":
        return clock(float(str(cell)))
    if isinstance(cell, bool):
        # A flag's value is shown as it is given, what guild knows of a run as `runs -v` shows it.
        return ("yes" if cell else "no") if attribute else str(cell).lower()
    return printable(", ".join(cell) if isinstance(cell, list) else str(cell), _LONGEST)


def clock(seconds: float) -> str:
    """Return a duration as `H:MM:SS`, a short one with thousandths."""
    if seconds < _SHORT:
        return f"{seconds:.3f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def aligned_lines(rows: Iterator[list[str]], header: list[str] | None) -> Iterator[str]:
    """Yield the lines of a table as wide as what was read of it: the columns may grow on the way, never shrink."""
    columns = width()
    widths: list[int] = []
    while (chunk := list(islice(rows, CHUNK))) or header:
        if header is not None:
            chunk.insert(0, header)
            header = None
        if columns is not None:
            chunk = [[cut(text, _WIDEST) for text in row[:-1]] + row[-1:] for row in chunk]
        before = widths or [0] * len(chunk[0])
        widths = [max(least, *(text_width(row[at]) for row in chunk)) for at, least in enumerate(before)]
        for row in chunk:
            line = "  ".join(padded(text, wide) for text, wide in zip(row, widths, strict=True))
            yield cut(line.rstrip(), columns)
