"""`guild check` and `runs purge` where the files of runs are in another home: nothing is claimed that is not so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli_kit import Guild, copied
from tests.test_check import found


@pytest.fixture
def original(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command with a home that has six live runs and all their files."""
    return copied(tmp_path_factory, tmp_path)


@pytest.fixture
def guild(original: Guild) -> Guild:
    """Give the command with a home that has the same ledger by import, and no run directory."""
    path = original.home.parent / "x.jsonl"
    original.ok("ledger", "export", str(path))
    guild = replace(original, home=original.home.parent / "imported")
    guild.ok("ledger", "import", str(path))
    return guild


def findings(guild: Guild, *args: str, code: int = 0) -> list[dict[str, Any]]:
    """Return what a check finds, apart from folders that are not made yet."""
    return [one for one in found(guild, *args, code=code) if one["area"] != "home"]


def test_runs_whose_files_are_in_another_home_are_counted(guild: Guild, original: Guild) -> None:
    """In a note that says what to copy, and that is gone when it was copied."""
    (one,) = findings(guild)
    assert (one["level"], one["what"]) == (
        "note",
        "6 runs were started in another home, and have no directory here",
    )
    shutil.rmtree(guild.home / "runs", ignore_errors=True)
    shutil.copytree(original.home / "runs", guild.home / "runs")
    assert findings(guild) == []


def test_a_purge_of_files_that_are_elsewhere_does_not_claim_to_be_done(guild: Guild) -> None:
    """It says that it is recorded and unfinished, and so does the check."""
    run = guild.ids()[0]
    guild.ok("runs", "rm", "0", "-y")
    result = guild("runs", "purge", "0", "-y")
    assert (result.code, result.out) == (0, "")
    assert "the purge of 1 run(s) is recorded, but not finished: their files are in another home" in result.err
    (one,) = [one for one in findings(guild) if one["run"] == run]
    assert (one["level"], one["what"]) == (
        "note",
        f"the removal of run {run[:8]} is unfinished: its files are in another home",
    )


def test_a_purge_is_finished_when_the_files_are_copied_in(guild: Guild, original: Guild) -> None:
    """What lies in runs/ of a run being purged is a problem, which a repair mends: its files are removed."""
    run = guild.ids()[0]
    guild.ok("runs", "rm", "0", "-y")
    guild("runs", "purge", "0", "-y")
    shutil.rmtree(guild.home / "runs")
    shutil.copytree(original.home / "runs", guild.home / "runs")
    (one,) = findings(guild, code=3)
    assert (one["what"], one["path"]) == (
        f"the removal of run {run[:8]} is unfinished",
        str(guild.home / "runs" / run),
    )
    assert [one["repaired"] for one in findings(guild, "--repair")] == [True]
    assert not (guild.home / "runs" / run).exists()
    assert findings(guild) == []
    assert guild.json("check")["runs"] == {"live": 5, "deleted": 0, "purging": 0, "purged": 1}
