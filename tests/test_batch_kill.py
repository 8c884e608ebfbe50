"""Kill -9 of a batch and of its workers at any moment: no trial is lost, none runs for ever, the rest can be run."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from operations.process_info import process_stat
from tests.batch_kit import MODEL, batch_project, begun, check_settled, kill, processes, statuses
from tests.cli_kit import PATIENCE, Guild, wait_until
from tests.kit import memory_folder

LAST = 10
"""So many trials of a batch that is killed wait at its end: however late the kill comes, some have not begun."""

MODEL_OF_GATED = """
    gated:
      exec: "sh -c 'while test $FLAG_X -gt $FLAG_FREE -a ! -e $MODEL_DIR/go; do sleep 0.05; done'"
      flags: {x: 1, free: 0}
"""


@pytest.fixture
def guild() -> Iterator[Guild]:
    """Give a project and a home in memory: every commit is flushed."""
    with memory_folder() as folder:
        yield batch_project(folder, MODEL + MODEL_OF_GATED)


def ended(guild: Guild) -> int:
    """Return how many runs have come to have a directory."""
    runs = guild.home / "runs"
    return len(os.listdir(runs)) if runs.exists() else 0


def kill_and_finish(
    guild: Guild, count: int, jobs: int, moment: int, pause: float
) -> tuple[Counter[str], Counter[str]]:
    """Kill the command that runs a batch once `moment` trials have begun, and start what is left.

    Returns how many trials had which status after the kill, and how many after the rest was run.
    """
    words = ["gated", f"x=range[1:{count}]", f"free={count - LAST}", "-j", str(jobs)]
    process = guild.start("run", *words, "-y", start_new_session=True)
    wait_until(lambda: ended(guild) >= moment)
    time.sleep(pause)
    process.kill()
    process.wait(PATIENCE)
    (guild.cwd / "go").touch()
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: not processes(guild))  # the workers finish what they are at
    left = statuses(guild)
    assert f"Completed {left['staged']} of" in guild.ok("run", "--start", ":", "-j", "2", "-y")
    check_once_each(guild, count)
    check_settled(guild)
    return left, statuses(guild)


def check_once_each(guild: Guild, count: int) -> None:
    """Check that each of the trials was staged, started and ended once."""
    with closing(guild.database()) as database:
        rows = database.execute("SELECT type, count(*), count(DISTINCT stream) FROM event GROUP BY type").fetchall()
    found = {row[0]: row[1:] for row in rows}
    assert {found[name] for name in ("run.staged", "run.started", "run.status_changed")} == {(count, count)}


def test_a_batch_of_a_thousand_whose_command_is_killed_loses_no_trial(guild: Guild) -> None:
    """All are listed, none runs for ever, the rest is run later; ledger and index are whole."""
    dice = random.Random(11)  # noqa: S311 - which moment, not which key
    left, after = kill_and_finish(guild, 1_000, 2, dice.randrange(100, 500), dice.random() * 0.05)
    # Workers outlive their parent.
    assert left.keys() == {"completed", "staged"}
    assert sum(left.values()) == 1_000
    assert after == {"completed": 1_000}


@pytest.mark.parametrize(("jobs", "seed"), [(1, 1), (1, 2), (2, 3), (3, 4)])
def test_a_small_batch_killed_at_some_moment_loses_no_trial(guild: Guild, jobs: int, seed: int) -> None:
    """One after the other or several at a time, early or late."""
    dice = random.Random(seed)  # noqa: S311 - which moment, not which key
    left, after = kill_and_finish(guild, 30, jobs, dice.randrange(20), dice.random() * 0.05)
    assert left.keys() <= {"completed", "terminated", "staged"}
    assert sum(left.values()) == 30
    assert left["staged"] > 0
    # The one worker that is the command itself dies with its trial.
    assert left["terminated"] <= (jobs == 1)
    assert (after["completed"], after["terminated"]) == (30 - left["terminated"], left["terminated"])


def test_a_killed_worker_is_replaced(guild: Guild) -> None:
    """Its trial is terminated, with its process; the others are run by another worker, and the exit code is 1."""
    process = guild.start("run", "slow", "x=[1,2,3,4,5]", "-y", "-j", "2", start_new_session=True)
    wait_until(lambda: begun(guild) == 2)
    workers = [pid for pid in processes(guild) if parent_of(pid) == process.pid]
    assert len(workers) == 2
    kill(workers[0])
    wait_until(lambda: begun(guild) == 3)
    (guild.cwd / "go").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, (out, err)
    assert b"Completed 4 of 5 trial(s), 1 failed" in out
    assert b"was lost: its supervisor died" in err
    assert statuses(guild) == {"completed": 4, "terminated": 1}
    check_once_each(guild, 5)
    check_settled(guild)


def test_workers_that_all_die_end_the_batch(guild: Guild) -> None:
    """When no worker gets anywhere it is not for the trials: the rest stays staged instead of being used up."""
    process = guild.start("run", "slow", "x=range[1:20]", "-y", "-j", "2", start_new_session=True)
    for number in (2, 3, 4, 5, 6, 6):
        wait_until(partial(has_begun, guild, number))
        worker = next(pid for pid in processes(guild) if parent_of(pid) == process.pid)
        kill(worker)
        wait_until(partial(is_gone, guild, worker))  # or it could be the next to be killed, once more
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, (out, err)
    assert b"died in a row" in err
    assert statuses(guild)["staged"] > 10
    check_settled(guild)


def has_begun(guild: Guild, number: int) -> bool:
    """Tell whether so many slow trials have begun."""
    return begun(guild) >= number


def is_gone(guild: Guild, pid: int) -> bool:
    """Tell whether a process is no more."""
    return pid not in processes(guild)


def parent_of(pid: int) -> int:
    """Return the parent of a process, 0 when it is gone."""
    stat = process_stat(pid)
    return 0 if stat is None else stat.parent
