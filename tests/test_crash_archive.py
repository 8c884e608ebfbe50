"""A kill at every step of an import and an export, and a step that the system refuses: nothing is half done."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

import pytest

from tests.crash_checks import (
    Kits,
    Prepared,
    Tree,
    check_all,
    kits_fixture,  # noqa: F401 - a fixture
    pair_prepared_fixture,  # noqa: F401 - a fixture
    read_story,
    read_tree,
)
from tests.crash_kit import JOB, Kit, Result, Trouble, share
from tests.test_crash_loop import Conditions, crash_at_each_step, mend, second_crashes


class Waiting(NamedTuple):
    """A home with one run of its own, and an archive of two runs of another home.

    `trees` are those of all three, as they are when the import is done.
    """

    home: str
    archive: str
    own: str
    ids: tuple[str, ...]
    trees: dict[str, Tree]

    @property
    def command(self) -> list[str]:
        """The import."""
        return ["runs", "import", self.archive, "-y"]


@pytest.fixture(scope="module")
def waiting(kits: Kits, prepared: Prepared) -> Waiting:
    """Give a home and an archive to import."""
    kit = kits[0]
    archive = os.path.join(kit.folder, "two.tar.gz")
    ids = (prepared.runs["a"], prepared.runs["b"])
    mend(kit, kit.copy(prepared.home), ["runs", "export", archive, *ids])
    home, project = kit.new_home(), kit.project
    kit.project = kit.new_project("other code", JOB + "# so that the source snapshot of the others is not here yet\n")
    mend(kit, home, ["run", "train", "-y"], ["runs", "-a"])
    kit.project = project
    own = read_story(home)[0].run_id
    done = kit.copy(home)
    mend(kit, done, ["runs", "import", archive, "-y"])
    return Waiting(home, archive, own, ids, {one: read_tree(os.path.join(done, "runs", one)) for one in (own, *ids)})


def check(waiting: Waiting, home: str, *, imported: bool) -> None:
    """Check that both runs are there, with all their files, or neither is and nothing is."""
    story = check_all(home, waiting.trees)
    found = {event.run_id for event in story if event.type == "run.imported"}
    assert found == (set(waiting.ids) if imported else set())
    waits = (
        set(os.listdir(os.path.join(home, "importing"))) if os.path.exists(os.path.join(home, "importing")) else set()
    )
    assert not imported or not waits & set(waiting.ids)


def test_a_kill_at_any_step_of_an_import_takes_in_all_runs_or_none(kits: Kits, waiting: Waiting) -> None:
    """The next command that changes runs does the rest; repeating the import after a kill ends in the same home."""
    conditions = Conditions()
    label = ["label", waiting.own, "mended", "-a", "-y"]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        committed = "append.committed" in result.seams
        home = kit.copy(crashed)
        mend(kit, home, label)
        check(waiting, home, imported=committed)
        again = kit.guild(home, *waiting.command)
        assert (again.code, "Nothing to import" in again.err) == ((1, True) if committed else (0, False)), again
        check(waiting, home, imported=True)
        mend(kit, home, ["check", "--repair"])
        assert os.listdir(os.path.join(home, "importing")) == []
        kit.drop(home)
        if conditions.is_new(kit, crashed):
            for second in second_crashes(kit, crashed, label):
                mend(kit, second, label)
                check(waiting, second, imported=committed)

    died = crash_at_each_step(kits, waiting.home, waiting.command, judge)
    assert (died["append.committed"], died["import.rename"], died["place.rename"]) == (1, 2, 4)
    assert died["sources.rename"] == 1


def test_a_kill_at_any_step_of_a_repeated_import_is_mended_too(kits: Kits, waiting: Waiting) -> None:
    """What the first kill left is cleared, and a kill while it is cleared changes nothing."""
    killed = kits[0].copy(waiting.home)
    assert kits[0].guild(killed, *waiting.command, trouble=Trouble("die", 1, "append.begin")).died
    assert set(waiting.ids) < set(os.listdir(os.path.join(killed, "importing")))

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        mend(kit, crashed, ["label", waiting.own, "mended", "-a", "-y"])
        check(waiting, crashed, imported="append.committed" in result.seams)

    died = crash_at_each_step(kits, killed, waiting.command, judge)
    assert died["import.clear"] == 3


def test_a_step_of_an_import_that_the_system_refuses_is_told(kits: Kits, waiting: Waiting) -> None:
    """A full disk or missing permission: exit code 1 and nothing, or all of it; the next command mends the rest."""
    whole = kits[0].guild(kits[0].copy(waiting.home), *waiting.command)
    codes = []

    def refuse(kit: Kit, at: int) -> None:
        home = kit.copy(waiting.home)
        error = (errno.ENOSPC, errno.EACCES, errno.EIO)[at % 3]
        result = kit.guild(home, *waiting.command, trouble=Trouble("fail", at, error=error))
        assert "Traceback" not in result.err
        codes.append(result.code)
        mend(kit, home, ["label", waiting.own, "mended", "-a", "-y"])
        deleted = [event.run_id for event in read_story(home) if event.type == "run.deleted"]
        if deleted:  # the last rename was refused: the run is in the trash until it is restored
            mend(kit, home, ["runs", "restore", "-y", *deleted])
        story = check_all(home, waiting.trees)
        found = {event.run_id for event in story if event.type == "run.imported"}
        assert found == set(waiting.ids) or (found == set() and result.code == 1)
        kit.drop(home)

    share(kits, refuse, range(1, len(whole.seams) + 1))
    assert set(codes) == {0, 1}


def test_a_kill_at_any_step_of_an_export_leaves_a_whole_archive_or_none(kits: Kits, prepared: Prepared) -> None:
    """What stands under the archive's name can be imported; the home is as it was."""
    target = os.path.join(kits[0].folder, "out.zip")

    def judge(_kit: Kit, crashed: str, _result: Result) -> None:
        check_all(crashed, prepared.trees)

    died = crash_at_each_step(kits, prepared.home, ["runs", "export", target, "--force", prepared.runs["a"]], judge)
    assert (died["export.write"], died["export.rename"]) == (1, 1)
    home = kits[0].new_home()
    mend(kits[0], home, ["runs", "import", target, "-y"])
    assert os.listdir(os.path.join(home, "runs")) == [prepared.runs["a"]]
