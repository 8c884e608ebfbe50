"""The page about one run: what it was started with, what it reported, what was said of it, and what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Static

from ledger.errors import GuildError
from ledger.ids import RunId
from ledger.text import printable
from view.terminal.dialogs import Dialog, Scrolled
from view.terminal.port import Details

if TYPE_CHECKING:
    from textual.containers import VerticalScroll

    from view.terminal.app import CompareApp

_MOST_LINES = 500
_PULSE = 1.0


class Info(Dialog[None]):
    """See the head of this module; while the run is running it follows."""

    KEYS = "↑↓ PgUp PgDn: scroll   o: output   Esc: back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i,enter", "close", show=False),
        Binding("o", "output", show=False),
    ]

    def __init__(self, run_id: RunId) -> None:
        super().__init__(classes="-tall")
        self._run_id = run_id
        self._shown: Details | None = None
        self._at_end = False

    @property
    def table(self) -> CompareApp:
        """The program."""
        return cast("CompareApp", self.app)

    def heading(self) -> str:
        """Return the id."""
        return f"Run {self._run_id}"

    def content(self) -> Iterator[Static | VerticalScroll]:
        """Give the place of what is read."""
        yield Scrolled(Static("Reading …", id="details"))

    def on_mount(self) -> None:
        """Read, and follow."""
        self.refresh_details()
        self.table.listen(self.refresh_details)
        self.set_interval(_PULSE, self._follow)

    def on_unmount(self) -> None:
        """Follow no more."""
        self.table.unlisten(self.refresh_details)

    def refresh_details(self) -> None:
        """Read again."""
        self.run_worker(self._read(), exclusive=True)

    def _follow(self) -> None:
        if self._shown is not None and self._shown.row.status == "running":
            self.refresh_details()

    async def _read(self) -> None:
        try:
            details = await self.table.desk(lambda source: source.details(self._run_id))
        except GuildError as error:
            self.query_one("#details", Static).update(Text(error.message, self.colours.bad))
            return
        if details == self._shown:
            return
        self._shown = details
        self.query_one("#details", Static).update(self._text(details))
        if self._at_end:
            self.query_one(Scrolled).scroll_end(animate=False)

    def _text(self, details: Details) -> Text:
        text = Text(overflow="fold")
        wide = max((len(name) for values in details.sections.values() for name in values), default=0)
        wide = min(wide, 30) + 2
        for title, values in details.sections.items():
            if not values:
                continue
            text.append(f"{title}\n" if title else "", self.colours.key)
            for name, value in values.items():
                style = self.colours.statuses.get(value, "") if name == "status" else ""
                text.append(
                    f"{'  ' if title else ''}{printable(name, 100)}".ljust(wide + (2 if title else 0)), self.colours.dim
                )
                text.append(f"{value}\n", style)
            text.append("\n")
        text.append("output\n" if details.output else "no output\n", self.colours.key)
        for line in details.output.splitlines()[-_MOST_LINES:]:
            text.append(f"  {printable(line.expandtabs(), 2_000)}\n")
        return text

    def action_output(self) -> None:
        """Go to the end, where the output is, and stay there; or back to the beginning."""
        self._at_end = not self._at_end
        scrolled = self.query_one(Scrolled)
        if self._at_end:
            scrolled.scroll_end(animate=False)
        else:
            scrolled.scroll_home(animate=False)
