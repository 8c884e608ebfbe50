"""The list of a hundred thousand runs in a real browser."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from artifacts.home import Home
from ledger.events.start import RunImported
from ledger.ids import RunId, run_stream
from ledger.opening import open_sqlite
from ledger.transaction import Header, NewEvent, Transaction
from tests.browser_kit import MODELS, WAIT, WORK, browser_fixture, seen  # noqa: F401 - a fixture
from tests.cli_kit import Guild, make_project
from tests.view_kit import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

RUNS = 100_000
_MINUTE = 60_000_000
_FIRST = 1_600_000_000_000_000

PLACE = """() => {
  const grid = document.getElementById("grid").getBoundingClientRect();
  const isBelow = (one) => one.getBoundingClientRect().top > grid.top + 60;
  const row = [...document.querySelectorAll(".grid-row")].find(isBelow);
  return row.row ? [row.row.id, Math.round(row.getBoundingClientRect().top)] : null;
}"""
"""Which run is near the upper edge of the list, and where."""


def _many_runs(folder: Path) -> Guild:
    guild = Guild(folder / "home", make_project(folder / "project", MODELS, work=WORK, wait=WAIT))
    home = Home(str(guild.home))
    home.ensure()
    header = Header(actor="ada", host="laptop", argv=("guild",), cwd="/", program="guild-ledger")
    ledger = open_sqlite(home.ledger_path, header)
    events = (_imported(number, str(guild.cwd)) for number in range(RUNS))
    while some := tuple(islice(events, 5_000)):
        ledger.append(Transaction(header, some))
    ledger.store.close()
    return guild


def _imported(number: int, project: str) -> NewEvent:
    started = _FIRST + number * _MINUTE
    return NewEvent(
        run_stream(RunId(f"{number:032x}")),
        RunImported(
            source="elsewhere", project=project, package=None, model="flowers", operation="train", flags={},
            started=started, stopped=started + 1_000_000, status="completed", exit_status=0, label=f"run {number}",
        ),
    )  # fmt: skip


def test_a_hundred_thousand_runs_scroll_and_stay_where_they_are(browser: Browser, tmp_path: Path) -> None:
    """Only what is seen is there, anywhere in the list; a new run moves nothing that is looked at."""
    guild = _many_runs(tmp_path)
    with serving(guild) as server, seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        assert "of 100 000 runs" in sight.text(".foot span").replace("\u202f", " ")
        sight.page.focus("#grid")
        sight.page.keyboard.press("End")
        sight.until("document.querySelector('.grid-row.cursor .label')?.textContent === 'run 0'")
        assert sight.page.locator(".grid-row").count() < 60
        sight.page.evaluate("document.getElementById('grid').scrollTop = 1800000")
        sight.row("run 49990").wait_for()
        assert sight.page.locator(".grid-row").count() < 60
        sight.until(f"({PLACE})() !== null")
        before = sight.page.evaluate(PLACE)
        guild.ok("run", "train", "-l", "new one", "-y")
        sight.page.locator(".pill", has_text="1 new").wait_for()
        assert sight.page.evaluate(PLACE) == before
        sight.page.click(".pill")
        sight.row("new one").wait_for()
        sight.page.fill("#filter", "label = 'run 77777'")
        sight.until("document.querySelectorAll('.grid-row .label').length === 1")
