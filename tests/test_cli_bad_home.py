"""Homes that are wrong, full, read-only or damaged: a clear message, the documented exit code, and nothing lost."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from commands.app import make_app
from ledger.errors import GuildError
from tests.cli_kit import Guild, copied, damage, make_project, operation, project_of
from tests.cli_limits import SmallDisk, like_any_user, limit_file_size, small_disk


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command in the iris project, with a home that has runs."""
    return copied(tmp_path_factory, tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a disk of a few megabytes."""
    yield from small_disk(tmp_path)


SOME_COMMANDS = (["runs"], ["runs", "rm", "0", "-y"], ["run", "iris-svm:train", "-y"])
EVERY_COMMAND = (
    *SOME_COMMANDS,
    ["log"],
    ["runs", "info"],
    ["runs", "restore", "-y"],
    ["runs", "purge", "-y"],
    ["label", "0", "x"],
    ["ledger", "verify"],
    ["ledger", "rebuild"],
)


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


def garbage(path: Path) -> None:
    """Make it something else."""
    path.write_bytes(os.urandom(50_000))


def truncated(path: Path) -> None:
    """Cut it in the middle."""
    os.truncate(path, path.stat().st_size // 2)


def cut_short(path: Path) -> None:
    """Leave less than a database's header."""
    os.truncate(path, 50)


def emptied(path: Path) -> None:
    """Leave a file without bytes."""
    os.truncate(path, 0)


def other_database(path: Path) -> None:
    """Put the database of another program in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE txn (id INTEGER)")


def a_folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    """Remove it; its index still tells that it was there."""
    path.unlink()


@pytest.mark.parametrize("break_it", [garbage, truncated, cut_short, emptied, other_database, a_folder, gone])
def test_a_ledger_that_is_none_stops_every_command(guild: Guild, break_it: Callable[[Path], None]) -> None:
    """Exit code 3, no traceback, and the file stays as it is: it is evidence."""
    ledger = guild.home / "ledger.db"
    break_it(ledger)
    before = ledger.read_bytes() if ledger.is_file() else None
    tree = guild.tree()
    for args in EVERY_COMMAND if break_it is truncated else SOME_COMMANDS:
        result = guild(*args)
        assert result.code == 3, (args, result)
        assert re.search("^guild: .*ledger", result.err, re.MULTILINE), (args, result)
        assert result.err.splitlines()[-1][0].isupper()  # a hint
    assert (ledger.read_bytes() if ledger.is_file() else None) == before
    assert guild.tree() == tree


def test_a_ledger_of_a_newer_program_is_refused(guild: Guild) -> None:
    """Both by its revision and by its format; updating is the advice, and nothing is changed."""
    path = guild.home / "ledger.db"
    for change, back in (
        ("UPDATE alembic_version SET version_num = '9999'", "UPDATE alembic_version SET version_num = '0001'"),
        ("UPDATE meta SET value = '9' WHERE key = 'format'", "UPDATE meta SET value = '1' WHERE key = 'format'"),
    ):
        damage(path, [change])
        before = guild.state()
        for args in SOME_COMMANDS:
            error = guild.refused(*args)
            assert "newer program" in error or "this program knows" in error, (args, error)
            assert "Update guild-ledger" in error
        assert guild.state() == before
        damage(path, [back])
    assert len(guild.rows()) == 5


def test_a_ledger_that_lost_its_end_is_noticed(guild: Guild) -> None:
    """Rows removed at the end while an index has seen them: exit code 3, and the index is not rebuilt over it."""
    (index,) = (guild.home / "index").glob("*.db")
    damage(
        guild.home / "ledger.db",
        [
            "DELETE FROM event WHERE position > 10",
            "DELETE FROM txn WHERE seq > 10",
            "UPDATE origin SET head_seq = 10, head_hash = (SELECT hash FROM txn WHERE seq = 10)",
        ],
    )
    for args in (["runs"], ["label", "0", "x"], ["runs", "rm", "-y"], ["runs", "info"]):
        result = guild(*args)
        assert result.code == 3, (args, result)
        assert "lost or changed history" in result.err
        assert "backup" in result.err
    assert index.exists()
    assert guild("ledger", "verify").code == 3
    assert len(guild.ok("log").splitlines()) == 10
    assert not list((guild.home / "trash").iterdir())


def test_a_rebuild_over_lost_history_is_refused(guild: Guild) -> None:
    """The index is the only witness of what was lost: `ledger rebuild` does not remove it."""
    damage(
        guild.home / "ledger.db",
        [
            "DELETE FROM event WHERE position > 10",
            "DELETE FROM txn WHERE seq > 10",
            "UPDATE origin SET head_seq = 10, head_hash = (SELECT hash FROM txn WHERE seq = 10)",
        ],
    )
    assert guild("ledger", "rebuild").code == 3
    assert guild("runs").code == 3


def test_a_ledger_restored_from_a_backup_is_noticed(guild: Guild, tmp_path: Path) -> None:
    """An older copy put back in place contradicts the index; without the index it is the ledger."""
    shutil.copy(guild.home / "ledger.db", tmp_path / "backup.db")
    guild.ok("label", "0", "lost")
    assert guild.rows()[0].label == "lost"
    shutil.copy(tmp_path / "backup.db", guild.home / "ledger.db")
    error = guild.refused("runs", code=3)
    assert "remove the folder 'index'" in error
    shutil.rmtree(guild.home / "index")
    assert guild.rows()[0].label == "good one"


def test_a_mangled_index_folder_is_no_obstacle(guild: Guild) -> None:
    """Foreign files in it are left alone; with a file in its place, the answers come from memory."""
    (guild.home / "index/notes.txt").write_text("mine")
    guild.ok("ledger", "rebuild")
    assert (guild.home / "index/notes.txt").read_text() == "mine"
    shutil.rmtree(guild.home / "index")
    (guild.home / "index").write_text("mine")
    assert len(guild.rows()) == 5
    assert "index" in guild.refused("ledger", "rebuild")
    assert (guild.home / "index").read_text() == "mine"


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    """Blanks, quotes, question marks, unicode, percent signs and bytes that are no UTF-8."""
    project = make_project(tmp_path / "iris")
    for name in ("-blank quo'te\"s\nline", "what?mode=ro#%41%00 🌷", "caf\udce9"):
        guild = Guild(tmp_path / name / "home", project)
        guild.ok("run", "iris-svm:train", "-y")
        guild.ok("runs", "rm", "0", "-y")
        guild.ok("runs", "restore", "-y")
        assert len(guild.json("runs")) == 1, name
        assert (guild.home / "ledger.db").exists()


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
