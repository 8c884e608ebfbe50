"""The page on which two runs are side by side: only what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Static

from ledger.errors import GuildError
from ledger.ids import RunId
from view.terminal.cells import SHORT_ID, fitted
from view.terminal.dialogs import Dialog, Scrolled

if TYPE_CHECKING:
    from textual.containers import VerticalScroll

    from view.terminal.app import CompareApp
    from view.terminal.port import Details

_LEAST = 12
_FRAME = 6

_OWN = ("id", "directory")
"""What two runs never have in common."""

Pair = tuple[str, str, str]
"""A name, and what the one and the other have."""


class Differences(Dialog[None]):
    """See the head of this module."""

    KEYS = "a: also what is alike   Esc: back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D,enter", "close", show=False),
        Binding("a", "all", show=False),
    ]

    def __init__(self, one: RunId, other: RunId) -> None:
        super().__init__(classes="-tall")
        self._ids = one, other
        self._found: tuple[Details, Details] | None = None
        self._all = False

    def heading(self) -> str:
        """Return the ids."""
        return f"{self._ids[0][:SHORT_ID]} and {self._ids[1][:SHORT_ID]}"

    def content(self) -> Iterator[Static | VerticalScroll]:
        """Give the place of what is read."""
        yield Scrolled(Static("Reading …", id="differences"))

    def on_mount(self) -> None:
        """Read both."""
        self.run_worker(self._read())

    def on_resize(self) -> None:
        """Use the width there is."""
        self._draw()

    def action_all(self) -> None:
        """Show what is alike as well, or no more."""
        self._all = not self._all
        self._draw()

    async def _read(self) -> None:
        one, other = self._ids
        table = cast("CompareApp", self.app)
        try:
            self._found = await table.desk(lambda source: (source.details(one), source.details(other)))
        except GuildError as error:
            self.query_one("#differences", Static).update(Text(error.message, self.colours.bad))
            return
        self._draw()

    def _draw(self) -> None:
        if self._found is not None:
            self.query_one("#differences", Static).update(self._text(*self._found))

    def _text(self, one: Details, other: Details) -> Text:
        found = differences(one.sections, other.sections, alike=self._all)
        text = Text(no_wrap=True)
        if not found:
            text.append("They do not differ.\n")
            return text
        room = min(self.size.width, 140) - _FRAME
        name_wide = min(30, max(len(name) for pairs in found.values() for name, *_ in pairs) + 2)
        half = max(_LEAST, (room - name_wide) // 2 - 2)
        ids = [fitted(run_id[:SHORT_ID], half) for run_id in self._ids]
        text.append(f"{'':{name_wide + 2}}{ids[0]}  {ids[1]}\n", self.colours.fixed)
        for title, pairs in found.items():
            text.append(f"{title or 'run'}\n", self.colours.key)
            for name, left, right in pairs:
                style = self.colours.dim if left == right else ""
                text.append(f"  {fitted(name, name_wide)}", self.colours.dim)
                text.append(f"{fitted(left or '-', half)}  {fitted(right or '-', half)}\n", style)
        return text


def differences(
    one: Mapping[str, Mapping[str, str]], other: Mapping[str, Mapping[str, str]], *, alike: bool = False
) -> dict[str, list[Pair]]:
    """Return what two runs do not have in common, by section; with `alike`, what they have in common as well."""
    found: dict[str, list[Pair]] = {}
    for title in dict.fromkeys((*one, *other)):
        left, right = one.get(title, {}), other.get(title, {})
        pairs = [(name, left.get(name, ""), right.get(name, "")) for name in dict.fromkeys((*left, *right))]
        pairs = [pair for pair in pairs if (alike or pair[1] != pair[2]) and (title or pair[0] not in _OWN)]
        if pairs:
            found[title] = pairs
    return found
