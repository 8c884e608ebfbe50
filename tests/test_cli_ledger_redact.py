"""`guild ledger redact`: a secret is gone from every file of the ledger and of the index, and the chain is whole."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.events.life import RunStatusChanged
from ledger.events.start import RunStarted
from ledger.ids import RunId, run_stream
from ledger.transaction import NewEvent
from tests.cli_kit import Guild, copied
from tests.cli_limits import like_any_user, limit_file_size
from tests.kit import append, make_ledger
from tests.test_docs_format import verified

SECRET = "hunter2-S3cr3t"  # noqa: S105 - of nobody


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command in the iris project, with runs; the newest one was given a secret as a flag."""
    guild = copied(tmp_path_factory, tmp_path)
    guild.ok("run", "finetune", f"base={SECRET}", "-y")
    return guild


def holders(guild: Guild) -> set[str]:
    """Return the files of the home in whose bytes the secret stands, run directories and snapshots left out."""
    found = set()
    for folder, _, names in os.walk(guild.home):
        for name in names:
            path = Path(folder) / name
            if SECRET.encode() in path.read_bytes():
                found.add(str(path.relative_to(guild.home)))
    return {name for name in found if name.partition("/")[0] not in ("runs", "sources", "trash")}


def test_a_secret_is_gone_from_the_bytes_of_every_database(guild: Guild) -> None:
    """Not only from rows: from free pages, logs and older generations of the index as well."""
    guild.ok("runs", "-v")
    for number in range(5):
        guild.ok("label", "0", f"{number}", "-y")
    (index,) = (guild.home / "index").glob("*.db")
    (guild.home / "index" / "000000000000.1.db").write_bytes(index.read_bytes())
    assert "ledger.db" in holders(guild)
    out = guild.ok("ledger", "redact", guild.ids()[0], "--reason", "typed by mistake", "-y")
    assert out.endswith("Emptied 3 bodies and headers.\n"), out
    assert holders(guild) == set()
    assert guild("ledger", "verify").code == 0
    assert verified(str(guild.home / "ledger.db"))[0] == 0


def test_the_redaction_is_an_event_with_a_reason(guild: Guild) -> None:
    """One transaction: an event for each body and header, and the reason in the header as well."""
    run = guild.ids()[0]
    before = len(guild.ok("log").splitlines())
    guild.ok("ledger", "redact", run, "--reason", "typed by mistake", "-y")
    entries = [json.loads(line) for line in guild.ok("log", "--json").splitlines()]
    assert len(entries) == before + 1
    assert entries[0]["reason"] == "typed by mistake"
    assert {event["type"] for event in entries[0]["events"]} == {"ledger.redacted"}
    assert {event["body"]["reason"] for event in entries[0]["events"]} == {"typed by mistake"}
    named = {event["body"]["stream"] for event in entries[0]["events"]}
    assert named == {"txn", f"run/{run}"}
    (start,) = [event for entry in entries for event in entry["events"] if event["stream"] == f"run/{run}"][-1:]
    assert (start["type"], start["body"]) == ("run.started", None)
    assert run in {row["id"] for row in guild.json("runs", "-a")}
    assert SECRET not in guild.ok("log", "-v")


def test_a_preview_changes_nothing(guild: Guild) -> None:
    """`--dry-run` and a no at the prompt show what would be emptied; without a reason nothing is even shown."""
    before = guild.history()
    shown = guild.ok("ledger", "redact", "0", "--reason", "x", "--dry-run")
    assert re.search(r"transaction \d+: its command line, actor and host \(\d+ bytes\)", shown)
    assert re.search(r"event \d+: run.started of run/[0-9a-f]{32} \(\d+ bytes\)", shown)
    assert guild("ledger", "redact", "0", "--reason", "x", stdin="n\n").code == 0
    guild.refused("ledger", "redact", "0", "--reason", "x")
    guild.refused("ledger", "redact", "0", "-y", code=2)
    guild.refused("ledger", "redact", "0", "--reason", " ", "-y", code=2)
    assert guild.history() == before


def test_events_and_transactions_are_named_by_their_numbers(guild: Guild) -> None:
    """By position, by transaction, by type; each is emptied once, and a second time there is nothing to do."""
    guild.ok("label", "0", "a name", "-y")
    newest = json.loads(guild.ok("log", "--json", "-n", "1"))
    position = newest["events"][0]["position"]
    assert "Emptied 1 " in guild.ok("ledger", "redact", "--event", f"{position}", "--no-headers", "--reason", "x", "-y")
    assert "Emptied 1 " in guild.ok("ledger", "redact", "--txn", f"{newest['seq']}", "--reason", "x", "-y")
    assert "nothing to redact" in guild.refused("ledger", "redact", "--txn", f"{newest['seq']}", "--reason", "x", "-y")
    guild.ok("comment", "0", "-m", "unkind")
    by_type = ("ledger", "redact", guild.ids()[0], "--type", "run.commented", "--no-headers", "--reason", "x", "-y")
    assert "Emptied 1 " in guild.ok(*by_type)
    assert guild("ledger", "verify").code == 0
    assert len(guild.rows()) == 6


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], 1),
        (["--event", "99999"], 1),
        (["--txn", "99999"], 1),
        (["--event", "1"], 1),
        (["--event", "0"], 2),
        (["0", "--type", "run.nonsense"], 2),
        (["0", "--type", "ledger.created"], 2),
        (["77"], 2),
        (["0"], 2),
        (["0:1"], 2),
        (["zzzz"], 1),
        (["f" * 32], 1),
    ],
)
def test_what_cannot_be_redacted_is_refused(guild: Guild, args: list[str], code: int) -> None:
    """What is not there, what is about the ledger itself, and what nobody named; nothing is changed."""
    before = guild.history()
    guild.refused("ledger", "redact", *args, "--reason", "x", "-y", code=code)
    assert guild.history() == before
    assert not (guild.home / "ledger.db-unwiped").exists()


def test_a_redacted_run_can_still_be_deleted_and_purged(guild: Guild) -> None:
    """It is named by its id, since it has no operation and no project any more."""
    run = guild.ids()[0]
    guild.ok("ledger", "redact", run, "--reason", "x", "-y")
    guild.ok("runs", "rm", run, "-a", "-y")
    guild.ok("runs", "restore", run, "-a", "-y")
    guild.ok("runs", "rm", "-p", run, "-a", "-y")
    assert guild("ledger", "verify").code == 0


def test_an_index_needs_the_prompt_so_that_a_repetition_empties_no_other_run(guild: Guild) -> None:
    """With -y it is refused and the hint says what to do; at the prompt and in a preview it may be given."""
    before = guild.history()
    assert "Leave -y out" in guild.refused("ledger", "redact", "0", "--reason", "x", "-y", code=2)
    guild.ok("ledger", "redact", "0", "--reason", "x", "--dry-run", "-y")
    assert guild.history() == before
    short = guild.rows()[0].short
    guild.ok("ledger", "redact", short, "--reason", "x", "-y")
    guild.refused("ledger", "redact", short, "--reason", "x", "-y")
    assert len([row for row in guild.json("runs", "-a") if row["operation"]]) == 6


def test_a_short_id_without_a_letter_is_an_id(tmp_path: Path) -> None:
    """Nobody chose its digits; fewer of them are taken for an index."""
    ledger = make_ledger(tmp_path / "home")
    for run_id in ("41610222".ljust(32, "a"), "c" * 32):
        started = RunStarted(str(tmp_path), None, "m", "train", (), {"key": SECRET})
        append(
            ledger, *(NewEvent(run_stream(RunId(run_id)), event) for event in (started, RunStatusChanged("error", 1)))
        )
    ledger.store.close()
    guild = Guild(tmp_path / "home", tmp_path)
    before = guild.history()
    guild.refused("ledger", "redact", "4161022", "--reason", "x", "-y", code=2)
    assert guild.history() == before
    guild.ok("ledger", "redact", "41610222", "--reason", "x", "-y")
    assert {row["id"][:8]: bool(row["operation"]) for row in guild.json("runs", "-a")} == {
        "c" * 8: True,
        "41610222": False,
    }


def test_a_wipe_that_cannot_be_finished_stops_no_other_change(guild: Guild) -> None:
    """While others read the ledger it is told and put off; the first change after them finishes it."""
    unwiped = guild.home / "ledger.db-unwiped"
    unwiped.touch()
    reader = guild.database()
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM txn").fetchone()
    guild.ok("label", "0", "first", "-y")
    result = guild("label", "0", "second", "-y")
    assert (result.code, unwiped.exists()) == (0, True)
    assert "WARNING: an earlier redaction is recorded but not wiped" in result.err
    reader.close()
    assert "WARNING" not in guild("label", "0", "third", "-y").err
    assert not unwiped.exists()
    assert guild.rows()[0].label == "third"


def test_what_decides_the_life_of_a_run_cannot_be_redacted(guild: Guild) -> None:
    """A protection is not lifted, neither by the event's number, its type nor its transaction."""
    run = guild.ids()[0]
    guild.ok("protect", run, "-y")
    newest = json.loads(guild.ok("log", "--json", "-n", "1"))
    before = guild.history()
    position = str(newest["events"][0]["position"])
    assert "cannot be redacted" in guild.refused("ledger", "redact", "--event", position, "--reason", "x", "-y")
    guild.refused("ledger", "redact", run, "--type", "run.protected", "--reason", "x", "-y")
    assert guild.history() == before
    assert "Emptied 1 " in guild.ok("ledger", "redact", "--txn", f"{newest['seq']}", "--reason", "x", "-y")
    guild.refused("runs", "rm", run, "-y")


def test_a_staged_run_keeps_what_it_would_be_started_from(guild: Guild) -> None:
    """Deleted first, it may be redacted."""
    guild.ok("run", "finetune", f"base={SECRET}", "--stage", "-y")
    run = guild.ids()[0]
    assert "is staged" in guild.refused("ledger", "redact", run, "--reason", "x", "-y")
    guild.ok("runs", "rm", run, "-y")
    guild.ok("ledger", "redact", run, "--reason", "x", "-y")


def test_a_redaction_that_is_refused_leaves_nothing_to_be_wiped(guild: Guild) -> None:
    """Nothing was emptied, so no index is thrown away and no later command goes on with anything."""
    run = guild.ids()[0]
    guild.ok("runs")
    before, indexes = guild.history(), sorted(os.listdir(guild.home / "index"))
    limited = replace(guild, prepare=limit_file_size(1))
    limited.refused("ledger", "redact", run, "--reason", "x", "-y")
    assert guild.history() == before
    assert not (guild.home / "ledger.db-unwiped").exists()
    assert sorted(os.listdir(guild.home / "index")) == indexes


def test_a_copy_that_a_killed_command_left_goes_with_what_it_holds(guild: Guild) -> None:
    """A restore that died leaves a copy of a backup beside the ledger; the secret is in no such file either."""
    for name in ("ledger.db-restoring-0123456789abcdef", "ledger.db-new"):
        (guild.home / name).write_text(SECRET)
    guild.ok("ledger", "redact", guild.ids()[0], "--reason", "x", "-y")
    assert holders(guild) == set()


def test_a_read_only_home_says_so_before_anything_is_shown(guild: Guild) -> None:
    """As every command that changes something does; a preview is still shown."""
    run = guild.ids()[0]
    guild.ok("runs")
    guild.home.chmod(0o500)
    reader = replace(guild, prepare=like_any_user)
    try:
        result = reader("ledger", "redact", run, "--reason", "x", "-y")
        shown = reader.ok("ledger", "redact", run, "--reason", "x", "--dry-run")
    finally:
        guild.home.chmod(0o700)
    assert (result.code, result.out) == (1, "")
    assert "is read-only" in result.err
    assert "To be emptied for ever" in shown


def test_what_an_undo_took_back_is_not_forgotten(guild: Guild) -> None:
    """Only the header of an undo says it: it stays, and is told, unless it is named itself."""
    run = guild.ids()[0]
    guild.ok("label", run, SECRET, "-y")
    guild.ok("undo", "-y")
    newest = json.loads(guild.ok("log", "--json", "-n", "1"))
    result = guild("ledger", "redact", run, "--type", "run.labeled", "--reason", "x", "-y")
    assert f"The command line of transaction {newest['seq']} stays" in result.err
    assert f"transaction {newest['seq']}:" not in result.out
    entries = [json.loads(line) for line in guild.ok("log", "--json").splitlines()]
    assert next(entry for entry in entries if entry["seq"] == newest["seq"])["undoes"] is not None
    assert "Emptied 1 " in guild.ok("ledger", "redact", "--txn", f"{newest['seq']}", "--reason", "x", "-y")


def test_a_redaction_that_died_is_finished_beside_a_damaged_index(guild: Guild) -> None:
    """What the return of a backup left undone is done in the new index; a folder removed by hand is no failure."""
    (guild.home / "ledger.db-exchanged").touch()
    (index,) = (guild.home / "index").glob("*.db")
    index.write_bytes(b"garbage" * 1000)
    (guild.home / "trash").rmdir()
    result = guild("label", guild.ids()[0], "mended", "-y")
    assert (result.code, (guild.home / "ledger.db-exchanged").exists()) == (0, False), result
