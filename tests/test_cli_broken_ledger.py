"""A ledger or an index that is damaged, gone, newer or older than it was: no command goes on as if it were sound."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.bad_home_kit import EVERY_COMMAND, SOME_COMMANDS
from tests.cli_kit import Guild, damage, make_project
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


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
