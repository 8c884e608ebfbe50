"""Deleting, restoring and purging from outside: what is selected, asked, moved, and kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, copied, lab, project_of, wait_until

UNDER_WAY = 'import time; print("ready"); time.sleep(600)'


@pytest.fixture
def ids(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the ids of the runs in the iris project, newest first."""
    return list(lab(tmp_path_factory).ids)


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command in the iris project, with a home that has runs."""
    return copied(tmp_path_factory, tmp_path)


def left(guild: Guild, before: list[str]) -> list[int]:
    """Return the former indexes of the runs that are still listed."""
    return [before.index(run_id) for run_id in guild.ids()]


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
    assert restored.err == f"{LOCAL_SCOPE}Restore these runs? (y/N) "
    assert restored.out.endswith("Restored 2 run(s)\n")
    assert guild.ok("runs", "restore", "-y") == "Restored 1 run(s)\n"
    assert guild.rows() == rows
    assert guild.json("runs", "info", ids[0]) == details
    assert {path for path in guild.tree() if path.startswith("runs/")} == before
    assert guild.rows("-d") == []


def test_restoring_what_is_not_deleted_is_refused(guild: Guild, ids: list[str]) -> None:
    """A live run is not among the deleted, and a deleted one not among the live."""
    guild.ok("runs", "rm", "1", "-y")
    before = guild.state()
    assert "is not deleted" in guild.refused("runs", "restore", ids[0], "-y")
    assert "is not deleted" in guild.refused("runs", "purge", ids[0], "-y")
    assert "is deleted" in guild.refused("runs", "rm", ids[1], "-y")
    assert guild.state() == before


def test_a_run_may_be_deleted_again_and_again(guild: Guild, ids: list[str]) -> None:
    """Delete, restore, delete keeps one copy."""
    for _ in range(2):
        guild.ok("runs", "rm", ids[0], "-y")
        guild.ok("runs", "restore", ids[0], "-y")
    guild.ok("runs", "rm", ids[0], "-y")
    assert sorted(os.listdir(guild.home / "trash")) == [ids[0]]
    assert sorted(os.listdir(guild.home / "trash" / ids[0])) == [".guild"]


@pytest.mark.parametrize("options", [["-Ep"], ["--permanent", "4"]])
def test_permanent_deletion_leaves_nothing_but_the_record(guild: Guild, ids: list[str], options: list[str]) -> None:
    """The question says so; the run is neither live nor deleted, and the ledger still knows it."""
    result = guild("runs", "rm", *options, stdin="y\n")
    assert result.out.startswith("WARNING: You are about to permanently delete the following runs:\n")
    assert "Permanently delete these runs? (y/N)" in result.err
    assert "To undo" not in result.err
    assert result.out.endswith("Permanently deleted 1 run(s)\n")
    assert left(guild, ids) == [0, 1, 2, 3]
    assert guild.rows("-d") == []
    assert not any(ids[4] in path for path in guild.tree())
    assert "was permanently deleted" in guild.refused("runs", "info", ids[4])
    assert "was permanently deleted" in guild.refused("runs", "restore", ids[4])
    assert f"purged {ids[4][:8]}" in guild.ok("log")


def test_purge_empties_the_scoped_trash_only(
    guild: Guild, ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Live runs and deleted runs of other projects stay; --all takes those too."""
    tulip = guild.at(lab(tmp_path_factory).tulip)
    tulip.ok("runs", "rm", "0", "-y")
    guild.ok("runs", "rm", "0:1", "-y")
    result = guild("runs", "purge", "1", stdin="y\n")
    assert result.out.startswith("WARNING: You are about to permanently delete the following runs:\n")
    assert result.out.endswith("Permanently deleted 1 run(s)\n")
    assert [row.short for row in guild.rows("-d")] == [ids[0][:8]]
    assert guild.ok("runs", "purge", "-y") == "Permanently deleted 1 run(s)\n"
    assert left(guild, ids) == [2, 3, 4]
    assert len(tulip.rows("-d")) == 1
    assert guild.ok("runs", "purge", "-a", "-y") == "Permanently deleted 1 run(s)\n"
    assert os.listdir(guild.home / "trash") == []
    assert os.listdir(guild.home / "purging") == []


def test_what_was_done_survives_a_rebuild(guild: Guild) -> None:
    """After deleting, restoring, purging and labelling, an index made anew says the same."""
    guild.ok("runs", "rm", "0:2", "-y")
    guild.ok("runs", "restore", "0", "-y")
    guild.ok("runs", "purge", "0", "-y")
    guild.ok("label", "1", "x")
    before = [guild.ok("runs", "-a"), guild.ok("runs", "-ad")]
    guild.ok("ledger", "rebuild")
    assert [guild.ok("runs", "-a"), guild.ok("runs", "-ad")] == before
    shutil.rmtree(guild.home / "index")
    assert [guild.ok("runs", "-a"), guild.ok("runs", "-ad")] == before


@pytest.mark.parametrize("place", ["runs", "trash"])
def test_a_directory_removed_by_hand_is_no_obstacle(guild: Guild, ids: list[str], place: str) -> None:
    """Before a deletion, a restoring or a purge: the command goes on, says what is missing, and the record stays."""
    if place == "runs":
        shutil.rmtree(guild.home / "runs" / ids[0])
        assert len(guild.rows()) == 5
        assert guild.ok("runs", "info").startswith(f"id: {ids[0]}\n")
    result = guild("runs", "rm", "0:1", stdin="y\n")
    assert (result.code, result.out.splitlines()[-1]) == (0, "Deleted 2 run(s)")
    if place == "trash":
        shutil.rmtree(guild.home / "trash" / ids[0])
        result = guild("runs", "restore", "0", "-y")
        assert result.code == 0
        assert result.out == "Restored 1 run(s)\n"
    assert f"WARNING: run {ids[0][:8]} has no directory: it was removed by hand" in result.err
    if place == "trash":
        guild.ok("runs", "rm", "0", "-y")
    shutil.rmtree(guild.home / "trash" / ids[1])
    assert guild.ok("runs", "purge", "-y") == "Permanently deleted 2 run(s)\n"
    assert guild.rows("-d") == []
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_missing_trash_folder_is_made_again(guild: Guild) -> None:
    """People remove whole folders; the next deletion makes what it needs."""
    for folder in ("trash", "purging"):
        (guild.home / folder).rmdir()
    guild.ok("runs", "rm", "0", "-y")
    guild.ok("runs", "purge", "-y")
    assert len(guild.rows()) == 4


def test_a_foreign_folder_in_the_way_is_not_touched(guild: Guild, ids: list[str]) -> None:
    """Where something else lies at the place of a run, the deletion is taken back and nothing is lost."""
    blocked = guild.home / "trash" / ids[0]
    blocked.mkdir()
    (blocked / "mine").write_text("mine")
    result = guild("runs", "rm", "0:1", "-y")
    assert result.code == 1
    assert f"run {ids[0][:8]} was not deleted" in result.err
    assert "1 of 2 runs could not be moved" in result.err
    assert "Deleted 1 run(s)\n" in result.out
    assert left(guild, ids) == [0, 2, 3, 4]
    assert (blocked / "mine").read_text() == "mine"
    assert (guild.home / "runs" / ids[0] / ".guild/output").exists()
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_link_in_a_run_is_removed_and_not_followed(tmp_path: Path) -> None:
    """Purging a run that links to other folders leaves those alone."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("precious")
    guild = project_of(
        tmp_path, f"import os; os.symlink({str(outside)!r}, 'link'); os.link({str(outside)!r} + '/data', 'hard')"
    )
    guild.ok("run", "go", "-y")
    guild.ok("runs", "rm", "-p", "-y")
    assert (outside / "data").read_text() == "precious"
    assert guild.tree() == set()


def test_a_running_run_is_stopped_before_it_is_deleted(tmp_path: Path) -> None:
    """Two questions; a no to the second lets it run on; then it ends as terminated and goes to the trash."""
    guild = project_of(tmp_path, UNDER_WAY)
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        refused = guild("runs", "rm", "0", stdin="y\nn\n")
        assert refused.code == 0
        assert "WARNING: one or more runs are still running and will be stopped" in refused.err
        assert refused.err.endswith("Really delete these runs? (y/N) ")
        assert [row.status for row in guild.rows("-R")] == ["running"]
        result = guild("runs", "rm", "0", stdin="y\ny\n")
        assert (result.code, result.out.splitlines()[-1]) == (0, "Deleted 1 run(s)")
        process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert guild.rows() == []
    assert [row.status for row in guild.rows("-d")] == ["terminated"]
    guild.ok("runs", "restore", "-y")
    assert [row.status for row in guild.rows()] == ["terminated"]


def test_filters_of_failed_runs_spare_running_ones(tmp_path: Path) -> None:
    """`rm -E` beside a run that is under way deletes only what has failed."""
    guild = project_of(tmp_path, UNDER_WAY)
    (guild.cwd / "MODELS").write_text("{name: m, operations: {go: main, fail: nothing}}")
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        guild("run", "fail", "-y")
        guild.ok("runs", "rm", "-E", "-y")
        assert [row.status for row in guild.rows()] == ["running"]
        process.terminate()
        process.communicate(timeout=30)


def test_two_deletions_at_once_end_in_one(guild: Guild, ids: list[str]) -> None:
    """Of several commands that delete the same runs, one does it and the others say so; nothing breaks."""
    processes = [guild.start("runs", "rm", *ids, "-y") for _ in range(4)]
    results = []
    for process in processes:
        out, err = process.communicate(b"", timeout=60)
        assert b"Traceback" not in err
        assert b"not foreseen" not in err
        results.append((process.returncode, out.decode()))
    assert sum(out == "Deleted 5 run(s)\n" for _, out in results) == 1
    assert {code for code, _ in results} <= {0, 1}
    assert guild.rows() == []
    assert sorted(os.listdir(guild.home / "trash")) == sorted(ids)
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_interrupting_at_the_prompt_changes_nothing(guild: Guild) -> None:
    """Ctrl-C at the question ends with 130."""
    before = guild.state()
    with guild.start("runs", "rm", "0", stdin=subprocess.PIPE) as process:
        assert process.stderr
        said = b""
        while not said.endswith(b"(y/N) "):
            said += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"interrupted" in err
    assert guild.state() == before


def test_a_directory_that_the_process_still_uses_can_be_deleted(tmp_path: Path) -> None:
    """A daemon left behind by a finished run, still writing into its directory, does not keep it from being removed."""
    code = """\
import os, time
if os.fork() == 0:
    os.setsid()
    with open("daemon", "w") as file:
        file.write(str(os.getpid()))
    for descriptor in range(3):
        os.close(descriptor)
    while True:
        time.sleep(0.01)
        open("growing", "a").write("x")
while not os.path.exists("growing"):
    time.sleep(0.01)
"""
    guild = project_of(tmp_path, code)
    guild.ok("run", "go", "-y")
    (run_id,) = guild.ids()
    daemon = int((guild.home / "runs" / run_id / "daemon").read_text())
    try:
        guild.ok("runs", "rm", "-p", "-y")
        assert guild.tree() == set()
    finally:
        os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{daemon}/stat").exists() or " Z " in Path(f"/proc/{daemon}/stat").read_text())
