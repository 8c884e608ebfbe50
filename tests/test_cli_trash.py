"""What becomes of deleted runs: they come back or are purged, whatever was done to their directories meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild, lab, project_of, wait_until
from tests.lab_kit import (
    guild_fixture,  # noqa: F401 - a fixture
    ids_fixture,  # noqa: F401 - a fixture
    left,
)

UNDER_WAY = 'import time; print("ready"); time.sleep(600)'


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
        process.communicate(timeout=PATIENCE)
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
        process.communicate(timeout=PATIENCE)


def test_two_deletions_at_once_end_in_one(guild: Guild, ids: list[str]) -> None:
    """Of several commands that delete the same runs, one does it and the others say so; nothing breaks."""
    processes = [guild.start("runs", "rm", *ids, "-y") for _ in range(4)]
    results = []
    for process in processes:
        out, err = process.communicate(b"", timeout=PATIENCE)
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
        _, err = process.communicate(timeout=PATIENCE)
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
        with suppress(ProcessLookupError):  # what it writes into is gone, and so it may be itself
            os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{daemon}/stat").exists() or " Z " in Path(f"/proc/{daemon}/stat").read_text())
