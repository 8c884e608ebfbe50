"""What tests of the full-screen table share: homes with many runs, and the table driven without a terminal."""

from __future__ import annotations

import asyncio
import math
import os
import time
from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input, Static

from artifacts.home import Home
from commands.app import App
from commands.compare_source import HomeSource
from commands.comparing import Choice, Compared
from commands.options import Limits
from guild_ledger.rows import FILE, Appender, row
from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunScalarsRecorded
from ledger.events.start import RunStarted
from ledger.transaction import NewEvent
from tests.cli_kit import PATIENCE
from tests.kit import NOON, append, happens, make_ledger, run_id
from view.terminal.app import CompareApp
from view.terminal.bars import Bar
from view.terminal.plot import Chart
from view.terminal.port import Line, Question, Source, Start

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from textual.pilot import Pilot
    from textual.worker import Worker

    from ledger.canonical import Value

_QUIET = 6
"""So often in a row nothing is going on when all is done: a key goes through several hands, one in each round."""

_NAMES = {
    "/": "slash",
    "#": "number_sign",
    " ": "space",
    "=": "equals_sign",
    "+": "plus",
    ">": "greater_than_sign",
    "<": "less_than_sign",
}
"""Keys, by what they type."""

STATUSES = ("completed", "completed", "completed", "error", "terminated")


def run_events(number: int) -> list[NewEvent]:
    """Return the life of a run: three flags, two scalars, an end."""
    loss = round(1 / (1 + number % 97) + number % 7 / 100, 4)
    flags: dict[str, Value] = {
        "lr": (0.1, 0.01, 0.001)[number % 3],
        "epochs": 10,
        "optimizer": ("sgd", "adam")[number % 2],
    }
    start = RunStarted(
        project="/p", package=None, model="iris", operation=("train", "test")[number % 5 == 0],
        command=("python", "train.py"), flags=flags, label=f"try {number}" if number % 4 else None,
    )  # fmt: skip
    scalars: dict[str, Value] = {
        key: {"first": [2.0, 0], "last": [last, 9], "min": [last / 2, 5], "max": [2.0, 0], "mean": 0.7, "count": 10}
        for key, last in (("loss", loss), ("accuracy", 1 - loss / 2))
    }
    status = STATUSES[number % len(STATUSES)]
    return [
        happens(number, start),
        happens(number, RunScalarsRecorded(scalars=scalars)),
        happens(number, RunStatusChanged(status=status, exit_status=int(status != "completed"))),
    ]


def make_home(folder: Path, runs: int) -> Path:
    """Make a home with so many runs, the run 0 started first; each of the first fifty has a directory and series."""
    ledger = make_ledger(folder)
    for first in range(0, runs, 2_000):  # few transactions: each is read back
        append(ledger, *(event for number in range(first, min(first + 2_000, runs)) for event in run_events(number)))
    ledger.store.close()
    home = Home(str(folder))
    home.ensure()
    return folder


def write_series(folder: str, number: int, steps: int = 40) -> None:
    """Write the series of a run as it reports them: a loss that falls, an accuracy that grows."""
    os.makedirs(os.path.join(folder, ".guild"), exist_ok=True)
    writer = Appender(os.path.join(folder, FILE))
    for step in range(steps):
        loss, accuracy = 2 * math.exp(-step / (5 + number)) + 0.05 * number, 1 - math.exp(-step / (9 + number))
        at = NOON + step * 1_000_000
        writer.append(row("loss", step, at, loss) + row("accuracy", step, at, accuracy))
    writer.close()


class Driven:
    """The table, run without a terminal: keys go in, what stands on the screen comes out."""

    def __init__(self, app: CompareApp, pilot: Pilot[str]) -> None:
        self.app = app
        self._pilot = pilot

    async def settle(self, patience: float = PATIENCE) -> None:
        """Wait until everything that was asked for has been done and drawn."""
        end = time.monotonic() + patience
        quiet = 0
        while quiet < _QUIET:
            await self._pilot.pause(0)
            quiet = 0 if self._is_working() else quiet + 1
            assert time.monotonic() < end, "waited in vain"

    def _is_working(self) -> bool:
        busy = [one for one in self.app.workers if one.group in ("work", "apart", "series", "default")]
        waits = any(not one.is_finished and not self._is_page(one) for one in busy)
        return waits or not self.app.every or bool(self.app.grid.missing()) or self.app.desk.is_busy()

    def _is_page(self, worker: Worker[object]) -> bool:
        """Tell whether a worker only waits for a page to be left."""
        return worker.group == "work" and len(self.app.screen_stack) > 1

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, and wait for what they do."""
        for key in keys:
            self._send(key)
            await self.settle()

    def _send(self, key: str) -> None:
        """Press a key; the test kit of Textual waits for the machine to be idle after each, for a tenth of a second."""
        event = events.Key(_NAMES.get(key, key), key if len(key) == 1 else " " if key == "space" else None)
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def look_again(self) -> None:
        """Let the table look at the ledger, as it does twice a second."""
        await self.app.catch_up()
        await self.settle()

    async def type(self, key: str, text: str, end: str) -> None:
        """Press a key that asks for something, type it, and press another key."""
        await self.press(key)
        self.app.screen.query_one("#input", Input).insert_text_at_cursor(text)
        await self.press(end)

    async def to(self, run_id: str) -> None:
        """Move the cursor to a run."""
        self.app.grid.to_row(self.ids().index(run_id))
        await self.settle()

    async def click(self, x: int, y: int, times: int = 1) -> None:
        """Click on a cell of the terminal."""
        await self._pilot.click(offset=(x, y), times=times)
        await self.settle()

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        await self._pilot.resize_terminal(width, height)
        await self.settle()

    async def numbers(self, spec: str) -> list[float]:
        """Return the numbers that all runs have in a column, in the order of the table."""
        order = list(self.app.sheet.order)

        def read(source: Source) -> dict[int, Line]:
            return source.lines(order, [source.column(spec)[0]])

        lines = await self.app.desk(read)
        found = [next(iter(lines[number].cells.values())) for number in order]
        return [cell for cell in found if isinstance(cell, float)]

    def ids(self) -> list[str]:
        """Return the ids of the runs in the order of the table; of a home of this kit."""
        names = {number + 1: run_id(number) for number in range(len(self.app.sheet.order) + 100)}
        return [names[number] for number in self.app.sheet.order]

    def count(self) -> int:
        """Return how many runs the table has."""
        return len(self.app.sheet.order)

    def headers(self) -> list[str]:
        """Return the names of the columns."""
        return [column.header for column in self.app.sheet.columns]

    def first(self) -> Line:
        """Return the run in the first row."""
        return self.app.sheet.lines[self.app.sheet.order[0]]

    def label(self) -> str:
        """Return the label of the run under the cursor."""
        line = self.app.sheet.current_line()
        assert line is not None
        return line.row.label or ""

    def line(self, row: int) -> str:
        """Return a line of the table as it stands on the screen; 0 is that of the names."""
        return self.app.grid.render_line(row).text

    def said(self, bar: str) -> str:
        """Return what the line above (`title`) or below the table (`status`) says."""
        return self.app.screen_stack[0].query_one(f"#{bar}", Bar).said()

    def text(self, selector: str) -> str:
        """Return what a part of the page that is seen says."""
        return str(self.app.screen.query_one(selector, Static).visual)

    def chart(self) -> list[str]:
        """Return the lines of the chart that is seen."""
        chart = self.app.screen.query_one(Chart)
        return str(chart.render()).splitlines()


def driven(
    home: Path,
    look: Callable[[Driven], Awaitable[None]],
    *,
    size: tuple[int, int] = (120, 16),
    expression: str = "",
    past: str = "",
    cwd: str = "/p",
    most: int | None = None,
) -> CompareApp:
    """Run the table of a home while `look` looks at it; returns it when it was left."""
    app = table(home, expression=expression, past=past, cwd=cwd, most=most)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            at = Driven(app, pilot)
            await at.settle()
            await look(at)

    try:
        asyncio.run(run())
    finally:
        app.desk.close()
    assert app.crash is None
    return app


def table(home: Path, *, expression: str = "", past: str = "", cwd: str = "/p", most: int | None = None) -> CompareApp:
    """Return the table of a home, to be run with `run_test`."""
    compared = Compared(Limits(everywhere=True, operations=(), statuses=(), labels=()), Choice(most=most))
    app = App(cwd, None, Home(str(home)), ["guild", "compare"])
    start = Start(question=Question(expression=expression), past=past)
    source = HomeSource(app, start, compared.base)
    return CompareApp(lambda: source, start)
