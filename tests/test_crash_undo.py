"""A kill at every step of undo and redo of a deletion: done wholly or not at all, and the directories follow.

As in the crash loop the recovery is the next ordinary command, and it is killed at every step as well.
"""

from __future__ import annotations

import pytest

from tests.crash_checks import (
    Kits,
    Prepared,
    check_all,
    kits_fixture,  # noqa: F401 - a fixture
    prepare,
    read_story,
)
from tests.crash_kit import Kit, Result, Trouble, share
from tests.test_crash_loop import (
    Conditions,
    check_outcome,
    crash_at_each_step,
    mend,
    spelled,
)

OUTCOMES = {"undo": ["run.restored"], "redo": ["run.deleted"]}


@pytest.fixture(scope="module")
def homes(kits: Kits) -> dict[str, Prepared]:
    """Give a home whose last change deleted two runs, and one in which that was taken back."""
    deleted = prepare(kits[0])
    home = kits[0].copy(deleted.home)
    mend(kits[0], home, ["undo", "-y"])
    return {"undo": deleted, "redo": Prepared(home, deleted.runs, deleted.trees, read_story(home))}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_kill_at_any_step_is_mended_by_the_next_command(kits: Kits, homes: dict[str, Prepared], name: str) -> None:
    """Both runs are back, or gone again, with their files, or nothing was changed; also after a second crash."""
    prepared = homes[name]
    outcome = {"d": OUTCOMES[name], "e": OUTCOMES[name]}
    label = spelled(prepared, ["label", "c", "mended"])
    conditions = Conditions()

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        conditions.check(kit, crashed, label, lambda home: check_outcome(prepared, home, result, outcome))

    crash_at_each_step(kits, prepared.home, [name, "-y"], judge)


def test_a_move_that_is_refused_is_told_and_not_claimed(kits: Kits, homes: dict[str, Prepared]) -> None:
    """Exit code 1 and a message, or it succeeded without that step; the ledger says what is so, and the next mends."""
    prepared = homes["undo"]
    whole = kits[0].guild(kits[0].copy(prepared.home), "undo", "-y")

    def refuse(kit: Kit, at: int) -> None:
        home = kit.copy(prepared.home)
        result = kit.guild(home, "undo", "-y", trouble=Trouble("fail", at, error=13))
        assert (result.code in (0, 1), "Traceback" in result.err) == (True, False)
        mend(kit, home, spelled(prepared, ["label", "c", "mended"]))
        check_all(home, prepared.trees, measured=False)
        kit.drop(home)

    share(kits, refuse, range(1, len(whole.seams) + 1))
