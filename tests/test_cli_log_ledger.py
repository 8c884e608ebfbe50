"""The history from outside: `guild log` tells who did what, `guild ledger verify` finds what was tampered with."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL

import pytest

from tests.cli_kit import PATIENCE, Guild, damage, wait_until
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture

LOG_KEYS = {
    "seq",
    "txn_id",
    "origin_id",
    "time",
    "actor",
    "host",
    "command",
    "cwd",
    "program",
    "reason",
    "undoes",
    "hash",
    "events",
}


def test_the_log_tells_who_did_what(guild: Guild) -> None:
    """One line for each command that changed something, newest first, with the command as it could be typed."""
    ids = guild.ids()
    guild.with_env(USER="grace", LOGNAME=None).ok("label", "0", "it's new")
    guild.ok("runs", "rm", "1:2", "-y")
    deleted, labelled, *rest = guild.ok("log").splitlines()
    assert re.fullmatch(r"\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S+@\S+  .*", deleted)
    assert " ada@" in deleted
    assert deleted.endswith("  deleted 2 runs  (guild runs rm 1:2 -y)")
    assert " grace@" in labelled
    assert labelled.endswith(f"  labeled {ids[0][:8]}  (guild label 0 'it'\"'\"'s new')")
    assert rest[-1].endswith("  ledger created  (guild run test -l bad -y)")
    numbers = [int(line.split()[0]) for line in (deleted, labelled, *rest)]
    assert numbers == list(range(len(numbers), 0, -1))
    assert guild.ok("log", "-n", "2").splitlines() == [deleted, labelled]
    assert guild.ok("log", "-n", "0") == ""


def test_the_log_shows_events_when_asked(guild: Guild) -> None:
    """-v adds a line for each event: position, stream, type and body."""
    ids = guild.ids()
    guild.ok("label", "0:1", "x", "-y")
    lines = guild.ok("log", "-v", "-n", "1").splitlines()
    assert len(lines) == 3
    assert all(line.endswith('  run.labeled  {"label":"x"}') for line in lines[1:])
    assert {line.split()[1] for line in lines[1:]} == {f"run/{ids[0]}", f"run/{ids[1]}"}


def test_the_log_as_json_holds_the_documented_keys(guild: Guild) -> None:
    """One object a line, complete: nothing is cut, and events come with their bodies."""
    guild.ok("label", "0", "x" * 3000)
    entries = [json.loads(line) for line in guild.ok("log", "--json").splitlines()]
    assert {frozenset(entry) for entry in entries} == {frozenset(LOG_KEYS)}
    newest = entries[0]
    assert newest["command"] == ["guild", "label", "0", "x" * 3000]
    assert newest["cwd"] == str(guild.cwd)
    assert newest["actor"] == "ada"
    assert newest["program"].startswith("guild-ledger ")
    (event,) = newest["events"]
    assert (event["type"], event["body"]) == ("run.labeled", {"label": "x" * 3000})
    assert [entry["seq"] for entry in entries] == list(range(len(entries), 0, -1))


def test_the_log_does_not_need_the_index(guild: Guild) -> None:
    """It is read from the ledger alone, and makes no index."""
    shutil.rmtree(guild.home / "index")
    assert "ledger created" in guild.ok("log")
    assert not (guild.home / "index").exists()


def test_a_whole_ledger_is_verified(guild: Guild) -> None:
    """Exit code 0, what was counted, and that the index equals a fresh replay."""
    text = guild.ok("ledger", "verify")
    assert re.match(r"13 transactions, 13 events\nhead: [0-9a-f]{64}\n", text)
    assert text.endswith("index: equals a fresh replay\nThe ledger is whole.\n")
    report = guild.json("ledger", "verify")
    assert (report["ok"], report["problems"], report["transactions"]) == (True, [], 13)
    assert set(report) == {"ok", "since", "transactions", "events", "head_hash", "index", "problems"}


TAMPERING: dict[str, tuple[list[str], str]] = {
    "body": (["UPDATE event SET body = CAST(replace(body, 'good one', 'best one') AS BLOB) WHERE position = 12"], "12"),
    "body and hash": (["UPDATE event SET body = x'7b7d', body_hash = zeroblob(32) WHERE position = 5"], "5"),
    "header": (["UPDATE txn SET header = CAST(replace(header, 'ada', 'eve') AS BLOB) WHERE seq = 4"], "4"),
    "time": (["UPDATE txn SET recorded_at = recorded_at + 1 WHERE seq = 7"], "7"),
    "event removed": (["DELETE FROM event WHERE position = 6"], "6"),
    "transaction removed": (["DELETE FROM event WHERE txn_seq = 6", "DELETE FROM txn WHERE seq = 6"], "6"),
    "type": (["UPDATE event SET type = 'run.purged' WHERE position = 3"], "3"),
    "stream": (["UPDATE event SET stream = 'run/' || hex(zeroblob(16)) WHERE position = 3"], "3"),
    "identity": (["UPDATE meta SET value = hex(zeroblob(16)) WHERE key = 'ledger_id'"], "meta"),
    "link": (["UPDATE txn SET prev_hash = zeroblob(32) WHERE seq = 9"], "9"),
    "order": (
        [
            "UPDATE event SET txn_seq = -1 WHERE txn_seq = 8",
            "UPDATE event SET txn_seq = 8 WHERE txn_seq = 9",
            "UPDATE event SET txn_seq = 9 WHERE txn_seq = -1",
        ],
        "8",
    ),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_found_at_its_place(guild: Guild, kind: str) -> None:
    """Exit code 3; the first broken place is named on stderr, all of them on stdout."""
    statements, place = TAMPERING[kind]
    damage(guild.home / "ledger.db", statements)
    result = guild("ledger", "verify")
    assert result.code == 3
    first = re.search(r"^guild: first broken place: (.*)$", result.err, re.MULTILINE)
    assert first
    assert re.search(rf"\b{place}\b", first[1]), first[1]
    assert f"BROKEN  {first[1]}\n" in result.out
    assert "The ledger is whole." not in result.out


def test_damage_is_told_to_programs_too(guild: Guild) -> None:
    """`verify --json` lists every broken place, and still exits with 3."""
    damage(guild.home / "ledger.db", TAMPERING["body"][0])
    result = guild("ledger", "verify", "--json")
    assert result.code == 3
    report = json.loads(result.out)
    assert not report["ok"]
    first = report["problems"][0]
    assert f"guild: first broken place: {first['where']}: {first['what']}\n" in result.err


def test_a_missing_trigger_is_found(guild: Guild) -> None:
    """A ledger that can be changed is not whole, even when nothing was changed yet."""
    with closing(guild.database()) as database:
        (name,) = database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' LIMIT 1").fetchone()
        database.execute(f"DROP TRIGGER {name}")
    result = guild("ledger", "verify")
    assert result.code == 3
    assert name in result.both


def test_the_database_refuses_changes(guild: Guild) -> None:
    """Append-only is enforced by the database itself, for any program that opens it."""
    import sqlite3

    with closing(guild.database()) as database:
        for statement in (
            "UPDATE event SET type = 'x'",
            "DELETE FROM txn",
            "DELETE FROM event WHERE position = 13",
            "INSERT OR REPLACE INTO event SELECT * FROM event WHERE position = 13",
            "UPDATE origin SET head_seq = 1",
        ):
            with pytest.raises(sqlite3.Error):
                database.execute(statement)
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def corrupt(path: Path) -> None:
    """Overwrite the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 4096] = b"\xaa" * 4096
    path.write_bytes(data)


def empty(path: Path) -> None:
    """Make a file empty."""
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    """Make a file something else."""
    path.write_bytes(b"no database at all\n" * 500)


def folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("break_it", [corrupt, empty, garbage, Path.unlink, folder])
def test_a_damaged_index_rebuilds_itself(guild: Guild, break_it: Callable[[Path], object]) -> None:
    """Whatever became of it, the next listing is right."""
    expected = guild.ok("runs", "-a")
    (index,) = (guild.home / "index").glob("*.db")
    break_it(index)
    result = guild("runs", "-a")
    assert result.code == 0, result
    assert result.out == expected
    if guild("ledger", "verify").code:  # damage in a place where no listing comes by
        guild.ok("ledger", "rebuild")
    assert "The ledger is whole." in guild.ok("ledger", "verify")
    assert guild.ok("runs", "-a") == expected


def test_the_index_can_be_rebuilt_in_any_case(guild: Guild) -> None:
    """`ledger rebuild` makes a new one also when the old one is fine, and says from how many events."""
    expected = guild.ok("runs", "-a")
    assert guild.ok("ledger", "rebuild") == "Rebuilt the index from 13 events.\n"
    assert guild.json("ledger", "rebuild") == {"events": 13}
    assert guild.ok("runs", "-a") == expected


def test_an_index_changed_by_hand_is_found(guild: Guild) -> None:
    """Verify compares the index with a fresh replay; rebuild mends it."""
    import sqlite3

    (index,) = (guild.home / "index").glob("*.db")
    with closing(sqlite3.connect(index, isolation_level=None)) as database:
        database.execute("UPDATE run SET label = 'forged' WHERE label IS NOT NULL")
    result = guild("ledger", "verify")
    assert result.code == 3
    assert "the index" in result.err
    assert "`guild ledger rebuild` mends an index" in result.err
    guild.ok("ledger", "rebuild")
    assert "The ledger is whole." in guild.ok("ledger", "verify")
    assert "forged" not in guild.ok("runs", "-a")


def test_a_foreign_command_line_is_shown_harmlessly(guild: Guild) -> None:
    """What was typed may hold anything; the log stays one line for each transaction."""
    guild.ok("label", "0", "a\n99  forged\x1b[2J")
    first = guild.ok("log").splitlines()[0]
    assert "\x1b" not in first
    assert "a\\n99  forged" in first
    assert len(guild.ok("log").splitlines()) == len(guild.ok("log", "--json").splitlines())


def test_commands_of_the_ledger_refuse_arguments(guild: Guild) -> None:
    """`ledger verify x` is a usage error, and so is an unknown command; each is told, and nothing is recorded."""
    before = guild.state()
    for command in ("verify", "rebuild"):
        assert "guild: unexpected extra argument (x)\n" in guild.refused("ledger", command, "x", code=2)
    assert "command 'verfy' (did you mean 'verify'?)\n" in guild.refused("ledger", "verfy", code=2)
    assert "option '--nope'\n" in guild.refused("ledger", "--nope", code=2)
    assert guild.state() == before


def test_a_log_that_is_followed_goes_on_after_a_backup_was_put_back(guild: Guild, tmp_path: Path) -> None:
    """It says so, and shows what is done from then on."""
    backup, out, err = (tmp_path / name for name in ("backup.db", "out", "err"))
    guild.ok("ledger", "backup", str(backup))
    with out.open("wb") as told, err.open("wb") as notes:
        process = guild.start(
            "log",
            "-f",
            stdin=DEVNULL,
            stdout=told,
            stderr=notes,
        )
        try:
            wait_until(lambda: len(out.read_text().splitlines()) > 1)
            guild.ok("ledger", "restore-backup", str(backup), "-y", "--force")
            wait_until(lambda: "replaced by a backup" in err.read_text())
            guild.ok("label", "0", "after the return")
            wait_until(lambda: "after the return" in out.read_text())
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
