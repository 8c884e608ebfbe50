"""Rules of looking at runs and acting on them that earlier tools of this kind have broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli_crowd import DELETED, LIVE, crowd
from tests.cli_kit import Guild, parse_rows, project_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Make a home of which every run is marked and protected; nobody changes it."""
    return crowd(tmp_path_factory.mktemp("noted"), noted=True)


@pytest.fixture
def guild(made: Guild, tmp_path: Path) -> Guild:
    """Give a copy of it."""
    shutil.copytree(made.home, tmp_path / "home")
    return Guild(tmp_path / "home", made.cwd)


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (["runs", "rm"], LIVE),
        (["runs", "rm", "-p"], LIVE),
        (["runs", "delete", "--permanent"], LIVE),
        (["runs", "purge"], DELETED),
    ],
)
def test_no_way_leads_around_protection(made: Guild, words: list[str], runs: tuple[str, ...]) -> None:
    """By id, index, range, filter, with all or none named, asked or not: refused, naming the run and the way out."""
    selections = (["0"], [runs[0]], [runs[0][:4]], ["0:0"], [":0"], ["-l", "label 0"], ["--op", "train", "0"])
    everything: tuple[list[str], ...] = (
        [],
        [":"],
        ["--all"],
        ["-a", ":"],
        ["-F", "lr >= 0"],
        [runs[2], "0"],
        ["1:2", "0"],
    )
    option = "" if runs is LIVE else " -d"
    before = made.state()
    for how in ("-y", "--dry-run", "--fresh"):
        results = made.many([[*words, *selection, how] for selection in (*selections, *everything)])
        for selection, result in zip((*selections, *everything), results, strict=True):
            assert (result.code, result.out) == (1, ""), (selection, result)
            assert f"guild unprotect{option} " in result.err, selection
            assert runs[0][:8] in result.err, selection
            assert "protected" in result.err
    assert made.state() == before


def test_protection_is_lifted_as_the_refusal_says(guild: Guild) -> None:
    """The command in the message, typed as it stands, makes the deletion possible."""
    error = guild.refused("runs", "purge", "-y")
    command = error.partition("`guild ")[2].partition("`")[0].split()
    assert command[:2] == ["unprotect", "-d"]
    guild.ok(*command, "-y")
    assert guild.ok("runs", "purge", "-y") == "Permanently deleted 4 run(s)\n"


@pytest.mark.parametrize(("command", "done"), [("restore", "Restored"), ("purge", "Permanently deleted")])
def test_a_run_that_is_named_twice_counts_once(guild: Guild, command: str, done: str) -> None:
    """By number, in a range and by id at once; nothing fails half way, and the count is that of the runs."""
    guild.ok("unprotect", "-d", ":", "-y")
    text = guild.ok("runs", command, "0", "0", "0:1", DELETED[1], DELETED[0][:5], "-y")
    assert text == f"{done} 2 run(s)\n"
    assert guild.ids("-d") == [DELETED[2], DELETED[4]]


def test_a_label_limits_before_the_numbering(made: Guild) -> None:
    """`runs list LABEL` numbers what it lists from 0, and that number means the same run to every command."""
    (row,) = made.rows("label 2")
    assert (row.index, row.short) == (0, LIVE[2][:8])
    assert made.json("runs", "info", "-l", "label 2", "0")["id"] == LIVE[2]
    assert [row.index for row in made.rows("label 0", "label 2")] == [0, 1]


def test_a_text_finds_parts_and_an_expression_the_whole(made: Guild) -> None:
    """`--op rain` also means train; `-F 'operation = ...'` means the whole name. Both labels at once need -F."""
    part, whole, exact, either, both = made.many(
        [
            ["runs", "--op", "rain"],
            ["runs", "-F", "operation = rain"],
            ["runs", "-F", "operation = train"],
            ["runs", "-l", "label", "-l", "2"],
            ["runs", "-F", "label contains label and label contains 2"],
        ],
    )
    assert part.out == exact.out != ""
    assert whole.out == ""
    assert len(parse_rows(either.out)) == 3
    assert [row.short for row in parse_rows(both.out)] == [LIVE[2][:8]]


def test_live_and_deleted_runs_are_never_mixed(made: Guild) -> None:
    """With all scopes and filters; what is deleted is found with -d, by commands that have it, and nowhere else."""
    live, deleted, info, select = made.many(
        [["runs", "-a"], ["runs", "-ad"], ["runs", "info", "-a", DELETED[0]], ["select", "-a", "--each"]]
    )
    assert [row.short for row in parse_rows(live.out)] == [run_id[:8] for run_id in LIVE]
    assert [row.short for row in parse_rows(deleted.out)] == [run_id[:8] for run_id in DELETED]
    assert "is deleted: `guild runs restore` brings it back" in info.err
    assert select.out.split() == list(LIVE)


def test_runs_of_a_project_that_has_moved_are_not_lost(guild: Guild, tmp_path: Path) -> None:
    """They are no longer those of the directory, but --all lists them and each can be named."""
    moved = tmp_path / "moved"
    shutil.copytree(guild.cwd, moved)
    there = guild.at(moved)
    assert there.rows() == []
    assert len(there.rows("--all")) == 5
    assert there.json("runs", "info", "-a", LIVE[2])["project"] == str(guild.cwd)
    assert len(there.rows("-a", "-F", f"project = '{guild.cwd}'")) == 4


def test_values_that_count_as_false_are_shown(tmp_path: Path) -> None:
    """0, 0.0, no and an empty text are values: `runs info` shows them and filters find them."""
    guild = project_of(tmp_path, "", "{n: 1, rate: 0.5, fast: yes, note: some}")
    guild.ok("run", "go", "n=0", "rate=0.0", "fast=no", "note=''", "-y")
    text = guild.ok("runs", "info")
    assert "  fast: no\n  n: 0\n  note:\n  rate: 0.0\n" in text
    for expression in ("n = 0", "rate = 0", "fast = false", "note = ''", "not note is undefined"):
        assert len(guild.rows("-F", expression)) == 1, expression
