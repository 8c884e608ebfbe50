"""Curves in characters: each cell of a terminal is 2 by 4 dots of braille."""

from __future__ import annotations

from collections.abc import Sequence

_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, by row and column."""

ACROSS, DOWN = 2, 4


class Canvas:
    """A field of dots; each cell has the colour of the curve that was drawn there last."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self._bits = [[0] * self.width for _ in range(self.height)]
        self._curves = [[-1] * self.width for _ in range(self.height)]
        self._signs: dict[tuple[int, int], str] = {}

    def sign(self, point: tuple[int, int], text: str, curve: int) -> None:
        """Put a character in the cell of a dot, in the place of the dots there."""
        x, y = point
        row, column = self.height - 1 - y // DOWN, x // ACROSS
        if 0 <= row < self.height and 0 <= column < self.width:
            self._signs[row, column] = text
            self._curves[row][column] = curve

    def dot(self, x: int, y: int, curve: int) -> None:
        """Set a dot; x from the left, y from below; one outside is left out."""
        if 0 <= x < self.width * ACROSS and 0 <= y < self.height * DOWN:
            row, column = self.height - 1 - y // DOWN, x // ACROSS
            self._bits[row][column] |= _DOTS[DOWN - 1 - y % DOWN][x % ACROSS]
            self._curves[row][column] = curve

    def line(self, start: tuple[int, int], end: tuple[int, int], curve: int) -> None:
        """Set the dots from one to another."""
        (x, y), (to_x, to_y) = start, end
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            self.dot(x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps), curve)

    def curve(self, points: Sequence[tuple[int, int] | None], curve: int) -> None:
        """Join dots; None is a gap."""
        before = None
        for point in points:
            if point is not None:
                self.line(before or point, point, curve)
            before = point

    def row(self, row: int) -> list[tuple[str, int]]:
        """Return a line from above: pieces of text, each with its curve (-1 for none)."""
        pieces: list[tuple[str, int]] = []
        for column, (bits, curve) in enumerate(zip(self._bits[row], self._curves[row], strict=True)):
            text = self._signs.get((row, column)) or (chr(_BLANK + bits) if bits else " ")
            if pieces and pieces[-1][1] == curve:
                pieces[-1] = pieces[-1][0] + text, curve
            else:
                pieces.append((text, curve))
        return pieces
