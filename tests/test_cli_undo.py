"""Undo and redo from outside: what is shown, asked, refused and moved back; the laws are in `test_undo_laws`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli_kit import Guild
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


def test_a_deletion_is_taken_back_with_its_directories(guild: Guild) -> None:
    """One transaction restores all of them, files and label included; redo deletes them again; a line says how."""
    ids, before = guild.ids(), guild.tree()
    guild.ok("runs", "rm", "0:2", "-y")
    shown = guild("undo", stdin="n\n")
    assert shown.out.splitlines()[0].startswith("You are about to take back transaction 14 (")
    assert "  deleted 3 runs  guild runs rm 0:2 -y):" in shown.out
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == [f"[{run_id[:8]}]" for run_id in ids[:3]]
    assert shown.err == "Continue? (y/N) "
    assert guild("undo", "--dry-run").out == shown.out
    assert guild.ids() == ids[3:]
    taken = guild("undo", "-y")
    assert (taken.code, taken.out, taken.err) == (
        0, "Took back transaction 14: restored 3 run(s)\n", "To redo: guild redo\n",
    )  # fmt: skip
    assert (guild.ids(), guild.tree()) == (ids, before)
    again = guild("redo", "-y")
    assert (again.out, again.err) == ("Did transaction 14 again: deleted 3 run(s)\n", "To undo: guild undo 16\n")
    assert guild.ids() == ids[3:]
    newest, undone = [json.loads(line) for line in guild.ok("log", "--json", "-n", "2").splitlines()]
    assert (newest["undoes"], len(undone["events"])) == (undone["txn_id"], 3)
    assert "  redo of 14: deleted 3 runs  " in guild.ok("log", "-n", "1")


def test_undo_walks_back_and_redo_forward(guild: Guild) -> None:
    """Note by note; the preview shows what becomes of each; something new ends the way forward."""
    ids = guild.ids()
    first = guild.json("runs", "info", "0")
    guild.ok("label", "0", "better")
    guild.ok("tag", "0", "--add", "t")
    guild.ok("comment", "0", "-m", "hm")
    last = guild.json("runs", "info", "0")
    assert f"      comment of {last['comments'][0]['time'][:4]}" in guild.ok("undo", "--dry-run")
    for _ in range(3):
        guild.ok("undo", "-y")
    assert guild.json("runs", "info", "0") == first
    assert "nothing that could be taken back" in guild.refused("undo", "-y", code=1)
    assert "      label: 'good one' -> 'better'\n" in guild.ok("redo", "--dry-run")
    for _ in range(3):
        guild.ok("redo", "-y")
    assert guild.json("runs", "info", "0") == last
    guild.ok("undo", "-y")
    guild.ok("mark", ids[1])
    assert "there is nothing to do again" in guild.refused("redo", "-y", code=1)


def test_what_is_in_the_way_is_named_with_a_way_out(guild: Guild) -> None:
    """Number and command of later transactions; the rest can be taken back with --partly."""
    ids = guild.ids()
    guild.ok("runs", "rm", "0:2", "-y")
    guild.ok("runs", "purge", ids[1], "-y")
    before = guild.state()
    assert "the last change, transaction 15, cannot be taken back" in guild.refused("undo", "-y", code=1)
    error = guild.refused("undo", "14", "-y", code=1)
    assert f"  15  purge started {ids[1][:8]}  (guild runs purge {ids[1]} -y): {ids[1][:8]}\n" in error
    assert "`guild undo 14 --partly` takes back the other 2 run(s)" in error
    assert "removed for good" in guild.refused("undo", "15", "-y", code=1)
    assert guild.state() == before
    told = json.loads(guild.ok("undo", "14", "--partly", "--json", "-y"))
    assert (told["transaction"], told["undoes"], told["original"], told["kind"]) == (17, 14, 14, "undo")
    assert sorted(run["id"] for run in told["runs"]) == sorted([ids[0], ids[2]])
    assert told["runs"][0]["changes"] == [{"attribute": "place", "before": "deleted", "after": "live"}]
    assert told["left_out"] == [{"id": ids[1], "transaction": 15}]
    assert guild.ids() == [ids[0], *ids[2:]]


def test_a_restored_run_that_ran_again_is_not_deleted(guild: Guild) -> None:
    """Its restart is named."""
    ids = guild.ids()
    guild.ok("runs", "rm", ids[3], "-y")
    guild.ok("runs", "restore", ids[3], "-y")
    guild.ok("run", "--restart", ids[3], "-y")
    assert f"  16  restarted {ids[3][:8]}  (guild run --restart {ids[3]} -y)" in guild.refused(
        "undo", "15", "-y", code=1
    )
    assert ids[3] in guild.ids()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["99"], 1, "there is no transaction 99"),
        (["0"], 1, "there is no transaction 0"),
        (["ab" * 16], 1, "there is no transaction with the id"),
        (["x"], 2, "'x' is no transaction"),
        (["-1"], 2, "unrecognized option"),
        (["9" * 40], 2, "is no transaction"),
        (["1"], 1, "it is about the ledger itself"),
        (["2"], 1, "a run that was started cannot be unstarted"),
        (["3"], 1, "how a run ended"),
        (["--json"], 2, "--json asks nothing"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_with_the_reason(
    guild: Guild, args: list[str], code: int, message: str
) -> None:
    """Unknown transactions, beginnings and ends of runs; nothing is appended."""
    before = guild.state()
    assert message in guild.refused("undo", *args, code=code)
    assert guild.state() == before


def test_in_an_empty_home_there_is_nothing(tmp_path: Path) -> None:
    """Neither to take back nor to do again: a message, no traceback."""
    guild = Guild(tmp_path / "home", tmp_path)
    assert "nothing that could be taken back" in guild.refused("undo", code=1)
    assert "nothing to do again" in guild.refused("redo", code=1)


def test_the_hint_names_the_home_and_the_directory_that_were_given(guild: Guild, tmp_path: Path) -> None:
    """With -H and -C the command to take it back has them, too, and works from anywhere."""
    copy = tmp_path / "home"
    other = Guild(tmp_path / "nowhere", tmp_path)
    told = other("-H", str(copy), "-C", str(guild.cwd), "mark", "0")
    hint = told.err.splitlines()[-1]
    assert hint == f"To undo: guild -H {shlex.quote(str(copy))} -C {shlex.quote(str(guild.cwd))} undo 14"
    other.ok(*shlex.split(hint.removeprefix("To undo: guild ")), "-y")
    assert not guild.json("runs", "info", "0")["marked"]


def test_staged_runs_are_deleted_and_come_back(guild: Guild) -> None:
    """Undo of `--stage` puts what is still staged into the trash, redo gets it out again."""
    before = guild.ids()
    guild.ok("run", "cnn:train", "epochs=[1,2]", "--stage", "-y")
    assert guild.ok("undo", "-y") == "Took back transaction 14: deleted 2 run(s)\n"
    assert guild.ids() == before
    assert guild.ok("redo", "-y") == "Did transaction 14 again: restored 2 run(s)\n"
    assert len(guild.ids("-S")) == 2
