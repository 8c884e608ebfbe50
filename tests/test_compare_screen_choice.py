"""What was chosen in the full-screen table is what is acted on, whatever became of the table since."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from artifacts.home import Home
from commands.app import App
from commands.compare_source import HomeSource
from commands.comparing import Choice, Compared
from commands.options import Limits
from ledger.errors import GuildError
from ledger.events.notes import RunScalarsRecorded
from ledger.events.start import RunStarted
from ledger.ids import run_stream
from ledger.transaction import NewEvent
from tests.compare_screen_kit import Driven, driven, make_home, run_events
from tests.kit import NOON, SECOND, Ticking, append, opened, run_id
from tests.merge_kit import machine, merged
from view.terminal.port import Question, Start
from view.terminal.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from projections.cells import Cell
    from projections.comparison_columns import Column

RUNS = 6
EARLIER = 100


@pytest.fixture(name="home")
def home_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home with six runs."""
    monkeypatch.delenv("GUILD_LEDGER", raising=False)
    return make_home(tmp_path / "home", RUNS)


def merge_earlier(home: Path) -> None:
    """Take in a run of another machine that was started before all others: its number was that of another run."""
    far, near = machine(home.parent, "far", Ticking(NOON - SECOND)), opened(home)
    append(far, *run_events(EARLIER))
    merged(near, far)
    far.store.close()
    near.store.close()


def labels(at: Driven) -> dict[str, str | None]:
    """Return the labels of the runs that were read, by run."""
    return {line.row.run_id: line.row.label for line in at.app.sheet.lines.values()}


def sources(home: Path, runs: Sequence[str] = ()) -> HomeSource:
    """Return what the table asks, of a home."""
    compared = Compared(Limits(everywhere=True, operations=(), statuses=(), labels=()), Choice(runs=tuple(runs)))
    return HomeSource(App("/p", None, Home(str(home)), ["guild", "compare"]), Start(), compared.base)


def test_a_number_never_means_another_run(home: Path) -> None:
    """Of a list from before a merge, no number is answered; runs are found again by their ids."""
    source = sources(home)
    try:
        before = source.ask(Question()).order
        known = {number: line.row.run_id for number, line in source.lines(before, ()).items()}
        merge_earlier(home)
        changes = source.changes()
        assert changes is not None
        assert (changes.anew, changes.reorder) == (True, True)
        with pytest.raises(GuildError, match="made anew"):
            source.lines(before, ())
        after = source.ask(Question()).order
        with pytest.raises(GuildError, match="made anew"):
            source.lines(before[:1], ())
        lines = source.lines(after, ())
        assert {number: line.row.number for number, line in lines.items()} == {number: number for number in after}
        assert not set(before) & set(after)
        found = source.numbered(list(known.values()))
        assert {run: lines[number].row.run_id for run, number in found.items()} == {run: run for run in known.values()}
    finally:
        source.close()


def test_a_column_that_is_shown_stays_that_of_its_name(home: Path) -> None:
    """In an index that was made anew flags and scalars have other numbers; and one that no run had may come later."""
    source = sources(home)
    try:
        source.ask(Question())
        columns = [source.column(spec)[0] for spec in ("=lr", "loss", "min loss", "last later")]
        before = values(source, columns)
        far, near = machine(home.parent, "far", Ticking(NOON - SECOND)), opened(home)
        summary = {"last": [5, 1], "min": [5, 1]}
        stream, start = (
            run_stream(run_id(EARLIER)),
            RunStarted("/p", None, "m", "train", ("x",), {"alpha": 1, "beta": 2}),
        )
        append(far, *(NewEvent(stream, event) for event in (start, RunScalarsRecorded({"later": summary}))))
        merged(near, far)
        far.store.close()
        near.store.close()
        source.changes()
        after = values(source, columns)
        assert {run: after[run] for run in before} == before
        assert after[run_id(EARLIER)] == [None, None, None, 5]
    finally:
        source.close()


def values(source: HomeSource, columns: Sequence[Column]) -> dict[str, list[Cell]]:
    """Return what all runs have in columns."""
    lines = source.lines(source.ask(Question()).order, columns)
    return {line.row.run_id: [line.cells[column.spec] for column in columns] for line in lines.values()}


def test_runs_that_were_named_stay_those(home: Path) -> None:
    """Also when their numbers are others."""
    source = sources(home, [run_id(0), run_id(3)])
    try:
        for _ in range(2):
            order = source.ask(Question()).order
            assert {line.row.run_id for line in source.lines(order, ()).values()} == {run_id(0), run_id(3)}
            if not (home.parent / "far").exists():
                merge_earlier(home)
                source.changes()
    finally:
        source.close()


@pytest.mark.parametrize("looks", [True, False])
def test_a_merge_elsewhere_leaves_cursor_and_selection_on_their_runs(home: Path, *, looks: bool) -> None:
    """What is labelled then are the runs that were selected, or none when the table has not looked yet."""

    async def look(at: Driven) -> None:
        await at.to(run_id(1))
        await at.press("space", "space")
        wanted = {run_id(1), run_id(2)}
        merge_earlier(home)
        before = labels(at)
        if looks:
            await at.look_again()
            assert "2 selected" in at.said("title")
            line = at.app.sheet.current_line()
            assert line is not None
            assert line.row.run_id == run_id(3)
            await at.type("l", "these", "enter")
            await at.press("y")
            assert {run for run, label in labels(at).items() if label == "these"} == wanted
        else:
            await at.press("m")
        await at.look_again()
        marked = {line.row.run_id for line in at.app.sheet.lines.values() if line.row.marked}
        assert marked <= wanted
        assert {run: label for run, label in labels(at).items() if run not in {*wanted, run_id(EARLIER)}} == {
            run: label for run, label in before.items() if run not in wanted
        }

    driven(home, look)


def test_what_is_selected_but_not_shown_is_not_stood_in_for(home: Path) -> None:
    """No key acts on the run under the cursor then; the line above counts what the table shows."""

    async def look(at: Driven) -> None:
        await at.to(run_id(2))
        await at.press("space", "space")
        await at.type("f", "label = 'try 5'", "enter")
        assert at.count() == 1
        assert "selected" not in at.said("title")
        for key in ("m", "l", "t", "#", "d", "y", "p"):
            await at.press(key)
            assert "selected runs are not in this table" in at.said("status"), key
        assert at.first().row.marked == 0
        await at.press("escape", "m")
        assert at.first().row.marked == 1

    driven(home, look)


def test_what_was_selected_elsewhere_is_not_counted_for_what_is_selected_here(home: Path) -> None:
    """As many runs as before may be selected in the same table, and be others."""

    async def look(at: Driven) -> None:
        await at.to(run_id(2))
        await at.press("space")
        await at.type("f", "label = 'try 5'", "enter")
        assert "selected" not in at.said("title")
        await at.press("escape", "space")
        assert "1 selected" in at.said("title")

    driven(home, look)


def test_a_selection_that_cannot_be_kept_is_told(home: Path) -> None:
    """Runs that were selected without ever having been read are not selected in a list that is made anew."""

    async def look(at: Driven) -> None:
        await at.press("a")
        at.app.sheet.lines.clear()
        merge_earlier(home)
        await at.look_again()
        assert "6 run(s) are selected no more" in at.said("status")
        assert "selected" not in at.said("title")

    driven(home, look)


def test_the_count_of_what_is_selected_follows_the_table() -> None:
    """Only runs of the table count, whatever changes."""
    sheet = Sheet()
    sheet.order = array("q", [1, 2, 3])
    sheet.selected = frozenset({1, 3, 7})
    assert (sheet.count_selected(), sheet.chosen()) == (2, [1, 3])
    sheet.selected ^= {2}
    assert sheet.count_selected() == 3
    sheet.order = array("q", [5])
    assert (sheet.count_selected(), sheet.chosen()) == (0, [])
    sheet.selected = frozenset()
    assert (sheet.count_selected(), sheet.chosen()) == (0, [5])
