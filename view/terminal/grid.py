"""The table on the screen: draws the rows that are seen, moves the cursor, and says which rows have to be read.

Textual has a table of its own, which wants all rows in memory and measures each: too slow from some thousand rows on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from projections.comparison_columns import Column
from view.terminal.cells import NOT_FINITE, cut, fitted, is_of
from view.terminal.palette import Palette, palette
from view.terminal.port import Line
from view.terminal.sheet import Sheet

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events

_GUTTER = 2
_MARGIN = 1
"""Blanks on both sides of a cell."""

_LEAST = 8
"""Columns of the terminal in which a part of a cell is worth showing; numbers are never cut."""

_AHEAD = 40
"""Rows above and below the window that are read as well."""

_WAITING = "·"


class Grid(ScrollView, can_focus=True):
    """See the head of this module. What it shows is its `sheet`; the first column stays in sight.

    Attributes:
        sheet: what it shows.
        sorted: spec of the column by which the runs are sorted, with a sign: `loss`, `-loss`; empty for none.
        empty: what stands there when there are no runs.
    """

    DEFAULT_CSS = """
    Grid { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll;
      scrollbar-color: $panel; scrollbar-background: $background; scrollbar-color-hover: $primary;
      scrollbar-background-hover: $background; scrollbar-color-active: $primary;
      scrollbar-background-active: $background; }
    Grid:ansi { scrollbar-size-vertical: 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "by(-1)", show=False),
        Binding("down,j", "by(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g,ctrl+home", "to_row(0)", show=False),
        Binding("end,G,ctrl+end", "to_row(-1)", show=False),
        Binding("left", "across(-1)", show=False),
        Binding("right", "across(1)", show=False),
        Binding("ctrl+left", "to_column(0)", show=False),
        Binding("ctrl+right", "to_column(-1)", show=False),
    ]

    class Moved(Message):
        """Another cell is under the cursor, or other rows are seen."""

    class Opened(Message):
        """The run under the cursor was asked for with the mouse."""

    class HeaderClicked(Message):
        """The cursor is in a column whose name was clicked."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self.sheet = sheet
        self.sorted = ""
        self.empty = ""
        self._left = 1

    # --- What is seen -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many rows are seen."""
        return max(1, self.size.height - 1)

    @property
    def top(self) -> int:
        """The first row that is seen."""
        return int(self.scroll_offset.y)

    def missing(self) -> list[int]:
        """Return the numbers of runs that have to be read: those seen first, then those around them."""
        first, last = self.top, self.top + self.room
        sheet = self.sheet
        seen = sheet.missing(first, last)
        return seen + sheet.missing(first - _AHEAD, first) + sheet.missing(last, last + _AHEAD) if seen else seen

    def take(self, asked: Sequence[int], lines: Mapping[int, Line]) -> None:
        """Show what was read."""
        around = self.sheet.order[max(0, self.top - 5 * _AHEAD) : self.top + self.room + 5 * _AHEAD]
        before = [self.sheet.width(column).cells for column in self.sheet.columns]
        self.sheet.take(asked, lines, around)
        if before != [self.sheet.width(column).cells for column in self.sheet.columns]:
            self._reveal_column()
        self.refresh()
        self.post_message(self.Moved())

    def reorder(self, order: array[int], *, follow: bool = True) -> None:
        """Show the runs in another order."""
        top = self.sheet.reorder(order, self.top, follow=follow)
        self._measure()
        if not follow:
            top = 0
        elif self.sheet.row >= top + self.room and top == 0:
            top = self.sheet.row - self.room + 1
        self._go(top)
        self.refresh()
        self.post_message(self.Moved())

    def renew(self) -> None:
        """Draw all again: columns, selection or colours are others."""
        self._reveal_column()
        self.refresh()
        self.post_message(self.Moved())

    def tick(self) -> None:
        """Draw the rows of runs that are running again: their duration grows."""
        for row in range(self.top, min(self.top + self.room, len(self.sheet.order))):
            line = self.sheet.lines.get(self.sheet.order[row])
            if line is not None and line.row.status == "running":
                self._redraw(row)

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.sheet.order) + 1)

    def _go(self, top: int) -> None:
        top = max(0, min(top, len(self.sheet.order) + 1 - self.size.height))
        if top != self.top:
            self.scroll_to(y=top, animate=False, force=True)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._measure()
        self._reveal_column()
        self._reveal_row()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for the rows that have come into sight."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    # --- The cursor ---------------------------------------------------------------------------------------------------

    def action_by(self, rows: int) -> None:
        """Move the cursor down, or up."""
        self.to_row(self.sheet.row + rows)

    def action_page(self, pages: int) -> None:
        """Move by what is seen, so that a row stays in sight."""
        self._go(self.top + pages * max(1, self.room - 1))
        self.to_row(self.sheet.row + pages * max(1, self.room - 1))

    def action_to_row(self, row: int) -> None:
        """Move to a row; -1 is the last."""
        self.to_row(len(self.sheet.order) - 1 if row < 0 else row)

    def to_row(self, row: int) -> None:
        """Move the cursor to a row."""
        before = self.sheet.row
        self.sheet.row = max(0, min(row, len(self.sheet.order) - 1))
        self._redraw(before)
        self._redraw(self.sheet.row)
        self._reveal_row()
        self.post_message(self.Moved())

    def action_across(self, columns: int) -> None:
        """Move the cursor to the right, or to the left."""
        self.to_column(self.sheet.column + columns)

    def action_to_column(self, column: int) -> None:
        """Move to a column; -1 is the last."""
        self.to_column(len(self.sheet.columns) - 1 if column < 0 else column)

    def to_column(self, column: int) -> None:
        """Move the cursor to a column."""
        self.sheet.column = max(0, min(column, len(self.sheet.columns) - 1))
        before = self._left
        self._reveal_column()
        if before == self._left:
            self._redraw(self.sheet.row)
            self.refresh(Region(0, 0, self.size.width, 1))
        else:
            self.refresh()
        self.post_message(self.Moved())

    def _reveal_row(self) -> None:
        row = self.sheet.row
        if row < self.top:
            self._go(row)
        elif row >= self.top + self.room:
            self._go(row - self.room + 1)

    def _reveal_column(self) -> None:
        """Move columns out of sight until the one with the cursor is seen."""
        columns, at = self.sheet.columns, self.sheet.column
        self._left = max(1, min(self._left, max(1, len(columns) - 1)))
        if at < 1:
            return
        self._left = min(self._left, at)
        while self._left < at and not any(place == at and whole for place, _, _, whole in self._laid_out()):
            self._left += 1

    def _redraw(self, row: int) -> None:
        self.refresh(Region(0, row - self.top + 1, self.size.width, 1))

    # --- Drawing ------------------------------------------------------------------------------------------------------

    def _laid_out(self) -> list[tuple[int, Column, int, bool]]:
        """Return the columns that are seen: place, column, width with margins, and whether all of it is seen."""
        columns, room = self.sheet.columns, self.size.width - _GUTTER
        laid: list[tuple[int, Column, int, bool]] = []
        for place, column in enumerate(columns):
            if 0 < place < self._left:
                continue
            width = self._width(column)
            if laid and room < width and (room < _LEAST or self.sheet.width(column).is_numeric) and len(laid) > 1:
                break
            laid.append((place, column, min(width, room), width <= room))
            room -= width
        return laid

    def _width(self, column: Column) -> int:
        width = self.sheet.width(column).cells
        if self._sign(column):
            width = max(width, len(column.header) + 2)
        return width + 2 * _MARGIN

    def _sign(self, column: Column) -> str:
        sort = self.sorted
        return "" if sort.removeprefix("-") != column.spec else "▼" if sort.startswith("-") else "▲"

    def render_line(self, y: int) -> Strip:
        """Return a line of the window: the names of the columns first, then the rows."""
        colours = palette(self.app.theme)
        if y == 0:
            return self._strip(self._header(colours), colours.header)
        row = self.top + y - 1
        if row >= len(self.sheet.order):
            text = f"  {self.empty}" if not len(self.sheet.order) and y == self.size.height // 3 else ""
            return self._strip([Segment(cut(text, self.size.width), colours.text + colours.dim)], colours.text)
        return self._strip(self._row(row, colours), self._ground(row, colours))

    def _strip(self, segments: Sequence[Segment] | Iterator[Segment], ground: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self.size.width, ground)

    def _header(self, colours: Palette) -> Iterator[Segment]:
        laid = self._laid_out()
        yield Segment(" " * _GUTTER, colours.header)
        for place, column, width, _ in laid:
            style = colours.header_here if place == self.sheet.column else colours.header
            sign = self._sign(column)
            text = f"{column.header} {sign}" if sign else column.header
            right = self.sheet.width(column).is_numeric
            inner = fitted(text, max(0, width - 2 * _MARGIN), right=right)
            before = "◂" if place == self._left and self._left > 1 else " "
            yield Segment(f"{before}{inner} "[: max(width, 0)], style)
        used = _GUTTER + sum(width for _, _, width, _ in laid)
        is_more = bool(laid) and (laid[-1][0] < len(self.sheet.columns) - 1 or not laid[-1][3])
        if is_more:
            yield Segment("▸".rjust(max(1, self.size.width - used)), colours.header_here)

    def _ground(self, row: int, colours: Palette) -> Style:
        style = colours.text
        if self.sheet.order[row] in self.sheet.selected:
            style += colours.selected
        return style + colours.row if row == self.sheet.row else style

    def _row(self, row: int, colours: Palette) -> Iterator[Segment]:
        number = self.sheet.order[row]
        ground = self._ground(row, colours)
        line = self.sheet.lines.get(number)
        chosen = "●" if number in self.sheet.selected else " "
        marked = "★" if line is not None and line.row.marked else " "
        yield Segment(chosen + marked, ground + colours.sign)
        for place, column, width, _ in self._laid_out():
            here = row == self.sheet.row and place == self.sheet.column
            style = ground + colours.cell if here else ground
            if line is None:
                yield Segment(fitted(f" {_WAITING}", width), style + colours.dim)
                continue
            text = self._text(column, line, width - 2 * _MARGIN)
            style = style + self._style(column, place, line, colours)
            yield Segment(f" {text} "[:width] if text.isascii() else f" {text} ", style)

    def _text(self, column: Column, line: Line, room: int) -> str:
        cell, width = self.sheet.cell(column, line), self.sheet.width(column)
        if cell.is_number:
            text = cell.text + cell.rest.ljust(width.part)
            return fitted(text if len(text) <= room else cell.text + cell.rest, room, right=True)
        return fitted(cell.text, room, right=width.is_numeric and cell.text in NOT_FINITE)

    def _style(self, column: Column, place: int, line: Line, colours: Palette) -> Style:
        if is_of(column, "status"):
            return colours.statuses.get(line.row.status, colours.dim)
        if place == 0:
            return colours.fixed
        if is_of(column, "started") or is_of(column, "duration"):
            return colours.dim
        return colours.number

    # --- The mouse ----------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to where it was clicked; twice: open the run; on a column's name: sort by it."""
        at = _GUTTER
        for place, _, width, _ in self._laid_out():
            if at <= event.x < at + width:
                self.to_column(place)
            at += width
        if event.y == 0:
            self.post_message(self.HeaderClicked())
        elif self.top + event.y - 1 < len(self.sheet.order):
            self.to_row(self.top + event.y - 1)
            if event.chain > 1:
                self.post_message(self.Opened())

    def on_mouse_scroll_right(self) -> None:
        """Move columns out of sight."""
        self.to_column(self.sheet.column + 1)

    def on_mouse_scroll_left(self) -> None:
        """Move columns back into sight."""
        self.to_column(self.sheet.column - 1)
