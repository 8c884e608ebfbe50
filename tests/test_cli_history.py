"""The life of one run, and the log's filters, from outside: read from the ledger alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

from tests.cli_kit import PATIENCE, Guild, damage, wait_until
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


def test_the_life_of_a_purged_run_is_told_without_an_index(guild: Guild) -> None:
    """What it was, who removed it, how many files; every event with time, who and command; no index is made."""
    run_id = guild.ids()[0]
    guild.ok("comment", "0", "-m", "it's fine")
    guild.ok("label", "0", "best")
    guild.with_env(USER="grace", LOGNAME=None).ok("runs", "rm", "-p", "0", "-y")
    shutil.rmtree(guild.home / "index")
    lines = guild.ok("history", run_id[:8]).splitlines()
    assert lines[0] == f"run {run_id}  ./iris-cnn:train  completed, purged"
    assert lines[1].startswith("  removed for good on ")
    assert " by grace@" in lines[1]
    assert "files, " in lines[1]
    assert lines[2:5] == ["  label 'best'", "  flags: epochs=5", ""]
    words = [re.split(" {2,}", line)[2] for line in lines[5:]]
    assert words[:4] == ["started with epochs=5", "completed", "comment: it's fine", "label: 'good one' -> 'best'"]
    assert words[4:6] == ["deleted", "removal for good began"]
    assert words[6].startswith("removed for good: ")
    assert all(line.endswith(" -y)") for line in lines[9:])
    told = json.loads(guild.ok("history", run_id, "--json"))
    assert (told["status"], told["place"], told["label"], told["flags"]) == (
        "completed",
        "purged",
        "best",
        {"epochs": 5},
    )
    assert told["files"] > 0
    assert told["bytes"] >= 0
    assert [event["actor"] for event in told["events"]] == ["ada"] * 4 + ["grace"] * 3
    assert told["events"][3]["changes"] == [{"attribute": "label", "before": "good one", "after": "best"}]
    assert not (guild.home / "index").exists()


def test_undo_is_told_on_both_sides(guild: Guild) -> None:
    """What was taken back says by which transaction, and the undo says of which; an index names a run as well."""
    guild.ok("mark", "0")
    guild.ok("undo", "-y")
    marked, unmarked = guild.ok("history", "0").splitlines()[-2:]
    assert "  marked [taken back by 15]  (14: guild mark 0)" in marked
    assert "  mark removed [takes back 14]  (15: guild undo -y)" in unmarked
    events = json.loads(guild.ok("history", "0", "--json"))["events"]
    assert [(event["undoes"], event["undone_by"]) for event in events[-2:]] == [(None, 15), (14, None)]


def test_a_run_that_nobody_knows_is_refused(guild: Guild) -> None:
    """By an unknown or ambiguous beginning, or an index that is not there; no word selects another run."""
    for word in ("ffffffffffffffff", "zz", "", "99", "-", "9" * 40):
        assert "guild: " in guild.refused("history", *(["--"] if word == "-" else []), word, code=1)
        if word:
            guild.refused("log", f"--run={word}", code=1)
    assert "--run needs a text" in guild.refused("log", "--run", "", code=2)


def test_the_log_is_filtered(guild: Guild) -> None:
    """By run, actor, time and type, all at once; of a purged run as well; -n counts what is left."""
    ids = guild.ids()
    guild.with_env(USER="grace", LOGNAME=None).ok("label", ids[0], ids[1], "x", "-y")
    guild.ok("runs", "rm", "-p", ids[0], "-y")

    def seqs(*args: str) -> list[int]:
        return [json.loads(line)["seq"] for line in guild.ok("log", "--json", *args).splitlines()]

    assert seqs("--run", ids[0][:8]) == [16, 15, 14, 13, 12]
    assert seqs("--run", ids[1], "-n", "1") == [14]
    assert seqs("--actor", "grace") == [14]
    assert seqs("--actor", f"grace@{os.uname().nodename}", "--type", "deleted") == []
    assert seqs("--type", "run.deleted", "--type", "labeled") == [15, 14]
    assert seqs("--since", "yesterday", "--type", "created") == seqs("--type", "ledger.created") == [1]
    assert seqs("--since", "5 minutes ago", "--actor", "nobody") == []
    assert "has no beginning" in guild.refused("log", "--since", "before 2020-01-01", code=2)
    assert "is no range of time" in guild.refused("log", "--since", "soon", code=2)
    assert "is no range of time" in guild.refused("runs", "--started", "13-45", code=2)
    assert "did you mean 'deleted'" in guild.refused("log", "--type", "delted", code=2)


def test_a_short_log_reads_no_further_than_it_shows(guild: Guild) -> None:
    """However many transactions lie behind: what is wrong with those is not even seen, with any filter."""
    run = guild.ids()[0]
    guild.with_env(USER="grace", LOGNAME=None).ok("label", run, "x", "-y")
    guild.ok("mark", run)
    words = (
        ["--actor", "ada"],
        ["--actor", f"ada@{os.uname().nodename}"],
        ["--type", "marked"],
        ["--since", "yesterday"],
    )
    filters: list[list[str]] = [*words, []]
    whole = [guild.ok("log", "--json", *given).splitlines() for given in filters]
    for given, lines in zip(filters, whole, strict=True):
        for count in (0, 1, 3, 99):
            assert guild.ok("log", "--json", *given, "-n", str(count)).splitlines() == lines[:count]
    damage(guild.home / "ledger.db", ["UPDATE txn SET header = x'7b226164612261' WHERE seq < 15"])
    for given, lines in zip(filters, whole, strict=True):
        assert guild.ok("log", "--json", *given, "-n", "1").splitlines() == lines[:1]
    assert guild("log", "--actor", "ada", "-n", "5").code != 0


def test_the_log_shows_before_and_after(guild: Guild) -> None:
    """--patch: each attribute that a transaction changed, for each run; as JSON with the values themselves."""
    ids = guild.ids()
    guild.ok("label", "0:1", "x", "-y")
    _, *changed = guild.ok("log", "--patch", "-n", "1").splitlines()
    assert sorted(line.strip() for line in changed) == sorted(
        [f"{ids[0][:8]}  label: 'good one' -> 'x'", f"{ids[1][:8]}  label: none -> 'x'"]
    )
    (entry,) = [json.loads(line) for line in guild.ok("log", "--patch", "--json", "-n", "1").splitlines()]
    assert {"run": ids[1], "attribute": "label", "before": None, "after": "x"} in entry["changes"]


def test_the_log_follows_until_ctrl_c(guild: Guild) -> None:
    """The newest first of all, in the order of time, then each new one as it comes; Ctrl-C is no failure."""
    seen = guild.home / "seen"
    with seen.open("w") as out:
        process = guild.start("log", "--follow", "-n", "1", "--type", "marked", "--type", "created", stdout=out)
        try:
            wait_until(lambda: seen.read_text().count("\n") == 1)
            guild.ok("label", "0", "not asked for")
            guild.ok("mark", "0")
            wait_until(lambda: seen.read_text().count("\n") == 2)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    first, second = seen.read_text().splitlines()
    assert "  ledger created  " in first
    assert "  marked " in second
    assert (process.returncode, err) == (0, b"")
