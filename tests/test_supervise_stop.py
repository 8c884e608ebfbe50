"""Stopping a supervised process and all that it started, politely first, whoever asks and whatever was lost."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

from artifacts.lease import is_held, read_lease
from artifacts.output import OutputSummary
from operations.process_info import all_processes, is_alive, start_ticks
from operations.process_tree import descendants, stop_tree
from operations.supervise import Ending, exit_code
from tests.cli_kit import wait_until
from tests.supervise_kit import (
    FAMILY,
    LINUX,
    Supervisor,
    all_gone,
    python,
    supervise_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., "Supervisor"]

DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    {setup}
    with open("daemon.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("daemon.new", "daemon")
    {work}
    time.sleep(1000)
    os._exit(0)
while not os.path.exists("daemon"):
    time.sleep(0.01)
print("ready", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_stopping_reaches_the_whole_tree(supervise: Start, number: signal.Signals) -> None:
    """A signal to the supervisor alone ends children and grandchildren; the exit code tells the signal."""
    # A background child of a non-interactive shell ignores SIGINT: it is ended after the shell.
    run = supervise("sh", "-c", FAMILY)
    run.says("ready")
    tree = run.tree(4)
    run.send(number)
    ending = run.ending()
    assert ending.stopped_by == number.name
    assert ending.exit_status is not None
    assert ending.exit_status < 0
    assert run.process.returncode == 128 + number
    assert all_gone(tree)


def test_an_interrupted_script_can_end_in_its_own_way(supervise: Start) -> None:
    """SIGINT without a terminal is handed on, once; what the script then does is its status."""
    code = """
import sys, time
try:
    print("ready")
    time.sleep(1000)
except KeyboardInterrupt:
    time.sleep(0.2)
    sys.exit(7)
"""
    run = supervise(*python(code), grace_seconds=1000)
    run.says("ready")
    run.send(signal.SIGINT)
    ending = run.ending()
    assert (ending.exit_status, ending.stopped_by) == (7, "SIGINT")
    assert run.process.returncode == 130
    record = read_lease(str(run.home / "lease"))
    assert record is not None
    assert (record.exit_status, record.stopped_by) == (7, "SIGINT")


# A second goes by for each word that the run says: however slow the machine is, it has answered when the grace is over.
SECONDS_ARE_WORDS = """
import operations.supervise, time
class Clock:
    time_ns = staticmethod(time.time_ns)
    def monotonic(self):
        with open(home + "/.guild/output") as file:
            return float(len(file.read().split()))
operations.supervise.time = Clock()
"""


def test_a_script_that_will_not_end_is_killed_after_the_grace(supervise: Start) -> None:
    """SIGTERM, then SIGKILL; for SIGINT both SIGTERM and SIGKILL follow."""
    code = """
import signal, time
signal.signal(signal.SIGINT, lambda *_: print("INT"))
signal.signal(signal.SIGTERM, lambda *_: print("TERM"))
print("ready")
while True:
    time.sleep(1000)
"""
    run = supervise(*python(code), grace_seconds=0.3, before=SECONDS_ARE_WORDS)
    run.says("ready")
    run.send(signal.SIGINT)
    ending = run.ending()
    assert (ending.exit_status, ending.stopped_by) == (-signal.SIGKILL, "SIGINT")
    assert run.output().split() == ["ready", "INT", "TERM"]


def test_each_further_interrupt_is_firmer(supervise: Start) -> None:
    """A second SIGINT means SIGTERM at once, a third SIGKILL, however long the grace."""
    code = """
import signal, time
signal.signal(signal.SIGINT, lambda *_: print("INT"))
signal.signal(signal.SIGTERM, lambda *_: print("TERM"))
print("ready")
while True:
    time.sleep(1000)
"""
    run = supervise(*python(code), grace_seconds=1000)
    for text in ("ready", "INT", "TERM"):
        run.says(text)
        run.send(signal.SIGINT)
    assert run.ending().exit_status == -signal.SIGKILL


def test_a_suspended_script_can_be_stopped(supervise: Start) -> None:
    """After Ctrl-Z the script is woken up to end."""
    run = supervise("sh", "-c", "echo ready; kill -STOP $$; sleep 1000", grace_seconds=1000)
    run.says("ready")
    run.send(signal.SIGTERM)
    assert run.ending().exit_status == -signal.SIGTERM


def test_ctrl_c_on_the_terminal_interrupts_the_script_once(tmp_path: Path) -> None:
    """What the terminal delivers to the whole group is not sent a second time."""
    user, terminal = pty.openpty()
    before = f"import fcntl; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0)"
    popen = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    code = """
import signal, time
seen = []
def note(*_):
    seen.append(1)
    print("INT")
signal.signal(signal.SIGINT, note)
print("ready")
while not seen:
    time.sleep(0.05)
for _ in range(10):
    time.sleep(0.05)
"""
    run = Supervisor(tmp_path, *python(code), before=before, shown=True, popen=popen, grace_seconds=1000)
    try:
        run.says("ready")
        os.write(user, b"\x03")
        ending = run.ending()
        assert run.output().split() == ["ready", "INT"]
        assert (ending.exit_status, ending.stopped_by) == (0, "SIGINT")
    finally:
        run.clean()
        os.close(user)
        os.close(terminal)


def test_a_daemon_of_a_run_that_ended_by_itself_is_left_alone(supervise: Start) -> None:
    """It keeps the pipe open, which does not hold up the end, and it is not signalled."""
    run = supervise(*python(DAEMON.format(setup="", work="")))
    ending = run.ending()
    pid = int((run.home / "daemon").read_text())
    try:
        assert (ending.exit_status, ending.children_killed) == (0, 0)
        assert run.output() == "ready\n"
        assert start_ticks(pid) is not None
        assert is_held(str(run.home / "lease")) is False
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_daemon_that_never_stops_printing_does_not_hold_up_the_end(supervise: Start) -> None:
    """After the end of the run's process its daemons are not listened to for long."""
    work = "\n    while True:\n        print('noise', flush=True)"
    run = supervise(*python(DAEMON.format(setup="", work=work)))
    assert run.ending().exit_status == 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((run.home / "daemon").read_text()), signal.SIGKILL)


@LINUX
@pytest.mark.parametrize("setup", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"], ids=["TERM", "KILL"])
def test_a_daemon_of_a_stopped_run_is_ended_with_it(supervise: Start, setup: str) -> None:
    """Though it left the session and its parent is gone, it is found; if it ignores SIGTERM it is killed."""
    code = DAEMON.format(setup=setup, work="") + "time.sleep(1000)"
    run = supervise(*python(code), grace_seconds=1)
    run.says("ready")
    pid = int((run.home / "daemon").read_text())
    ticks = start_ticks(pid)
    assert ticks is not None
    run.send(signal.SIGTERM)
    ending = run.ending()
    assert not is_alive(pid, ticks)
    assert ending.exit_status == -signal.SIGTERM
    assert ending.children_killed == 1 or not setup


# An own child that nobody has asked after.
OLD_CHILD = "os.posix_spawn('/bin/true', ['true'], {}); import time; time.sleep(0.1)"


# An earlier run of the same supervisor, which leaves a process behind that ends during the next.
EARLIER_RUN = """
os.mkdir(home + "/earlier")
first = Lease.acquire(home + "/earlier/lease", LeaseRecord(**asdict(evidence_of(os.getpid(), "box"))))
argv0 = ["sh", "-c", "sleep 0.6 </dev/null >/dev/null 2>&1 &"]
run_process(ProcessSpec(argv0, home, dict(os.environ), home + "/earlier"), lease=first, on_started=lambda _: None)
import time; time.sleep(0.1)
"""


@LINUX
@pytest.mark.parametrize(("before", "left"), [("", 0), (OLD_CHILD, 1), (EARLIER_RUN, 0)])
def test_orphans_that_have_ended_are_taken_note_of(before: str, left: int, supervise: Start) -> None:
    """What a run started and abandoned leaves no zombies while a run goes on; the caller's own children stay."""
    code = "for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 & ); done; sleep 0.8; echo ready; read x"
    run = supervise("sh", "-c", code, popen={"stdin": subprocess.PIPE}, before=before)
    run.says("ready")
    wait_until(lambda: sum(stat.ended for stat in all_processes() if stat.parent == run.process.pid) == left)
    assert run.process.stdin is not None
    run.process.stdin.close()
    run.process.stdin = None
    run.ending()


def test_a_running_run_is_stopped_through_its_supervisor(supervise: Start) -> None:
    """stop_tree asks the supervisor, which tells the ending as after any other SIGTERM."""
    run = supervise("sh", "-c", FAMILY)
    run.says("ready")
    tree = run.tree(4)
    ticks = start_ticks(run.process.pid)
    assert ticks is not None
    assert stop_tree(run.process.pid, ticks, 30)
    assert all_gone(tree)
    assert run.ending().stopped_by == "SIGTERM"


def test_a_supervisor_that_does_not_answer_is_stopped_with_its_tree(supervise: Start) -> None:
    """When the grace is over, the tree is killed, and the supervisor still tells how it ended."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(1000)"
    run = supervise(*python(code), grace_seconds=1000)
    run.says("ready")
    ticks = start_ticks(run.process.pid)
    assert ticks is not None
    assert stop_tree(run.process.pid, ticks, 0.2)
    assert run.ending().exit_status == -signal.SIGKILL


def test_stopping_never_touches_a_process_with_a_recycled_number(supervise: Start) -> None:
    """With another start time nothing is signalled, and the run counts as gone."""
    run = supervise("sh", "-c", "echo ready; sleep 1000")
    run.says("ready")
    pid, ticks = run.child()
    mine = start_ticks(run.process.pid)
    assert mine is not None
    assert stop_tree(run.process.pid, mine + 1, 0.1, child=(pid, ticks + 1))
    assert is_alive(pid, ticks)
    assert is_alive(run.process.pid, mine)


def test_a_process_whose_supervisor_is_gone_is_stopped_itself(tmp_path: Path) -> None:
    """Where a run outlived its supervisor, its tree is ended directly."""
    with subprocess.Popen(["sh", "-c", FAMILY], stdout=subprocess.PIPE, cwd=tmp_path) as shell:
        wait_until(lambda: len(descendants(shell.pid)) >= 3)
        tree = descendants(shell.pid)
        ticks = start_ticks(shell.pid)
        assert ticks is not None
        assert stop_tree(2**22 + 1, 1, 10, child=(shell.pid, ticks))
        assert all_gone(tree)


@pytest.mark.parametrize(
    ("status", "stopped_by", "code"),
    [
        (0, None, 0),
        (3, None, 3),
        (-9, None, 137),
        (None, None, 1),
        (0, "SIGINT", 130),
        (-15, "SIGTERM", 143),
        (1, "SIGHUP", 129),
    ],
)
def test_exit_codes_are_those_of_a_shell(status: int | None, stopped_by: str | None, code: int) -> None:
    """What `guild run` exits with follows from the ending alone."""
    assert exit_code(Ending(status, stopped_by, 0, 0, OutputSummary())) == code
