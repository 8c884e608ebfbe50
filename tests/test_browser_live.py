"""What happens elsewhere appears on the pages of `guild view` by itself, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser_kit import browser_fixture, flowers_fixture, seen, trained  # noqa: F401 - fixtures
from tests.cli_kit import wait_until
from tests.view_kit import serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from playwright.sync_api import Browser, Route

    from tests.cli_kit import Guild


def test_a_run_appears_goes_on_and_ends_before_ones_eyes(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A real run appears in an open list, its output on its page, its status and scalars as they change."""
    guild = trained(tmp_path_factory, tmp_path)
    signals = tmp_path / "signals"
    signals.mkdir()
    with serving(guild) as server, seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        running = guild.start("run", "wait", f"signals={signals}", "-l", "watched", "-y")
        row = sight.row("watched")
        assert row.locator(".state").inner_text() == "running"
        with seen(browser, server, f"#/run/{guild.ids()[0]}/output") as other:
            other.until("document.querySelector('.output')?.textContent.includes('loss: 0.25')")
            (signals / "go-1").touch()
            other.until("document.querySelector('.output').textContent.includes('loss: 0.5')")
            (signals / "go-2").touch()
            other.until("document.querySelector('.output .fg-1')?.textContent === 'the end'")
            assert "\x1b" not in other.text(".output")
            other.until("document.querySelector('.run-facts .status').textContent === 'completed'")
            other.page.locator(".tabs a", has_text="Overview").click()
            other.page.wait_for_selector(".plot[aria-label='loss: 1 line, 2 points']")
        running.communicate()
        row.locator(".status[data-status=completed]").wait_for()
        wait_until(lambda: "0.5000" in row.inner_text())
        assert sight.texts(".grid-row .label")[:2] == ["watched", "try 0.8"]


def test_a_log_without_a_line_takes_what_comes(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is new appears where nothing fitted before, and the rest of the ledger is not gone through again for it."""
    guild = trained(tmp_path_factory, tmp_path)
    earlier: list[str] = []

    def short(route: Route) -> None:
        got = route.fetch()
        told = got.json()
        if "before=" in route.request.url:
            earlier.append(route.request.url)
        else:
            told |= {"more": True, "before": 2}
        route.fulfill(response=got, json=told)

    with serving(guild) as server, seen(browser, server) as sight:
        sight.page.route("**/api/log?*", short)
        sight.go("#/log?type=commented")
        sight.says(".log h2", "No such transactions")
        for count in (1, 2):
            guild.ok("comment", "1", "-m", f"seen {count} times", "-y")
            sight.until(f"document.querySelectorAll('.txn').length === {count}")
            assert sight.texts(".log h2") == []
    assert len(earlier) == 1


def test_a_lost_server_is_told_in_words(browser: Browser, flowers: Guild) -> None:
    """When the server ends the page says so and what to do, keeps what it shows, and offers to try again."""
    with serving(flowers) as server, seen(browser, server) as sight:
        sight.watch.allowed.append("net::ERR_")  # whatever the page was just asking for
        sight.go("#/log")
        sight.page.wait_for_selector(".txn")
        sight.go("#/runs")
        sight.page.wait_for_selector(".grid-row .label")
        server.process.terminate()
        server.process.wait()
        sight.says("#banner", "The server does not answer. It may have been stopped: start `guild view` again")
        assert sight.page.locator("#banner button", has_text="Try again").is_visible()
        assert sight.texts(".grid-row .label")[0] == "try 0.8"
        sight.go("#/log")
        sight.says("main .notice", "The server does not answer")
