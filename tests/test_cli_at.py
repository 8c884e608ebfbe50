"""`--at` from outside: commands that show runs answer as they would have answered then, and leave no trace."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ledger.events.life import RunStatusChanged
from tests.cli_kit import LOCAL_SCOPE, Guild, Result, report
from tests.kit import append, happens, make_ledger, run_id, started
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture
from tests.test_completion import offered
from tests.test_positions import GUILD, in_terminal

QUESTIONS = (
    ("runs", "--json"),
    ("runs", "list", "good", "-ECS"),
    ("runs", "-d", "--json"),
    ("runs", "list", "-a", "--columns", "index,id,label,tag,comment,marked,duration,loss", "--csv"),
    ("runs", "list", "--sort", "loss", "-F", "loss > 0 or marked"),
    ("runs", "list", "--group-by", "tag"),
    ("runs", "info", "0", "--json"),
    ("runs", "info", "-d"),
    ("select", "--max", "loss"),
    ("tag", "--list"),
    ("comment", "0", "--list", "--json"),
)
STEPS = (
    (),
    (("label", "0", "--set", "better"), ("tag", "1", "--add", "paper", "--add", "done"), ("comment", "0", "-m", "bad")),
    (("mark", "2"), ("runs", "rm", "0", "-y")),
    (("runs", "restore", "0", "-y"), ("runs", "rm", "0", "1", "-y"), ("runs", "purge", "0", "-y")),
)


def last_seq(guild: Guild) -> int:
    """Return the number of the last transaction."""
    return int(json.loads(guild.ok("log", "-n", "1", "--json"))["seq"])


def without_folder(result: Result) -> tuple[int, str]:
    """Return how a command ended and what it printed, the run's directory taken out."""
    text = re.sub(r'("run_dir": ?)"[^"]*"', r"\1null", result.out)
    return result.code, re.sub(r"^run_dir: .*$", "", text, flags=re.MULTILINE)


def test_every_command_answers_as_it_answered_then(guild: Guild) -> None:
    """After each of many changes commands are asked, and at the end asked again as of then: the same is printed."""
    report(guild, guild.ids()[1], loss=2.5)
    then: dict[int, list[tuple[int, str]]] = {}
    for commands in STEPS:
        for words in commands:
            guild.ok(*words)
        then[last_seq(guild)] = [without_folder(guild(*question)) for question in QUESTIONS]
    for seq, answers in then.items():
        for question, answer in zip(QUESTIONS, answers, strict=True):
            assert without_folder(guild(*question, "--at", str(seq))) == answer, (seq, question)


def test_a_purged_run_is_listed_as_of_before_its_purge(guild: Guild) -> None:
    """Its row is there with label and status, though nothing of it is left but its events."""
    gone, before = guild.ids()[0], last_seq(guild)
    guild.ok("runs", "rm", "0", "-y")
    guild.ok("runs", "purge", "0", "-y")
    assert guild.rows("--at", str(before))[0].label == "good one"
    assert guild.json("runs", "info", gone[:8], "--at", str(before))["status"] == "completed"
    assert [run["id"] for run in guild.json("runs", "-d", "--at", str(before + 1))] == [gone]
    assert gone not in guild.ids()


def test_one_line_on_stderr_says_as_of_what(guild: Guild) -> None:
    """A number, the beginning of its id and its time name one transaction, which is told beside the answer."""
    seq = last_seq(guild) - 1
    txn = [json.loads(line) for line in guild.ok("log", "--json").splitlines()][1]
    time = txn["time"].replace("T", " ")[:19]
    for text in (str(seq), txn["txn_id"], txn["time"]):
        result = guild("runs", "--at", text, "-n", "0")
        assert result == Result(0, "", f"{LOCAL_SCOPE}As of transaction {seq}, {time}\n"), text


def test_nothing_in_the_home_is_written(guild: Guild) -> None:
    """Neither the index nor the ledger nor any other file changes, and none is made."""
    guild.ok("runs")
    shutil.rmtree(guild.home / "index")
    before = guild.files()
    for question in QUESTIONS:
        guild(*question, "--at", "3")
    assert guild.files() == before


def test_a_lost_run_runs_as_of_then_and_is_not_recorded_as_over(tmp_path: Path) -> None:
    """Its status is what was recorded by then, also after its end was found and recorded."""
    ledger = make_ledger(tmp_path / "home")
    append(ledger, started(1))
    ledger.store.close()
    guild = Guild(tmp_path / "home", tmp_path)
    before = guild.history()
    statuses = [row["status"] for row in guild.json("runs", "--at", "2")]
    assert (statuses, guild.history() == before) == (["running"], True)
    guild.ok("runs")
    assert [row["status"] for row in guild.json("runs", "--at", "2")] == ["running"]


def test_a_damaged_index_does_not_matter_and_is_not_mended(guild: Guild) -> None:
    """The past is replayed from the ledger alone; the next command without --at mends the index."""
    right = guild.ok("runs")
    seq = str(last_seq(guild))
    (index,) = (guild.home / "index").glob("*.db")
    index.write_bytes(b"garbage" * 1000)
    result = guild("runs", "--at", seq)
    assert (result.out, "rebuilt" in result.err) == (right, False)
    assert index.read_bytes() == b"garbage" * 1000
    assert "was rebuilt" in guild("runs").err


def test_where_there_is_no_ledger_there_is_no_past(tmp_path: Path) -> None:
    """An empty home stays empty; so does a database that GUILD_LEDGER names."""
    guild = Guild(tmp_path / "home", tmp_path)
    assert "there is no ledger in" in guild.refused("runs", "--at", "yesterday")
    other = guild.with_env(GUILD_LEDGER=f"sqlite:///{tmp_path}/other.db")
    assert "there is no ledger in" in other.refused("tag", "--list", "--at", "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("99999", "there is no transaction 99999: the ledger holds 1 to "), ("0", "there is no transaction 0"),
        ("1 year ago", "is before the ledger began, at "), ("abcdef", "no transaction whose id begins with abcdef"),
        ("soon", "'soon' is no moment"), ("", "--at needs a text"), (" ", "is no moment"), ("2999-01-01", "to come"),
    ],
)  # fmt: skip
def test_a_moment_that_is_none_is_wrong_usage(guild: Guild, text: str, said: str) -> None:
    """The message says what there is; nothing is printed on stdout."""
    assert said in guild.refused("runs", "--at", text, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "rm", "0", "-y"), ("runs", "purge", "-y"), ("label", "0", "--set", "x"), ("mark", "0"), ("stop",),
        ("runs", "restore", "0"), ("cat", "--output"), ("ls",), ("tag", "0", "x"), ("tag", "0", "--add", "x"),
        ("comment", "0", "-m", "x"), ("runs", "list", "--watch"),
    ],
)  # fmt: skip
def test_what_changes_shows_files_or_goes_on_refuses_a_moment(guild: Guild, words: tuple[str, ...]) -> None:
    """The past cannot be changed or watched, and files are those of now: wrong usage, nothing done."""
    before = guild.state()
    assert "--at" in guild.refused(*words, "--at", "3", code=2)
    assert guild.state() == before


def test_a_moment_goes_behind_the_command(guild: Guild) -> None:
    """As every option of a listing: before the command it would be lost."""
    assert "cannot be listed before command" in guild.refused("runs", "--at", "3", "list")


def test_folders_are_not_told_for_they_are_those_of_now(guild: Guild) -> None:
    """JSON says null, people are told why, a column is blank."""
    seq = str(last_seq(guild))
    assert guild.json("runs", "--at", seq)[0]["run_dir"] is None
    for words in (("runs", "info"), ("runs", "-v", "-n", "1")):
        assert "run_dir: (not told with --at: files are those of now)\n" in guild.ok(*words, "--at", seq)
    assert guild.ok("runs", "--columns", "run_dir", "--csv", "-n", "1", "--at", seq) == 'run_dir\r\n""\r\n'


def test_words_of_time_in_filters_are_as_of_then(tmp_path: Path) -> None:
    """`last minute` is the minute before the moment, also in expressions, whatever the clock says now."""
    ledger = make_ledger(tmp_path / "home")
    for number in range(200):
        append(ledger, started(number), happens(number, RunStatusChanged(status="completed", exit_status=0)))
    ledger.store.close()
    guild = Guild(tmp_path / "home", tmp_path)
    words = ("runs", "--count", "--at", "150")
    assert guild.ok(*words, "--started", "last 1 minute") == "61\n"
    assert guild.ok(*words, "-F", "started = last 1 minute") == "61\n"
    assert guild.json("select", "--at", "150")[0]["id"] == run_id(148)


def test_an_index_is_that_of_then_whatever_was_listed_since(guild: Guild) -> None:
    """A list of the past is not remembered: it binds no index of a later command, and no list binds its own."""
    seq, ids = last_seq(guild), guild.ids()
    script = f"{GUILD} runs rm 0 -y; {GUILD} runs; {GUILD} runs --at {seq}; {GUILD} select 0 --at {seq}"
    shown = in_terminal(guild, f"{script}; {GUILD} runs rm 0 -y; echo code $?")
    assert f"\n{ids[0]}\n" in shown
    assert "code 0" in shown
    assert "Note:" not in shown
    assert guild.ids() == ids[2:]


def test_transactions_and_words_of_time_are_offered_at_the_tab_key(guild: Guild) -> None:
    """The newest first; runs are not, because their numbers as of then would have to be replayed."""
    seq = last_seq(guild)
    assert offered(guild, "guild runs --at ")[:2] == [str(seq), str(seq - 1)]
    assert offered(guild, "guild diff --at 1 --at y") == ["yesterday"]
    assert offered(guild, f"guild runs info --at {seq} ") == []
