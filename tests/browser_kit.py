"""A real browser on the real pages: Debian's Chromium, driven by Playwright, in front of a real `guild view`.

The browser is the system's: `make test` installs it where it may. Every page is watched: a script error, an error in
the console or a request to any other host fails the test that used it.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from artifacts.series import FILE, HEADER, row
from tests import cli_kit
from tests.cli_kit import Guild, make_project, wait_until
from tests.kit import require
from tests.view_kit import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    from tests.view_kit import Server

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ANSWERED_SECONDS = 5.0
"""After which keys that did nothing are pressed again."""

_ARGUMENTS = (
    "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
"""A browser that asks nobody for anything by itself."""

PATIENCE = 1_000 * cli_kit.PATIENCE
"""Milliseconds after which something on a page counts as never happening."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start the browser, and end it afterwards."""
    from playwright.sync_api import sync_playwright

    path = require(*_PROGRAMS, package="chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium refuses to have as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator[Browser]:
    """Give the browser of a file's tests."""
    with running_browser() as browser:
        yield browser


@dataclass
class Watch:
    """What must not happen on a page.

    Attributes:
        origin: of the server: everything else is another host.
        problems: what happened all the same.
        allowed: parts of console messages that a test causes on purpose.
    """

    origin: str
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=lambda: ["favicon.ico"])

    def console(self, message: ConsoleMessage) -> None:
        """Take down an error or a warning in the console."""
        text = f"{message.text} at {message.location.get('url', '')}"
        if message.type in ("error", "warning") and not any(part in text for part in self.allowed):
            self.problems.append(text)

    def request(self, request: Request) -> None:
        """Take down a request to another host."""
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.problems.append(f"a request to {request.url}")


@dataclass
class Sight:
    """A page of a server, and what is watched on it."""

    page: Page
    watch: Watch

    def go(self, hash_: str) -> None:
        """Go to a place in the application."""
        self.page.evaluate("place => { location.hash = place; }", hash_)

    def text(self, selector: str) -> str:
        """Return the text of an element, once it is there."""
        return self.page.locator(selector).first.inner_text(timeout=PATIENCE)

    def says(self, selector: str, text: str) -> None:
        """Wait until an element shows a text, among others."""
        self.page.locator(selector, has_text=text).first.wait_for()

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that are there."""
        return self.page.locator(selector).all_inner_texts()

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression holds, or a function returns something true.

        Asked again and again from here: Playwright's own way needs `eval` in the page, which the page forbids.
        """
        wait_until(lambda: self.page.evaluate(expression))

    def press_in_turn(self, first: str, second: str, selector: str, text: str = "") -> None:
        """Press keys that mean one thing when the second soon follows the first, until an element shows a text.

        A machine that stands still for a second between the two makes them two keys that mean nothing.
        """
        there = self.page.locator(selector, has_text=text).first

        def comes() -> bool:
            self.page.keyboard.press(first)
            self.page.keyboard.press(second)
            end = time.monotonic() + _ANSWERED_SECONDS
            while time.monotonic() < end and not there.is_visible():
                time.sleep(0.01)
            return there.is_visible()

        wait_until(comes)

    def row(self, text: str) -> Any:
        """Return the row of the list that holds a text."""
        return self.page.locator(".grid-row", has_text=text)


@contextmanager
def seen(browser: Browser, server: Server, place: str = "", **options: Any) -> Iterator[Sight]:
    """Open the pages of a server in a browser that has never been there, and check at the end that nothing went wrong.

    Args:
        browser: the browser.
        server: whose pages.
        place: where in the application to begin, such as `#/log`.
        options: of the browser's context, such as `color_scheme="dark"`.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(PATIENCE)
    watch = Watch(server.origin)
    try:
        page = context.new_page()
        page.on("console", watch.console)
        page.on("pageerror", lambda error: watch.problems.append(f"{error}\n{error.stack}"))
        context.on("request", watch.request)
        page.goto(f"{server.origin}/?token={server.token}")
        page.wait_for_selector("#top nav")
        if place:
            page.evaluate("place => { location.hash = place; }", place)
        yield Sight(page, watch)
    finally:
        context.close()
    assert not watch.problems, watch.problems


MODELS = """\
name: flowers
operations:
  train:
    cmd: work
    flags:
      lr: {default: 0.1}
      epochs: {default: 3}
  wait:
    cmd: wait
    flags:
      signals: {default: .}
"""
"""A project: `train` reports a loss that depends on its flags, `wait` goes on when it is told to."""

WORK = """\
import sys
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for step in range(1, 1 + int(flags["--epochs"])):
    print(f"step: {step}\\nloss: {float(flags['--lr']) + 1 / step}", flush=True)
"""

WAIT = """\
import os, sys, time
folder = sys.argv[sys.argv.index("--signals") + 1]
for step in (1, 2):
    print(f"step: {step}\\nloss: {step * 0.25}", flush=True)
    while not os.path.exists(os.path.join(folder, f"go-{step}")):
        time.sleep(0.01)
print("\\x1b[31mthe end\\x1b[0m", flush=True)
"""


_homes: dict[Path, Guild] = {}


def trained(factory: pytest.TempPathFactory, folder: Path) -> Guild:
    """Return the command in a project with four completed runs, in a home of its own below `folder`.

    Their labels are `try 0.8`, `try 0.4`, `try 0.2` and `try 0.1`, after their learning rates; newest first.
    """
    base = factory.getbasetemp()
    if base not in _homes:
        _homes[base] = _made(base / "flowers")
    made = _homes[base]
    shutil.copytree(made.home, folder / "home")
    return Guild(folder / "home", made.cwd)


def _made(folder: Path) -> Guild:
    guild = Guild(folder / "home", make_project(folder / "project", MODELS, work=WORK, wait=WAIT))
    results = guild.many([["run", "train", f"lr={rate}", "-l", f"try {rate}", "-y"] for rate in (0.1, 0.2, 0.4, 0.8)])
    assert [result.code for result in results] == [0] * 4, results
    for run in guild.json("runs", "list"):
        path = Path(run["run_dir"], FILE)
        lines = [row("loss", step, 1_795_000_000_000_000 + step * 1_000_000, 1 / step) for step in range(1, 40)]
        path.write_bytes(HEADER + "".join(lines).encode())
    return guild


@pytest.fixture(name="flowers", scope="module")
def flowers_fixture(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command in a project with four runs, which a file's tests share."""
    return trained(tmp_path_factory, tmp_path_factory.mktemp("flowers"))


@pytest.fixture(name="server", scope="module")
def server_fixture(flowers: Guild) -> Iterator[Server]:
    """Give the server of a file's tests."""
    with serving(flowers) as server:
        yield server
