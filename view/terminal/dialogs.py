"""Pages that lie above the table: their common frame, the question before a change, and the help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ledger.text import printable, size
from projections.rows import RunRow
from view.actions import Preview
from view.terminal.cells import SHORT_ID, fitted, text_width
from view.terminal.keys import GROUPS, MOVING
from view.terminal.palette import Palette, palette

if TYPE_CHECKING:
    from textual.app import ComposeResult

T = TypeVar("T")

_MOST_SHOWN = 1_000


class Dialog(ModalScreen[T]):
    """A frame in the middle of the screen, or all of a small one: a title above, keys below."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > Vertical { width: 100%; max-width: 110; height: auto; max-height: 100%; background: $surface;
      border: round $primary; border-title-color: $accent; border-subtitle-color: $accent; padding: 0 1; }
    Dialog.-tall > Vertical { height: 100%; max-width: 140; }
    Dialog VerticalScroll { height: auto; scrollbar-size-vertical: 1; background: $surface; }
    Dialog.-tall VerticalScroll { height: 1fr; }
    Dialog:ansi > Vertical { background: ansi_default; border: round ansi_default; }
    Dialog:ansi VerticalScroll { background: ansi_default; scrollbar-size-vertical: 0; }
    """

    TITLE = ""
    KEYS = "Esc: back"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Make the frame and what stands in it."""
        frame = Vertical()
        frame.border_title = f" {printable(self.heading(), 200)} ".replace("[", r"\[")
        frame.border_subtitle = f" {self.KEYS} "
        with frame:
            yield from self.content()

    def heading(self) -> str:
        """Return the title."""
        return self.TITLE

    def content(self) -> Iterator[Static | VerticalScroll]:
        """Give what stands in the frame."""
        yield from ()

    @property
    def colours(self) -> Palette:
        """The styles of the table."""
        return palette(self.app.theme)

    def action_close(self) -> None:
        """Go back to the table."""
        self.dismiss(None)


class Scrolled(VerticalScroll):
    """Lines that can be scrolled with the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
    ]


class Confirm(Dialog[bool]):
    """A question before a change, with what it is about; only y goes on."""

    KEYS = "y: yes   n Esc: no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", show=False),
        Binding("n,enter", "close", show=False),
    ]

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self._preview = preview

    def heading(self) -> str:
        """Return the line above the runs."""
        return self._preview.heading.rstrip(":")

    def content(self) -> Iterator[Static | VerticalScroll]:
        """Give the runs, how much they hold, warnings, and the question."""
        plan = self._preview
        yield Scrolled(Static(self._runs(plan), id="runs"))
        said = Text(style="bold")
        if plan.size is not None:
            said.append(f"{len(plan.runs):,} run(s), {size(plan.size)} on disk\n", "not bold")
        for warning in plan.warnings:
            said.append(f"{printable(warning, 500)}\n", self.colours.bad)
        said.append(f"{plan.question} ")
        said.append("(y/N)", self.colours.key)
        yield Static(said, id="question")

    def _runs(self, plan: Preview) -> Text:
        cells = [_cells(row) for row in plan.runs[:_MOST_SHOWN]]
        widths = [max(map(text_width, column)) for column in zip(*cells, strict=True)]
        text = Text(no_wrap=True, overflow="ellipsis")
        for row, line in zip(plan.runs, cells, strict=False):
            style = self.colours.statuses.get(row.status, self.colours.dim)
            first, *rest = (fitted(cell, width) for cell, width in zip(line, widths, strict=True))
            text.append(first, self.colours.fixed)
            text.append(f"  {rest[0]}  ")
            text.append(f"{rest[1]}  ", style)
            text.append(f"{rest[2].rstrip()}\n")
            for detail in plan.details.get(row.run_id, ()):
                text.append(f"      {printable(detail)}\n", self.colours.dim)
        if len(plan.runs) > _MOST_SHOWN:
            text.append(f"… and {len(plan.runs) - _MOST_SHOWN:,} more\n", self.colours.dim)
        return text

    def action_yes(self) -> None:
        """Go on."""
        self.dismiss(True)

    def action_close(self) -> None:
        """Do not go on."""
        self.dismiss(False)


def _cells(row: RunRow) -> Sequence[str]:
    name = f"{row.op.model}:{row.op.operation}" if row.op.model else row.op.operation
    return row.run_id[:SHORT_ID], printable(name, 60), row.status, printable(row.label or "", 200)


class Help(Dialog[None]):
    """All keys."""

    TITLE = "Keys"
    KEYS = "↑↓: scroll   Esc: back"

    def content(self) -> Iterator[Static | VerticalScroll]:
        """Give the keys, group by group."""
        text = Text()
        wide = max(len(shown) for shown, _ in MOVING) + 2
        groups = {"Move": MOVING} | {name: [(key.shown, key.long) for key in keys] for name, keys in GROUPS.items()}
        for name, keys in groups.items():
            text.append(f"{name}\n", "bold")
            for shown, long in keys:
                text.append(f"  {shown.ljust(wide)}", self.colours.key)
                text.append(f"{long}\n")
        text.append("The mouse: click a cell, click a column's name to sort, click twice to open a run.\n", "dim")
        yield Scrolled(Static(text, id="help"))
