"""`guild ledger merge`: two machines' histories become one, and run directories follow only where they are."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.events.start import RunStarted
from ledger.ids import Clock, run_stream, system_clock
from ledger.opening import open_existing
from ledger.transaction import Header, NewEvent, Transaction
from tests.cli_kit import Guild, damage, make_project
from tests.kit import run_id
from tests.test_docs_format import verified


@pytest.fixture(name="made", scope="module")
def made_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Guild]:
    """Give the homes of two machines, one with two runs, the other with a labelled and a deleted one, to be copied."""
    folder = tmp_path_factory.mktemp("machines")
    project = make_project(folder / "project", "{name: m, operations: {train: {cmd: work, flags: {size: 0}}}}\n")
    made = {name: Guild(folder / name, project) for name in ("near", "far")}
    for name, guild in made.items():
        guild.ok("run", "train", "size=1", "-l", name, "-y")
        guild.ok("run", "train", "size=2", "-y")
    made["far"].ok("runs", "rm", "0", "-y")
    return made


@pytest.fixture
def here(made: dict[str, Guild], tmp_path: Path) -> Guild:
    """Give this machine's home, with two runs: five transactions."""
    shutil.copytree(made["near"].home, tmp_path / "home")
    return replace(made["near"], home=tmp_path / "home")


@pytest.fixture
def there(made: dict[str, Guild], tmp_path: Path) -> Guild:
    """Give the other machine's home: six transactions."""
    shutil.copytree(made["far"].home, tmp_path / "there")
    return replace(made["far"], home=tmp_path / "there")


def merge(guild: Guild, other: Path, *options: str) -> str:
    """Merge, which must succeed; return what was printed."""
    return guild.ok("ledger", "merge", str(other), "-y", *options)


def record(guild: Guild, event: NewEvent, clock: Clock = system_clock) -> None:
    """Append an event as a command on another host would."""
    ledger = open_existing(str(guild.home / "ledger.db"), clock=clock)
    header = Header(actor="bob", host="laptop", argv=("guild", "run", "x"), cwd="/", program="guild-ledger")
    ledger.append(Transaction(header, (event,)))
    ledger.store.close()


def test_the_runs_of_both_machines_are_listed(here: Guild, there: Guild) -> None:
    """A dry run changes nothing; after the merge both homes list the same, and all checks are content."""
    before = here.state()
    told = here("ledger", "merge", str(there.home), "--dry-run")
    assert told.code == 0
    assert "To be merged: 6 transactions, 6 events, 2 new run(s):" in told.out
    assert "Nothing was changed (--dry-run)." in told.err
    assert here.state() == before
    answer = here("ledger", "merge", str(there.home), stdin="n\n")
    assert (answer.code, here.state()) == (0, before)
    merged = here("ledger", "merge", str(there.home), "-y")
    assert "Merged 6 transactions" in merged.out
    assert "--artifacts copies them" in merged.err
    assert [row.label for row in here.rows("--all") if row.label == "far"] == ["far"]
    assert merge(here, there.home) == "Nothing to merge: all that the other ledger holds is here.\n"
    merge(there, here.home)
    assert there.ids("--all") == here.ids("--all")
    check = here("check")
    assert (check.code, "2 runs were started in another home" in check.out) == (0, True)
    assert there("check").code == 0
    assert here("ledger", "verify").code == 0
    assert verified(str(here.home / "ledger.db"))[0] == 0


def test_what_was_done_elsewhere_is_told_with_its_host(here: Guild, there: Guild) -> None:
    """The log and the history name who and where; the record of the merge says what came of whom."""
    name = there.ids()[0]
    event = RunStarted("/p", None, "m", "train", ("x",), {}, evidence={"host": os.uname().nodename, "pid": 1})
    record(there, NewEvent(run_stream(run_id(7)), event))
    told = json.loads(here.ok("ledger", "merge", str(there.home), "-y", "--json"))
    assert {key: told[key] for key in ("dry_run", "transactions", "runs", "forks", "removed", "left", "failed")} == {
        "dry_run": False, "transactions": 7, "runs": 3, "forks": [], "removed": [], "left": [], "failed": [],
    }  # fmt: skip
    assert told["origins"][0]["first"] == 1
    assert "bob@laptop  started" in here.ok("log", "--run", run_id(7))
    lines = [json.loads(line) for line in here.ok("log", "--json", "-n", "2").splitlines()]
    assert [line["origin_id"] == told["origins"][0]["origin_id"] for line in lines] == [False, True]
    assert "merged transactions 1 to 7 of " in here.ok("log", "-n", "1")
    assert "started" in here.ok("history", name)
    assert [run["status"] for run in here.json("runs", "list", "--all") if run["id"] == run_id(7)] == ["running"]
    assert "cannot be stopped from here" in here.refused("stop", run_id(7), "--all", "-y")
    assert here("check").code == 0
    here.refused("undo", str(told["seq"]), "-y")


def test_run_directories_are_copied_when_asked_for(here: Guild, there: Guild) -> None:
    """To where they belong, with their sources; the other home keeps its own, and a second time there is nothing."""
    one, gone = there.ids()[0], there.ids("--deleted")[0]
    merge(here, there.home)
    assert "no directory in this home" in here.refused("ls", one)
    assert "Copied the files of 2 run(s)" in merge(here, there.home, "--artifacts")
    for folder, name in (("runs", one), ("trash", gone)):
        files = sorted(path.relative_to(there.home) for path in (there.home / folder / name).rglob("*"))
        assert sorted(path.relative_to(here.home) for path in (here.home / folder / name).rglob("*")) == files
    assert {*os.listdir(there.home / "sources")} <= {*os.listdir(here.home / "sources")}
    assert "Copied the files of 0 run(s)" in merge(here, there.home, "--artifacts")
    assert os.listdir(here.home / "importing") == []
    here.ok("runs", "restore", gone, "-y")
    here.ok("runs", "rm", one, "-y")
    assert (here.home / "runs" / gone).is_dir()
    assert (here.home / "trash" / one).is_dir()
    assert here("check").code == 0


def test_a_run_without_files_here_is_deleted_restored_and_purged(here: Guild, there: Guild) -> None:
    """Its files follow in the home that has them, as soon as that one knows, and not before it was told so."""
    one, gone = there.ids()[0], there.ids("--deleted")[0]
    merge(here, there.home)
    here.ok("runs", "rm", one, "-y")
    here.ok("runs", "restore", gone, "-y")
    here.ok("runs", "rm", gone, "-y")
    purged = here("runs", "purge", gone, "-y")
    assert (purged.code, "their files are in another home" in purged.err) == (0, True)
    assert here("check").code == 0
    told = there("ledger", "merge", str(here.home), "--dry-run")
    assert f"run {gone[:8]}: removed for good over there; the files here go too" in told.err
    assert (there.home / "trash" / gone).is_dir()
    assert "Removed for good: 1 run(s)" in merge(there, here.home)
    assert sorted(os.listdir(there.home / "trash")) == [one]
    merge(here, there.home)
    assert here.ids("--deleted") == there.ids("--deleted") == [one]
    assert "purged" in here.ok("history", gone)
    assert there("check").code == 0


def test_files_that_a_merged_purge_does_not_concern_stay_and_are_told(here: Guild, there: Guild) -> None:
    """Who has copied them and purged there, has purged the copies: these files are for their owner to remove."""
    one = there.ids()[0]
    merge(here, there.home, "--artifacts")
    here.ok("runs", "rm", "-p", one, "-y")
    told = there("ledger", "merge", str(here.home), "-y")
    assert "the files that are here stay" in told.err
    assert (there.home / "runs" / one).is_dir()
    check = there("check")
    assert (check.code, "is purged, but its directory is in runs/" in check.out) == (3, True)


def test_a_copied_home_is_a_fork_with_a_way_out(here: Guild, tmp_path: Path) -> None:
    """Refused with the point where they parted; with --fork-as-new all that both did is there, once."""
    shutil.copytree(here.home, tmp_path / "copy")
    copy = replace(here, home=tmp_path / "copy")
    here.ok("label", "0", "one", "-y")
    copy.ok("label", "0", "two", "-y")
    copy.ok("run", "train", "-y")
    before = here.state()
    refused = here("ledger", "merge", str(copy.home), "-y")
    assert refused.code == 1
    assert "are the same up to its transaction 5 of " in refused.err
    assert "this one has 1 of its own, and the other one 3" in refused.err
    assert "--fork-as-new" in refused.err
    assert here.state() == before
    told = json.loads(merge(here, copy.home, "--fork-as-new", "--artifacts", "--json"))
    assert (told["transactions"], told["runs"], told["directories"]) == (3, 1, 1)
    assert [(fork["common"], fork["here"], fork["there"]) for fork in told["forks"]] == [(5, 1, 3)]
    assert "Nothing to merge" in merge(here, copy.home, "--fork-as-new")
    assert here("check").code == 0
    merge(copy, here.home, "--fork-as-new")
    assert here.ids() == copy.ids()
    assert here.rows()[1].label == copy.rows()[1].label == "two"


def test_a_secret_that_was_redacted_over_there_leaves_no_byte_here(here: Guild, there: Guild) -> None:
    """What had been merged before is emptied and wiped with the merge that tells of it."""
    name = there.ids()[0]
    merge(here, there.home)
    there.ok("ledger", "redact", name, "--reason", "typed", "-y")
    assert b'"far"' in (here.home / "ledger.db").read_bytes()
    merged = here("ledger", "merge", str(there.home), "-y")
    assert "were emptied" in merged.err
    assert b'"far"' not in (here.home / "ledger.db").read_bytes()
    assert not (here.home / "ledger.db-unwiped").exists()
    assert here("ledger", "verify").code == 0


def test_an_export_is_merged_too_and_a_merged_ledger_exported(here: Guild, there: Guild, tmp_path: Path) -> None:
    """The same as from the home; what was merged is imported elsewhere, and continued there."""
    there.ok("ledger", "export", str(tmp_path / "far.jsonl"))
    merge(here, tmp_path / "far.jsonl")
    here.ok("ledger", "export", str(tmp_path / "both.jsonl"))
    copy = replace(here, home=tmp_path / "imported")
    copy.ok("ledger", "import", str(tmp_path / "both.jsonl"))
    assert copy.ids("--all") == here.ids("--all")
    here.ok("label", "0", "later", "-y")
    (tmp_path / "both.jsonl").unlink()
    here.ok("ledger", "export", str(tmp_path / "both.jsonl"))
    assert copy.ok("ledger", "import", str(tmp_path / "both.jsonl")).startswith("Imported 1 transactions")


def test_what_cannot_be_merged_is_refused_with_nothing_changed(here: Guild, there: Guild, tmp_path: Path) -> None:
    """No ledger, this very one, a damaged one, no answer; and options that do not fit."""
    before = here.state()
    (tmp_path / "empty").mkdir()
    assert "there is no ledger in" in here.refused("ledger", "merge", str(tmp_path / "empty"), "-y")
    assert "of this very home" in here.refused("ledger", "merge", str(here.home), "-y")
    assert "the input ended" in here.refused("ledger", "merge", str(there.home))
    assert here("ledger", "merge", str(there.home), "--json").code == 2
    assert here("ledger", "merge", str(there.home / "ledger.db"), "--artifacts", "-y").code == 2
    assert here("ledger", "merge", str(tmp_path / "none"), "-y").code == 2
    statement = "UPDATE event SET body = CAST(replace(body, 'far', 'fat') AS BLOB)"
    damage(there.home / "ledger.db", [statement])
    broken = here("ledger", "merge", str(there.home), "-y")
    assert (broken.code, "the other ledger is not whole" in broken.err) == (3, True)
    assert here.state() == before
    nowhere = replace(here, home=tmp_path / "nowhere")
    nowhere.refused("ledger", "merge", str(here.home), "--dry-run")
    assert not nowhere.home.exists()


def test_history_from_the_future_needs_force(here: Guild, there: Guild) -> None:
    """A clock that is ahead is told of; what is recorded after such a merge is later still."""
    event = RunStarted("/p", None, "m", "train", ("x",), {})
    record(there, NewEvent(run_stream(run_id(8)), event), clock=lambda: 4_000_000_000_000_000)
    assert "ahead of this machine's clock" in here.refused("ledger", "merge", str(there.home), "-y")
    merge(here, there.home, "--force")
    here.ok("label", "0", "after", "-y")
    assert here.json("runs", "list")[0]["label"] == "after"
