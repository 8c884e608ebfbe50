"""Signals as users and systems send them: to `guild run`, to its process, to both, and to many commands at random."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from artifacts.lease import is_held
from operations.process_tree import descendants
from tests.cli_kit import wait_until
from tests.crash_checks import (
    Prepared,
    check_all,
    prepared_fixture,  # noqa: F401 - a fixture
    read_story,
    statuses_of,
)
from tests.crash_kit import PATIENCE_SECONDS, ROOT, Kit, Process, Result, Trouble, opened_kit
from tests.supervise_kit import all_gone

READY = """
import os, signal, subprocess, sys, time
{before}
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) for _ in range({children})]
print("ready", flush=True)
time.sleep(1000)
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    open("daemon", "w").close()
    time.sleep(1000)
    os._exit(0)
while not os.path.exists("daemon"):
    time.sleep(0.01)
"""
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)"


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Supervisor:
    """A `guild run` in a process of its own, in a home and a project of its own."""

    def __init__(self, folder: Path, job: str) -> None:
        self.home = str(folder / "home")
        self.project = str(folder / "project")
        os.makedirs(self.project)
        (folder / "project" / "guild.yml").write_text("- model: m\n  operations:\n    train:\n      cmd: job.py\n")
        (folder / "project" / "job.py").write_text(job)
        self.argv = [sys.executable, "-m", "guild_ledger", "-H", self.home, "run", "train", "-y"]
        self.env = {**os.environ, "PYTHONPATH": ROOT}
        self.process: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def start(self) -> None:
        """Start it without a terminal, and wait until its script is ready."""
        self._start(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process is not None
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def start_on_terminal(self) -> int:
        """Start it on a terminal of its own; return the end at which its user sits, when its script is ready."""
        user, terminal = pty.openpty()
        argv = [sys.executable, "-c", TAKE_TERMINAL, *self.argv]
        self._start(argv, stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)
        output = b""
        while b"ready" not in output:
            output += os.read(user, 1000)
        return user

    def _start(self, argv: list[str], *, stdin: int, stdout: int, stderr: int) -> None:
        self.process = subprocess.Popen(
            argv, cwd=self.project, env=self.env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
        self.pid = self.process.pid

    def code(self) -> int:
        """Wait for its end, and return its exit status."""
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def tree(self) -> list[tuple[int, int]]:
        """Return all living processes below it: the script first."""
        # Without the process that reads the run's numbers from its second second on: a copy of the supervisor.
        own = _command_line(self.pid)
        return [found for found in descendants(self.pid) if _command_line(found[0]) != own]

    def guild(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        """Do another guild command in the same home."""
        command = [sys.executable, "-m", "guild_ledger", "-H", self.home, *argv]
        return subprocess.run(
            command, cwd=self.project, env=self.env, capture_output=True, check=False, timeout=PATIENCE_SECONDS
        )

    def told(self) -> dict[str, object]:
        """Return what `guild runs info` says of its run."""
        info = self.guild("runs", "info", "--json")
        assert (info.returncode, b"Traceback" in info.stderr) == (0, False), info
        details: dict[str, object] = orjson.loads(info.stdout)
        return details

    def clean(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        for pid, _ in self.tree() if self.pid else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()


@pytest.fixture
def supervise(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Supervisor]:
    """Give a function that prepares a `guild run` of a script."""

    def prepared(before: str = "", children: int = 0) -> Supervisor:
        supervisor = Supervisor(tmp_path, READY.format(before=before, children=children))
        request.addfinalizer(supervisor.clean)
        return supervisor

    return prepared


@pytest.fixture(scope="module")
def kit() -> Iterator[Kit]:
    """Give processes to kill."""
    with opened_kit() as kit:
        yield kit


def test_a_killed_supervisor_takes_its_process_along_and_is_found_out(supervise: Callable[..., Supervisor]) -> None:
    """After kill -9 of `guild run` the script does not go on unseen, and the next command records the end, once."""
    run = supervise()
    run.start()
    tree = run.tree()
    assert len(tree) == 1
    os.kill(run.pid, signal.SIGKILL)
    run.code()
    wait_until(lambda: all_gone(tree))
    for _ in range(2):
        told = run.told()
        assert (told["status"], told["exit_status"], told["reason"]) == ("terminated", None, "supervisor lost")
    story = check_all(run.home, {})
    assert [event.type for event in story] == ["run.started", "run.status_changed"]
    assert os.listdir(os.path.join(run.home, "leases")) == []


def test_a_killed_process_is_told_by_its_supervisor(supervise: Callable[..., Supervisor]) -> None:
    """After kill -9 of the script `guild run` records the signal and ends with 128 + 9."""
    run = supervise()
    run.start()
    os.kill(run.tree()[0][0], signal.SIGKILL)
    assert run.code() == 128 + signal.SIGKILL
    told = run.told()
    assert (told["status"], told["exit_status"]) == ("terminated", -signal.SIGKILL)
    check_all(run.home, {})


def test_both_killed_at_once_are_found_out(supervise: Callable[..., Supervisor]) -> None:
    """After kill -9 of the whole process group, as by an out-of-memory killer, the next command finds the run over."""
    run = supervise(children=2)
    run.start()
    tree = run.tree()
    assert len(tree) == 3
    os.killpg(run.pid, signal.SIGKILL)
    run.code()
    wait_until(lambda: all_gone(tree))
    assert run.told()["status"] == "terminated"
    check_all(run.home, {})


def test_a_run_without_its_lease_file_goes_on_while_its_supervisor_lives(supervise: Callable[..., Supervisor]) -> None:
    """Somebody emptied the folder of leases: that is no reason to call a living run dead, nor a dead one living."""
    run = supervise()
    run.start()
    folder = os.path.join(run.home, "leases")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    assert run.told()["status"] == "running"
    os.kill(run.pid, signal.SIGKILL)
    run.code()
    assert run.told()["status"] == "terminated"
    check_all(run.home, {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopping_guild_stops_the_whole_tree(supervise: Callable[..., Supervisor], number: signal.Signals) -> None:
    """Script, children and a daemon that left them end; status terminated, exit code 128 + the signal."""
    run = supervise(before=DAEMON, children=2)
    run.start()
    tree = run.tree()
    assert len(tree) == 4
    os.kill(run.pid, number)
    assert run.code() == 128 + number
    assert all_gone(tree)
    told = run.told()
    assert (told["status"], told["reason"]) == ("terminated", f"stopped by {number.name}")
    check_all(run.home, {})


def test_a_script_that_ignores_being_asked_is_killed_when_asked_firmly(supervise: Callable[..., Supervisor]) -> None:
    """SIGTERM is ignored by script and children; three interrupts end the wait for it: all are killed."""
    run = supervise(before=STUBBORN + DAEMON, children=1)
    run.start()
    tree = run.tree()
    assert len(tree) == 3
    os.kill(run.pid, signal.SIGTERM)
    lease = os.path.join(run.home, "leases", os.listdir(os.path.join(run.home, "leases"))[0])
    assert is_held(lease)
    for _ in range(3):
        os.kill(run.pid, signal.SIGINT)
        time.sleep(0.05)  # two pending signals of one kind are one
    assert run.code() == 128 + signal.SIGTERM
    assert all_gone(tree)
    told = run.told()
    assert (told["status"], told["exit_status"], told["reason"]) == ("terminated", -9, "stopped by SIGTERM")
    check_all(run.home, {})


def test_a_typed_interrupt_ends_the_run_and_all_it_started(supervise: Callable[..., Supervisor]) -> None:
    """Ctrl-C on the terminal reaches guild and script at once: exit code 130, status terminated, nothing left."""
    run = supervise(before=DAEMON, children=1)
    user = run.start_on_terminal()
    tree = run.tree()
    assert len(tree) == 3
    os.write(user, b"\x03")
    with contextlib.suppress(OSError):  # Linux's way to say that nobody has the terminal open any more
        while os.read(user, 1000):
            continue
    assert run.code() == 130
    os.close(user)
    assert all_gone(tree)
    told = run.told()
    assert (told["status"], told["reason"]) == ("terminated", "stopped by SIGINT")
    check_all(run.home, {})


@pytest.mark.parametrize(
    ("ending", "status", "exit_status"),
    [("", "completed", 0), ("sys.exit(3)", "error", 3), ("os.kill(os.getpid(), 9)", "terminated", -9)],
)
def test_a_supervisor_killed_before_it_could_record_the_end_left_it_in_the_lease(
    kit: Kit, ending: str, status: str, exit_status: int
) -> None:
    """The process had ended, its supervisor knew how: the next command records just that."""
    home = kit.new_home()
    project = kit.new_project(f"ending-{status}", f"import os, sys\n{ending}\n")
    crashed = kit.guild(
        home, "-C", project, "run", "train", "--force-flags", "-y", trouble=Trouble("die", 1, "run.finish")
    )
    assert crashed.died, crashed
    assert kit.guild(home, "runs").code == 0
    last = check_all(home, {})[-1]
    assert (last.type, last.body["status"], last.body["exit_status"]) == ("run.status_changed", status, exit_status)
    assert last.body["reason"] == "recorded later from the lease"


COMMANDS = (
    ["label", "{any}", "soaked"],
    ["runs", "rm", "0"],
    ["runs", "rm", "0", "1"],
    ["runs", "restore", "0"],
    ["runs", "restore"],
    ["runs", "purge", "0"],
    ["runs", "rm", "-p", "1"],
    ["run", "train", "size=1"],
    ["run", "train", "size=2"],
    ["runs"],
    ["ledger", "rebuild"],
)


def test_commands_killed_at_random_moments_lose_nothing(kit: Kit, prepared: Prepared) -> None:
    """Many commands at once, half of them killed at some moment: the rest goes on, and in the end all is in place."""
    home = kit.copy(prepared.home)
    dice = random.Random(6)  # noqa: S311 - which moment, not which key
    at_work: list[Process] = []
    results: list[Result] = []
    for _ in range(160):
        words = [word.format(any=dice.choice(sorted(prepared.runs.values()))) for word in dice.choice(COMMANDS)]
        asks = words[0] != "ledger" and words != ["runs"]
        at_work.append(kit.start(home, *words, *(["-y"] if asks else [])))
        time.sleep(dice.random() * 0.02)
        if len(at_work) > 4:
            process = at_work.pop(dice.randrange(len(at_work)))
            if dice.random() < 0.5:
                process.signal(signal.SIGKILL)
            results.append(process.wait())
    results += [process.wait() for process in at_work]
    # A run that is deleted is stopped first: by its supervisor, or instead of it when it was about to end anyway.
    known = {0, 1, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM}
    assert [result for result in results if result.code not in known] == []
    assert any(result.code == -signal.SIGKILL for result in results)
    for result in results:
        assert "Traceback" not in result.err
        assert "not foreseen" not in result.err
    check_soaked(kit, home, prepared)


def check_soaked(kit: Kit, home: str, prepared: Prepared) -> None:
    """Check what holds once all commands have ended, and that more can be done."""
    assert kit.guild(home, "run", "train", "size=1", "-y").code == 0
    after = kit.guild(home, "runs", "rm", "0", "-y")
    assert after.code == 0, after
    story = check_all(home, prepared.trees)
    assert set(statuses_of(story).values()) <= {"completed", "terminated"}
    assert "The ledger is whole." in kit.guild(home, "ledger", "verify").out
    assert read_story(home) == story
