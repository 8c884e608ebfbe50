"""The lines above and below the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from view.terminal.cells import cut, text_width
from view.terminal.keys import FOOTER, GROUPS
from view.terminal.palette import palette

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events

Piece = tuple[str, str]
"""Text, and the name of its style in the palette."""


class Bar(Widget):
    """One line: pieces from the left, and pieces at the right that give way when there is no room."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, ident: str, ground: str = "bar") -> None:
        super().__init__(id=ident)
        self._ground = ground
        self.left: Sequence[Piece] = ()
        self.right: Sequence[Piece] = ()

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Say something else."""
        if (left, right) != (self.left, self.right):
            self.left, self.right = left, right
            self.refresh()

    def said(self) -> str:
        """Return what it says, for tests and for those who cannot see."""
        return "".join(text for text, _ in (*self.left, *self.right))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        """Return the line."""
        colours = palette(self.app.theme)
        ground: Style = getattr(colours, self._ground)
        right = [Segment(text, ground + getattr(colours, style)) for text, style in self.right]
        room = self.size.width
        wide = sum(segment.cell_length for segment in right)
        left_wide = sum(text_width(text) for text, _ in self.left)
        if wide and left_wide + wide + 1 > room:
            right, wide = [], 0
        left: list[Segment] = []
        left_room = room - wide
        for text, style in self.left:
            piece = Segment(cut(text, left_room), ground + getattr(colours, style))
            left.append(piece)
            left_room -= piece.cell_length
            if left_room <= 0:
                break
        return Strip([*left, Segment(" " * max(0, left_room), ground), *right]).adjust_cell_length(room, ground)


class Footer(Bar):
    """The keys, as many as there is room for; a click on one is as good as typing it."""

    def on_mount(self) -> None:
        """Choose the keys for the width."""
        self._choose()

    def on_resize(self) -> None:
        """Choose the keys for the width."""
        self._choose()

    def _choose(self) -> None:
        by_keys = {key.keys: key for group in GROUPS.values() for key in group}
        room = self.size.width - 1
        self._places: list[tuple[int, int, str]] = []
        pieces: list[Piece] = [(" ", "bar")]
        at = 1
        for keys in FOOTER:
            key = by_keys[keys]
            name = key.shown.partition(" ")[0]
            text = f" {key.short}  "
            if len(name) + len(text) > room:
                continue
            room -= len(name) + len(text)
            pieces += [(name, "key"), (text, "dim")]
            self._places.append((at, at + len(name) + len(text), key.action))
            at += len(name) + len(text)
        self.show(pieces)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key would do."""
        for first, last, action in self._places:
            if first <= event.x < last:
                await self.app.run_action(f"do('{action}')")
