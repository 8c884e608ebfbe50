"""How runs are shown: one row each, columns aligned, times in the user's time zone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from ledger.text import printable
from projections.query import Query, RunRow, displayed

SHORT_ID = 8
_LABEL_LIMIT = 200


def local_time(microseconds: int | None) -> str:
    """Return a time as `YYYY-MM-DD HH:MM:SS` in the local zone; nothing for None."""
    if microseconds is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(microseconds // 1_000_000))


def cells(row: RunRow, cwd: str) -> list[str]:
    """Return what a row shows after its index: operation, start, status, label."""
    label = "" if row.label is None else printable(row.label, _LABEL_LIMIT)
    return [printable(displayed(row.op, cwd), 300), local_time(row.started), row.status, label]


def listing(rows: Iterable[RunRow], query: Query, count: int, columns: int | None) -> Iterator[str]:
    """Yield the lines of a listing, numbered from 0.

    Args:
        rows: in listing order.
        query: what was asked; gives the widths before the first row is known.
        count: how many rows the whole listing has.
        columns: cut lines at this width; None cuts nothing.
    """
    cwd = query.filter.cwd
    operations = max((text_width(printable(displayed(op, cwd), 300)) for op in query.wanted_ops()), default=0)
    statuses = max((len(status) for status in query.wanted_statuses()), default=0)
    first = len(f"[{max(count - 1, 0)}:]") + SHORT_ID
    for number, row in enumerate(rows):
        operation, started, status, label = cells(row, cwd)
        line = f"{f'[{number}:{row.run_id[:SHORT_ID]}]':<{first}}  {padded(operation, operations)}  {started:<19}"
        yield cut(f"{line}  {status:<{statuses}}  {label}".rstrip(), columns)


def planned(rows: Iterable[tuple[RunRow, str, str]], query: Query, columns: int | None) -> Iterator[str]:
    """Yield the lines of a plan as its rows come: what becomes of a run, the run, and why; cut at `columns`."""
    cwd = query.filter.cwd
    operations = max((text_width(printable(displayed(op, cwd), 300)) for op in query.wanted_ops()), default=0)
    statuses = max((len(status) for status in query.wanted_statuses()), default=0)
    for row, what, why in rows:
        operation, started, status, label = cells(row, cwd)
        line = f"  {what:<5}  [{row.run_id[:SHORT_ID]}]  {padded(operation, operations)}  {started}"
        yield cut(f"{line}  {status:<{statuses}}  {f'{label}  ' if label else ''}({why})", columns)


def preview(rows: Sequence[RunRow], cwd: str, columns: int | None = None) -> Iterator[str]:
    """Yield the lines that show runs before something is done to them: indented, without index, cut at `columns`."""
    shown = [[f"[{row.run_id[:SHORT_ID]}]", *cells(row, cwd)] for row in rows]
    widths = [max((text_width(line[cell]) for line in shown), default=0) for cell in range(5)]
    for line in shown:
        row = "  ".join(padded(text, width) for text, width in zip(line, widths, strict=True))
        yield cut(f"  {row}".rstrip(), columns)


def aligned(rows: Sequence[tuple[str, str]], columns: int | None) -> Iterator[str]:
    """Yield the lines of a table of two columns, cut at the width `columns`; None cuts nothing."""
    first = max((text_width(left) for left, _ in rows), default=0)
    for left, right in rows:
        yield cut(f"{padded(left, first)}  {right}".rstrip(), columns)


def text_width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: some characters take two, some none."""
    return len(text) if text.isascii() else sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def padded(text: str, width: int) -> str:
    """Return `text` with blanks behind it, so many columns wide."""
    return text + " " * (width - text_width(text))


def cut(line: str, columns: int | None) -> str:
    """Return as much of a line as so many columns hold, with a mark where it was cut; None cuts nothing."""
    if columns is None or text_width(line) <= columns:
        return line
    kept, room = "", columns - 1
    for character in line:
        room -= _columns_of(character)
        if room < 0:
            break
        kept += character
    return kept + "…"
