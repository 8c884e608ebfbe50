"""Which runs a deletion takes: what is shown and asked, what selects, and what is too vague to delete anything."""

from __future__ import annotations

import re

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild
from tests.lab_kit import (
    guild_fixture,  # noqa: F401 - a fixture
    ids_fixture,  # noqa: F401 - a fixture
    left,
)


def test_deleting_shows_the_runs_and_asks(guild: Guild, ids: list[str]) -> None:
    """Preview with count and bytes on stdout, question on stderr; yes moves the directory and tells how to undo it."""
    result = guild("runs", "rm", "0", stdin="y\n")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0] == "You are about to delete the following runs:"
    assert lines[1].split() == [
        f"[{ids[0][:8]}]",
        "./iris-cnn:train",
        *lines[1].split()[2:4],
        "completed",
        "good",
        "one",
    ]
    assert lines[2].startswith("  1 run(s), ")
    assert lines[2].endswith(" bytes on disk")
    assert lines[3:] == ["Deleted 1 run(s)"]
    assert result.err == f"{LOCAL_SCOPE}Delete these runs? (y/N) To undo: guild undo 14\n"
    assert left(guild, ids) == [1, 2, 3, 4]
    assert not (guild.home / "runs" / ids[0]).exists()
    assert (guild.home / "trash" / ids[0] / ".guild/output").read_text() == "working --epochs 5\n"


@pytest.mark.parametrize("answer", ["y", " YES "])
def test_yes_is_y_or_yes(guild: Guild, ids: list[str], answer: str) -> None:
    """In any case, with blanks around it."""
    guild.ok("runs", "delete", "0", stdin=f"{answer}\n")
    assert left(guild, ids) == [1, 2, 3, 4]


def test_any_other_answer_changes_nothing(guild: Guild) -> None:
    """A refusal is no error and says nothing more; every command that asks behaves alike."""
    guild.ok("runs", "rm", "4", "-y")
    before = guild.state()
    for answer in ("n", "", "no", "yess", "yy", "1", "да", "\x00", "\udcff"):
        result = guild("runs", "rm", "0", stdin=f"{answer}\n")
        assert (result.code, result.err) == (0, f"{LOCAL_SCOPE}Delete these runs? (y/N) "), answer
    for args in (["rm", "-p", "0"], ["restore"], ["purge"], ["label", "0:1", "x"]):
        result = guild("runs", *args, stdin="n\n")
        assert (result.code, result.err[-6:]) == (0, "(y/N) "), args
    assert guild.state() == before


def test_the_end_of_input_is_a_refusal_that_names_yes(guild: Guild) -> None:
    """A script without answers fails loudly instead of deleting or hanging."""
    guild.ok("runs", "rm", "4", "-y")
    before = guild.state()
    for args in (["rm", "0"], ["rm", "-p", "0"], ["restore"], ["purge"], ["label", "0:1", "x"]):
        error = guild.refused("runs", *args, stdin="")
        assert "no answer: the input ended" in error
        assert "-y" in error.splitlines()[-1]
    assert guild.state() == before


def test_a_dry_run_changes_nothing(guild: Guild) -> None:
    """`--dry-run` prints the plan of each command, asks nothing, and even with -y does nothing."""
    guild.ok("runs", "rm", "4", "-y")
    before = guild.state()
    for args in (["rm"], ["rm", "-y", "0:2"], ["rm", "-p"], ["restore", "-y"], ["purge", "-y"]):
        result = guild("runs", *args, "--dry-run")
        assert result.code == 0
        assert "  [" in result.out
        assert "Nothing was changed (--dry-run)." in result.err
    assert guild.state() == before


@pytest.mark.parametrize(
    ("specs", "kept"),
    [
        (["1:2"], [0, 3, 4]),
        ([":"], []),
        (["1:"], [0]),
        ([":1"], [2, 3, 4]),
        (["0", "0"], [1, 2, 3, 4]),
        (["0:1", "1"], [2, 3, 4]),
        (["00"], [1, 2, 3, 4]),
        ([], []),
        (["-ET"], [0, 1, 3]),
        (["-E", "0"], [0, 1, 2, 3]),
        (["-C", "1:"], [0, 2, 4]),
        (["--op", "svm", "1"], [0, 1, 2, 4]),
        (["-l", "bad"], [0, 1, 2, 3]),
    ],
)
def test_exactly_the_selected_runs_are_deleted(guild: Guild, ids: list[str], specs: list[str], kept: list[int]) -> None:
    """Indexes, ranges with both ends, filters before indexes, and each run once."""
    text = guild.ok("runs", "rm", "-y", *specs)
    assert text == f"Deleted {5 - len(kept)} run(s)\n"
    assert left(guild, ids) == kept


def test_ids_and_their_beginnings_select(guild: Guild, ids: list[str]) -> None:
    """Several ids at once, an index and an id of the same run, whole ids."""
    assert guild.ok("runs", "rm", "-y", ids[1][:8], ids[3]) == "Deleted 2 run(s)\n"
    assert left(guild, ids) == [0, 2, 4]
    assert guild.ok("runs", "rm", "-y", "0", ids[0][:9]) == "Deleted 1 run(s)\n"


def test_an_ambiguous_beginning_lists_its_candidates(guild: Guild) -> None:
    """When several ids begin so, nothing is deleted."""
    firsts: dict[str, list[str]] = {}
    while not any(len(ids) > 1 for first, ids in firsts.items() if not first.isdecimal()):
        guild.ok("run", "iris-svm:train", "-y")
        firsts.clear()
        for run_id in guild.ids():
            firsts.setdefault(run_id[0], []).append(run_id)
    first, ids = next((first, ids) for first, ids in firsts.items() if len(ids) > 1 and not first.isdecimal())
    before = guild.state()
    error = guild.refused("runs", "rm", "-y", first)
    assert f"'{first}' matches multiple runs:\n" in error
    assert all(f"  {run_id[:8]}\n" in error for run_id in ids)
    assert guild.state() == before


@pytest.mark.parametrize(
    "specs",
    [
        ["99"],
        ["zzz"],
        ["--", "-1"],
        ["1:x"],
        ["1:2:3"],
        ["0", "zzz"],
        ["3:1"],
        ["0:5"],
        [""],
        [" 0"],
        ["1_0"],
        ["\u0660"],
        ["0,1"],
        ["../0"],
        ["f" * 33],
        ["f" * 32],
        ["9" * 400],
        ["0:" + "9" * 400],
        ["0\n1"],
        ["'; DROP TABLE run; --"],
    ],
)
def test_what_names_no_run_for_certain_deletes_nothing(guild: Guild, specs: list[str]) -> None:
    """One bad argument is enough: nothing at all is deleted, and the message names it."""
    before = guild.state()
    error = guild.refused("runs", "rm", "-y", *specs)
    assert "could not find a run matching" in error or "selects nothing" in error
    assert guild.state() == before


def test_an_id_with_other_letters_is_no_id(guild: Guild) -> None:
    """Ids are lower case: what only looks like one is refused, a path into the home as well."""
    (run_id, *_) = guild.ids()
    before = guild.state()
    for spec in (
        run_id.upper() if not run_id.isdecimal() else "ABCDEF",
        f"{run_id}/",
        f"../runs/{run_id}",
        f"{run_id}0",
    ):
        guild.refused("runs", "rm", "-y", spec)
    assert guild.state() == before


def test_nothing_to_do_is_said_without_a_question(guild: Guild) -> None:
    """Exit code 1, so that a script can tell; nothing is changed."""
    before = guild.state()
    for args, message in (
        (["rm", "-R"], "Nothing to delete."),
        (["rm", "-l", "none"], "Nothing to delete."),
        (["rm", "-Rp"], "Nothing to delete."),
        (["restore"], "Nothing to restore."),
        (["purge"], "Nothing to purge."),
    ):
        result = guild("runs", *args, stdin="y\n")
        assert (result.code, result.out) == (1, "")
        assert message in result.err
        assert "(y/N)" not in result.err
    assert guild.state() == before


def test_deleted_runs_are_listed_and_come_back_as_they_were(guild: Guild, ids: list[str]) -> None:
    """With files, label and status; the list of deleted runs counts from 0 and knows the same filters."""
    before = {path for path in guild.tree() if path.startswith("runs/")}
    rows = guild.rows()
    details = guild.json("runs", "info", ids[0])
    guild.ok("runs", "rm", "0", "2", "4", "-y")
    deleted = guild.rows("--deleted")
    assert [(row.index, row.short) for row in deleted] == [(0, ids[0][:8]), (1, ids[2][:8]), (2, ids[4][:8])]
    assert [row.short for row in guild.rows("-d", "-E")] == [ids[4][:8]]
    assert all(run["deleted"] for run in guild.json("runs", "-d"))
    restored = guild("runs", "restore", ids[0], "1", stdin="y\n")
    assert restored.out.startswith("You are about to restore the following runs:\n  [")
    undo = "To undo: guild undo 15\n"
    assert restored.err == f"{LOCAL_SCOPE}Restore these runs? (y/N) {undo}"
    assert re.search(r"^  2 run\(s\), [\d.]+ \w+ on disk$", restored.out, re.MULTILINE)
    assert restored.out.endswith("Restored 2 run(s)\n")
    assert guild.ok("runs", "restore", "-y") == "Restored 1 run(s)\n"
    assert guild.rows() == rows
    assert guild.json("runs", "info", ids[0]) == details
    assert {path for path in guild.tree() if path.startswith("runs/")} == before
    assert guild.rows("-d") == []
