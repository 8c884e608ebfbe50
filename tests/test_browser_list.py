"""The list of `guild view` in a real browser: filters, keys, and what can be done to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser_kit import (  # noqa: F401 - fixtures
    browser_fixture,
    flowers_fixture,
    seen,
    server_fixture,
    trained,
)
from tests.view_kit import serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from playwright.sync_api import Browser

    from tests.cli_kit import Guild
    from tests.view_kit import Server

LABELS = ["try 0.8", "try 0.4", "try 0.2", "try 0.1"]


def test_the_list_shows_runs_with_flags_and_scalars(browser: Browser, server: Server) -> None:
    """Every run has a row: newest first, its status, its flags that differ and the last value of its scalars."""
    with seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        assert sight.texts(".grid-row .label") == LABELS
        assert sight.texts(".grid-head [role=columnheader] button span")[-3:] == ["lr", "loss", "Tags"]
        assert set(sight.texts(".grid-row .state")) == {"completed"}
        assert "1.1333" in sight.row("try 0.8").inner_text()
        assert sight.text(".foot span") == "1\u20134 of 4 runs"
        assert sight.page.title() == "Runs · Guild"


def test_filters_narrow_the_list_and_are_in_the_address(browser: Browser, server: Server) -> None:
    """An expression, a selection and a sorted column change the list; the back button takes the last one back."""
    with seen(browser, server) as sight:
        sight.page.fill("#filter", "lr > 0.3")
        sight.until("document.querySelectorAll('.grid-row .label').length === 2")
        assert "filter=lr+%3E+0.3" in sight.page.url
        sight.page.click("[title='Sort by lr']")
        sight.until("document.querySelector('.grid-row .label')?.textContent === 'try 0.4'")
        assert sight.page.locator("[aria-sort=ascending]").inner_text() == "lr"
        sight.page.go_back()
        sight.until("document.querySelector('.grid-row .label')?.textContent === 'try 0.8'")
        sight.go("#/runs?select=1:2")
        sight.until("document.querySelector('.grid-row .label')?.textContent === 'try 0.4'")
        assert sight.texts(".grid-row .label") == LABELS[1:3]


def test_columns_are_offered_whatever_the_list_is_sorted_by(browser: Browser, server: Server) -> None:
    """The order of the list has nothing to do with which columns there are."""
    with seen(browser, server, "#/runs?sort=lr&reverse=1") as sight:
        sight.page.wait_for_selector(".grid-row .label")
        sight.page.get_by_role("button", name="Columns").click()
        sight.page.locator(".sheet input[name='flag:epochs']").check()
        sight.page.locator(".grid-head", has_text="epochs").wait_for()


def test_what_filters_can_be_about_is_suggested(browser: Browser, server: Server) -> None:
    """Operations that runs have are offered while one types."""
    with seen(browser, server) as sight:
        sight.page.get_by_role("button", name="More").click()
        sight.until("document.querySelector('#known-op option')?.value === 'train'")
        assert sight.page.get_by_label("Operation contains").get_attribute("list") == "known-op"


def test_where_no_run_matches_what_the_command_line_asked_for_all_can_be_shown(
    browser: Browser, server: Server
) -> None:
    """Whatever narrows the list down is shown beside it, and an empty list is not called a home without runs."""
    with seen(browser, server, "#/runs?unlabeled=1") as sight:
        sight.says(".notice", "No run matches")
        assert sight.page.get_by_label("Labeled").input_value() == "1"
        sight.says("button", "More (1)")
        sight.page.get_by_role("button", name="Show all").click()
        sight.until("document.querySelectorAll('.grid-row .label').length === 4")


def test_an_error_in_the_filter_has_a_caret_under_its_column(browser: Browser, server: Server) -> None:
    """What is wrong with an expression is said in words, with a caret under the place; the list stays."""
    with seen(browser, server) as sight:
        sight.watch.allowed.append("400 (Bad Request)")
        sight.page.wait_for_selector(".grid-row .label")
        sight.page.fill("#filter", "loss < < 3")
        lines = sight.text(".expression-error pre").splitlines()
        assert lines == ["loss < < 3", "       ^"]
        assert "expected a value" in sight.text(".expression-error p")
        assert sight.page.get_attribute("#filter", "aria-invalid") == "true"
        assert sight.texts(".grid-row .label") == LABELS
        sight.page.fill("#filter", "loss < 3")
        sight.until("document.querySelector('.expression-error').hidden")


def test_everything_can_be_reached_with_the_keyboard(browser: Browser, server: Server) -> None:
    """Keys move, choose, open, go to other views and tell what they do."""
    with seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        press = sight.page.keyboard.press
        press("j")
        press("ArrowDown")
        press("x")
        assert sight.text(".grid-row.cursor .label") == "try 0.4"
        assert sight.text(".grid-row[aria-selected=true] .label") == "try 0.4"
        assert sight.text(".actionbar .count") == "1 chosen"
        press("a")
        sight.says(".actionbar .count", "4 chosen")
        press("Escape")
        press("k")
        press("Enter")
        assert sight.text(".run-title .run-label") == "try 0.8"
        sight.press_in_turn("g", "a", "h1", "Audit log")
        sight.press_in_turn("g", "l", ".grid-row .label")
        press("?")
        assert "label" in sight.text("dialog .keylist")
        press("Escape")
        press("/")
        assert sight.page.evaluate("document.activeElement.id") == "filter"


def test_nothing_lies_over_the_row_that_is_chosen(browser: Browser, server: Server) -> None:
    """In a low window the bar of actions takes room from the list, and the row of the cursor stays in sight."""
    with seen(browser, server, viewport={"width": 360, "height": 400}) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        for key in ("End", "x"):
            sight.page.keyboard.press(key)
        sight.says(".actionbar .count", "1 chosen")
        low = "document.querySelector('.grid-row.cursor').getBoundingClientRect().bottom"
        sight.until(f"{low} <= document.querySelector('.grid').getBoundingClientRect().bottom + 1")
        assert sight.page.evaluate(f"{low} <= document.querySelector('.actionbar').getBoundingClientRect().top")
        for button in sight.page.locator(".actionbar button").all():
            assert (button.bounding_box() or {"x": 999})["x"] < 360


def test_a_label_of_markup_is_text_and_does_nothing(browser: Browser, server: Server, flowers: Guild) -> None:
    """A label is written through the dialog, as a transaction; markup in it stays text wherever it is shown."""
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
    dialogs: list[str] = []
    with seen(browser, server) as sight:
        sight.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        sight.page.wait_for_selector(".grid-row .label")
        for key in ("j", "l"):
            sight.page.keyboard.press(key)
        sight.page.fill("dialog input[name=value]", hostile)
        sight.page.locator("dialog button[type=submit]:enabled").click()
        sight.until(f"document.querySelector('.grid-row .label').textContent === {hostile!r}")
        assert flowers.json("runs", "list")[0]["label"] == hostile
        sight.page.keyboard.press("Enter")
        assert sight.text(".run-label") == hostile
        sight.go("#/compare")
        sight.page.wait_for_selector(".compare-table tbody tr")
        assert hostile in sight.text(".compare-table")
        assert not sight.page.locator("main img, main script").count()
        assert sight.page.title() == "Compare · Guild"
        sight.go("#/log")
        sight.page.locator(".txn button", has_text="Undo").first.click()
        sight.page.locator("dialog button[type=submit]:enabled").click()
        sight.page.wait_for_selector(".txn.undone")
    assert flowers.json("runs", "list")[0]["label"] == "try 0.8"
    assert not dialogs


def test_deleting_asks_first_and_can_be_undone(
    browser: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Chosen runs are shown before they are deleted; undo brings them back, and so does the view of deleted runs."""
    guild = trained(tmp_path_factory, tmp_path)
    with serving(guild) as server, seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        for key in ("j", "x", "d"):
            sight.page.keyboard.press(key)
        assert sight.text("dialog .preview-runs li").split("\n")[0] == guild.ids()[0][:8]
        sight.page.locator("dialog button.danger:enabled").click()
        sight.page.locator(".toast").hover()  # what is pointed at does not go away
        sight.until("document.querySelectorAll('.grid-row .label').length === 3")
        assert sight.texts(".grid-row .label") == LABELS[1:]
        assert len(guild.ids()) == 3
        sight.page.locator(".toast button", has_text="Undo").click()
        sight.until("document.querySelectorAll('.grid-row .label').length === 4")
        assert len(guild.ids()) == 4
        guild.ok("runs", "delete", "1", "-y")
        sight.until("document.querySelectorAll('.grid-row .label').length === 3")
        sight.go("#/runs?place=deleted")
        sight.until("document.querySelector('.grid-row .label')?.textContent === 'try 0.4'")
        for key in ("j", "r"):
            sight.page.keyboard.press(key)
        sight.page.locator("dialog button[type=submit]:enabled").click()
        sight.until("document.querySelectorAll('.grid-row .label').length === 0")
    assert len(guild.ids()) == 4
