"""A kill at every kind of step of a merge: nothing of it, or all of it; given again it ends, with every file whole."""

from __future__ import annotations

import os

import pytest

from tests.crash_checks import (
    Kits,
    Prepared,
    check_directories,
    check_history,
    check_litter,
    kits_fixture,  # noqa: F401 - a fixture
    pair_prepared_fixture,  # noqa: F401 - a fixture
    read_story,
    read_tree,
)
from tests.crash_kit import Kit, Result, Trouble, share
from tests.test_crash_loop import mend


@pytest.fixture(scope="module")
def other(kits: Kits, prepared: Prepared) -> str:
    """Give the home of another machine: it has a run of its own, and has deleted one that both know."""
    home = kits[0].new_home()
    mend(kits[0], home, ["run", "m:train", "size=2", "-y"], ["ledger", "merge", prepared.home, "-y"])
    mend(kits[0], home, ["runs", "rm", prepared.runs["a"], "-y"], ["run", "m:train", "size=1", "-y"])
    return home


def test_a_kill_at_any_kind_of_step_of_a_merge_leaves_all_or_nothing_of_it(
    kits: Kits, prepared: Prepared, other: str
) -> None:
    """The ledger verifies, the index follows, and the command given again brings what was not brought."""
    argv = ["ledger", "merge", other, "-y", "--artifacts"]
    known = {event.run_id for event in read_story(prepared.home)}
    story = [event for event in read_story(other) if event.run_id not in known]
    trees = {event.run_id: read_tree(os.path.join(other, "runs", event.run_id)) for event in story}
    whole = kits[0].guild(kits[0].copy(prepared.home), *argv)
    assert whole.code == 0, whole

    def crash(kit: Kit, at: int) -> None:
        crashed = kit.copy(prepared.home)
        result = kit.guild(crashed, *argv, trouble=Trouble("die", at))
        assert result.died, result
        judge(kit, crashed, result)
        kit.drop(crashed)

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        mend(kit, crashed, ["runs", "-a"])
        found = {event.run_id for event in read_story(crashed)}
        assert (trees.keys() <= found) == ("merge.committed" in result.seams)
        assert trees.keys() <= found or not trees.keys() & found
        mend(kit, crashed, argv, ["label", prepared.runs["c"], "mended", "-y"])
        check_history(crashed)
        check_directories(crashed, prepared.trees | trees, read_story(crashed))
        check_litter(crashed)
        assert not os.path.exists(os.path.join(crashed, "ledger.db-unwiped"))

    first: dict[str, int] = {}
    for at, name in enumerate(whole.seams, 1):
        first.setdefault(name, at)
    share(kits, crash, sorted(first.values()))
