"""Who a process is: never a later one with the same number, never a zombie; and the tree below it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from operations import process_info
from operations.process_info import all_processes, boot_id, evidence_of, is_alive, process_stat, start_ticks
from operations.process_tree import descendants, signal_tree
from tests.cli_kit import wait_until
from tests.kit import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAMILY = "sleep 60 & (sleep 60 & wait) & echo ready; wait"


@pytest.fixture(params=["proc", "ps"] if sys.platform == "linux" else ["ps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run with /proc, where there is one that tells of processes, and as on a system that has none."""
    if request.param == "ps":
        ask_ps(monkeypatch)


def ask_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program ask `ps`."""
    ps = shutil.which("ps", path=os.defpath) or "false"
    asked = subprocess.run([ps, "-o", "lstart=", "-p", f"{os.getpid()}"], capture_output=True, check=False)
    if asked.returncode != 0:
        lacking("a ps that tells start times", "procps")
    monkeypatch.setattr(process_info, "PROC", "/nowhere/proc")


@contextlib.contextmanager
def sleeper(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that sleeps until the test has done with it."""
    with subprocess.Popen(argv or ("/bin/sleep", "60")) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("way")
def test_a_running_process_is_alive_by_its_own_start_time_only() -> None:
    """The same number with another start time is another process: a recycled pid never counts as alive."""
    with sleeper() as process:
        ticks = start_ticks(process.pid)
        assert ticks is not None
        assert is_alive(process.pid, ticks)
        assert not is_alive(process.pid, ticks + 1)
        assert not is_alive(process.pid, ticks - 1)


@pytest.mark.usefixtures("way")
def test_a_zombie_has_ended() -> None:
    """A process whose parent has not taken note of its end is not alive, though its number is still taken."""
    with sleeper() as process:
        ticks = start_ticks(process.pid)
        assert ticks is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        stat = process_stat(process.pid)
        assert stat is not None
        assert stat.ended
        assert stat.start_ticks == ticks
        assert not is_alive(process.pid, ticks)
        process.wait()
        assert not is_alive(process.pid, ticks)
        assert start_ticks(process.pid) is None


@pytest.mark.usefixtures("way")
def test_a_number_that_is_nobodys_is_not_alive() -> None:
    """No process, no group and no number beyond all bounds is ever taken for a living process."""
    for pid in (0, -1, -os.getpgrp(), 2**22 + 1, 2**40):
        assert not is_alive(pid, 0)
        assert start_ticks(pid) is None


@pytest.mark.usefixtures("way")
def test_the_first_process_is_alive_for_everyone() -> None:
    """A process that may not be signalled by this user is judged all the same."""
    ticks = start_ticks(1)
    assert ticks is not None
    assert is_alive(1, ticks)


@pytest.mark.parametrize("name", ["plain", "two words", "a) R 1 (b", "((", "))", "1 2 3 4"])
def test_the_name_of_a_program_cannot_forge_its_start_time(name: str, tmp_path: Path) -> None:
    """Blanks and parentheses in a program's name shift no field."""
    program = tmp_path / name
    program.symlink_to(shutil.which("sleep") or "/bin/sleep")
    with sleeper(str(program), "60") as odd, sleeper() as plain:
        stats = process_stat(odd.pid), process_stat(plain.pid)
        assert stats[0] is not None
        assert stats[1] is not None
        assert stats[0].parent == stats[1].parent == os.getpid()
        assert 0 <= stats[1].start_ticks - stats[0].start_ticks < 10_000


def test_evidence_names_machine_process_and_start() -> None:
    """What is kept about a run's process is enough to judge it later."""
    evidence = evidence_of(os.getpid(), "box")
    assert evidence.pid == os.getpid()
    assert evidence.host == "box"
    assert evidence.boot_id == boot_id() != ""
    assert is_alive(evidence.pid, evidence.start_ticks)


def test_the_time_zone_of_the_observer_does_not_change_a_start_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two users in different zones and languages read the same start time from ps."""
    ask_ps(monkeypatch)
    with sleeper() as process:
        here = start_ticks(process.pid)
        monkeypatch.setenv("TZ", "Pacific/Auckland")
        monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
        assert here is not None
        assert start_ticks(process.pid) == here


@pytest.mark.usefixtures("way")
def test_all_processes_include_this_one_and_its_parent() -> None:
    """The list from which trees are built knows who started whom."""
    found = {stat.pid: stat for stat in all_processes()}
    assert found[os.getpid()].parent == os.getppid()


@contextlib.contextmanager
def family() -> Iterator[int]:
    """Run a shell with a child, and with a child that has one itself: four processes."""
    with subprocess.Popen(["/bin/sh", "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True) as shell:
        try:
            assert shell.stdout is not None
            assert shell.stdout.readline() == b"ready\n"
            yield shell.pid
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def grown(pid: int, size: int) -> list[tuple[int, int]]:
    """Return the descendants of `pid` as soon as there are `size` of them."""
    wait_until(lambda: len(descendants(pid)) >= size)
    return descendants(pid)


@pytest.mark.usefixtures("way")
def test_descendants_are_children_and_theirs_parents_first() -> None:
    """The whole tree is found, and only the tree."""
    with family() as pid:
        found = grown(pid, 3)
        assert len(found) == 3
        assert pid not in dict(found)
        parents = {stat.pid: stat.parent for stat in all_processes()}
        places = {pid: 0} | {below: place for place, (below, _) in enumerate(found, 1)}
        assert all(places[parents[below]] < places[below] for below, _ in found)
        assert all(is_alive(*below) for below in found)


@pytest.mark.usefixtures("way")
def test_signalling_a_tree_spares_whoever_got_a_number_later() -> None:
    """A process is only signalled when its start time is still the recorded one."""
    with family() as pid:
        found = grown(pid, 3)
        assert signal_tree([(below, ticks + 1) for below, ticks in found], signal.SIGKILL) == 0
        assert all(is_alive(*below) for below in found)
        assert signal_tree(found, signal.SIGKILL) == 3
        assert signal_tree([(2**22 + 1, 5)], signal.SIGKILL) == 0


def test_a_suspended_process_wakes_up_to_end() -> None:
    """SIGTERM to a stopped process takes effect at once."""
    with sleeper() as process:
        ticks = start_ticks(process.pid)
        assert ticks is not None
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert signal_tree([(process.pid, ticks)], signal.SIGTERM) == 1
        assert process.wait() == -signal.SIGTERM


def test_importing_loads_nothing_heavy() -> None:
    """These modules are loaded by listings too, so they may cost next to nothing."""
    code = "import operations.process_info, operations.process_tree, artifacts.lease, artifacts.output, sys; "
    code += "print({'subprocess', 'ctypes', 'selectors', 'signal', 'orjson', 'json', 'pathlib'} & set(sys.modules))"
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
