"""Runs that are staged, started later, or started again: as they were staged, once, in the same directory."""

from __future__ import annotations

import pytest

from tests.batch_kit import begun, check_settled, statuses
from tests.cli_kit import PATIENCE, Guild, wait_until
from tests.run_options_kit import (
    bodies,
    guild_fixture,  # noqa: F401 - a fixture
    info,
    output,
)


def test_a_staged_run_is_started_as_it_was_staged(guild: Guild) -> None:
    """It has no directory before; flags, tags and the label it was given meanwhile are those of the run."""
    run_id = guild.ok("run", "t", "x=7", "-t", "big", "--stage", "-y").strip()
    assert info(guild)["status"] == "staged"
    assert not (guild.home / "runs" / run_id).exists()
    guild.ok("label", run_id, "mine", "-y")
    assert "run x=7" in guild.ok("run", "--start", run_id[:8], "-t", "late", "-y")
    found = info(guild)
    assert (found["id"], found["status"], found["label"]) == (run_id, "completed", "mine")
    assert found["flags"]["x"] == 7
    assert [event["added"] for event in bodies(guild, "run.tagged")] == [["big"], ["late"]]
    assert statuses(guild) == {"completed": 1}


def test_a_value_that_looks_like_a_reference_survives_staging(guild: Guild) -> None:
    """What was resolved when the run was staged is not resolved again when it starts, nor when it is taken over."""
    guild.ok("run", "t", r"s=a\${x}", "x=2", "--stage", "-y")
    guild.ok("run", "--start", ":", "-y")
    assert info(guild)["flags"]["s"] == "a${x}"
    guild.ok("run", "--proto", "0", "-y")
    assert info(guild)["flags"]["s"] == "a${x}"


def test_a_staged_run_can_be_deleted_restored_and_started(guild: Guild) -> None:
    """It has no directory to be moved, and that is no trouble."""
    run_id = guild.ok("run", "t", "--stage", "-y").strip()
    guild.ok("runs", "rm", run_id, "-y")
    assert guild("run", "--start", run_id, "-y").code == 1
    guild.ok("runs", "restore", run_id, "-y")
    guild.ok("run", "--start", run_id, "-y")
    assert info(guild)["status"] == "completed"
    check_settled(guild)


def test_of_two_commands_that_start_the_same_staged_run_one_does(guild: Guild) -> None:
    """The other says why it did not, and nothing of the run is lost."""
    (guild.cwd / "go").touch()
    run_id = guild.ok("run", "slow", "--stage", "-y").strip()
    both = [guild.start("run", "--start", run_id, "-y") for _ in range(2)]
    ended = [(process.communicate(timeout=PATIENCE), process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 1], ended
    lost = next(told for told, code in ended if code == 1)
    assert b"guild: " in lost[1]
    assert b"Traceback" not in lost[1]
    assert info(guild)["status"] == "completed"
    assert output(guild, run_id) == "begun\ndone\n"
    check_settled(guild)


def test_a_staged_run_that_has_started_cannot_be_started(guild: Guild) -> None:
    """The message tells that the run is not staged, or that none is."""
    run_id = guild.ok("run", "t", "--stage", "-y").strip()
    guild.ok("run", "--start", run_id, "-y")
    before = guild.history()
    guild.refused("run", "--start", run_id, "-y")
    assert guild.history() == before


def test_restarting_goes_on_in_the_same_directory(guild: Guild) -> None:
    """Files are kept, output is appended, the number and status follow, flags and label change as given."""
    assert guild("run", "t", "code=3", "-y").code == 3
    run_id = info(guild)["id"]
    guild.ok("run", "u", "-y")
    assert info(guild, "1")["status"] == "error"
    guild.ok("run", "--restart", "1", "code=0", "x=8", "-y")
    found = info(guild)
    assert (found["id"], found["status"], found["exit_status"]) == (run_id, "completed", 0)
    assert (found["flags"]["x"], found["flags"]["code"], found["label"]) == (8, 0, "x is 1")
    assert (guild.home / "runs" / run_id / "kept").read_text() == "line\nline\n"
    assert [line.split()[1] for line in output(guild, run_id).splitlines()] == ["x=1", "x=8"]
    guild.ok("run", "--restart", run_id[:8], "-l", "other", "-t", "again", "-y")
    assert (info(guild)["flags"]["x"], info(guild)["label"]) == (8, "other")
    assert bodies(guild, "run.tagged") == [{"added": ["again"], "removed": []}]
    assert len(guild.ids()) == 2
    check_settled(guild)


def test_a_running_run_is_not_restarted(guild: Guild) -> None:
    """Nor is one that does not exist, or several; nothing is recorded."""
    process = guild.start("run", "slow", "-y")
    wait_until(lambda: begun(guild) == 1)
    before = guild.history()
    assert "is running" in guild.refused("run", "--restart", "0", "-y")
    guild.refused("run", "--restart", "ffffffff", "-y")
    assert guild.history() == before
    (guild.cwd / "go").touch()
    assert process.wait(PATIENCE) == 0
    process.communicate()


def test_new_flags_of_a_restart_are_checked(guild: Guild) -> None:
    """A name that is not known, a value that does not fit and a list of trials are refused; forced ones are not."""
    guild.ok("run", "t", "x=7", "-y")
    guild.refused("run", "--restart", "0", "typo=5", "-y")
    assert "several runs" in guild.refused("run", "--restart", "0", "x=[1,2]", "-y", code=2)
    guild.refused("run", "--restart", "0", "s=[a", "x=${nothing}", "-y")
    guild.ok("run", "--restart", "0", "typo=5", "--force-flags", "-y")
    guild.ok("run", "--restart", "0", "n=${x}", "-y")
    assert [info(guild)["flags"][name] for name in ("x", "n", "typo")] == [7, 7, 5]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_is_changed_on_a_staged_trial_stays(guild: Guild, jobs: str) -> None:
    """A label given while an earlier trial runs is not overwritten by that of the command; nor are tags added again."""
    process = guild.start("run", "slow", "x=[1,2,3]", "-l", "first", "-t", "old", "-j", jobs, "-y")
    wait_until(lambda: begun(guild) == int(jobs))
    run_id = guild.ids("--staged")[0]
    guild.ok("label", run_id, "better", "-y")
    (guild.cwd / "go").touch()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert info(guild, run_id)["label"] == "better"
    assert sorted(info(guild, other)["label"] for other in guild.ids()) == ["better", "first", "first"]
