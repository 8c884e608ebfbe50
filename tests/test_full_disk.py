"""A disk without a byte left: what is there can be looked at, nothing is recorded, and room can be made.

Where no disk may be mounted a limit on the size of files stands in; what differs then is said where it does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project
from tests.cli_limits import SmallDisk, small_disk

SAYS = "The disk of the home is full: what is there can be looked at, nothing can be recorded.\n"
READING = (
    ["runs"],
    ["runs", "-d"],
    ["runs", "--json"],
    ["runs", "list", "first", "-v"],
    ["runs", "-F", "status = completed"],
    ["runs", "info"],
    ["runs", "info", "1", "--json"],
    ["log"],
    ["log", "--json"],
    ["ls", "0", "--all-files"],
    ["cat", "0", "--output"],
    ["select"],
    ["ledger", "verify"],
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a disk of a few megabytes."""
    yield from small_disk(tmp_path)


@pytest.fixture
def guild(disk: SmallDisk, tmp_path: Path) -> Guild:
    """Give the command with a home on it that has three runs, the oldest one deleted."""
    guild = Guild(disk.folder / "home", make_project(tmp_path / "iris"), prepare=disk.enter)
    for label in ("last", "first", "second"):
        guild.ok("run", "iris-svm:train", "-l", label, "-y")
    guild.ok("runs", "rm", "2", "-y")
    guild.ok("runs")
    return guild


def without_note(err: str) -> str:
    """Return what was said besides the line about the disk, which must have been said once."""
    assert err.count(SAYS) == 1, err
    return err.replace(SAYS, "")


def test_what_is_there_can_be_looked_at(guild: Guild, disk: SmallDisk) -> None:
    """Every reading command answers as before; one line on stderr says that nothing can be recorded."""
    expected = {tuple(args): guild(*args) for args in READING}
    disk.fill()
    full = replace(guild, prepare=disk.full())
    for args in READING:
        result, before = full(*args), expected[tuple(args)]
        assert result.code == 0, result
        assert without_note(result.err) == before.err
        if args != ["ledger", "verify"]:
            assert result.out == before.out, args
    assert full("runs").out.count("\n") == 2


def test_nothing_is_recorded(guild: Guild, disk: SmallDisk) -> None:
    """A change is refused whole and says why; afterwards everything is as it was."""
    rows, log = guild.rows(), guild.ok("log", "--json")
    disk.fill()
    full = replace(guild, prepare=disk.full())
    for args in (["label", "0", "x"], ["runs", "rm", "0", "-y"], ["runs", "restore", "-y"], ["mark", "0"]):
        error = full.refused(*args)
        assert "no space left on the disk" in error
        assert "the folder 'index' of the home may be removed" in error
    disk.free()
    assert (guild.rows(), guild.ok("log", "--json")) == (rows, log)
    guild.ok("label", "0", "x")


def test_a_full_disk_is_found_by_the_check(guild: Guild, disk: SmallDisk) -> None:
    """It is a problem with a remedy; the rest is looked at all the same, the index compared as it is."""
    disk.must_be_one()
    disk.fill()
    result = guild("check")
    assert result.code == 3
    assert "PROBLEM  home: the disk is full" in result.out
    assert "index: equals a fresh replay" in result.out
    assert result.out.count("PROBLEM") == 1
    disk.free()
    guild.ok("check")


def test_an_index_that_cannot_be_kept_is_made_in_memory(guild: Guild, disk: SmallDisk) -> None:
    """Missing, broken or behind: the answers are those from before."""
    expected = guild.ok("runs")
    inside = disk.outside / "home"
    for state in ("behind", "broken", "missing"):
        if state == "behind":
            kept = {path.name: path.read_bytes() for path in (inside / "index").glob("*.db")}
            guild.ok("label", "0", "third", "-y")
            expected = guild.ok("runs")
            for name, content in kept.items():
                (inside / "index" / name).write_bytes(content)
        elif state == "broken":
            for path in (inside / "index").glob("*.db"):
                path.write_bytes(b"garbage" * (path.stat().st_size // 7))
        disk.fill()
        if state == "missing":
            disk.free()
            shutil.rmtree(inside / "index")
            disk.fill()
        full = replace(guild, prepare=disk.full())
        result = full("runs")
        assert (result.code, result.out) == (0, expected), (state, result)
        assert without_note(result.err)
        disk.free()


def test_room_can_be_made_by_removing_the_index_and_purging(guild: Guild, disk: SmallDisk) -> None:
    """What the error advises is enough: the run is purged although nothing else was freed."""
    disk.must_be_one()
    guild.ok("label", "0", "x" * 60_000)  # else the index would be smaller than what SQLite takes for its log
    guild.ok("runs")
    disk.fill()
    assert guild("runs", "purge", "-y").code == 1
    shutil.rmtree(disk.outside / "home/index")
    guild.ok("runs", "purge", "-y")
    assert os.listdir(disk.outside / "home/trash") == []
    disk.free()
    assert len(guild.rows()) == 2
    guild.ok("check")
