"""`guild ledger backup` and `restore-backup`: verified copies, and nothing lost by putting one back."""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest

from artifacts.lease import Lease, LeaseRecord
from ledger import sqlite_store
from ledger.backup import back_up
from ledger.errors import LedgerBusyError, LedgerError
from ledger.log import Ledger
from ledger.opening import open_existing, unfinished_files
from ledger.restoring import stage, swap
from ledger.sqlite_store import SqliteStore
from projections.index import open_index
from projections.rebuild import rebuild
from tests.cli_kit import Guild, damage
from tests.kit import append, make_ledger, started
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture
from tests.test_docs_format import verified


def test_a_backup_is_one_private_whole_file(guild: Guild, tmp_path: Path) -> None:
    """It holds the newest rows too, which are still in the log while another program has the ledger open."""
    target = tmp_path / "backup.db"
    database = guild.database()
    database.execute("BEGIN")
    database.execute("SELECT * FROM txn").fetchone()
    guild.ok("label", "0", "x", "-y")
    out = guild.ok("ledger", "backup", str(target))
    database.close()
    assert re.match(r"Backed up 14 transactions, 14 events to ", out)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert verified(str(target))[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "home"]
    assert guild.json("ledger", "backup", str(tmp_path / "other.db"))["transactions"] == 14


def test_a_backup_is_of_one_moment_while_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is appended between two pages of the copy is not in it, and does not make it begin again."""
    monkeypatch.setattr(sqlite_store, "_PAGES", 2)
    ledger = make_ledger(tmp_path)
    append(ledger, started(0))
    steps = []

    def meanwhile(done: int, _of: int) -> None:
        steps.append(done)
        with closing(SqliteStore(ledger.store.place)) as other:
            append(Ledger(other), started(len(steps)))

    assert isinstance(ledger.store, SqliteStore)
    report = back_up(ledger.store, str(tmp_path / "b.db"), meanwhile)
    assert len(steps) > 3
    assert steps == sorted(steps)
    assert report.transactions == 2
    assert verified(str(tmp_path / "b.db"))[1].startswith("2:")
    assert ledger.store.head().seq == 2 + len(steps)
    ledger.store.close()


def test_nothing_is_written_into_a_ledger_that_was_put_aside(tmp_path: Path) -> None:
    """Who opened the file before it was exchanged is told so, and the event is in neither."""
    ledger = make_ledger(tmp_path)
    append(ledger, started(0))
    assert isinstance(ledger.store, SqliteStore)
    back_up(ledger.store, str(tmp_path / "b.db"))
    path = ledger.store.place
    staged = stage(str(tmp_path / "b.db"), path)
    kept = swap(path, staged, forced=False)
    staged.drop()
    assert kept is not None
    with pytest.raises(LedgerBusyError, match="replaced by another file"):
        append(ledger, started(1))
    ledger.store.close()
    assert verified(path)[1] == verified(kept)[1] == verified(str(tmp_path / "b.db"))[1]


def test_a_backup_never_overwrites(guild: Guild, tmp_path: Path) -> None:
    """Not a file, nor a link that leads nowhere; and a folder that is not there is not made."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "is there already" in guild.refused("ledger", "backup", str(taken))
    assert taken.read_text() == "mine"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    guild.refused("ledger", "backup", str(dangling))
    guild.refused("ledger", "backup", str(tmp_path / "no" / "b.db"))
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_ledger_gives_no_backup(guild: Guild, tmp_path: Path) -> None:
    """A copy that cannot be proved is not called a backup; nothing is left of it."""
    damage(guild.home / "ledger.db", ["UPDATE event SET body = x'7b7d' WHERE position = 5"])
    assert "event 5" in guild.refused("ledger", "backup", str(tmp_path / "b.db"), code=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_backup_comes_back_after_the_ledger_is_gone(guild: Guild, tmp_path: Path) -> None:
    """The index is made anew, the runs are all there, and nothing had to be forced."""
    listed = guild.ok("runs", "-a")
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    (guild.home / "ledger.db").unlink()
    guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    assert guild.ok("runs", "-a") == listed
    assert guild("ledger", "verify").code == 0
    assert stat.S_IMODE((guild.home / "ledger.db").stat().st_mode) == 0o600


def test_history_is_not_lost_unless_forced_and_is_kept_then(guild: Guild, tmp_path: Path) -> None:
    """What the backup lacks is told; forced, the ledger that was there stays beside it, whole."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    guild.ok("runs", "rm", "0", "-y")
    guild.ok("run", "iris-svm:train", "-y")
    before = guild.state()
    refused = guild.refused("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    assert "lacks the newest 3 transaction(s)" in refused
    assert guild("ledger", "restore-backup", str(tmp_path / "b.db"), "--dry-run").code == 0
    assert guild.state() == before
    result = guild("ledger", "restore-backup", str(tmp_path / "b.db"), "-y", "--force")
    assert result.code == 0
    (kept,) = re.findall(r"What was there is kept as (\S+)\.\n", result.out)
    assert verified(kept)[1].startswith("16:")
    assert "1 run directories are of runs that this ledger does not know" in result.err
    assert len(guild.rows()) == 5
    assert (guild.home / "runs" / guild.ids()[0]).is_dir(), "the deleted run is live again, and so is its directory"
    assert guild("ledger", "verify").code == 0
    assert not list(guild.home.glob("ledger.db-restoring*"))


def test_a_newer_backup_takes_the_place_of_an_older_ledger_unforced(guild: Guild, tmp_path: Path) -> None:
    """Nothing is lost by it."""
    older = (guild.home / "ledger.db").read_bytes()
    guild.ok("label", "0", "newer", "-y")
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    (guild.home / "ledger.db").write_bytes(older)
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (guild.home / name).unlink(missing_ok=True)
    guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    assert guild.rows()[0].label == "newer"


@pytest.mark.parametrize("kind", ["text", "flipped", "truncated", "empty", "in use", "foreign"])
def test_what_is_no_whole_backup_is_refused_before_anything_is_touched(guild: Guild, tmp_path: Path, kind: str) -> None:
    """The ledger is as it was, byte for byte."""
    target = tmp_path / "b.db"
    guild.ok("ledger", "backup", str(target))
    data = bytearray(target.read_bytes())
    if kind == "text":
        data = bytearray(b"no database\n" * 500)
    elif kind == "flipped":
        data[data.index(b"iris-cnn")] ^= 1
    elif kind == "truncated":
        del data[len(data) // 2 :]
    elif kind == "empty":
        data.clear()
    elif kind == "in use":
        Path(f"{target}-wal").write_bytes(b"x" * 100)
    else:
        guild.with_env(GUILD_HOME=str(tmp_path / "other")).ok("run", "iris-svm:train", "-y")
        guild.with_env(GUILD_HOME=str(tmp_path / "other")).ok("ledger", "backup", str(tmp_path / "foreign.db"))
        data = bytearray((tmp_path / "foreign.db").read_bytes())
    target.write_bytes(data)
    before = (guild.home / "ledger.db").read_bytes(), sorted(os.listdir(guild.home))
    result = guild("ledger", "restore-backup", str(target), "-y")
    assert result.code in (1, 3), result
    assert ((guild.home / "ledger.db").read_bytes(), sorted(os.listdir(guild.home))) == before
    assert guild("runs").code == 0


def test_a_damaged_ledger_makes_way_when_forced_and_is_kept(guild: Guild, tmp_path: Path) -> None:
    """What it held cannot be told, so that has to be said once more; its bytes are kept for `salvage`."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    (guild.home / "ledger.db").write_bytes(b"garbage" * 1000)
    assert "cannot be read" in guild.refused("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    out = guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y", "--force")
    (kept,) = re.findall(r"What was there is kept as (\S+)\.\n", out)
    assert Path(kept).read_bytes() == b"garbage" * 1000
    assert len(guild.rows()) == 5


def test_a_ledger_in_a_server_is_told_to_use_the_servers_tools(guild: Guild) -> None:
    """Before any connection is made."""
    remote = guild.with_env(GUILD_LEDGER="postgresql://nowhere.invalid/x")
    for args in (["backup", "b.db"], ["restore-backup", str(guild.home / "ledger.db")]):
        assert "pg_dump" in remote.refused("ledger", *args)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give the path of a ledger; beside it lie a backup of it as it is, `newer.db`, and one as it was, `older.db`."""
    ledger = make_ledger(tmp_path)
    assert isinstance(ledger.store, SqliteStore)
    for number, name in enumerate(("older.db", "newer.db")):
        append(ledger, started(number))
        back_up(ledger.store, str(tmp_path / name))
    ledger.store.close()
    return ledger.store.place


def test_each_restoring_has_a_copy_of_its_own(path: str, tmp_path: Path) -> None:
    """A second one that begins and ends meanwhile, with another backup, does not change what the first puts back."""
    first = stage(str(tmp_path / "newer.db"), path)
    second = stage(str(tmp_path / "older.db"), path)
    second.drop()
    swap(path, first, forced=False)
    first.drop()
    assert verified(path)[1] == verified(str(tmp_path / "newer.db"))[1]
    assert unfinished_files(path) == []


def test_a_copy_that_was_exchanged_or_removed_is_not_put_back(path: str, tmp_path: Path) -> None:
    """It is looked at again behind the gate; the ledger keeps its place, and gets no second name."""
    staged = stage(str(tmp_path / "newer.db"), path)
    shutil.copyfile(tmp_path / "older.db", staged.path)
    with pytest.raises(LedgerError, match="was changed"):
        swap(path, staged, forced=True)
    os.unlink(staged.path)
    with pytest.raises(LedgerError, match="is gone"):
        swap(path, staged, forced=True)
    staged.drop()
    assert verified(path)[1] == verified(str(tmp_path / "newer.db"))[1]
    assert not list(tmp_path.glob("*.replaced-*"))


def test_a_copy_that_a_killed_restoring_left_is_found_and_removed(guild: Guild, tmp_path: Path) -> None:
    """By the next restoring; one that is still held is nobody's leftover."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    path = str(guild.home / "ledger.db")
    held = stage(str(tmp_path / "b.db"), path)
    left = Path(path + "-restoring-0123")
    left.write_text("left")
    assert unfinished_files(path) == [str(left)]
    guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    assert not left.exists()
    assert Path(held.path).exists()
    held.drop()
    assert not list(guild.home.glob("ledger.db-restoring*"))


def test_a_run_that_is_running_and_that_the_backup_lacks_is_told_and_needs_force(guild: Guild, tmp_path: Path) -> None:
    """Even where the ledger is gone, so that nothing else is lost: the end of such a run could not be recorded."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    (guild.home / "ledger.db").unlink()
    lease = Lease.acquire(str(guild.home / "leases" / ("ab" * 16)), LeaseRecord("boot", 1, 2, "box"))
    assert lease is not None
    told = "1 run(s) are running whose end the backup could not take, as it lacks their start: abababab"
    assert told in guild.refused("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    assert not (guild.home / "ledger.db").exists()
    forced = guild("ledger", "restore-backup", str(tmp_path / "b.db"), "-y", "--force")
    lease.release(remove=True)
    assert (forced.code, told in forced.err) == (0, True)
    assert len(guild.rows()) == 5


def test_a_folder_in_the_ledgers_place_makes_way_when_forced(guild: Guild, tmp_path: Path) -> None:
    """It is kept under another name, as a damaged ledger is."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    (guild.home / "ledger.db").unlink()
    (guild.home / "ledger.db").mkdir()
    (guild.home / "ledger.db" / "mine").write_text("x")
    guild.refused("ledger", "restore-backup", str(tmp_path / "b.db"), "-y")
    guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y", "--force")
    (kept,) = guild.home.glob("ledger.db.replaced-*")
    assert (kept / "mine").read_text() == "x"
    assert len(guild.rows()) == 5


def test_a_reader_of_the_old_ledger_spoils_no_index_of_the_restored_one(guild: Guild, tmp_path: Path) -> None:
    """It is told to try again, whether it catches up or rebuilds; the index of the restored ledger stays right."""
    guild.ok("ledger", "backup", str(tmp_path / "b.db"))
    old = open_existing(str(guild.home / "ledger.db"))
    append(old, started(7))
    append(old, started(8))
    guild.ok("ledger", "restore-backup", str(tmp_path / "b.db"), "-y", "--force")
    guild.ok("runs")
    folder = str(guild.home / "index")
    with pytest.raises(LedgerBusyError, match="replaced by another file"):
        open_index(folder, old, pytest.fail)
    with pytest.raises(LedgerBusyError, match="replaced by another file"):
        rebuild(folder, old)
    old.store.close()
    assert len(guild.rows()) == 5
    assert "index: equals a fresh replay" in guild.ok("ledger", "verify")


@pytest.mark.parametrize(
    "args",
    [
        *(["verify"], ["anchor"], ["export"], ["export", "x.jsonl"], ["backup", "b.db"]),
        *(["redact", "--txn", "1", "--reason", "x"], ["redact", "0", "--reason", "x", "--dry-run"]),
    ],
)
def test_a_home_without_a_ledger_is_refused_and_not_made(tmp_path: Path, args: list[str]) -> None:
    """A mistyped home would otherwise be made, and called whole."""
    guild = Guild(tmp_path / "wrong", tmp_path)
    assert "there is no ledger" in guild.refused("ledger", *args)
    (tmp_path / "wrong").mkdir()
    assert "there is no ledger" in guild.refused("ledger", *args)
    assert [path.name for path in tmp_path.rglob("*")] == ["wrong"]


@pytest.mark.parametrize("args", [["backup", ""], ["export", ""], ["salvage", "ledger.db", ""]])
def test_an_empty_name_of_a_file_is_wrong_usage(guild: Guild, args: list[str]) -> None:
    """It comes from an unset variable of a script; the folder that one stands in is not meant."""
    assert "empty" in guild.at(guild.home).refused("ledger", *args, code=2)


def test_a_backup_to_standard_output_is_refused(guild: Guild) -> None:
    """It is a file; none called `-` is made."""
    assert "standard output" in guild.at(guild.home).refused("ledger", "backup", "-", code=2)
    assert not (guild.home / "-").exists()
