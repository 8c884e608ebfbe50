"""Whether a run that nobody reported on is over: judged by its lease, by boot and process, and never by a guess."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from artifacts.lease import Lease, LeaseRecord
from ledger.canonical import Value
from operations.liveness import FoundEnd, find_end
from operations.process_info import boot_id, evidence_of, start_ticks

HOST = os.uname().nodename
OURS = evidence_of(os.getpid(), HOST)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOLD = """
import sys
from artifacts.lease import Lease, LeaseRecord
assert Lease.acquire(sys.argv[1], LeaseRecord("another boot", 1, 2, "elsewhere")) is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give the path of a lease that is not there."""
    return str(tmp_path / "leases" / "0123")


def evidence(**changes: Value) -> dict[str, Value]:
    """Return what a run records at its start: this process as supervisor, but for the changes."""
    return {**asdict(OURS), **changes}


def left_behind(path: str, record: LeaseRecord) -> None:
    """Leave a lease as a supervisor leaves it that died."""
    lease = Lease.acquire(path, record)
    assert lease is not None
    lease.release(remove=False)


def ours(**changes: Value) -> LeaseRecord:
    """Return what this process would write into a lease, but for the changes."""
    return replace(LeaseRecord(**asdict(OURS)), **changes)  # type: ignore[arg-type]  # the fields' own types


def found(path: str, known: dict[str, Value]) -> FoundEnd:
    """Return the end that must be found, with its lease given up again."""
    end = find_end(path, known)
    assert end is not None
    end.release(remove=False)
    return end


@contextmanager
def ended_process() -> Iterator[tuple[int, int]]:
    """Give number and start time of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ticks = start_ticks(process.pid) or 0
        process.communicate(b"\n")
        yield process.pid, ticks


@contextmanager
def holder(path: str) -> Iterator[None]:
    """Let another process hold the lease, with a record that would condemn it if it were asked."""
    command = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.communicate()


def test_a_free_lease_means_that_the_supervisor_was_lost(path: str) -> None:
    """The kernel frees a lease at any death, so a free one is proof, whatever process has the number today."""
    left_behind(path, ours())
    event = found(path, evidence()).event
    assert (event.status, event.exit_status, event.reason) == ("terminated", None, "supervisor lost")
    assert event.evidence == {"lease": "free", "boot_id": boot_id()}


def test_a_free_lease_from_before_a_reboot_says_so(path: str) -> None:
    """Another boot id in the lease: the machine was restarted, and nothing of that run can live."""
    left_behind(path, ours(boot_id="the boot before", child_pid=os.getpid(), child_ticks=OURS.start_ticks))
    event = found(path, evidence(boot_id="the boot before")).event
    assert (event.status, event.reason) == ("terminated", "reboot")
    assert event.evidence == {
        "lease": "free",
        "boot_id": boot_id(),
        "child_pid": os.getpid(),
        "child_alive": False,
    }


@pytest.mark.parametrize(("earlier", "alive"), [(0, True), (1, False)])
def test_a_child_that_outlived_its_supervisor_is_told_from_one_with_its_number(
    path: str, earlier: int, *, alive: bool
) -> None:
    """A living process with that number is the child only when it also started at that time."""
    left_behind(path, ours(child_pid=os.getpid(), child_ticks=OURS.start_ticks - earlier))
    event = found(path, evidence()).event
    assert event.status == "terminated"
    assert event.evidence is not None
    assert event.evidence["child_alive"] is alive


@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 1024, b"not a record"])
def test_a_free_lease_that_cannot_be_read_is_a_free_lease(path: str, content: bytes) -> None:
    """A supervisor that died in the middle of its first write is as dead as any other."""
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(content)
    event = found(path, evidence()).event
    assert (event.status, event.reason) == ("terminated", "supervisor lost")


@pytest.mark.parametrize(
    ("exit_status", "stopped_by", "status"),
    [
        (0, None, "completed"),
        (3, None, "error"),
        (None, None, "error"),
        (-9, None, "terminated"),
        (0, "SIGINT", "terminated"),
        (143, "SIGTERM", "terminated"),
    ],
)
def test_a_lease_that_tells_the_ending_gives_the_true_status(
    path: str, exit_status: int | None, stopped_by: str | None, status: str
) -> None:
    """The supervisor noted how its process ended before it died itself: that is what is recorded, with that time."""
    left_behind(path, ours(child_pid=1, exit_status=exit_status, ended_at=1_000_000, stopped_by=stopped_by))
    event = found(path, evidence()).event
    assert (event.status, event.exit_status, event.stopped) == (status, exit_status, 1_000_000)
    assert event.reason == "recorded later from the lease"


def test_a_held_lease_is_never_judged(path: str) -> None:
    """Boot, process and host may say what they like: somebody holds the lease."""
    with holder(path), ended_process() as (pid, ticks):
        gone = evidence(pid=pid, start_ticks=ticks)
        for known in (evidence(), evidence(boot_id="another"), gone, evidence(host="elsewhere"), {}):
            assert find_end(path, known) is None


def test_only_one_observer_at_a_time_finds_an_end(path: str) -> None:
    """Whoever found it holds the lease until it is recorded; only then, or if that failed, may another look."""
    left_behind(path, ours())
    first = find_end(path, evidence())
    assert first is not None
    assert find_end(path, evidence()) is None
    first.release(remove=False)
    second = found(path, evidence())
    assert second.event == first.event
    last = find_end(path, evidence())
    assert last is not None
    last.release(remove=True)
    assert not os.path.exists(path)


def test_without_a_lease_a_living_supervisor_is_believed(path: str) -> None:
    """Somebody removed the file: the very process that was recorded still lives, so the run does."""
    assert find_end(path, evidence()) is None


def test_without_a_lease_a_process_with_the_supervisor_s_number_proves_nothing(path: str) -> None:
    """The number was given to another process: its start time is not the recorded one."""
    event = found(path, evidence(start_ticks=OURS.start_ticks - 1)).event
    assert (event.status, event.reason) == ("terminated", "supervisor lost")
    assert event.evidence == {"lease": "missing", "boot_id": boot_id()}


def test_without_a_lease_a_supervisor_that_is_gone_is_lost(path: str) -> None:
    """No process has the recorded number any more."""
    with ended_process() as (pid, ticks):
        assert found(path, evidence(pid=pid, start_ticks=ticks)).event.reason == "supervisor lost"


def test_without_a_lease_a_run_from_before_a_reboot_is_over(path: str) -> None:
    """Number and start time may both be those of a living process by chance: it is another boot."""
    assert found(path, evidence(boot_id="the boot before")).event.reason == "reboot"


def test_without_a_lease_another_machine_s_run_is_never_judged(path: str) -> None:
    """Numbers and boots of another machine say nothing here, and neither does a record without evidence."""
    with ended_process() as (pid, ticks):
        for known in (
            evidence(host="elsewhere"),
            evidence(host="elsewhere", pid=pid, start_ticks=ticks),
            evidence(host="elsewhere", boot_id="another"),
            {},
        ):
            assert find_end(path, known) is None
