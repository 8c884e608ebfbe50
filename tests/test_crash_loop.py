"""A kill at every step of every command, and at every step of the recovery: nothing is lost, nothing happens twice.

The recovery is no special command: it is the next ordinary one that somebody gives.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from ledger.sqlite_store import SqliteStore
from tests.crash_checks import (
    Kits,
    Prepared,
    added,
    check_all,
    check_directories,
    check_history,
    check_kept,
    condition,
    kits_fixture,  # noqa: F401 - a fixture
    pair_prepared_fixture,  # noqa: F401 - a fixture
    read_story,
    read_tree,
    statuses_of,
)
from tests.crash_kit import JOB, Kit, Result, Trouble, share

COMMANDS: dict[str, tuple[list[str], dict[str, list[str]]]] = {
    "delete one": (["runs", "rm", "a"], {"a": ["run.deleted"]}),
    "delete several": (["runs", "rm", "a", "b"], {"a": ["run.deleted"], "b": ["run.deleted"]}),
    "delete for good": (["runs", "rm", "-p", "a"], {"a": ["run.deleted", "run.purge_started", "run.purged"]}),
    "restore": (["runs", "restore", "d", "e"], {"d": ["run.restored"], "e": ["run.restored"]}),
    "purge": (["runs", "purge", "d"], {"d": ["run.purge_started", "run.purged"]}),
    "label": (["label", "a", "better"], {"a": ["run.labeled"]}),
    "rebuild": (["ledger", "rebuild"], {}),
}
"""Commands by name, runs named as `prepare` does; and the events that they lead to, all of them or none."""

ERRORS = (errno.EACCES, errno.ENOSPC, errno.EIO)


def spelled(prepared: Prepared, command: Sequence[str]) -> list[str]:
    """Return a command with ids for the runs' names, and with its confirmation."""
    confirmed = [] if command[0] == "ledger" else ["-y"]
    return [prepared.runs.get(word, word) for word in command] + confirmed


def crash_at_each_step(
    kits: Kits, home: str, argv: Sequence[str], judge: Callable[[Kit, str, Result], None], *, every: int = 1
) -> Counter[str]:
    """Let a command die at each of its seams, each time in a new copy of `home`, and have what is left judged.

    Args:
        kits: processes to crash.
        home: only copied.
        argv: the command.
        judge: given a kit, the home that was left, and how the command ended.
        every: only at each seam of so many.

    Returns:
        At which seams it died, and how often.
    """
    whole = kits[0].guild(kits[0].copy(home), *argv)
    assert whole.code == 0, whole
    deaths: list[str] = []

    def crash(kit: Kit, at: int) -> None:
        crashed = kit.copy(home)
        result = kit.guild(crashed, *argv, trouble=Trouble("die", at))
        assert result.died, result
        deaths.append(result.seams[-1])
        judge(kit, crashed, result)
        kit.drop(crashed)

    share(kits, crash, range(1, len(whole.seams) + 1, every))
    return Counter(deaths)


def second_crashes(kit: Kit, crashed: str, recovery: Sequence[str]) -> Iterator[str]:
    """Yield the homes that a kill at each step of the recovery leaves, where it leaves another than a step before."""
    home = kit.copy(crashed)
    result = kit.watched(home, *recovery)
    assert result.code == 0, result
    for copy in result.copies:
        if copy:
            yield copy
            kit.drop(copy)
    kit.drop(home)


class Conditions:
    """The conditions that crashes have led to; a second crash needs to be tried only once in each."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def is_new(self, kit: Kit, crashed: str) -> bool:
        """Tell whether no home was in this one's condition before; looks at a copy: SQLite changes what it opens."""
        home = kit.copy(crashed)
        found = condition(home)
        kit.drop(home)
        new = found not in self._seen
        self._seen.add(found)
        return new

    def check(
        self,
        kit: Kit,
        crashed: str,
        recovery: Sequence[str],
        judge: Callable[[str], object],
        first: Sequence[Sequence[str]] = (),
    ) -> None:
        """Have judged what the recovery makes of a home, also when it is killed at each of its steps and done again.

        Args:
            kit: does all of it.
            crashed: what a crash left; only copied.
            recovery: a command.
            judge: given a home that is mended.
            first: commands that mend it the first time, if others than the recovery.
        """
        home = kit.copy(crashed)
        mend(kit, home, *(first or [recovery]))
        judge(home)
        kit.drop(home)
        if self.is_new(kit, crashed):
            for again in second_crashes(kit, crashed, recovery):
                mend(kit, again, recovery)
                judge(again)


def mend(kit: Kit, home: str, *commands: Sequence[str]) -> None:
    """Do ordinary commands, which must succeed."""
    results = [kit.guild(home, *command) for command in commands]
    assert [result.code for result in results] == [0] * len(results), results


def check_outcome(prepared: Prepared, home: str, crashed: Result, outcome: dict[str, list[str]]) -> None:
    """Check all: the crashed command is in the ledger as a whole when it was committed, and not at all before."""
    found = added(prepared, check_all(home, prepared.trees))
    found.pop(prepared.runs["c"], None)  # the recovery's own
    committed = "append.committed" in crashed.seams
    assert found == ({prepared.runs[name]: types for name, types in outcome.items()} if committed else {})


@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_at_any_step_is_mended_by_the_next_command(kits: Kits, prepared: Prepared, name: str) -> None:
    """Whatever changing command comes next, the crashed one is done wholly or not at all; also after a second crash."""
    command, outcome = COMMANDS[name]
    label, delete = (spelled(prepared, words) for words in (["label", "c", "mended"], ["runs", "rm", "c"]))
    conditions = Conditions()

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        first = [label, ["runs"]] if len(result.seams) % 2 else [delete]
        conditions.check(kit, crashed, label, lambda home: check_outcome(prepared, home, result, outcome), first)

    died = crash_at_each_step(kits, prepared.home, spelled(prepared, command), judge)
    # A purge is recorded before and after what cannot be undone; a rebuild is not recorded at all.
    assert died["append.committed"] == {"rebuild": 0, "purge": 2, "delete for good": 2}.get(name, 1)


def test_a_kill_at_any_step_of_a_run_leaves_a_run_that_has_ended(kits: Kits, prepared: Prepared) -> None:
    """The run is not in the ledger at all, or it is terminated; or, when its process had ended, what that came to."""
    project = kits[0].new_project("changed", JOB + "print('changed')\n")
    label = spelled(prepared, ["label", "c", "mended"])
    conditions = Conditions()

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        conditions.check(kit, crashed, label, lambda home: check_run(prepared, home, result), [["runs"], label])

    died = crash_at_each_step(kits, prepared.home, ["-C", project, "run", "train", "size=9", "-y"], judge)
    assert (died["append.committed"], died["run.finish"]) == (2, 1)


def check_run(prepared: Prepared, home: str, crashed: Result) -> None:
    """Check what became of the run that was crashed at its last seam."""
    story = check_all(home, prepared.trees)
    found = added(prepared, story)
    found.pop(prepared.runs["c"], None)
    assert list(found.values()) == [["run.started", "run.status_changed"]] * ("append.committed" in crashed.seams)
    for run_id in found:
        ended = "run.finish" in crashed.seams
        assert statuses_of(story)[run_id] == ("completed" if ended else "terminated")
        if ended:
            assert {"weights.bin", "deep/link", ".guild/output"} <= read_tree(os.path.join(home, "runs", run_id)).keys()


def test_a_kill_at_any_step_of_making_a_ledger_leaves_none_or_a_whole_one(kits: Kits) -> None:
    """The next command finds either no ledger, and makes it, or one that is complete; there is only one beginning."""
    conditions = Conditions()

    def judge(kit: Kit, crashed: str, _result: Result) -> None:
        conditions.check(kit, crashed, ["runs"], check_beginning)

    died = crash_at_each_step(kits, kits[0].new_home(), ["runs"], judge)
    assert (died["create.rename"], died["append.committed"]) == (1, 1)


def test_a_kill_at_any_step_of_the_very_first_run_leaves_a_whole_home(kits: Kits) -> None:
    """Whatever of home, snapshot, ledger and run was made: the next command makes the rest, or ends what is lost."""

    def judge(kit: Kit, crashed: str, _result: Result) -> None:
        mend(kit, crashed, ["runs"])
        check_beginning(crashed)

    died = crash_at_each_step(kits, kits[0].new_home(), ["run", "train", "-y"], judge)
    assert (died["create.rename"], died["sources.rename"], died["append.committed"]) == (1, 1, 3)


def check_beginning(home: str) -> None:
    """Check a home that was made by commands which may have died."""
    check_all(home, {})
    store = SqliteStore(os.path.join(home, "ledger.db"))
    types = [row.type for row in store.events()]
    store.close()
    assert types in (["ledger.created"], ["ledger.created", "run.started", "run.status_changed"])


@pytest.mark.parametrize("name", ["delete several", "delete for good", "restore", "purge"])
def test_a_step_that_the_system_refuses_once_is_told_and_mended(kits: Kits, prepared: Prepared, name: str) -> None:
    """Exit code 1 and a message, or the command succeeded without that step; the next command mends the rest."""
    argv = spelled(prepared, COMMANDS[name][0])
    codes: list[int] = []

    def refuse(kit: Kit, at: int) -> None:
        home = kit.copy(prepared.home)
        result = kit.guild(home, *argv, trouble=Trouble("fail", at, error=ERRORS[at % len(ERRORS)]))
        check_refused(result, COMMANDS[name][1], prepared, home)
        codes.append(result.code)
        mend(kit, home, spelled(prepared, ["label", "c", "mended"]))
        check_all(home, prepared.trees, measured=False)
        kit.drop(home)

    whole = kits[0].guild(kits[0].copy(prepared.home), *argv)
    share(kits, refuse, range(1, len(whole.seams) + 1))
    assert len(codes) == len(whole.seams)
    assert set(codes) == {0, 1}


@pytest.mark.parametrize("name", ["delete several", "restore", "purge"])
def test_a_step_that_the_system_always_refuses_is_mended_when_it_no_longer_does(
    kits: Kits, prepared: Prepared, name: str
) -> None:
    """However often it is tried: no traceback, and the ledger says what is so; afterwards the next command mends."""
    argv = spelled(prepared, COMMANDS[name][0])
    label = spelled(prepared, ["label", "c", "mended"])

    def refuse(kit: Kit, trouble: Trouble) -> None:
        home = kit.copy(prepared.home)
        check_refused(kit.guild(home, *argv, trouble=trouble), COMMANDS[name][1], prepared, home)
        assert kit.guild(home, *label, trouble=trouble).code in (0, 1)
        mend(kit, home, label)
        check_all(home, prepared.trees, measured=False)
        kit.drop(home)

    seams = dict.fromkeys(kits[0].guild(kits[0].copy(prepared.home), *argv).seams)
    share(kits, refuse, [Trouble("fail", name=seam, error=error) for seam in seams for error in ERRORS])


def check_refused(result: Result, outcome: dict[str, list[str]], prepared: Prepared, home: str) -> None:
    """Check what a command told after a step was refused, against what the ledger and the disk show."""
    assert "Traceback" not in result.err
    story = read_story(home)
    if result.code == 0:
        assert added(prepared, story) == {prepared.runs[name]: types for name, types in outcome.items()}
    else:
        assert result.code == 1
        assert "guild: " in result.err
    if result.code == 0 or "was not deleted" in result.err or "was not restored" in result.err:
        check_directories(home, prepared.trees, story)
    check_kept(home, prepared.trees, story)


def test_a_run_whose_start_cannot_be_recorded_is_not_started(kits: Kits, prepared: Prepared) -> None:
    """Nothing runs that the ledger does not know of; nothing of it is left, not even its lease."""
    home = kits[0].copy(prepared.home)
    trouble = Trouble("fail", 1, "append.begin", errno.ENOSPC)
    refused = kits[0].guild(home, "run", "train", "-y", trouble=trouble)
    assert (refused.code, refused.out, "Traceback" in refused.err) == (1, "", False)
    mend(kits[0], home, spelled(prepared, ["label", "c", "mended"]))
    assert added(prepared, check_all(home, prepared.trees)) == {prepared.runs["c"]: ["run.labeled"]}
    assert set(os.listdir(os.path.join(home, "leases"))) <= {"places.lock"}


def test_a_run_whose_end_cannot_be_recorded_is_recorded_by_the_next_command(kits: Kits, prepared: Prepared) -> None:
    """The end is noted in the lease, which then stays: a disk that is full for a moment costs no result."""
    home = kits[0].copy(prepared.home)
    trouble = Trouble("fail", 2, "append.begin", errno.ENOSPC)
    refused = kits[0].guild(home, "run", "train", "-y", trouble=trouble)
    assert (refused.code, refused.out, "Traceback" in refused.err) == (1, "trained 3\n", False)
    mend(kits[0], home, ["runs"], spelled(prepared, ["label", "c", "mended"]))
    ended = [event for event in check_all(home, prepared.trees) if event.type == "run.status_changed"][-1]
    assert (ended.body["status"], ended.body["reason"]) == ("completed", "recorded later from the lease")


def test_what_a_purge_left_that_died_at_its_very_end_is_cleared_by_the_next_move(
    kits: Kits, prepared: Prepared
) -> None:
    """The size kept beside a removal is not kept for ever when there was no time to drop it."""
    home = kits[0].copy(prepared.home)
    assert kits[0].guild(home, *spelled(prepared, COMMANDS["purge"][0]), trouble=Trouble("die", 1, "purge.forget")).died
    assert os.listdir(os.path.join(home, "purging")) == [prepared.runs["d"] + ".count"]
    mend(kits[0], home, spelled(prepared, ["runs", "rm", "c"]))
    assert os.listdir(os.path.join(home, "purging")) == []
    check_all(home, prepared.trees)


def test_the_log_that_a_killed_command_left_does_not_get_into_a_new_index(kits: Kits, prepared: Prepared) -> None:
    """Somebody removes `index/*.db`, as they may, and the index's log stays: the new index is not mixed with it."""
    kit = kits[0]
    home = kit.copy(prepared.home)
    label, delete = (spelled(prepared, words) for words in (["label", "a", "x"], ["runs", "rm", "a"]))
    assert kit.guild(home, *label, trouble=Trouble("die", 1, "catch_up.committed")).died
    assert kit.guild(home, *delete, trouble=Trouble("die", 1, "append.committed")).died
    folder = os.path.join(home, "index")
    assert any(name.endswith("-wal") for name in os.listdir(folder))
    for name in os.listdir(folder):
        if name.endswith(".db"):
            os.unlink(os.path.join(folder, name))
    mend(kit, home, ["runs"], spelled(prepared, ["label", "c", "mended"]))
    check_all(home, prepared.trees)


def test_the_log_that_a_killed_command_left_does_not_get_into_a_new_ledger(kits: Kits) -> None:
    """Somebody removes the ledger and all else, but not its log: no ledger is made beside that, nor the log touched."""
    kit = kits[0]
    home = kit.new_home()
    mend(kit, home, ["run", "train", "-y"], ["runs"])
    assert kit.guild(home, "label", "0", "x", "-y", trouble=Trouble("die", 1, "append.committed")).died
    log = os.path.join(home, "ledger.db-wal")
    os.unlink(os.path.join(home, "ledger.db"))
    for folder in ("index", "leases", "purging", "runs", "sources", "trash"):
        shutil.rmtree(os.path.join(home, folder))
    with open(log, "rb") as file:
        before = file.read()
    refused = kit.guild(home, "runs")
    assert refused.code == 3
    assert f"its write-ahead log '{log}' is still there" in refused.err
    with open(log, "rb") as file:
        assert file.read() == before
    os.unlink(log)
    mend(kit, home, ["runs"])
    check_history(home)
