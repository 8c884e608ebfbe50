"""The full-screen table, driven key by key without a terminal: order, filter, columns, search, pages about runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from tests.cli_kit import ROOT
from tests.compare_screen_kit import Driven, driven, make_home, write_series
from tests.kit import run_id
from view.terminal.asking import Asking
from view.terminal.bars import Bar, Footer
from view.terminal.keys import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 60


@pytest.fixture(name="home", scope="module")
def home_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home that no test here changes; two of its runs have series."""
    home = make_home(tmp_path_factory.mktemp("compare") / "home", RUNS)
    for number in (0, 1):
        write_series(str(home / "runs" / run_id(number)), number)
    return home


def test_runs_are_sorted_by_the_column_under_the_cursor(home: Path) -> None:
    """Lowest first, then highest first, then as they were started; the arrow in the header says which."""

    async def look(at: Driven) -> None:
        before = at.ids()
        assert at.count() == RUNS
        assert at.line(0).split() == [
            "run", "operation", "started", "time", "status", "label", "epochs", "lr", "optimizer", "accuracy", "loss",
        ]  # fmt: skip
        await at.press("ctrl+right", "s")
        losses = await at.numbers("loss")
        assert losses == sorted(losses)
        assert len(losses) == RUNS
        assert at.line(0).rstrip().endswith("loss ▲")
        await at.press("s")
        assert await at.numbers("loss") == losses[::-1]
        assert at.line(0).rstrip().endswith("loss ▼")
        await at.press("s")
        assert at.ids() == before

    driven(home, look)


def test_numbers_stand_below_each_other_at_their_points(home: Path) -> None:
    """So that they can be compared at a glance."""

    async def look(at: Driven) -> None:
        end = at.line(0).index("loss") + len("loss")
        places = {at.line(row)[:end].rfind(".") for row in range(2, 20)}
        assert len(places) == 1

    driven(home, look, size=(120, 30))


def test_a_filter_that_is_wrong_is_pointed_at_and_changes_nothing(home: Path) -> None:
    """The last good result stays, the text stays to be mended; what is right then narrows the table."""

    async def look(at: Driven) -> None:
        await at.type("f", "optimizer=adam", "enter")
        assert at.count() == RUNS // 2
        assert "filter optimizer=adam" in at.said("title")
        await at.type("f", " and and", "enter")
        wrong = at.text("#wrong").splitlines()
        assert wrong[1] == "  optimizer=adam and and"
        assert wrong[2].index("^") == wrong[1].rindex("and")
        assert at.count() == RUNS // 2
        await at.press("escape")
        assert not at.app.query_one(Asking).is_open
        await at.type("f", " and nothing > 1", "enter")
        assert "nothing" in at.text("#wrong")
        await at.press("escape")
        await at.type("f", " and optim", "tab")
        assert at.app.query_one("#input", Input).value == "optimizer=adam and optimizer"
        await at.press("ctrl+u", "enter")
        assert at.count() == RUNS

    driven(home, look)


def test_columns_are_hidden_moved_added_and_chosen(home: Path) -> None:
    """What is shown is a matter of keys; the one under the cursor is meant."""

    async def look(at: Driven) -> None:
        await at.press("right", "h")
        assert at.headers()[:3] == ["run", "started", "time"]
        await at.press(">")
        assert at.headers()[:3] == ["run", "time", "started"]
        await at.press("<")
        assert at.headers()[:3] == ["run", "started", "time"]
        await at.type("+", "min loss as best", "enter")
        assert at.headers()[2] == "best"
        assert at.app.sheet.cell(at.app.sheet.columns[2], at.first()).text == "0"
        await at.type("+", "min", "enter")
        assert "no run has 'min'" in at.text("#wrong")
        await at.press("escape")
        await at.type("+", "min accurracy", "enter")
        assert at.said("status").startswith(" No run has min accurracy (did you mean 'accuracy'?)")
        assert at.headers()[3] == "min accurracy"
        await at.press("h", "left")
        await at.press("c", "space", "space", "enter")
        assert at.headers()[0] == "best"
        await at.press("c", "escape")
        assert at.headers()[0] == "best"

    driven(home, look)


def test_a_filter_that_is_taken_back_leaves_the_columns_as_they_were(home: Path) -> None:
    """Columns that its runs did not have are no new ones when all runs are there again."""

    async def look(at: Driven) -> None:
        before = at.headers()
        for expression in ("lr < -5", "optimizer=adam"):
            await at.type("f", expression, "enter")
            await at.press("f", "ctrl+u", "enter")
            assert at.headers() == before

    driven(home, look)


def test_only_columns_that_differ_are_shown_when_asked(home: Path) -> None:
    """All runs have ten epochs: that tells nothing apart; again, and all is as before."""

    async def look(at: Driven) -> None:
        every = at.headers()
        await at.press("u")
        assert "epochs" not in at.headers()
        assert {"lr", "optimizer", "loss"} <= set(at.headers())
        await at.type("f", "lr=0.1", "enter")
        assert "lr" not in at.headers()
        await at.press("u")
        assert at.headers() == every

    driven(home, look)


def test_a_search_goes_to_the_next_run_that_shows_the_text(home: Path) -> None:
    """Round the end, forwards and backwards; in any column, or at the beginning of an id."""

    async def look(at: Driven) -> None:
        await at.type("/", "TRY 5", "enter")
        first = at.label()
        assert first.startswith("try 5")
        await at.press("n")
        second = at.label()
        assert second.startswith("try 5")
        assert second != first
        await at.press("N")
        assert at.label() == first
        await at.type("/", "nowhere", "enter")
        assert "No run shows 'nowhere'" in at.said("status")
        await at.type("/", run_id(7)[:6], "enter")
        assert at.app.sheet.current_line().row.run_id == run_id(7)  # type: ignore[union-attr]  # it is read

    driven(home, look)


def test_a_search_ends_when_somebody_has_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long one tells how far it is, and Esc stops it: the cursor stays, and nothing is said of an end."""
    monkeypatch.setattr("view.terminal.looking._CHUNK", 1)
    said: list[str] = []

    async def look(at: Driven) -> None:
        say = at.app.say

        def heard(text: str, style: str = "text") -> None:
            say(text, style)
            said.append(text)
            if "3 of" in text:
                at._send("escape")

        monkeypatch.setattr(at.app, "say", heard)
        await at.type("/", "nowhere", "enter")
        assert at.app.sheet.row == 0

    driven(home, look)
    assert f"Searching: 3 of {RUNS} (Esc to stop)" in said
    assert not any("No run shows" in text for text in said)
    assert len(said) < RUNS


def test_the_cursor_goes_to_both_ends_and_by_screens(home: Path) -> None:
    """In a window of any size, which may change; the line below tells the place and the cell in full."""

    async def look(at: Driven) -> None:
        await at.press("end")
        assert at.said("status").rstrip().endswith(f"{RUNS}/{RUNS}")
        await at.press("pageup", "home", "pagedown", "down")
        room = at.app.grid.room
        assert at.app.sheet.row == room
        await at.resize(40, 8)
        assert at.app.grid.top <= at.app.sheet.row < at.app.grid.top + at.app.grid.room
        await at.press("ctrl+right")
        assert "loss" in at.line(0)
        assert " loss 0." in at.said("status")
        await at.press("ctrl+left")
        assert run_id(at.app.sheet.current() - 1) in at.said("status")  # type: ignore[operator]  # there are runs

    driven(home, look)


def test_everything_about_a_run_is_a_key_away(home: Path) -> None:
    """Attributes, flags, scalars with their steps; what is shown of two runs is where they differ."""

    async def look(at: Driven) -> None:
        await at.to(run_id(0))
        await at.press("enter")
        info = at.text("#details")
        assert f"id           {run_id(0)}" in info
        assert "  optimizer    sgd" in info
        assert "(step 9)" in info
        await at.press("escape", "space")
        await at.to(run_id(1))
        await at.press("D")
        found = at.text("#differences")
        assert "optimizer" in found
        assert "epochs" not in found
        await at.press("a")
        assert "epochs" in at.text("#differences")

    driven(home, look)


def test_scalars_of_selected_runs_are_drawn(home: Path) -> None:
    """A curve for each, with what tells them apart; by steps or time, as numbers or logarithms."""

    async def look(at: Driven) -> None:
        for number in (0, 1):
            await at.to(run_id(number))
            await at.press("space")
        await at.press("p")
        legend = at.text("#legend")
        assert run_id(0)[:8] in legend
        assert "optimizer=adam" in legend
        chart = at.chart()
        assert any(0x2800 < ord(character) < 0x2900 for line in chart for character in line)
        assert chart[-1].rstrip().endswith("step")
        await at.press("y", "x")
        assert at.chart()[-1].rstrip().endswith("seconds")
        assert any("1e-1" in line or "0.1" in line for line in at.chart())
        await at.press("right")
        assert at.chart() != chart

    driven(home, look, size=(100, 30))


def test_the_mouse_chooses_sorts_and_opens(home: Path) -> None:
    """And keys at the bottom can be clicked."""

    async def look(at: Driven) -> None:
        await at.click(at.line(0).index("label") + 1, 4)
        assert (at.app.sheet.row, at.headers()[at.app.sheet.column]) == (2, "label")
        await at.click(at.line(0).index("loss") + 1, 1)
        assert at.line(0).rstrip().endswith("loss ▲")
        await at.click(10, 5, times=2)
        assert f"id           {at.ids()[3]}" in at.text("#details")
        await at.press("escape")
        await at.click(at.said("keys").index("Help"), 15)
        assert "move from cell to cell" in at.text("#help")

    driven(home, look)


def test_without_colours_all_is_said_otherwise(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is selected has a dot, what is marked a star; with colours there are a dark and a light set."""

    async def turn(at: Driven) -> None:
        assert at.app.theme == "guild-dark"
        await at.press("T")
        assert at.app.theme == "guild-light"

    async def look(at: Driven) -> None:
        await at.press("space", "T")
        assert "NO_COLOR" in at.said("status")
        assert at.line(1).startswith("●")
        strip = at.app.grid.render_line(2)
        assert all(segment.style is None or segment.style.color is None for segment in strip)

    monkeypatch.delenv("NO_COLOR", raising=False)
    driven(home, turn)
    monkeypatch.setenv("NO_COLOR", "1")
    driven(home, look)


def test_the_help_names_every_key(home: Path) -> None:
    """As the line below names those that fit; both come from one list, and the page about it has them all."""
    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")

    async def look(at: Driven) -> None:
        assert at.app.query_one(Footer).said().startswith(" ? Help  q Quit  s Sort")
        await at.press("question_mark")
        text = at.text("#help")
        for group in GROUPS.values():
            for key in group:
                assert key.long in text
                assert f"| `{key.shown.replace(' ', '`, `')}` | {key.long} |" in page
        await at.press("escape")
        assert at.app.query_one("#title", Bar).said().startswith(f" guild compare  {RUNS} runs")

    driven(home, look)


def test_only_the_rows_that_are_seen_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs there are: the rest of them costs a number each."""
    from commands.compare_source import HomeSource

    read: list[int] = []
    lines = HomeSource.lines

    def counted(source: HomeSource, numbers: list[int], columns: list[object]) -> object:
        read.extend(numbers)
        return lines(source, numbers, columns)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(HomeSource, "lines", counted)

    async def look(at: Driven) -> None:
        assert len(read) < RUNS
        await at.press("end")
        assert len(read) == len(set(read)) <= RUNS

    driven(home, look, size=(80, 6))


def test_the_command_of_what_was_seen_is_told_at_the_end(home: Path) -> None:
    """So that it can be printed, or kept in a script."""

    async def look(at: Driven) -> None:
        await at.type("f", "lr=0.1", "enter")
        await at.press("ctrl+right", "s", "s")
        await at.type("+", "min loss step as best", "enter")
        await at.press("q")

    app = driven(home, look)
    assert app.return_value == (
        "compare --table -F lr=0.1 --max loss --strict-columns"
        " '.run, .operation, .started, .time, .status, .label, =epochs, =lr, =optimizer, accuracy, loss,"
        " min loss step as best'"
    )


def test_the_order_is_told_by_the_heading_of_its_column(home: Path) -> None:
    """As somebody would say it who has seen the table."""

    async def look(at: Driven) -> None:
        await at.type("+", "min loss step as 'best step'", "enter")
        await at.press("s", "q")

    assert "--min 'best step' --strict-columns" in str(driven(home, look).return_value)


def test_no_more_runs_are_shown_than_were_asked_for(home: Path) -> None:
    """Of any order, and it is said; the command that prints the table says it too."""

    async def look(at: Driven) -> None:
        assert at.count() == 3
        assert "(the first 3 only)" in at.said("title")
        await at.press("ctrl+right", "s", "q")

    assert "--min loss --top 3" in str(driven(home, look, most=3).return_value)


def test_a_filter_of_the_command_line_that_is_wrong_is_told_on_the_screen(home: Path) -> None:
    """All runs are shown, so that it can be mended."""

    async def look(at: Driven) -> None:
        assert at.count() == RUNS
        assert "expected" in at.said("status")

    driven(home, look, expression="lr = = 3")


def test_the_past_is_looked_at_and_never_changed(home: Path) -> None:
    """A key that would change something says so."""

    async def look(at: Driven) -> None:
        assert "as of then" in at.said("title")
        await at.press("d")
        assert "the past" in at.said("status")
        await at.press("l")
        assert "the past" in at.said("status")

    driven(home, look, past="as of then")
