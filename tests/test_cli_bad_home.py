"""Homes that cannot be used, entered, made or written, and disks that are full: each is told, and nothing is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commands.app import make_app
from ledger.errors import GuildError
from tests.bad_home_kit import EVERY_COMMAND, SOME_COMMANDS
from tests.cli_kit import Guild, make_project, operation, project_of
from tests.cli_limits import SmallDisk, like_any_user, limit_file_size, small_disk
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a disk of a few megabytes."""
    yield from small_disk(tmp_path)


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link"])
def test_a_home_that_is_no_folder(tmp_path: Path, kind: str) -> None:
    """Every command names what stands in the way and how to choose another home."""
    wrong = tmp_path / "wrong"
    if kind == "dangling link":
        wrong.symlink_to(tmp_path / "none")
    else:
        wrong.write_text("mine")
    home = wrong / "home" if kind == "below a file" else wrong
    guild = Guild(home, make_project(tmp_path / "iris"))
    for args in EVERY_COMMAND if kind == "file" else SOME_COMMANDS:
        error = guild.refused(*args)
        assert f"cannot use {str(home)!r} as the home of runs" in error, args
        assert "-H PATH or GUILD_HOME" in error
    assert kind == "dangling link" or wrong.read_text() == "mine"


def test_a_read_only_home_can_be_read(guild: Guild) -> None:
    """Listings, info, log and verify work without writing; what would change something is refused."""
    expected = guild.ok("runs", "-a")
    guild.ok("runs", "rm", "4", "-y")
    guild.ok("runs", "restore", "-y")
    state = guild.state()
    folders = [guild.home, *(path for path in guild.home.rglob("*") if path.is_dir())]
    for folder in folders:
        for path in (folder, *(path for path in folder.iterdir() if path.is_file())):
            path.chmod(path.stat().st_mode & ~0o222)
    reader = replace(guild, prepare=like_any_user)
    try:
        with pytest.raises(AssertionError):  # the permissions do bind this process
            reader.ok("label", "0", "x")
        assert reader.ok("runs", "-a") == expected
        for args in (["runs", "info"], ["runs", "-d"], ["log"], ["ledger", "verify"]):
            reader.ok(*args)
        for args in (["label", "0", "x"], ["runs", "rm", "0", "-y"], ["runs", "rm", "-p", "-y"]):
            error = reader.refused(*args)
            assert "read-only" in error or "permission" in error.lower(), (args, error)
        error = reader.refused("run", "iris-svm:train", "-y")
        assert "read-only" in error or "permission" in error.lower(), error
    finally:
        for folder in folders:
            folder.chmod(0o700)
            for path in folder.iterdir():
                if path.is_file():
                    path.chmod(0o600)
    assert guild.state() == state
    guild.ok("label", "0", "x")


def test_a_home_that_cannot_be_entered(guild: Guild) -> None:
    """Without permission to look inside, no home is made and none is mistaken for empty."""
    guild.home.chmod(0)
    reader = replace(guild, prepare=like_any_user)
    try:
        for args in SOME_COMMANDS:
            error = reader.refused(*args)
            assert "ermission" in error, (args, error)
    finally:
        guild.home.chmod(0o700)
    assert len(guild.rows()) == 5


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    """Where the folder above may not be written, the message names it."""
    above = tmp_path / "above"
    above.mkdir(mode=0o500)
    guild = Guild(above / "home", make_project(tmp_path / "iris"), prepare=like_any_user)
    for args in (["runs"], ["run", "iris-svm:train", "-y"]):
        error = guild.refused(*args)
        assert f"no permission to write in {str(above)!r}" in error
    above.chmod(0o700)
    assert os.listdir(above) == []


def test_an_account_without_a_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where neither HOME nor an account tells it, no folder named `~` is made: the user has to choose a home."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "GUILD_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 9)
    for home in (None, "~", "~/runs"):
        with pytest.raises(GuildError, match="home directory is not known"):
            make_app(None, home)
    assert make_app(None, "here").home.root == str(tmp_path / "here")
    assert os.listdir(tmp_path) == []


def test_a_run_directory_that_cannot_be_moved(guild: Guild) -> None:
    """When the system refuses to move one run, it stays live, the others go, and the ledger says both."""
    ids = guild.ids()
    (guild.home / "runs").chmod(0o500)
    bound = replace(guild, prepare=like_any_user)
    try:
        result = bound("runs", "rm", "0:1", "-y")
    finally:
        (guild.home / "runs").chmod(0o700)
    assert result.code == 1
    assert f"WARNING: run {ids[0][:8]} was not deleted: Permission denied" in result.err
    assert "2 of 2 runs could not be moved" in result.err
    assert guild.ids() == ids
    assert guild.rows("-d") == []
    assert "The ledger is whole." in guild.ok("ledger", "verify")


NO_SPACE = re.compile("no space|too large|full", re.IGNORECASE)


def test_a_full_disk_refuses_a_change_whole(disk: SmallDisk, tmp_path: Path) -> None:
    """No space to append: an error that says so, nothing half done, and all is well when there is room again."""
    guild = Guild(disk.folder / "home", make_project(tmp_path / "iris"), prepare=disk.enter)
    for _ in range(3):
        guild.ok("run", "iris-svm:train", "-y")
    rows, log = guild.rows(), guild.ok("log", "--json")
    disk.fill()
    full = replace(guild, prepare=disk.full())
    for args in (
        ["label", "0", "x" * 5000],
        ["runs", "rm", "-y"],
        ["runs", "rm", "-p", "-y"],
        ["run", "iris-svm:train", "-y"],
    ):
        error = full.refused(*args)
        assert NO_SPACE.search(error), error
    disk.free()
    assert guild.rows() == rows
    assert guild.ok("log", "--json") == log
    guild.ok("label", "0", "y" * 5000)
    guild.ok("run", "iris-svm:train", "-y")
    assert len(guild.rows()) == 4
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_new_home_on_a_full_disk(disk: SmallDisk, tmp_path: Path) -> None:
    """What cannot be made leaves nothing behind that would be taken for a ledger."""
    disk.fill()
    guild = Guild(disk.folder / "home", make_project(tmp_path / "iris"), prepare=disk.enter)
    full = replace(guild, prepare=disk.full())
    for _ in range(2):
        error = full.refused("runs")
        assert NO_SPACE.search(error), error
    disk.free()
    assert guild.rows() == []


CHATTER = "import os, sys\nfor _ in range(100): os.write(1, b'x' * 99_999 + b'\\n')\nsys.exit(7)"


def test_output_that_may_not_grow_does_not_stop_the_run(tmp_path: Path) -> None:
    """Output that the system refuses to keep is told at the end; the script goes on and its end is recorded."""
    guild = project_of(tmp_path, CHATTER)
    result = replace(guild, prepare=limit_file_size(1_000_000))("run", "go", "-y")
    assert (result.code, len(result.out)) == (7, 10_000_000)
    assert "was not captured to its end" in result.err
    details = guild.json("runs", "info")
    assert (details["status"], details["exit_status"]) == ("error", 7)
    assert details["output"]["failure"]
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_run_that_fills_the_disk_is_recorded_when_there_is_room(disk: SmallDisk, tmp_path: Path) -> None:
    """When not even the end can be recorded, that is said, and the next command that can does it."""
    models, modules = operation(CHATTER)
    guild = Guild(disk.folder / "home", make_project(tmp_path / "p", models, **modules), prepare=disk.enter)
    guild.rows()
    disk.fill(left=1_000_000)
    result = replace(guild, prepare=disk.full(1_000_000))("run", "go", "-y")
    assert len(result.out) == 10_000_000
    if result.code == 1:  # nothing was left for the ledger
        assert "ended with exit status 7, but that could not be recorded" in result.err
        assert NO_SPACE.search(result.err)
    else:
        assert "was not captured to its end" in result.err
    disk.free()
    (row,) = guild.rows()
    assert (row.status, guild.json("runs", "info")["exit_status"]) == ("error", 7)
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_run_directory_that_cannot_be_made(guild: Guild) -> None:
    """The run is an error that says why, and nothing was started."""
    (guild.home / "runs").chmod(0o500)
    bound = replace(guild, prepare=like_any_user)
    try:
        result = bound("run", "iris-svm:train", "-y")
    finally:
        (guild.home / "runs").chmod(0o700)
    assert (result.code, result.out) == (1, "")
    assert "its directory cannot be made: Permission denied" in result.err
    assert guild.rows()[0].status == "error"
    assert "Permission denied" in guild.json("runs", "info")["reason"]


def test_a_limit_of_file_sizes_is_no_crash(guild: Guild) -> None:
    """Where files may not grow (ulimit -f), a change is refused whole, and what is there can be looked at."""
    before = guild.state()
    limited = replace(guild, prepare=limit_file_size(1024))
    for args in (["label", "0", "x" * 5000], ["runs", "rm", "-y"], ["run", "iris-svm:train", "-y"]):
        limited.refused(*args)
    assert limited.ok("runs") == guild.ok("runs")
    assert guild.state() == before
    assert len(guild.rows()) == 5


def test_files_of_the_home_are_private(guild: Guild) -> None:
    """Nobody else can read the ledger, the index or a run's output, whatever the umask."""
    for path in (guild.home, guild.home / "index", guild.home / "ledger.db", *guild.home.glob("runs/*/.guild")):
        assert path.stat().st_mode & 0o077 == 0, path
    for output in guild.home.glob("runs/*/.guild/output"):
        assert output.stat().st_mode & 0o077 == 0


def test_a_ledger_url_that_is_none_is_refused(guild: Guild) -> None:
    """GUILD_LEDGER must be a database URL; its server's failure is a message."""
    assert "no database URL" in guild.with_env(GUILD_LEDGER="ledger.db").refused("runs")
    for url in ("nosuch://host/db", "postgresql+psycopg://127.0.0.1:1/none", "://"):
        result = guild.with_env(GUILD_LEDGER=url)("runs")
        assert result.code == 1, (url, result)
        assert "guild: " in result.err
