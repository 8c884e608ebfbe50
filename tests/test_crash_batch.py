"""A kill at every step of staging runs, of starting them and of starting one again: nothing is lost or runs for ever.

As in the crash loop the recovery is the next ordinary command, and it is killed at every step as well.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from typing import NamedTuple

import pytest

from tests.crash_checks import (
    Kits,
    check_all,
    kits_fixture,  # noqa: F401 - a fixture
    read_story,
    statuses_of,
)
from tests.crash_kit import Kit, Result
from tests.test_crash_loop import Conditions, crash_at_each_step, mend, second_crashes

STEADY = """
import sys
open("weights.bin", "ab").write(b"12")
print("trained", *sys.argv[1:])
"""
"""A script that can be run again in its directory."""

STARTED = ["run.started", "run.status_changed"]


class Scene(NamedTuple):
    """A home with a run that has completed, and two that are staged.

    Attributes:
        home: its path; only copied, never used.
        project: the project of all of them.
        done: id of the one that has completed.
        staged: ids of the others.
        events: how many events its ledger has.
    """

    home: str
    project: str
    done: str
    staged: tuple[str, str]
    events: int


@pytest.fixture(scope="module")
def scene(kits: Kits) -> Scene:
    """Give a home with a completed and two staged runs."""
    kit = kits[0]
    home, project = kit.new_home(), kit.new_project("steady", STEADY)
    mend(kit, home, ["-C", project, "run", "train", "-y"])
    staged = kit.guild(home, "-C", project, "run", "train", "size=[1,2]", "--stage", "-y").out.split()
    story = read_story(home)
    mend(kit, home, ["runs"])
    return Scene(home, project, story[0].run_id, (staged[0], staged[1]), len(story))


def added(scene: Scene, home: str) -> dict[str, list[str]]:
    """Check a home in which nothing is at work, and return the types of the events that were added, by run."""
    story = check_all(home, {})
    found: dict[str, list[str]] = defaultdict(list)
    for event in story[scene.events :]:
        if event.type != "run.labeled":
            found[event.run_id].append(event.type)
    return found


def crash(kits: Kits, scene: Scene, words: list[str], steps: dict[str, list[str]]) -> Counter[str]:
    """Kill a command at each step, and each recovery; check the runs of `steps`, then start what is staged.

    Returns at which seams the command died, and how often.

    Args:
        kits: processes.
        scene: where it begins.
        words: of the command.
        steps: for each run the events of the whole command.
    """
    label = ["-C", scene.project, "label", scene.done, "mended", "-y"]
    conditions = Conditions()

    def judged(kit: Kit, home: str, result: Result) -> None:
        mend(kit, home, ["-C", scene.project, "runs"], label)
        found = added(scene, home)
        begun = result.seams.count("append.committed")
        for run_id, types in steps.items():
            # Each run is begun and ended by transactions of its own; what was begun has come to an end.
            assert found.pop(run_id, []) == (types if begun > 0 else [])
            begun -= len(types)
        assert found == {}
        left = [run_id for run_id, status in statuses_of(read_story(home)).items() if status == "staged"]
        if left:
            mend(kit, home, ["-C", scene.project, "run", "--start", ":", "-y"])
        statuses = statuses_of(check_all(home, {}))
        assert {statuses[run_id] for run_id in left} <= {"completed"}

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        home = kit.copy(crashed)
        judged(kit, home, result)
        kit.drop(home)
        if conditions.is_new(kit, crashed):
            for again in second_crashes(kit, crashed, label):
                judged(kit, again, result)

    return crash_at_each_step(kits, scene.home, ["-C", scene.project, "run", *words, "-y"], judge)


def test_a_kill_at_any_step_of_staging_stages_all_or_none(kits: Kits, scene: Scene) -> None:
    """All trials are staged in one transaction, so there is no half a batch."""
    label = ["-C", scene.project, "label", scene.done, "mended", "-y"]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        mend(kit, crashed, ["runs"], label)
        types = ["run.staged"] * 3 if "append.committed" in result.seams else []
        assert [type_ for types in added(scene, crashed).values() for type_ in types] == types
        mend(kit, crashed, ["-C", scene.project, "run", "--start", ":", "-y"])
        assert set(statuses_of(check_all(crashed, {})).values()) == {"completed"}

    words = ["-C", scene.project, "run", "train", "size=[3,4,5]", "--stage", "-y"]
    died = crash_at_each_step(kits, scene.home, words, judge)
    assert died["append.committed"] == 1


def test_a_kill_at_any_step_of_starting_a_staged_run_leaves_it_staged_or_ended(kits: Kits, scene: Scene) -> None:
    """It has not started and can be, or it has started and ended; its directory is there when it has worked."""
    died = crash(kits, scene, ["--start", scene.staged[0]], {scene.staged[0]: STARTED})
    assert (died["append.committed"], died["run.finish"]) == (2, 1)


def test_a_kill_at_any_step_of_a_batch_leaves_each_trial_staged_or_ended(kits: Kits, scene: Scene) -> None:
    """The trial at work has ended, those before it as well, and those after it are still staged."""
    died = crash(kits, scene, ["--start", ":"], dict.fromkeys(scene.staged, STARTED))
    assert (died["append.committed"], died["run.finish"]) == (4, 2)


def test_a_kill_at_any_step_of_starting_a_run_again_leaves_it_ended(kits: Kits, scene: Scene) -> None:
    """As it ended before, or as it ended now; what it had made is still there, and it can be started once more."""
    died = crash(kits, scene, ["--restart", scene.done], {scene.done: ["run.restarted", "run.status_changed"]})
    assert (died["append.committed"], died["run.finish"]) == (2, 1)
    home = kits[0].copy(scene.home)
    mend(kits[0], home, ["-C", scene.project, "run", "--restart", scene.done, "-y"])
    with open(os.path.join(home, "runs", scene.done, "weights.bin"), "rb") as file:
        assert file.read() == b"1212"
    kits[0].drop(home)
