"""The full-screen table changes runs as the commands do, follows what others change, and outlives what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from artifacts.lease import Lease, LeaseRecord
from ledger.events.life import RunDeleted
from ledger.events.notes import RunLabeled, RunScalarsRecorded
from ledger.opening import open_existing
from projections.files import current_file
from tests.compare_screen_kit import Driven, driven, make_home, run_events
from tests.kit import append, happens, run_id, started
from view.terminal.dialogs import Confirm

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.transaction import NewEvent

RUNS = 12
NEWEST = RUNS  # of what a test adds


@pytest.fixture(name="home")
def home_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home with twelve runs that have directories."""
    monkeypatch.delenv("GUILD_LEDGER", raising=False)
    home = make_home(tmp_path / "home", RUNS)
    for number in range(RUNS):
        (home / "runs" / run_id(number)).mkdir()
    return home


def happened(home: Path, *events: NewEvent) -> None:
    """Append events, as another process does."""
    ledger = open_existing(str(home / "ledger.db"))
    append(ledger, *events)
    ledger.store.close()


def recorded(home: Path) -> list[str]:
    """Return the types of the events since the home was made."""
    ledger = open_existing(str(home / "ledger.db"))
    types = [event.type for seq in range(3, ledger.store.head().seq + 1) for event in ledger.store.txn_events(seq)]
    ledger.store.close()
    return types


def spoil_index(home: Path) -> None:
    """Write noise over the file of the index."""
    path = current_file(str(home / "index"))
    assert path is not None
    with open(path, "r+b") as file:
        file.write(os.urandom(os.path.getsize(path)))


def there_is(home: Path, number: int) -> bool:
    """Tell whether a run has its directory among the live ones."""
    return (home / "runs" / run_id(number)).exists()


def test_runs_are_deleted_after_a_question_and_brought_back(home: Path) -> None:
    """By plan, preview, prompt and undo of the commands: only y goes on; z takes back, Z does it again."""

    async def look(at: Driven) -> None:
        await at.to(run_id(3))
        await at.press("space", "space", "d")
        assert isinstance(at.app.screen, Confirm)
        assert run_id(3)[:8] in at.text("#runs")
        assert "2 run(s)" in at.text("#question")
        await at.press("n")
        assert at.said("status").startswith(" Nothing was changed")
        assert at.count() == RUNS
        await at.press("d", "y")
        assert at.count() == RUNS - 2
        assert at.said("status").startswith(" Deleted 2 run(s)   z: undo")
        assert not there_is(home, 3)
        await at.press("b")
        assert at.count() == 2
        assert at.said("title").startswith(" guild compare  2 deleted runs")
        await at.press("b", "z")
        assert at.count() == RUNS
        assert there_is(home, 3)
        await at.press("Z")
        assert at.count() == RUNS - 2
        await at.press("b", "a", "R", "y")
        assert at.count() == 0
        await at.press("b", "z", "z")
        assert at.count() == RUNS

    driven(home, look)
    assert recorded(home).count("run.deleted") == 6


def test_runs_are_labelled_tagged_marked_and_commented(home: Path) -> None:
    """The run under the cursor at once, several after a question; all of it is in the ledger."""

    async def look(at: Driven) -> None:
        await at.to(run_id(4))
        await at.type("l", "best so far", "enter")
        assert at.label() == "best so far"
        await at.type("t", "good, draft,-other", "enter")
        assert "Nothing to change" not in at.said("status")
        await at.type("t", "-draft", "enter")
        await at.press("m")
        assert at.line(at.app.sheet.row - at.app.grid.top + 1).startswith(" ★")
        await at.type("#", "to be repeated", "enter")
        await at.press("i")
        info = at.text("#details")
        assert "best so far" in info
        assert "to be repeated" in info
        assert "good\n" in info
        await at.press("escape", "z", "m", "z", "a")
        await at.type("l", "all of them", "enter")
        await at.press("y")
        assert {line.row.label for line in at.app.sheet.lines.values()} == {"all of them"}

    driven(home, look)
    types = recorded(home)
    assert types.count("run.labeled") == 1 + RUNS
    assert types.count("run.tagged") == 2
    assert types.count("run.commented") == 1
    assert types.count("run.comment_withdrawn") == 1


def test_what_others_do_is_followed_and_the_cursor_stays_on_its_run(home: Path) -> None:
    """New runs stand above, columns of new scalars come in, what others delete goes."""

    async def look(at: Driven) -> None:
        at.app.grid.to_row(at.ids().index(run_id(5)))
        await at.settle()
        happened(home, *run_events(NEWEST), happens(5, RunLabeled(label="seen")))
        await at.look_again()
        assert at.count() == RUNS + 1
        assert at.ids()[0] == run_id(NEWEST)
        assert at.ids()[at.app.sheet.row] == run_id(5)
        assert at.label() == "seen"
        happened(home, happens(1, RunDeleted()), happens(NEWEST, RunDeleted()))
        await at.look_again()
        assert at.count() == RUNS - 1
        assert at.ids()[at.app.sheet.row] == run_id(5)
        summary = {"first": [1, 0], "last": [3, 1], "min": [1, 0], "max": [3, 1], "mean": 2, "count": 2}
        happened(home, happens(5, RunScalarsRecorded(scalars={"f1": summary})))  # type: ignore[dict-item]
        await at.look_again()
        assert at.headers()[-1] == "f1"
        await at.press("ctrl+right")
        assert at.said("status").startswith(f" {run_id(5)[:8]} f1 3")

    driven(home, look)


def test_a_run_that_runs_is_seen_running(home: Path) -> None:
    """With the time that it has taken until now, which grows without a word from the ledger."""
    lease = Lease.acquire(str(home / "leases" / run_id(NEWEST)), LeaseRecord("boot", 1, 2, "box"))
    assert lease is not None

    async def look(at: Driven) -> None:
        happened(home, started(NEWEST))
        await at.look_again()
        row = next(line for line in map(at.line, range(1, 5)) if run_id(NEWEST)[:8] in line)
        assert re.search(r"\ds  running ", row), row

    driven(home, look)
    lease.release(remove=True)


def test_a_ledger_that_vanishes_is_told_and_not_replaced(home: Path, tmp_path: Path) -> None:
    """What was read stays to be seen; when it is there again, all goes on."""

    async def look(at: Driven) -> None:
        os.rename(home, tmp_path / "away")
        await at.look_again()
        assert "ledger.db' is gone" in at.said("title")
        await at.press("ctrl+right", "s", "d", "f", "escape")
        assert "gone" in at.said("title")
        assert at.count() == RUNS
        os.rename(tmp_path / "away", home)
        await at.look_again()
        assert "live" in at.said("title")
        await at.type("l", "again", "enter")
        assert at.label() == "again"

    driven(home, look)


def test_an_index_that_is_damaged_or_removed_is_made_anew(home: Path) -> None:
    """In the middle of a look, without a word about it."""

    async def look(at: Driven) -> None:
        spoil_index(home)
        happened(home, *run_events(NEWEST))
        await at.press("ctrl+right", "s", "r")
        await at.look_again()
        assert at.count() == RUNS + 1
        shutil.rmtree(home / "index")
        await at.press("r", "s")
        assert at.count() == RUNS + 1
        assert "live" in at.said("title")

    driven(home, look)


def test_an_empty_home_waits_for_its_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key does harm in a table without rows."""
    monkeypatch.delenv("GUILD_LEDGER", raising=False)
    home = make_home(tmp_path / "home", 0)

    async def look(at: Driven) -> None:
        assert any("No runs yet" in at.line(row) for row in range(1, 20))
        await at.press(*"smdzZpDinNuhbbR<>ya", "end", "pagedown", "space", "escape")
        assert at.count() == 0
        happened(home, *run_events(0))
        await at.look_again()
        assert at.ids() == [run_id(0)]

    driven(home, look)


def test_who_did_it_is_recorded_as_of_every_command(home: Path) -> None:
    """The log tells it like anything else that was done to runs."""

    async def look(at: Driven) -> None:
        await at.press("m")

    driven(home, look)
    ledger = open_existing(str(home / "ledger.db"))
    last = ledger.store.txn(ledger.store.head().seq)
    ledger.store.close()
    assert last is not None
    assert json.loads(last.header or b"{}")["argv"] == ["guild", "compare"]
