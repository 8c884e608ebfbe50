"""The page on which columns are chosen and put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from projections.comparison_columns import Column
from view.terminal.cells import fitted, text_width
from view.terminal.dialogs import Dialog

if TYPE_CHECKING:
    from textual.containers import VerticalScroll

_WIDEST = 60


class Chooser(Dialog[list[Column] | None]):
    """All columns: those that are shown first, in their order, then the others."""

    TITLE = "Columns"
    KEYS = "Space: show or hide   < >: move   a: all   Enter: done   Esc: as before"
    DEFAULT_CSS = """
    Chooser OptionList { height: auto; max-height: 100%; border: none; background: $surface; padding: 0;
      scrollbar-size-vertical: 1; }
    Chooser OptionList:focus { border: none; background-tint: $surface 0%; }
    Chooser OptionList > .option-list--option-highlighted,
    Chooser OptionList:focus > .option-list--option-highlighted
      { background: $primary 25%; color: $foreground; text-style: bold; }
    Chooser:ansi OptionList:focus > .option-list--option-highlighted { text-style: reverse; }
    Chooser:ansi OptionList { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", show=False, priority=True),
        Binding("enter", "accept", show=False, priority=True),
        Binding("less_than_sign,shift+up", "move(-1)", show=False),
        Binding("greater_than_sign,shift+down", "move(1)", show=False),
        Binding("a", "all", show=False),
    ]

    def __init__(self, shown: Sequence[Column], every: Sequence[Column]) -> None:
        super().__init__()
        specs = {column.spec for column in shown}
        self._columns = [*shown, *(column for column in every if column.spec not in specs)]
        self._chosen = specs
        self._wide = min(_WIDEST, max(text_width(column.header) for column in self._columns))

    def content(self) -> Iterator[Static | VerticalScroll | OptionList]:  # type: ignore[override]
        """Give the list."""
        yield OptionList(*self._options(), id="choices")

    def _options(self) -> list[Option]:
        return [Option(self._line(column)) for column in self._columns]

    def _line(self, column: Column) -> Text:
        colours = self.colours
        text = Text(no_wrap=True)
        chosen = column.spec in self._chosen
        text.append("■ " if chosen else "□ ", colours.key if chosen else colours.dim)
        text.append(fitted(column.header, self._wide), "" if chosen else colours.dim)
        text.append(f"  {column.kind}", colours.dim)
        return text

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _again(self, at: int) -> None:
        self._list.set_options(self._options())
        self._list.highlighted = at

    def action_choose(self) -> None:
        """Show the column, or no more."""
        at = self._list.highlighted
        if at is not None:
            self._chosen ^= {self._columns[at].spec}
            self._again(min(at + 1, len(self._columns) - 1))

    def action_move(self, step: int) -> None:
        """Move the column up, which is to the left, or down."""
        at = self._list.highlighted
        if at is not None and 0 <= at + step < len(self._columns):
            self._columns.insert(at + step, self._columns.pop(at))
            self._again(at + step)

    def action_all(self) -> None:
        """Show all, or none."""
        every = {column.spec for column in self._columns}
        self._chosen = set() if every <= self._chosen else every
        self._again(self._list.highlighted or 0)

    def action_accept(self) -> None:
        """Show what was chosen; when that is nothing, all stays as it was."""
        self.dismiss([column for column in self._columns if column.spec in self._chosen] or None)
