"""Clean-ups from outside: what the rules keep stays, what they do not keep goes, and a dry run says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli_kit import Guild, make_project

CODE = """
import sys
print("loss:", float(sys.argv[sys.argv.index("--lr") + 1]))
open("model", "w").write("x" * 100)
"""
MODELS = "{name: m, operations: {go: {cmd: main, flags: {lr: 1}}}}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a home with, newest first, 0 staged, then losses 4 (protected), 1, 3 (tagged paper), 2 (marked), 5."""
    folder = tmp_path_factory.mktemp("retention")
    guild = Guild(folder / "home", make_project(folder / "project", MODELS, main=CODE))
    guild.ok("run", "go", "lr=[5,2,3,1,4]", "-y")
    guild.ok("run", "go", "lr=9", "--stage", "-y")
    guild.ok("protect", "1")
    guild.ok("tag", "3", "--add", "paper")
    guild.ok("mark", "4")
    return guild


@pytest.fixture
def guild(made: Guild, tmp_path: Path) -> Guild:
    """Give the command with a copy of that home."""
    shutil.copytree(made.home, tmp_path / "home")
    return Guild(tmp_path / "home", made.cwd)


def losses(guild: Guild, *args: str) -> list[float]:
    """Return what the runs of a listing printed, newest first; 9 for the one that is staged."""
    folders = [Path(run["run_dir"]) for run in guild.json("runs", "list", *args)]
    printed = [folder / ".guild/output" for folder in folders]
    return [float(path.read_text().split()[-1]) if path.exists() else 9 for path in printed]


def dry(guild: Guild, *args: str) -> Any:
    """Return the plan of a clean-up."""
    return json.loads(guild.ok("runs", *args, "--dry-run", "--json"))


RULES: dict[str, tuple[list[str], list[int], str]] = {
    "last": (["--keep-last", "2"], [3, 2, 5], "2 --keep-last 2"),
    "last twice": (["--keep-last", "2", "--keep-last", "1"], [3, 2, 5], "2 --keep-last 2"),
    "lowest": (["--keep-best", "loss=2"], [4, 3, 5], "2 --keep-best loss=2"),
    "min": (["--keep-best", "min loss=2"], [4, 3, 5], "2 --keep-best min loss=2"),
    "highest": (["--keep-best", "max loss=1"], [4, 1, 3, 2], "1 --keep-best max loss=1"),
    "tag": (["--keep-tag", "paper"], [4, 1, 2, 5], "1 --keep-tag paper"),
    "marked": (["--keep-marked"], [4, 1, 3, 5], "1 --keep-marked"),
    "several": (["--keep-marked", "--keep-tag", "paper", "--keep-best", "loss=1"], [4, 5], "1 --keep-tag paper"),
}
"""The losses of those that no rule keeps; the protected one (4) stays whatever the rules say."""


@pytest.mark.parametrize("name", RULES)
def test_what_no_rule_keeps_is_deleted(guild: Guild, name: str) -> None:
    """And nothing else; a staged and a protected run stay, which a note on stderr says with the rest."""
    options, going, says = RULES[name]
    result = guild("runs", "rm", *options, "-y")
    assert (result.code, result.out) == (0, f"Deleted {len(set(going) - {4})} run(s)\n"), result
    assert says in result.err
    assert "1 staged" in result.err
    assert "1 protected" in result.err
    assert losses(guild, "-d") == [loss for loss in going if loss != 4]


def test_a_purge_has_the_same_rules(guild: Guild) -> None:
    """Over what is deleted, with indexes and filters of that list; what stays can still be restored."""
    guild.ok("runs", "rm", "2:5", "-y")
    guild.ok("runs", "purge", "--keep-best", "loss=1", "--keep-marked", "-y")
    assert losses(guild, "-d") == [1, 2]
    assert {path.name for path in (guild.home / "trash").iterdir()} == set(guild.ids("-d"))
    guild.ok("runs", "restore", "-y")
    assert losses(guild) == [9, 4, 1, 2]


def test_rules_narrow_what_filters_and_words_choose(guild: Guild) -> None:
    """The best of the runs that were chosen, not of all; in whatever order they are named."""
    plan = dry(guild, "rm", "5", "3", "--keep-best", "loss=1")
    assert [(run["goes"], run["why"]) for run in plan["runs"]] == [
        (False, ["--keep-best loss=1"]),
        (True, ["no rule keeps it"]),
    ]
    assert plan == dry(guild, "rm", "3", "5", "--keep-best", "loss=1")
    filtered = dry(guild, "rm", "-F", "lr > 2", "-C", "--keep-last", "2")
    assert [run["goes"] for run in filtered["runs"]] == [False, False, True]


def test_a_dry_run_says_what_and_why_and_the_bytes(guild: Guild) -> None:
    """A line for each run, those that stay as well; nothing is changed."""
    state = guild.state()
    result = guild("runs", "rm", "--older-than", "0min", "--keep-tag", "paper", "--keep-last", "1", "--dry-run")
    assert result.code == 0
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines] == ["stays", "stays", "goes", "stays", "goes", "goes", "3"]
    assert [line.rpartition("(")[2] for line in lines[:-1]] == [
        "staged)",
        "protected, --keep-last 1)",
        "older than 0min)",
        "--keep-tag paper)",
        "older than 0min)",
        "older than 0min)",
    ]
    plan = dry(guild, "rm", "--older-than", "0min", "--keep-tag", "paper", "--keep-last", "1")
    assert (plan["going"], plan["staying"]) == (3, 3)
    assert plan["bytes"] == sum(run["bytes"] for run in plan["runs"] if run["goes"]) >= 300
    assert all(run["bytes"] is None for run in plan["runs"] if not run["goes"])
    assert lines[-1].startswith("  3 of 6 run(s) go, ")
    assert guild.state() == state


def test_young_runs_stay(guild: Guild) -> None:
    """Age is counted from the start of a run; when all are too young there is nothing to do, which is code 1."""
    for options in (["--older-than", "1h"], ["--keep-within", "1h"]):
        error = guild.refused("runs", "rm", *options, "-y")
        assert "Nothing to delete" in error
        assert "6 run(s) stay: " in error
    assert all(run["goes"] for run in dry(guild, "rm", "-C", "2:4", "--older-than", "0h")["runs"])


def test_a_running_run_stays_and_is_not_stopped(guild: Guild) -> None:
    """Without rules it would be stopped and deleted; a clean-up leaves it alone."""
    (guild.cwd / "wait.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    process = guild.start("run", "wait.py", "-y")
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    try:
        result = guild("runs", "rm", "--keep-marked", "-y")
        assert (result.code, "1 running" in result.err) == (0, True), result
        assert [row.status for row in guild.rows("-R")] == ["running"]
    finally:
        guild.ok("stop", "0", "-y")
        process.communicate()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--keep-best", "los=1"], "did you mean 'loss'?"),
        (["--keep-best", "loss"], "does not say which runs are best"),
        (["--keep-last", "0"], "0 is not in the range"),
        (["--older-than", "3m"], "is no length of time"),
        (["--keep-within", ""], "is no length of time"),
        (["--keep-tag", ""], "got an empty one"),
        (["--json"], "--json goes with --dry-run"),
    ],
)
def test_a_mistake_in_a_rule_deletes_nothing(guild: Guild, options: list[str], says: str) -> None:
    """Wrong usage, code 2: an empty variable or a misspelt name in a script must not empty the home."""
    state = guild.state()
    for command in ("rm", "purge"):
        assert says in guild.refused("runs", command, "-y", *options, code=2)
    assert guild.state() == state


def test_a_scalar_that_none_of_the_chosen_runs_has_is_refused(guild: Guild) -> None:
    """Others have it, so it is no misspelling; but a rule that keeps nothing may be a mistake in the filter."""
    (guild.cwd / "quiet.py").write_text("pass\n")
    guild.ok("run", "quiet.py", "-y")
    error = guild.refused("runs", "rm", "-o", "quiet", "--keep-best", "loss=1", "-y")
    assert "none of the runs that were chosen has a number for 'loss'" in error


@pytest.mark.parametrize("more", [[], ["3", "4"], ["--keep-tag", "paper", "--keep-last", "1"]])
def test_a_tag_that_none_of_the_chosen_runs_has_is_refused(guild: Guild, more: list[str]) -> None:
    """A misspelt tag would keep nothing: it is refused beside other rules too, with a guess."""
    state = guild.state()
    error = guild.refused("runs", "rm", *more, "--keep-tag", "papr", "-y")
    assert "none of the runs that were chosen has the tag 'papr' (did you mean 'paper'?)" in error
    assert guild.state() == state


def test_a_tag_that_only_others_have_is_refused(guild: Guild) -> None:
    """It stands on a run that was not chosen: what was chosen would go as if there were no rule."""
    assert "has the tag 'paper'" in guild.refused("runs", "rm", "4", "--keep-tag", "paper", "-y")


def test_a_dry_run_as_json_works_without_rules(guild: Guild) -> None:
    """The plan of the ordinary command; a protected run refuses it as a whole, as it would be."""
    plan = dry(guild, "rm", "2:3")
    assert [(run["goes"], run["why"]) for run in plan["runs"]] == [(True, ["selected"])] * 2
    assert "is protected" in guild.refused("runs", "rm", "1", "--dry-run", "--json")
    assert "There are no runs" in guild.refused("runs", "purge", "--dry-run", "--json")


@pytest.mark.parametrize("command", [["runs"], ["runs", "rm", "-y"], ["select"], ["label", "x", "-y"]])
def test_a_mistyped_name_in_an_expression_is_refused(guild: Guild, command: list[str]) -> None:
    """`not los > 3` holds for every run: a bare name that no run has is refused wherever it is typed."""
    before = guild.state()
    said = guild.refused(*command, "-F", "not los > 3", code=2)
    assert "did you mean 'loss'?" in said
    assert guild.state() == before


def test_a_name_with_a_prefix_may_be_of_no_run_and_is_noted(guild: Guild) -> None:
    """Who writes `scalar:` has said what is meant: it is noted, once, and matches as what is not there does."""
    result = guild("runs", "-F", "scalar:los > 3 or scalar:los is undefined", "--count")
    assert (result.code, result.out) == (0, "6\n")
    assert result.err.count("No run has scalar:los (did you mean 'scalar:loss'?)") == 1


@pytest.mark.parametrize("rule", ["--older-than", "--keep-within"])
@pytest.mark.parametrize("ages", [("1h", "0min"), ("0min", "1h")])
def test_of_a_rule_that_is_given_twice_the_one_counts_that_keeps_more(
    guild: Guild, rule: str, ages: tuple[str, str]
) -> None:
    """In either order: adding a rule never removes a run more."""
    plan = dry(guild, "rm", rule, ages[0], rule, ages[1])
    assert [run["goes"] for run in plan["runs"]] == [False] * 6
