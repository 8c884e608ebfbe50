"""The full-screen table of runs: what is on the screen, what is asked of the source when, and the news from the ledger.

What the keys do is in `looking.py` and `acting.py`.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from ledger.dataclass import replace
from ledger.errors import GuildError
from projections.comparison_columns import Column
from view.terminal import telling
from view.terminal.asking import Asking
from view.terminal.bars import Bar, Footer, Piece
from view.terminal.desk import Desk
from view.terminal.grid import Grid
from view.terminal.keys import GROUPS
from view.terminal.palette import DARK, LIGHT, PLAIN, THEMES
from view.terminal.port import Answer, Question, Source, Start
from view.terminal.sheet import Sheet

if TYPE_CHECKING:
    from textual import events

    from ledger.ids import RunId

T = TypeVar("T")

_PULSE = 0.5
"""Seconds between two looks at the ledger."""

_REST = 3
"""How much longer than a look the pause behind it is, at least: sorting very many runs anew must not be all it does."""

_MOST_READ, _MOST_COMPARED = 200, 5_000
"""Rows that are read at a time; runs of which it is looked anew, with all news, which columns differ."""

Work = Coroutine[Any, Any, None]


class CompareApp(App[str]):
    """See the head of this module; its result is the command that prints what was seen last.

    Attributes:
        sheet: what the table shows.
        grid: the table.
        asking: the line in which something is typed.
        question: what was asked for and answered last.
        every: all columns that there are.
        most: how many runs there are at most, because no more were asked for; None for all.
        narrowed: the columns as they were before only those that differ were shown; else None.
        done: transactions that were made here and not taken back, the latest last.
        taken_back: how many were taken back.
        searched: the text that was searched for last.
        trouble: what is wrong with the ledger; empty while it can be read.
        message: what was said last, until the next key.
        crash: what ended the program that nobody foresaw.
        signal: the signal that ended it; 0 for none.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, f"do('{key.action}')", show=False) for group in GROUPS.values() for key in group),
        Binding("ctrl+q", "do('quit')", show=False, priority=True),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(self, open_source: Callable[[], Source], start: Start, *, dark: bool = True) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = PLAIN if self.no_color else DARK if dark else LIGHT
        self.start = start
        self.question = start.question
        self.desk = Desk(open_source)
        self.sheet = Sheet()
        self.grid = Grid(self.sheet)
        self.asking = Asking()
        self._title, self._status = Bar("title"), Bar("status", "text")
        self.every: Sequence[Column] = ()
        self._offered: set[str] = set()
        self.most: int | None = None
        self.narrowed: list[Column] | None = None
        self.done: list[int] = []
        self.taken_back = 0
        self.searched = ""
        self.crash: Exception | None = None
        self.signal = 0
        self.trouble = ""
        self.message: Piece | None = None
        self._order = asyncio.Lock()
        self._asked = self._in_flight = 0
        self._renumbered: Mapping[RunId, int] | None = None
        self._wanted = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    # --- The screen ---------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Make the parts of the screen, from above."""
        yield self._title
        yield self.grid
        yield self._status
        yield self.asking
        yield Footer("keys")

    def on_mount(self) -> None:
        """Ask for the runs, and then for news."""
        self.begin_capture_print(self)
        for number in () if self.is_headless else (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
        self.grid.focus()
        self._draw_bars()
        self.work(self._begin())

    def _signalled(self, number: signal.Signals) -> None:
        self.signal = number
        self.exit()

    async def _begin(self) -> None:
        if not await self._first():
            return
        self.run_worker(self._guard(self._read()), group="read")
        if not self.start.past:
            self.run_worker(self._guard(self._follow()), group="follow")

    async def _first(self) -> bool:
        """Ask the first question; when that goes wrong for what was asked, ask for all, so that it can be mended."""
        try:
            await self.ask(self.question)
        except GuildError as error:
            try:
                await self.ask(Question(deleted=self.question.deleted))
            except GuildError:
                self.exit_with(error)
                return False
            self.say_error(error)
        return True

    def exit_with(self, error: Exception) -> None:
        """Leave because of an error, which is told when the terminal is as it was."""
        self.crash = error
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        """Leave without a word: who started this tells it, as every error of a command is told."""
        self.crash = self.crash or error
        if self.is_headless:
            super()._handle_exception(error)
        else:
            self._return_code = 1
            self._close_messages_no_wait()

    # --- Asking the source --------------------------------------------------------------------------------------------

    async def ask(self, question: Question, *, follow: bool = True) -> None:
        """Show the runs that a question is about; when it is refused, all stays as it was.

        Raises:
            GuildError: it was refused.
        """
        self._asked += 1
        self._in_flight += 1
        try:
            answer = await self.desk(lambda source: source.ask(question))
        finally:
            self._in_flight -= 1
        await self._show(answer, question, follow=follow)

    async def again(self) -> None:
        """Ask the same question again, unless another one is being asked, which is answered as things stand anyway.

        Raises:
            GuildError: it was refused.
        """
        asked, question = self._asked, self.question
        if self._in_flight:
            return
        answer = await self.desk(lambda source: source.ask(question))
        if asked == self._asked:
            await self._show(answer, question, follow=True)

    async def _show(self, answer: Answer, question: Question, *, follow: bool) -> None:
        is_first = not self.every
        is_another = question != self.question or is_first
        self.question, self.most = question, answer.most
        await self._take_columns(answer, is_first=is_first)
        self.grid.sorted = ("-" if question.reverse else "") + question.sort if question.sort else ""
        self.grid.empty = telling.empty(self)
        if self.narrowed is not None and (is_another or len(answer.order) <= _MOST_COMPARED):
            differing = await self.desk(lambda source: source.differing(self.narrowed or ()))
            self.show_columns(self.with_first(differing))
        if is_first:
            self.message = None
        for note in answer.notes:
            self.say(note)
        if self._renumbered is not None:
            if lost := self.sheet.renumber(self._renumbered):
                self.say(f"The list was made anew: {lost:,} run(s) are selected no more", "bad")
            self._renumbered = None
        self.grid.reorder(answer.order, follow=follow)

    async def _take_columns(self, answer: Answer, *, is_first: bool) -> None:
        # Columns that a filter took away, and its end brings back, are not new: they are shown, or hidden by a key.
        known = set(self._offered)
        self._offered.update(column.spec for column in answer.every)
        self.every = answer.every
        if is_first:
            self.sheet.columns = await self.desk(lambda source: source.usual(answer.every))
            return
        new = [column for column in answer.every if column.spec not in known and column.kind != "attribute"]
        if new and not self.start.columns:
            if self.narrowed is not None:
                self.narrowed += new
            self.show_columns([*self.sheet.columns, *new])

    def with_first(self, columns: Sequence[Column]) -> list[Column]:
        """Return columns with the one that stays in sight before them, whatever they are."""
        first = (self.narrowed or self.sheet.columns)[:1]
        return [*first, *(column for column in columns if column not in first)]

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        self.sheet.columns = list(columns)
        self.grid.renew()

    async def _read(self) -> None:
        """Read the rows that are seen, whenever others are."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            numbers = self.grid.missing()[:_MOST_READ]
            if numbers:
                await self._read_these(numbers)

    async def _read_these(self, numbers: Sequence[int]) -> None:
        columns = list(self.sheet.columns)
        try:
            lines = await self.desk(lambda source: source.lines(numbers, columns))
        except GuildError as error:
            self.trouble = error.message
            self._draw_bars()
            await asyncio.sleep(2 * _PULSE)
            self._wanted.set()
            return
        self.grid.take(numbers, lines)
        if any(column not in columns for column in self.sheet.columns):
            self.sheet.stale.update(numbers)

    # --- News ---------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Look at the ledger again and again."""
        took = 0.0
        while True:
            await asyncio.sleep(max(_PULSE, _REST * took))
            begun = time.monotonic()
            await self.catch_up()
            took = time.monotonic() - begun
            self.grid.tick()

    async def catch_up(self) -> None:
        """Show what has changed in the ledger since the last look; what goes wrong is told in the line above."""
        try:
            changes = await self.desk(lambda source: source.changes())
            if changes is not None:
                if changes.anew:
                    ids = self.sheet.known_ids()
                    self._renumbered = await self.desk(lambda source: source.numbered(ids))
                self.sheet.stale |= changes.runs & self.sheet.lines.keys()
                if changes.reorder:
                    await self.again()
                self._wanted.set()
                for listener in self._listeners:
                    listener()
            trouble = ""
        except GuildError as error:
            trouble = error.message
        if trouble != self.trouble:
            self.trouble = trouble
            self._draw_bars()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call something whenever the ledger has grown."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        self._listeners.remove(listener)

    # --- Keys ---------------------------------------------------------------------------------------------------------

    def action_do(self, name: str) -> None:
        """Do what a key asks for."""
        from view.terminal import acting, looking

        command = looking.COMMANDS.get(name) or acting.COMMANDS[name]
        if name == "quit":
            self.run_worker(self._guard(command(self)), group="quit")
        elif self.every:
            self.work(command(self))

    def work(self, work: Work) -> None:
        """Do something, one after the other; what is refused is told in the line below the table."""
        self.run_worker(self._guard(self._in_turn(work)), group="work")

    def work_apart(self, work: Work) -> None:
        """Do something that may take long; it ends when the next such thing begins."""
        self.run_worker(self._guard(work), group="apart", exclusive=True)

    async def _in_turn(self, work: Work) -> None:
        async with self._order:
            await work

    async def _guard(self, work: Work) -> None:
        try:
            await work
        except GuildError as error:
            self.say_error(error)

    def on_asking_given(self, event: Asking.Given) -> None:
        """Try what was typed; when it is refused, ask again."""
        self.action_focus_table()
        self.message = None
        self.work(self._try(event))

    async def _try(self, event: Asking.Given) -> None:
        try:
            await event.check(event.text)
        except GuildError as error:
            self.asking.refused(event.check, error)

    def action_focus_table(self) -> None:
        """Let the keys go to the table again."""
        self.grid.focus()

    def on_grid_moved(self) -> None:
        """Read what came into sight; what was said last has been read."""
        self._wanted.set()
        self._draw_bars()

    def on_grid_opened(self) -> None:
        """Show everything about the run."""
        self.action_do("info")

    def on_grid_header_clicked(self) -> None:
        """Sort by the column."""
        self.action_do("sort")

    def on_key(self) -> None:
        """Forget what was said when the next key is pressed."""
        self.message = None
        self._draw_bars()

    def on_print(self, event: events.Print) -> None:
        """Show what some part of the program wanted to print, instead of letting it spoil the screen."""
        if event.text.strip():
            self.say(event.text.strip().splitlines()[-1])

    # --- What is said -------------------------------------------------------------------------------------------------

    def say(self, text: str, style: str = "text") -> None:
        """Say something in the line below the table, until the next key."""
        self.message = (text, style)
        self._draw_bars()

    def say_error(self, error: GuildError) -> None:
        """Say what was refused, and why."""
        first = error.message.splitlines()[0]
        self.say(first if not error.hint else f"{first}. {error.hint}", "bad")

    def _draw_bars(self) -> None:
        self._title.show(*telling.title(self))
        self._status.show(*telling.status(self))

    # --- Leaving ------------------------------------------------------------------------------------------------------

    def action_interrupt(self) -> None:
        """Leave as `q` does, and end as a command that was interrupted."""
        self.signal = signal.SIGINT
        self.action_do("quit")

    async def leave(self) -> None:
        """Leave; the result is the command that prints what is seen."""
        question, columns = replace(self.question), list(self.sheet.columns)
        try:
            spelled = await self.desk(lambda source: source.spelled(question, columns)) if self.every else ""
        except GuildError:
            spelled = ""
        self.exit(spelled)
