"""Many processes at one home at once: nothing is lost, nobody is refused without reason, all see a whole truth."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from ledger.sqlite_store import SqliteStore
from ledger.verify import verify
from tests.cli_kit import wait_until
from tests.crash_checks import (
    Prepared,
    added,
    check_all,
    check_history,
    prepared_fixture,  # noqa: F401 - a fixture
    read_story,
)
from tests.crash_kit import Kit, Process, Trouble, opened_kit


@pytest.fixture(scope="module")
def kit() -> Iterator[Kit]:
    """Give processes."""
    with opened_kit() as kit:
        yield kit


def resume(process: Process) -> None:
    """Let a process that stopped itself go on."""
    process.signal(signal.SIGCONT)


def repeated(kit: Kit, home: str, times: int, *commands: Sequence[str]) -> Process:
    """Start a process that does guild commands again and again; its exit status tells how many failed."""
    return kit.start_call("tests.crash_server:repeat", kit.project, home, times, commands)


def test_a_hundred_processes_append_at_once_and_nothing_is_lost(kit: Kit) -> None:
    """Every process succeeds, every event is there once, and the chain is whole and dense."""
    home = kit.new_home()
    assert kit.guild(home, "runs").code == 0
    with kit.together():
        processes = [kit.start_call("tests.crash_server:append_runs", home, 5) for _ in range(100)]
    results = [process.wait() for process in processes]
    assert [result.err for result in results if result.code != 0] == []
    story = read_story(home)
    assert len({event.run_id for event in story}) == 500
    assert len(story) == 1000
    store = SqliteStore(os.path.join(home, "ledger.db"))
    report = verify(store)
    assert (report.problems, report.transactions, store.head().seq, store.head().position) == ([], 501, 501, 1001)
    store.close()


def test_twenty_processes_open_an_empty_home_at_once_and_make_one_ledger(kit: Kit) -> None:
    """All of them succeed and see no runs; there is one ledger with one beginning, and nothing half-made."""
    home = kit.new_home()
    with kit.together():
        processes = [kit.start(home, "runs") for _ in range(20)]
    results = [process.wait() for process in processes]
    assert [(result.code, result.out) for result in results] == [(0, "")] * 20, results
    store = SqliteStore(os.path.join(home, "ledger.db"))
    assert [row.type for row in store.events()] == ["ledger.created"]
    store.close()
    check_all(home, {})


def test_of_two_who_delete_the_same_run_one_does_and_the_other_is_told(kit: Kit, prepared: Prepared) -> None:
    """Whoever looked before the other wrote is refused: one deletion, and a message that says what happened."""
    home = kit.copy(prepared.home)
    late = kit.start(home, "runs", "rm", prepared.runs["a"], "-y", trouble=Trouble("stop", name="append.begin"))
    assert late.wait().stopped
    assert kit.guild(home, "runs", "rm", prepared.runs["a"], "-y").code == 0
    resume(late)
    result = late.wait()
    assert result.code == 1
    assert f"run {prepared.runs['a'][:8]} changed meanwhile" in result.err
    assert "the last: deleted" in result.err
    assert "Nothing was changed" in result.err
    assert added(prepared, check_all(home, prepared.trees)) == {prepared.runs["a"]: ["run.deleted"]}


def test_ten_who_delete_the_same_runs_at_once_delete_them_once(kit: Kit, prepared: Prepared) -> None:
    """One succeeds, nine are told that the runs are deleted, and no one sees anything else."""
    home = kit.copy(prepared.home)
    runs = [prepared.runs["a"], prepared.runs["b"]]
    with kit.together():
        processes = [kit.start(home, "runs", "rm", *runs, "-y") for _ in range(10)]
    results = [process.wait() for process in processes]
    assert sorted(result.code for result in results) == [0] + [1] * 9
    refusals = [result.err for result in results if result.code]
    assert all("changed meanwhile" in err or "deleted" in err for err in refusals), refusals
    assert added(prepared, check_all(home, prepared.trees)) == {run_id: ["run.deleted"] for run_id in runs}


def test_a_restoring_that_died_while_another_command_confirmed_the_deletion_is_not_forgotten(
    kit: Kit, prepared: Prepared
) -> None:
    """What a command notes as being in its place must not hide what the ledger has decided meanwhile."""
    home = kit.copy(prepared.home)
    run_id = prepared.runs["d"]
    restoring = kit.start(home, "runs", "restore", run_id, "-y", trouble=Trouble("stop", name="append.begin"))
    assert restoring.wait().stopped
    # A new index takes no directory's place for granted, so the next command confirms all of them.
    assert kit.guild(home, "ledger", "rebuild").code == 0
    other = kit.start(home, "runs", "rm", prepared.runs["a"], "-y", trouble=Trouble("stop", 1, "reconcile.confirm"))
    assert other.wait().stopped
    resume(restoring)
    wait_until(lambda: restoring.seams()[-1] == "reconcile.lock")
    restoring.signal(signal.SIGKILL)
    restoring.wait()
    assert kit.guild(home, "runs").code == 0
    resume(other)
    assert other.wait().code == 0
    assert kit.guild(home, "label", prepared.runs["c"], "after").code == 0
    assert added(prepared, check_all(home, prepared.trees))[run_id] == ["run.restored"]


def test_deleting_and_restoring_at_once_leaves_directories_where_the_ledger_says(kit: Kit, prepared: Prepared) -> None:
    """Each command either is done or refused; whatever came last in the ledger is what the disk shows."""
    home = kit.copy(prepared.home)
    runs = [prepared.runs[name] for name in "ab"]
    commands = [["runs", "rm", *runs, "-y"], ["runs", "restore", *runs, "-y"]]
    with kit.together():
        calls = (commands, commands[::-1], commands, commands[::-1])
        processes = [repeated(kit, home, 6, *call) for call in calls]
    results = [process.wait() for process in processes]
    errors = [line for result in results for line in result.err.splitlines() if line.startswith("guild:")]
    assert [error for error in errors if "changed meanwhile" not in error and "deleted" not in error] == []
    assert "Traceback" not in "".join(result.err for result in results)
    assert kit.guild(home, "label", prepared.runs["c"], "after").code == 0
    check_all(home, prepared.trees)


def test_an_index_that_another_process_brought_further_is_no_lost_history(kit: Kit, prepared: Prepared) -> None:
    """A reader that began before others appended and caught the index up goes on with what it finds."""
    for seam in ("catch_up.read", "catch_up.lock"):
        home = kit.copy(prepared.home)
        assert kit.start_call("tests.crash_server:append_runs", home, 1).wait().code == 0
        reader = kit.start(home, "runs", trouble=Trouble("stop", name=seam, at=1))
        assert reader.wait().stopped
        assert kit.guild(home, "label", prepared.runs["a"], "meanwhile").code == 0
        resume(reader)
        result = reader.wait()
        assert (result.code, result.err.count("\n")) == (0, 1), result
        check_history(home)


def test_readers_and_rebuilds_at_once_do_not_disturb_each_other(kit: Kit, prepared: Prepared) -> None:
    """Rebuilding again and again, by two at once, is never noticed by those who list: each list is whole."""
    home = kit.copy(prepared.home)
    with kit.together():
        builders = [repeated(kit, home, 8, ["ledger", "rebuild"]) for _ in range(2)]
        readers = [repeated(kit, home, 15, ["runs", "-a"]) for _ in range(3)]
    results = [process.wait() for process in (*builders, *readers)]
    assert [(result.code, result.err) for result in results] == [(0, "")] * 5
    for result in results[2:]:
        shown = [line.split()[-1] for line in result.out.splitlines()]
        assert shown == list("cba") * 15
    assert kit.guild(home, "label", prepared.runs["c"], "after").code == 0
    check_all(home, prepared.trees)


def test_a_reader_always_sees_whole_transactions_while_others_write(kit: Kit, prepared: Prepared) -> None:
    """Two runs that are deleted and restored together are both in a list or neither is; verification finds nothing."""
    home = kit.copy(prepared.home)
    pair = {prepared.runs["a"], prepared.runs["b"]}
    moving = [["runs", "rm", *pair, "-y"], ["runs", "restore", *pair, "-y"]]
    writers = [
        repeated(kit, home, 10, *moving),
        repeated(kit, home, 20, ["label", prepared.runs["c"], "x"]),
        kit.start_call("tests.crash_server:append_runs", home, 60),
    ]
    count = 0
    for _ in range(20):
        live, deleted = ids(kit, home, "runs", "-a", "--json"), ids(kit, home, "runs", "-a", "--deleted", "--json")
        assert len(pair & live) in (0, 2)
        assert len(pair & deleted) in (0, 2)
        assert prepared.runs["c"] in live
        assert len(live - pair) >= count
        count = len(live - pair)
        verified = kit.guild(home, "ledger", "verify")
        assert verified.code == 0, verified
    assert [process.wait().code for process in writers] == [0, 0, 0]
    assert kit.guild(home, "runs").code == 0
    check_history(home)


def ids(kit: Kit, home: str, *argv: str) -> set[str]:
    """Return the ids of the runs in a list, which must be one that says nothing else."""
    result = kit.guild(home, *argv)
    assert (result.code, result.err) == (0, "")
    found = [run["id"] for run in json.loads(result.out)]
    assert len(set(found)) == len(found)
    return set(found)
