"""The other pages of `guild view` in a real browser: a run, its files, comparison, the log, and how they look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser_kit import browser_fixture, flowers_fixture, seen, server_fixture  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Response

    from tests.browser_kit import Sight
    from tests.cli_kit import Guild
    from tests.view_kit import Server

INKED = """() => {
  const canvas = document.querySelector(".plot canvas");
  if (!canvas || !canvas.width || !canvas.height) return false;
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 200) colours.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
  }
  return colours.size > 3;
}"""
"""Whether a chart has lines and not only an empty frame; looked at in a copy, for Chromium warns of a second look."""

HOSTILE = """<!doctype html><title>innocent</title><h1>harmless words</h1>
<img src="/api/config"><form action="/api/undo" method="post"><input name=seq value=1></form>
<script>
document.body.dataset.ran = "yes";
alert("a dialog"); open("/#/log");
fetch("/api/runs").then(() => { parent.document.title = "owned"; });
try { top.location.hash = "#/owned"; parent.document.title = "owned"; } catch {}
document.forms[0].submit();
</script><iframe src="javascript:alert(2)"></iframe><meta http-equiv="refresh" content="0; url=/api/runs">"""


DOT = (
    "89504e470d0a1a0a0000000d4948445200000004000000040802000000269309290000001049444154789c63b00a3f02470cc4710021d2155143"
    "8195660000000049454e44ae426082"
)
"""A picture of four by four blue points."""


def _is_inner(answer: Response) -> bool:
    """Tell whether something in a frame was given what it asked for."""
    return answer.ok and answer.frame.parent_frame is not None


def _inked(sight: Sight) -> None:
    sight.page.wait_for_selector(".plot canvas")
    sight.until(INKED)


def test_the_page_of_a_run_draws_its_scalars(browser: Browser, server: Server, flowers: Guild) -> None:
    """A chart is drawn; axis, scale and smoothing can be changed; flags, summaries and history are told."""
    run = flowers.ids()[0]
    with seen(browser, server, f"#/run/{run}") as sight:
        _inked(sight)
        assert sight.text(".chart h2") == "loss"
        assert sight.texts(".facts dd")[:2] == ["3", "0.8"]
        sight.page.locator(".chart-tools").get_by_text("Time", exact=True).click()
        sight.page.get_by_label("Log scale").check()
        sight.page.get_by_label("Smoothing").fill("0.6")
        assert sight.text(".chart-tools output") == "0.60"
        _inked(sight)
        sight.page.locator(".tabs a", has_text="History").click()
        assert "started" in sight.text(".history li .what")
        sight.page.locator(".tabs a", has_text="Source").click()
        sight.page.locator("a.file", has_text="work.py").click()
        assert "import sys" in sight.text(".preview .code")


def test_files_are_shown_and_a_hostile_one_does_nothing(browser: Browser, server: Server, flowers: Guild) -> None:
    """Text, tables and pictures have previews; a page with scripts runs none, asks for nothing and changes nothing."""
    run = flowers.json("runs", "list")[1]
    folder = Path(run["run_dir"])
    name = "<img src=x onerror=alert(1)>.html"
    (folder / name).write_text(HOSTILE, encoding="utf-8")
    (folder / "table.csv").write_text('word,size\n"a, b",7\n', encoding="utf-8")
    (folder / "dot.png").write_bytes(bytes.fromhex(DOT))
    dialogs: list[str] = []
    got: list[str] = []
    with seen(browser, server, f"#/run/{run['id']}/files") as sight:
        sight.watch.allowed += [
            "sandboxed",
            "Content Security Policy",
            "violates the following",
            "was blocked",
            "403 (Forbidden)",
        ]
        sight.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        sight.page.context.on("response", lambda answer: got.append(answer.url) if _is_inner(answer) else None)
        sight.page.locator("a.file", has_text="table.csv").click()
        sight.says(".preview-body td", "7")
        assert sight.texts(".preview-body td") == ["a, b", "7"]
        sight.page.locator("a.file", has_text="dot.png").click()
        sight.until("document.querySelector('.preview-body img')?.naturalWidth > 0")
        sight.page.locator("a.file", has_text=name).click()
        frame = sight.page.frame_locator(".preview-body iframe")
        assert frame.locator("h1").inner_text() == "harmless words"
        sight.page.wait_for_timeout(300)  # what it would do by itself it would have done by now
        assert frame.locator("body").get_attribute("data-ran") is None
        assert sight.page.title().endswith("Guild")
        assert "/files" in sight.page.url
        assert [url for url in got if "/file?" not in url] == []
        assert len(sight.page.context.pages) == 1
    assert not dialogs


def test_the_compare_page_shows_runs_beside_each_other(browser: Browser, server: Server) -> None:
    """Chosen runs are compared: lines, parallel coordinates, scatter, a table of what differs; the address holds it."""
    with seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        for key in ("j", "x", "j", "x", "c"):
            sight.page.keyboard.press(key)
        _inked(sight)
        assert "ids=" in sight.page.url
        assert len(sight.texts(".compare-table tbody tr")) == 2
        heads = sight.texts(".compare-table th")
        assert "lr" in heads
        assert "epochs" not in heads
        assert sight.page.locator(".parallel .run-line").count() == 2
        assert sight.page.locator(".scatter .dot").count() == 2
        sight.page.locator(".compare-table tbody tr").first.hover()
        sight.until("document.querySelectorAll('.scatter .dot.bright').length === 1")
        sight.page.get_by_label("Only what differs").uncheck()
        sight.page.locator(".compare-table th", has_text="epochs").wait_for()
        assert "differ=0" in sight.page.url
        sight.page.go_back()
        sight.page.locator(".compare-table th", has_text="epochs").wait_for(state="detached")


def test_the_pages_are_dark_when_the_system_is_or_somebody_says_so(browser: Browser, server: Server) -> None:
    """The system's preference holds until the switch is used; that is kept."""
    luminance = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    with seen(browser, server, color_scheme="dark") as sight:
        assert sight.page.evaluate(luminance) < 60
        sight.page.click("#theme")
        assert sight.page.evaluate(luminance) > 200
        sight.page.reload()
        sight.page.wait_for_selector(".grid-row .label")
        assert sight.page.evaluate(luminance) > 200


def test_a_narrow_screen_has_all_that_matters(browser: Browser, server: Server, flowers: Guild) -> None:
    """On a phone nothing is wider than the screen, and each run still has its operation, label and status."""
    with seen(browser, server, viewport={"width": 360, "height": 640}) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        assert sight.texts(".grid-row .label")[0] == "try 0.8"
        assert sight.page.locator(".grid-row .state").first.is_visible()
        pages = {
            "#/runs": ".grid-row .label",
            "#/compare": ".compare-table tbody tr",
            "#/log": ".txn",
            f"#/run/{flowers.ids()[0]}": ".plot canvas",
        }
        for place, there in pages.items():
            sight.go(place)
            sight.page.wait_for_selector(there)
            assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
            assert sight.page.evaluate("document.getElementById('main').scrollWidth <= innerWidth"), place


def test_the_log_goes_on_by_itself_where_its_pages_are_short(browser: Browser, server: Server) -> None:
    """The server may answer with less than was asked for: the rest comes as long as there is room for it."""
    told = [f"#{one['seq']}" for one in server.ok("/api/log")["transactions"]]
    with seen(browser, server) as sight:
        short = lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=1"))  # noqa: E731
        sight.page.route("**/api/log?*", short)
        for place in ("#/log", "#/log?at=2"):
            sight.go("#/")
            sight.until("document.querySelectorAll('.txn').length === 0")  # or the page before would be looked at
            sight.go(place)
            sight.until(f"document.querySelectorAll('.txn').length === {len(told)}")
            assert [one.splitlines()[0] for one in sight.texts(".txn")] == told
        assert sight.text(".txn.here .seq") == "#2"
        sight.page.get_by_label("By whom").fill("nobody")
        sight.says(".log h2", "No such transactions")
        assert sight.page.url.endswith("#/log?actor=nobody")


def test_the_token_leaves_the_address_and_is_known_to_the_next_page(browser: Browser, server: Server) -> None:
    """Loaded again, or in another tab, the pages open; a browser that has forgotten it is told what to do."""
    with seen(browser, server) as sight:
        sight.page.wait_for_selector(".grid-row .label")
        assert sight.page.url == f"{server.origin}/"
        sight.page.reload()
        sight.page.wait_for_selector(".grid-row .label")
        other = sight.page.context.new_page()
        other.goto(f"{server.origin}/#/log")
        other.wait_for_selector(".txn")
        other.close()
        sight.watch.allowed.append("403 (Forbidden)")
        sight.page.evaluate("localStorage.clear()")
        sight.page.reload()
        sight.says(".notice", "Open the address that `guild view` printed.")
