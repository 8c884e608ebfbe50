"""The line in which something is typed: what is wrong with it is said above, and it stays to be mended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from ledger.errors import GuildError

if TYPE_CHECKING:
    from textual.app import ComposeResult

Check = Callable[[str], Awaitable[None]]
"""Does what was asked for with the text; raises `GuildError` for a text with which that cannot be done."""


class Words(Suggester):
    """Completes the last word of what is typed."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = words

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last word completed."""
        head, _, last = value.rpartition(" ")
        if not last:
            return None
        found = next((word for word in self._words if word.startswith(last) and word != last), None)
        return None if found is None else f"{head} {found}" if head else found


class Asking(Vertical):
    """See the head of this module; hidden while nothing is asked."""

    DEFAULT_CSS = """
    Asking { height: auto; display: none; background: $panel; }
    Asking.-open { display: block; }
    Asking #wrong { height: auto; max-height: 8; color: $error; background: $background; padding: 0 1; display: none; }
    Asking #wrong.-said { display: block; }
    Asking Horizontal { height: 1; }
    Asking #prompt { width: auto; padding: 0 1; text-style: bold; color: $accent; }
    Asking Input, Asking Input:focus { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    Asking #hint { width: auto; padding: 0 1; color: $foreground-muted; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    class Given(Message):
        """Something was typed and Enter pressed."""

        def __init__(self, check: Check, text: str) -> None:
            super().__init__()
            self.check, self.text = check, text

    def __init__(self) -> None:
        super().__init__(id="asking")
        self._check: Check | None = None

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id="wrong", markup=False)
        with Horizontal():
            yield Static(id="prompt", markup=False)
            yield Input(id="input", compact=True, select_on_focus=False)
            yield Static("Enter: do it   Tab: complete   Esc: leave", id="hint", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether something is being asked."""
        return self.has_class("-open")

    def ask(self, prompt: str, value: str, check: Check, words: Sequence[str] = ()) -> None:
        """Ask; when Enter is pressed `check` is called, again and again until it is content.

        Args:
            prompt: what is wanted.
            value: what stands there at first.
            check: see `Check`.
            words: with which what is typed is completed (Tab takes it).
        """
        self._check = check
        self.query_one("#prompt", Static).update(f"{prompt}:")
        self._say("")
        line = self.query_one("#input", Input)
        line.suggester = Words(words) if words else None
        line.value = value
        line.cursor_position = len(value)
        self.query_one("#hint").display = self.app.size.width >= 100  # noqa: PLR2004 - columns of a wide terminal
        self.add_class("-open")
        line.focus()

    def action_leave(self) -> None:
        """Ask no more."""
        self.remove_class("-open")
        self._check = None
        self.app.action_focus_table()  # type: ignore[attr-defined]

    def action_complete(self) -> None:
        """Complete the last word; without a word to complete it with, nothing happens."""
        line = self.query_one("#input", Input)
        line.cursor_position = len(line.value)
        line.action_cursor_right()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Try it: the keys go to the table again meanwhile."""
        event.stop()
        if self._check is not None:
            self.remove_class("-open")
            self.post_message(self.Given(self._check, event.value))

    def refused(self, check: Check, error: GuildError) -> None:
        """Say what is wrong, and ask again."""
        self._check = check
        self._say(error.message + (f"\n{error.hint}" if error.hint else ""))
        self.add_class("-open")
        line = self.query_one("#input", Input)
        column = getattr(error, "column", None)
        if isinstance(column, int):
            line.cursor_position = column
        line.focus()

    def _say(self, text: str) -> None:
        wrong = self.query_one("#wrong", Static)
        wrong.update(text)
        wrong.set_class(bool(text), "-said")
