"""`guild check` from outside: each thing that can be wrong with a home is found, has a remedy, is mended if safe."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifacts.checking_home import file_system
from artifacts.lease import Lease, LeaseRecord
from projections.files import current_file
from tests.cli_kit import Guild, copied
from tests.cli_limits import like_any_user

STRANGER = "ab" * 16
DAYS = 86_400


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command with a home that has runs; 0 to 3 of `iris` are live, the oldest one is deleted."""
    guild = copied(tmp_path_factory, tmp_path)
    guild.ok("runs", "rm", "4", "-y")
    return guild


def found(guild: Guild, *args: str, code: int = 0) -> list[dict[str, Any]]:
    """Return the findings, which must have that exit code."""
    import json

    result = guild("check", "--json", *args)
    assert result.code == code, result
    report = json.loads(result.out)
    assert report["ok"] is (code == 0)
    findings: list[dict[str, Any]] = report["findings"]
    assert all(one["remedy"] for one in findings)
    return findings


def test_a_home_that_is_in_order(guild: Guild) -> None:
    """Code 0, no findings, and what there is: ledger, index, runs by place, bytes by what uses them."""
    text = guild.ok("check")
    assert text.splitlines()[-1] == "The home is in order."
    assert "index: equals a fresh replay" in text
    assert "runs: 5 live, 1 deleted, 0 purging, 0 purged" in text
    report = guild.json("check")
    assert (report["ok"], report["findings"], report["dropped"]) == (True, [], 0)
    assert report["runs"] == {"live": 5, "deleted": 1, "purging": 0, "purged": 0}
    sizes = [path.lstat().st_size for path in (guild.home / "runs").rglob("*") if path.is_file()]
    assert report["disk"]["runs"] == sum(sizes) > 0
    assert report["disk"]["ledger"] >= (guild.home / "ledger.db").stat().st_size
    assert report["file_system"] == file_system(str(guild.home))
    assert report["head_hash"] in guild.ok("ledger", "verify")


def test_a_check_changes_nothing(guild: Guild) -> None:
    """Neither the ledger nor a run directory, whatever is found."""
    (guild.home / "runs" / STRANGER).mkdir()
    os.rename(guild.home / "runs" / guild.ids()[0], guild.home / "trash" / guild.ids()[0])
    state = guild.state()
    assert guild("check").code == 3
    assert guild.state() == state


def test_where_there_is_no_home_there_is_nothing_to_check(tmp_path: Path) -> None:
    """And none is made by looking."""
    guild = Guild(tmp_path / "home", tmp_path)
    assert "nothing to check" in guild.ok("check")
    assert guild.json("check") == {"ok": True, "findings": []}
    (tmp_path / "home").mkdir()
    assert "there is no ledger yet" in guild.ok("check")
    assert os.listdir(tmp_path / "home") == []
    guild.ok("check", "--repair")
    assert set(os.listdir(tmp_path / "home")) == {"index", "leases", "runs", "trash", "purging", "sources"}


# --- What is found; what is mended ------------------------------------------------------------------------------------


def _misplaced(guild: Guild) -> None:
    run = guild.ids()[0]
    os.rename(guild.home / "runs" / run, guild.home / "trash" / run)


def _deleted_but_live(guild: Guild) -> None:
    run = guild.ids("-d")[0]
    os.rename(guild.home / "trash" / run, guild.home / "runs" / run)


def _index_garbage(guild: Guild) -> None:
    Path(str(current_file(str(guild.home / "index")))).write_bytes(b"garbage" * 999)


def _index_altered(guild: Guild) -> None:
    with closing(sqlite3.connect(str(current_file(str(guild.home / "index"))))) as database:
        database.execute("UPDATE run SET label = 'altered'")
        database.commit()


def _purge_is_back(guild: Guild) -> None:
    run = guild.ids("-d")[0]
    shutil.copytree(guild.home / "trash" / run, guild.home / "copy")
    guild.ok("runs", "purge", "-y")
    os.rename(guild.home / "copy", guild.home / "purging" / run)


PROBLEMS: dict[str, tuple[Callable[[Guild], None], str]] = {
    "misplaced": (_misplaced, "is live, but its directory is in trash/"),
    "in runs though deleted": (_deleted_but_live, "is deleted, but its directory is in runs/"),
    "index is garbage": (_index_garbage, "it is not what the ledger gives: file is not a database"),
    "index has another value": (_index_altered, "the index has"),
    "purged run is back": (_purge_is_back, "a part of the purged run"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_found_and_mended(guild: Guild, name: str) -> None:
    """Code 3 until it is repaired; what was done is said; a second repair has nothing to do."""
    break_it, says = PROBLEMS[name]
    expected = guild.ok("runs", "-a")
    trees = guild.tree()
    break_it(guild)
    (one,) = found(guild, code=3)
    assert says in one["what"]
    assert (one["level"], one["repairable"], one["repaired"]) == ("problem", True, None)
    (one,) = found(guild, "--repair")
    assert one["repaired"] is True
    assert found(guild, "--repair") == found(guild) == []
    assert guild.ok("runs", "-a") == expected
    assert guild.tree() == (trees if name != "purged run is back" else {path for path in trees if "trash" not in path})


def _lease(guild: Guild) -> Path:
    (guild.home / "leases" / STRANGER).write_text("")
    return guild.home / "leases" / STRANGER


def _new_ledger(guild: Guild) -> Path:
    (guild.home / "ledger.db-new").write_text("half")
    return guild.home / "ledger.db-new"


def _backup(guild: Guild) -> Path:
    (guild.home / "ledger.db.backup-unfinished").write_text("half")
    return guild.home / "ledger.db.backup-unfinished"


def _building(guild: Guild) -> Path:
    (guild.home / "index/.building.db").write_text("half")
    return guild.home / "index/.building.db"


def _older_index(guild: Guild) -> Path:
    current = Path(str(current_file(str(guild.home / "index"))))
    shutil.copy(current, current.with_name(current.name.replace(".1.db", ".2.db")))
    return current


def _snapshot(guild: Guild) -> Path:
    folder = guild.home / "sources/.new-0123"
    folder.mkdir()
    (folder / "file").write_text("half")
    os.utime(folder, (time.time() - 2 * DAYS,) * 2)
    return folder


def _count(guild: Guild) -> Path:
    run = guild.ids("-d")[0]
    guild.ok("runs", "purge", "-y")
    (guild.home / "purging" / f"{run}.count").write_text("1 1 \n")
    return guild.home / "purging" / f"{run}.count"


def _no_folder(guild: Guild) -> Path:
    (guild.home / "purging").rmdir()
    return guild.home / "purging"


@pytest.mark.parametrize(
    "leave", [_lease, _new_ledger, _backup, _building, _older_index, _snapshot, _count, _no_folder]
)
def test_what_a_killed_command_left_is_a_note_and_removed(guild: Guild, leave: Callable[[Guild], Path]) -> None:
    """It is harmless, so the code is 0; a repair removes it, and nothing else."""
    path = leave(guild)
    before = guild.ok("runs", "-a")
    (one,) = found(guild)
    assert (one["level"], one["path"], one["repairable"]) == ("note", str(path), True)
    (one,) = found(guild, "--repair")
    assert one["repaired"] is True
    assert path.exists() is (leave is _no_folder)
    assert found(guild) == []
    assert guild.ok("runs", "-a") == before


def test_how_an_unknown_run_ended_is_kept(guild: Guild) -> None:
    """A backup took the ledger's place while it was running: its lease alone says how it ended."""
    path = guild.home / "leases" / STRANGER
    lease = Lease.acquire(str(path), LeaseRecord("boot", 1, 2, "box", exit_status=0, ended_at=5))
    assert lease is not None
    lease.release(remove=False)
    (one,) = found(guild, "--repair")
    assert (one["level"], one["path"], one["repairable"]) == ("note", str(path), False)
    assert "ended" in one["what"]
    assert path.exists()


def _orphan(guild: Guild) -> Path:
    (guild.home / "runs" / STRANGER).mkdir()
    (guild.home / "runs" / STRANGER / "model").write_text("precious")
    return guild.home / "runs" / STRANGER


def _orphan_in_purging(guild: Guild) -> Path:
    os.rename(_orphan(guild), guild.home / "purging" / STRANGER)
    return guild.home / "purging" / STRANGER


def _missing(guild: Guild) -> Path:
    run = guild.ids()[0]
    shutil.rmtree(guild.home / "runs" / run)
    return guild.home / "runs" / run


def _twice(guild: Guild) -> Path:
    run = guild.ids()[0]
    shutil.copytree(guild.home / "runs" / run, guild.home / "trash" / run)
    return guild.home / "trash" / run


def _purged_in_runs(guild: Guild) -> Path:
    run = guild.ids("-d")[0]
    guild.ok("runs", "purge", "-y")
    (guild.home / "runs" / run).mkdir()
    return guild.home / "runs" / run


@pytest.mark.parametrize("break_it", [_orphan, _orphan_in_purging, _missing, _twice, _purged_in_runs])
def test_what_the_ledger_does_not_explain_is_told_and_left_alone(
    guild: Guild, break_it: Callable[[Guild], Path]
) -> None:
    """Code 3 with a remedy; a repair neither moves nor removes it, however often it is asked."""
    path = break_it(guild)
    state = guild.state()
    for args in ((), ("--repair",), ("--repair",)):
        (one,) = found(guild, *args, code=3)
        assert (one["path"], one["repairable"], one["repaired"]) == (str(path), False, None)
    assert guild.state() == state


def test_strangers_among_the_runs_are_notes(guild: Guild) -> None:
    """A file that no run is called, a lease that is none, the index of another version: told, and left alone."""
    paths = [guild.home / "runs/notes.txt", guild.home / "leases/mine", guild.home / "index/0123456789ab.1.db"]
    for path in paths:
        path.write_text("mine")
    for args in ((), ("--repair",)):
        assert [(one["level"], one["path"]) for one in found(guild, *args)] == [("note", str(path)) for path in paths]
    assert [path.read_text() for path in paths] == ["mine"] * 3


def test_a_run_whose_end_nobody_recorded(guild: Guild, tmp_path: Path) -> None:
    """Its supervisor was killed: found, and recorded by a repair, as any command that lists runs does."""
    (tmp_path / "wait.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    process = guild.at(tmp_path).start("run", "wait.py", "-y")  # the project is that of all tests
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert found(guild) == []
    process.kill()
    process.communicate()
    (one,) = found(guild, code=3)
    assert "is over, and its end is not recorded" in one["what"]
    (one,) = found(guild, "--repair")
    assert one["repaired"] is True
    assert found(guild) == []
    assert guild.rows("-a")[0].status == "terminated"


def test_a_purge_that_could_not_be_finished(guild: Guild) -> None:
    """Found while something is in the way, and gone on with when it is not."""
    run = guild.ids("-d")[0]
    (guild.home / "purging").chmod(0o500)
    bound = replace(guild, prepare=like_any_user)
    assert bound("runs", "purge", "-y").code == 1
    problems = [one["what"] for one in found(bound, code=3)]
    assert f"the removal of run {run[:8]} is unfinished" in problems
    assert "you may not write in this folder" in problems
    (guild.home / "purging").chmod(0o700)
    (one,) = found(guild, "--repair")
    assert one["repaired"] is True
    assert found(guild) == []
    assert not (guild.home / "trash" / run).exists()


@pytest.mark.parametrize("folder", ["runs", "trash", "purging", "index", "leases", "sources"])
def test_a_file_in_the_place_of_a_folder_is_one_problem(guild: Guild, folder: str) -> None:
    """It is named with its remedy, whether asked to repair or not, and nothing of the run is said to be lost."""
    if (guild.home / folder).exists():
        os.rename(guild.home / folder, guild.home / "aside")
    (guild.home / folder).write_text("no folder")
    for args in ((), ("--repair",)):
        wrong = [one for one in found(guild, *args, code=3) if one["level"] == "problem"]
        assert [(one["what"], one["path"]) for one in wrong] == [
            ("this should be a folder", str(guild.home / folder))
        ], args
