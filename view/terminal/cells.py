"""How cells read: numbers short and aligned at their points, times short, nothing that hurts a terminal."""

from __future__ import annotations

import time
from typing import NamedTuple

from ledger.text import printable
from projections.cells import Cell, Time
from projections.comparison_columns import Column

SHORT_ID = 8
LONGEST = 200
"""Characters of a text that are looked at."""

NOT_FINITE = ("inf", "-inf", "nan")
"""How numbers read that have no point to be aligned at."""

_DIGITS = 5
_EXACT = 10
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 300 * 86_400
_MICROSECONDS = 1_000_000


class Shown(NamedTuple):
    """A cell as text: a number in two parts, the second beginning at its point; any other text in the first alone."""

    text: str
    rest: str = ""
    is_number: bool = False


def shown(column: Column, cell: Cell, now: float, running_since: int | None = None) -> Shown:
    """Return a cell as it is shown in the table.

    Args:
        column: where it stands.
        cell: what a run has there.
        now: seconds since 1970.
        running_since: when the run was started, microseconds, if it still runs.
    """
    if is_of(column, "duration"):
        if cell is None and running_since is not None:
            cell = max(0.0, now - running_since / _MICROSECONDS)
        return Shown("") if cell is None else Shown(duration(float(str(cell))), "", is_number=True)
    if cell is None:
        return Shown("")
    if isinstance(cell, Time):
        return Shown(moment(cell, now))
    if isinstance(cell, bool):
        return Shown(("true" if cell else "false") if column.kind != "attribute" else "yes" if cell else "")
    if isinstance(cell, (int, float)):
        return _number(cell, exact=column.kind == "flag")
    if isinstance(cell, list):
        return Shown(printable(", ".join(map(str, cell)), LONGEST))
    text = str(cell)
    return Shown(text[:SHORT_ID] if is_of(column, "id") else printable(text, LONGEST))


def is_of(column: Column, attribute: str) -> bool:
    """Tell whether a column shows this attribute."""
    return column.kind == "attribute" and column.sources[0].name == attribute


def _number(value: float, *, exact: bool) -> Shown:
    """Return a number in its two parts; what somebody wrote down himself is not rounded unless it is very long."""
    if isinstance(value, int):
        return Shown(str(value), "", is_number=True)
    text = repr(value)
    if not (exact and len(text) <= _EXACT):
        text = f"{value:.{_DIGITS}g}"
    if text in NOT_FINITE:
        return Shown(text)
    text = text.removesuffix(".0")
    cut = next((at for at, character in enumerate(text) if character in ".e"), len(text))
    return Shown(text[:cut], text[cut:], is_number=True)


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units: `3.2s`, `12m05s`, `3h07m`, `2d04h`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)}m{int(seconds % _MINUTE):02}s"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)}h{int(seconds % _HOUR // _MINUTE):02}m"
    return f"{int(seconds // _DAY)}d{int(seconds % _DAY // _HOUR):02}h"


def moment(microseconds: int, now: float) -> str:
    """Return a local time, as much of it as is needed: today's hour, this year's day, else the date."""
    seconds = microseconds // _MICROSECONDS
    then, today = time.localtime(seconds), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    if abs(now - seconds) < _YEAR:
        return time.strftime("%d %b %H:%M", then)
    return time.strftime("%Y-%m-%d", then)


def whole(column: Column, cell: Cell) -> str:
    """Return a cell in full, for the line that shows the one under the cursor."""
    if cell is None:
        return ""
    if isinstance(cell, Time):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(cell // _MICROSECONDS))
    if isinstance(cell, bool):
        return str(cell).lower() if column.kind != "attribute" else "yes" if cell else "no"
    if is_of(column, "duration"):
        return f"{float(str(cell)):.3f} seconds"
    if isinstance(cell, list):
        return printable(", ".join(map(str, cell)), 1_000)
    return printable(str(cell), 1_000)


def text_width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, room: int) -> str:
    """Return as much of a text as so many columns hold, with a mark where it was cut."""
    if text_width(text) <= room:
        return text
    if text.isascii():
        return text[: max(0, room - 1)] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, max(0, room - 1)) + "…"


def fitted(text: str, room: int, *, right: bool = False) -> str:
    """Return a text that takes exactly so many columns: cut, or filled with blanks behind it (`right`: before it)."""
    text = cut(text, room)
    blanks = " " * (room - text_width(text))
    return blanks + text if right else text + blanks
