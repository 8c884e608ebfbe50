"""From series to a drawing: ranges, scales, marks on the axes, and the curves; no screen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ledger.dataclass import dataclass
from view.terminal.braille import ACROSS, DOWN, Canvas

SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What stands at the end of curves, so that they can be told apart without colours."""

_ROWS_TO_A_MARK = 4
_COLUMNS_TO_A_MARK = 10
_LEAST = 3
_NEAR_ZERO = 0.1
_HALF_A_DECADE, _MOST_DECADES = 0.5, 308.2

Piece = tuple[str, int]
"""Text, and the curve that it belongs to; -1 for axes."""

Curve = Sequence[tuple[float, float]]
"""Points; the second number may be NaN or infinite."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of numbers, perhaps of their logarithms.

    Attributes:
        low: where it begins.
        high: where it ends, above `low`.
        log: whether these are decimal logarithms.
    """

    low: float
    high: float
    log: bool = False

    def place(self, value: float, dots: int) -> int | None:
        """Return the dot of a number; None for one that has none."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return None
        value = math.log10(value) if self.log else value
        return round((value - self.low) / (self.high - self.low) * (dots - 1))

    def marks(self, count: int) -> list[tuple[float, str]]:
        """Return about so many round numbers, with their texts."""
        if self.log:
            return self._decades(count)
        step = _round_up((self.high - self.low) / max(1, count))
        first = math.ceil(self.low / step - 1e-9)
        values = [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        digits = max(0, -math.floor(math.log10(step)))
        return [(value, _text(value, digits)) for value in values]

    def _decades(self, count: int) -> list[tuple[float, str]]:
        first, last = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
        if last - first < 1:
            span = self.high - self.low
            places = (10 ** (self.low + span * part / 4) for part in range(5))
            return [(value, f"{value:.3g}") for value in places if value > 0]
        step = max(1, math.ceil((last - first) / max(1, count)))
        return [(10.0**place, f"1e{place}") for place in range(first, last + 1, step)]


def scale(values: Iterable[float], *, log: bool = False) -> Scale | None:
    """Return a scale that has room for all numbers; None when there is nothing to be drawn."""
    found = [math.log10(value) if log else value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not found:
        return None
    low, high = min(found), max(found)
    if low == high:
        room = _HALF_A_DECADE if log else abs(low) * 0.1 or 1.0
        low, high = low - room, min(high + room, _MOST_DECADES) if log else high + room
    elif not log and 0 < low < _NEAR_ZERO * high:
        low = 0.0  # what nearly begins at zero is best seen from there
    return Scale(low, high, log)


def _round_up(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next((factor * power for factor in (1, 2, 5) if factor * power >= step * (1 - 1e-9)), 10 * power)


def _text(value: float, digits: int) -> str:
    if value and (abs(value) >= 1e6 or digits > 5):  # noqa: PLR2004 - what is short enough to stand beside an axis
        return f"{value:.2e}".replace("e-0", "e-").replace("e+0", "e+")
    return f"{value:.{digits}f}" if value else "0"


def drawing(curves: Sequence[Curve], width: int, height: int, *, log: bool, unit: str) -> list[list[Piece]] | None:
    """Return the lines of a chart, from above; None when there is nothing to be drawn.

    Args:
        curves: what is drawn, the last one uppermost.
        width: columns of the terminal.
        height: its lines.
        log: whether the numbers are drawn by their logarithms.
        unit: what is told at the end of the lower axis.
    """
    across = scale(x for curve in curves for x, y in curve if math.isfinite(y))
    up = scale((y for curve in curves for _, y in curve), log=log)
    if across is None or up is None or height <= _LEAST:
        return None
    rows = height - 2
    marks = _beside(up, rows)
    label = max((len(text) for text in marks.values()), default=0)
    canvas = Canvas(max(1, width - label - 2), rows)
    for number, curve in enumerate(curves):
        _draw(canvas, curve, number, across, up)
    lines = [
        [(f"{marks.get(row, ''):>{label}} {'┤' if row in marks else '│'}", -1), *canvas.row(row)] for row in range(rows)
    ]
    return [*lines, *_below(across, canvas.width, label, unit)]


def _draw(canvas: Canvas, curve: Curve, number: int, across: Scale, up: Scale) -> None:
    wide, high = canvas.width * ACROSS, canvas.height * DOWN
    points: list[tuple[int, int] | None] = []
    for x, y in curve:
        place, level = across.place(x, wide), up.place(y, high)
        points.append(None if place is None or level is None else (place, level))
    canvas.curve(points, number)
    last = next((point for point in reversed(points) if point is not None), None)
    if last is not None:
        canvas.sign(last, SIGNS[number % len(SIGNS)], number)


def _beside(up: Scale, rows: int) -> dict[int, str]:
    """Return the texts beside the chart, by their lines from above."""
    found: dict[int, str] = {}
    for value, text in up.marks(max(2, rows // _ROWS_TO_A_MARK)):
        place = up.place(value, rows)
        if place is not None and 0 <= place < rows:
            found[rows - 1 - place] = text
    return found


def _below(across: Scale, width: int, label: int, unit: str) -> list[list[Piece]]:
    axis, texts = ["─"] * width, list(unit.rjust(width))
    for value, text in across.marks(max(2, width // _COLUMNS_TO_A_MARK)):
        place = across.place(value, width)
        if place is None or not 0 <= place < width:
            continue
        axis[place] = "┬"
        start = max(0, min(width - len(text), place - len(text) // 2))
        if all(character == " " for character in texts[max(0, start - 1) : start + len(text) + 1]):
            texts[start : start + len(text)] = text
    below = "".join(texts)[:width]
    return [[(f"{'':{label}} └{''.join(axis)}", -1)], [(f"{'':{label}}  {below}", -1)]]
