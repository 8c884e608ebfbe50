"""Supervision, with real processes: how runs start, are stopped with all they started, and what is told about it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest

from artifacts.lease import LeaseRecord, is_held, read_lease
from artifacts.output import OutputSummary
from operations.process_info import is_alive, start_ticks
from operations.process_tree import descendants, stop_tree
from operations.signals import Escalation
from operations.supervise import Ending, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., "Supervisor"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")
PATIENCE_SECONDS = 60

# Does what `guild run` does around the process, and tells the ending as JSON.
SUPERVISOR = """
import json, os, sys
from dataclasses import asdict
from artifacts.lease import Lease, LeaseRecord
from operations.process_info import evidence_of
from operations.supervise import ProcessSpec, exit_code, run_process
home, argv, options = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
exec(options.pop("before", ""))
raises = options.pop("raises", False)
shown = options.pop("shown", False)
spec = dict(argv=argv, cwd=home, env=dict(os.environ), output_dir=home + "/.guild")
if shown:
    spec |= dict(stdout_fd=1, stderr_fd=2)
evidence = evidence_of(os.getpid(), "box")
lease = Lease.acquire(home + "/lease", LeaseRecord(**asdict(evidence)))
def on_started(started):
    with open(home + "/started", "w") as file:
        json.dump([started.pid, started.start_ticks], file)
    if raises:
        raise SystemExit(9)
ending = run_process(ProcessSpec(**spec | options), lease=lease, on_started=on_started)
with open(home + "/ending", "w") as file:
    json.dump(asdict(ending) | {"modules": sorted(sys.modules)}, file)
exec(os.environ.get("AFTER", ""))
lease.release(remove=False)
sys.exit(exit_code(ending))
"""
# A shell with two children, one of which has a child itself; all of them live for ever.
FAMILY = "sleep 1000 & (sleep 1000 & wait) & echo ready; wait"
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


class Supervisor:
    """A process that supervises a run; its input and output can be had, its files are in `home`."""

    def __init__(self, home: Path, *argv: str, **options: Any) -> None:
        """Start it; `options` go to ProcessSpec, but for `popen`, which goes to Popen."""
        self.home = home
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options.pop("popen", {})}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(home), json.dumps(argv), json.dumps(options)],
            cwd=ROOT,
            start_new_session=True,
            **popen,
        )

    def says(self, text: str) -> None:
        """Wait until the run has printed `text`."""
        wait_for(lambda: text in self.output())

    def output(self) -> str:
        """Return what was captured so far."""
        with contextlib.suppress(OSError):
            return (self.home / ".guild" / "output").read_text()
        return ""

    def child(self) -> tuple[int, int]:
        """Return the run's process, once it is known."""
        wait_for(lambda: (self.home / "started").exists() and (self.home / "started").read_text().endswith("]"))
        pid, ticks = json.loads((self.home / "started").read_text())
        return pid, ticks

    def tree(self, size: int) -> list[tuple[int, int]]:
        """Return all processes of the run as soon as there are `size`."""
        wait_for(lambda: len(descendants(self.process.pid)) >= size)
        return descendants(self.process.pid)

    def send(self, number: int) -> None:
        """Send a signal to the supervisor alone."""
        os.kill(self.process.pid, number)

    def ending(self) -> Ending:
        """Wait for the end, and return what was told about it."""
        self.process.wait(PATIENCE_SECONDS)
        told = json.loads((self.home / "ending").read_text())
        del told["modules"]
        return Ending(**told | {"output": OutputSummary(**told["output"])})

    def clean(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        for pid, _ in descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def supervise(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Supervisor]:
    """Give a function that starts a supervisor of the command that it is given."""

    def start(*argv: str, **options: Any) -> Supervisor:
        supervisor = Supervisor(tmp_path, *argv, **options)
        request.addfinalizer(supervisor.clean)
        return supervisor

    return start


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something has come to be; the limit is for broken code only."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def all_gone(processes: list[tuple[int, int]]) -> bool:
    """Whether none of these processes lives."""
    return not any(is_alive(*process) for process in processes)


def python(code: str) -> tuple[str, ...]:
    """Return the command that runs `code`."""
    return (sys.executable, "-u", "-c", code)


@pytest.mark.parametrize("status", [0, 3, 255])
def test_the_exit_code_is_the_process_s_own(supervise: Start, status: int) -> None:
    """The supervisor tells the status and leaves with it."""
    run = supervise("sh", "-c", f"echo out; echo err >&2; exit {status}")
    ending = run.ending()
    assert ending.exit_status == run.process.returncode == status
    assert (ending.stopped_by, ending.failure, ending.children_killed) == (None, None, 0)
    assert ending.output == OutputSummary(lines=2, bytes=8)
    assert ending.started_at <= ending.ended_at


def test_a_process_killed_by_a_signal_is_told_as_such(supervise: Start) -> None:
    """The status is the negative number, the exit code 128 more than it."""
    run = supervise("sh", "-c", "kill -KILL $$")
    assert run.ending().exit_status == -signal.SIGKILL
    assert run.process.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("argv", "options", "reason"),
    [
        (["no-such-program"], {}, "cannot start 'no-such-program': No such file"),
        (["/nowhere/at/all"], {}, "cannot start '/nowhere/at/all': No such file"),
        (["./script"], {}, "cannot start './script': the interpreter named in its first line is missing"),
        (["./data"], {}, "cannot start './data': Permission denied"),
        (["true", "x"], {"before": "argv[1] *= 9_000_000"}, "cannot start 'true': Argument list too long"),
        (["true", "a\0b"], {}, "cannot start 'true': embedded null byte"),
        (["true"], {"cwd": "/nowhere"}, "cannot enter the directory '/nowhere': No such file"),
        ([], {}, "cannot start a process: no program was named"),
    ],
    ids=["program", "path", "interpreter", "permission", "too long", "null", "directory", "nothing"],
)
def test_what_cannot_be_started_is_told_and_raises_nothing(
    supervise: Start, tmp_path: Path, argv: list[str], options: dict[str, str], reason: str
) -> None:
    """Without a process there is a reason, no status, exit code 1, and an ending in the lease."""
    (tmp_path / "script").write_text("#!/nowhere/python\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "data").write_text("")
    run = supervise(*argv, **options)
    ending = run.ending()
    assert (ending.failure or "").startswith(reason)
    assert (ending.exit_status, ending.stopped_by, run.process.returncode) == (None, None, 1)
    record = read_lease(str(tmp_path / "lease"))
    assert record is not None
    assert (record.child_pid, record.exit_status, record.ended_at) == (0, None, ending.ended_at)


def test_the_lease_tells_the_process_and_then_its_ending(supervise: Start, tmp_path: Path) -> None:
    """While it runs anyone can read who runs; after the end, how it ended, before anything else is told."""
    run = supervise("sh", "-c", "echo ready; read x; exit 5", popen={"stdin": subprocess.PIPE})
    run.says("ready")
    pid, ticks = run.child()
    during = read_lease(str(tmp_path / "lease"))
    assert is_held(str(tmp_path / "lease"))
    assert run.process.stdin is not None
    run.process.stdin.write(b"\n")
    run.process.stdin.flush()
    ending = run.ending()
    after = read_lease(str(tmp_path / "lease"))
    assert during is not None
    assert (during.pid, during.child_pid, during.child_ticks) == (run.process.pid, pid, ticks)
    assert (during.exit_status, during.ended_at) == (None, None)
    assert after == LeaseRecord(
        during.boot_id, during.pid, during.start_ticks, "box", pid, ticks, 5, ending.ended_at, None
    )


def test_the_process_reads_the_user_s_input(supervise: Start) -> None:
    """Standard input is the supervisor's own."""
    run = supervise("sh", "-c", "read x; echo got $x", popen={"stdin": subprocess.PIPE})
    run.process.communicate(b"hello\n", PATIENCE_SECONDS)
    assert run.output() == "got hello\n"


def test_the_process_s_output_is_shown_where_it_belongs(supervise: Start) -> None:
    """Each stream comes out of the supervisor's stream of the same kind."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    run = supervise("sh", "-c", "echo out; echo err >&2", shown=True, popen=pipes)
    assert run.process.communicate(timeout=PATIENCE_SECONDS) == (b"out\n", b"err\n")


def test_closed_standard_streams_of_the_supervisor_do_no_harm(supervise: Start) -> None:
    """Without any standard stream open, the process runs and its output is captured."""
    closing = "[os.close(number) for number in (0, 1, 2)]"
    run = supervise("sh", "-c", "echo out; echo err >&2; exit 4", before=closing, shown=True)
    assert run.ending().exit_status == 4
    assert sorted(run.output().split()) == ["err", "out"]


@LINUX
def test_the_process_has_the_signals_and_descriptors_that_a_shell_gives(supervise: Start) -> None:
    """What is blocked, ignored and open is what it is for a process that was started without a supervisor."""
    code = "grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd"
    before = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])"
    run = supervise("sh", "-c", code, before=before)
    assert run.ending().exit_status == 0
    # The fourth descriptor is that of the folder which `ls` reads.
    bare = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=True)
    assert run.output() == bare.stdout
    assert run.output().split()[-4:] == ["0", "1", "2", "3"]


def test_a_run_under_nohup_outlives_its_terminal(supervise: Start) -> None:
    """A signal that was ignored before stays ignored, by the supervisor and by the run."""
    before = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    run = supervise("sh", "-c", "kill -HUP $PPID; kill -HUP $$; sleep 0.1; exit 6", before=before)
    ending = run.ending()
    assert (ending.exit_status, ending.stopped_by) == (6, None)


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
    run = supervise(*python(code))
    run.says("ready")
    run.send(signal.SIGINT)
    ending = run.ending()
    assert (ending.exit_status, ending.stopped_by) == (7, "SIGINT")
    assert run.process.returncode == 130
    record = read_lease(str(run.home / "lease"))
    assert record is not None
    assert (record.exit_status, record.stopped_by) == (7, "SIGINT")


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
    run = supervise(*python(code), grace_seconds=0.3)
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
    run = Supervisor(tmp_path, *python(code), before=before, shown=True, popen=popen)
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
    stat = subprocess.run(
        ["ps", "-o", "stat=", "--ppid", str(run.process.pid)], capture_output=True, text=True, check=True
    )
    assert stat.stdout.count("Z") == left
    assert run.process.stdin is not None
    run.process.stdin.close()
    run.process.stdin = None
    run.ending()


def test_a_script_may_close_its_output_and_go_on(supervise: Start) -> None:
    """The end of its output is not its end."""
    run = supervise("sh", "-c", "echo text; exec >&- 2>&-; sleep 0.3; exit 8")
    ending = run.ending()
    assert (ending.exit_status, ending.output.lines) == (8, 1)


def test_output_without_newline_is_captured(supervise: Start) -> None:
    """The last words of a script count even if unfinished."""
    run = supervise("printf", "last words")
    assert run.ending().output == OutputSummary(lines=1, bytes=10)
    assert run.output() == "last words"


def test_a_full_disk_fails_neither_the_run_nor_the_lease(supervise: Start, tmp_path: Path) -> None:
    """The capture ends, the run goes on, and its ending is in the lease."""
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
    code = "import sys; [print('x' * 99) for _ in range(200)]; sys.exit(2)"
    run = supervise(*python(code), before=before, shown=True, popen={"stdout": subprocess.PIPE})
    shown, _ = run.process.communicate(timeout=PATIENCE_SECONDS)
    ending = run.ending()
    assert ending.exit_status == 2
    assert ending.output.failure is not None
    assert len(shown) == 20_000
    assert os.path.getsize(tmp_path / ".guild" / "output") == 5000
    record = read_lease(str(tmp_path / "lease"))
    assert record is not None
    assert record.exit_status == 2


@LINUX
def test_a_supervisor_that_is_killed_takes_the_process_with_it(supervise: Start, tmp_path: Path) -> None:
    """After kill -9 the run does not go on unseen, and its lease is free."""
    run = supervise("sh", "-c", "echo ready; while :; do sleep 0.1; done")
    run.says("ready")
    child = run.child()
    run.send(signal.SIGKILL)
    wait_for(lambda: not is_alive(*child))
    run.process.wait()
    assert is_held(str(tmp_path / "lease")) is False
    record = read_lease(str(tmp_path / "lease"))
    assert record is not None
    assert (record.child_pid, record.exit_status) == (child[0], None)


def test_a_reader_who_takes_nothing_does_not_make_the_supervisor_deaf(supervise: Start) -> None:
    """While a pager blocks the output, the run can be stopped, and what it printed is captured."""
    run = supervise("sh", "-c", "yes; exit 3", shown=True, popen={"stdout": subprocess.PIPE})
    tree = run.tree(2)
    wait_for(lambda: len(run.output()) > 60_000)
    run.send(signal.SIGTERM)
    ending = run.ending()
    assert ending.stopped_by == "SIGTERM"
    assert ending.output.bytes > 60_000
    assert all_gone(tree)


def test_a_reader_who_comes_late_gets_everything(supervise: Start) -> None:
    """A pager that waits longer than the run lives loses nothing."""
    run = supervise("sh", "-c", "seq 15000; echo ready >&2", shown=True, popen={"stdout": subprocess.PIPE})
    wait_for(lambda: (run.home / "started").exists() and not is_alive(*run.child()))
    shown, _ = run.process.communicate(timeout=PATIENCE_SECONDS)
    assert shown == b"".join(b"%d\n" % number for number in range(1, 15001))


def test_a_start_that_could_not_be_told_ends_the_process(supervise: Start) -> None:
    """When on_started raises, nothing is left running and the exception goes on."""
    run = supervise("sh", "-c", FAMILY, raises=True)
    assert run.process.wait(PATIENCE_SECONDS) == 9
    assert not is_alive(*run.child())
    assert is_held(str(run.home / "lease")) is False


def test_outside_the_main_thread_a_run_is_supervised_all_the_same(supervise: Start) -> None:
    """Where no signal can be caught, the process still runs and its ending is told."""
    before = """
import threading
def run_process(*args, run=run_process, **more):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(*args, **more)))
    thread.start()
    thread.join()
    return found[0]
"""
    run = supervise("sh", "-c", "echo text; sleep 0.1; exit 3", before=before)
    ending = run.ending()
    assert (ending.exit_status, ending.output.lines) == (3, 1)


def test_without_pidfd_the_end_is_noticed_too(supervise: Start) -> None:
    """On systems without that call, SIGCHLD tells the end of the process."""
    run = supervise("sh", "-c", "exec >&- 2>&-; sleep 0.1; exit 3", before="vars(os).pop('pidfd_open', None)")
    assert run.ending().exit_status == 3


def test_signal_handlers_are_put_back(supervise: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the run, signals do what they did before."""
    before = "import signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(42))"
    monkeypatch.setenv("AFTER", "os.kill(os.getpid(), signal.SIGTERM)")
    run = supervise("true", before=before)
    run.ending()
    assert run.process.returncode == 42


def test_a_signal_that_somebody_else_handles_stops_nothing(supervise: Start) -> None:
    """Only the signals that ask to stop are taken for such."""
    before = "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)"
    run = supervise("sh", "-c", "kill -USR1 $PPID; sleep 0.1; exit 6", before=before)
    ending = run.ending()
    assert (ending.exit_status, ending.stopped_by) == (6, None)


@LINUX
def test_supervising_loads_nothing_slow(supervise: Start) -> None:
    """The supervisor adds no more to the start of a run than it must."""
    run = supervise("true")
    run.ending()
    modules = set(json.loads((run.home / "ending").read_text())["modules"])
    assert not modules & {"subprocess", "threading", "sqlalchemy", "alembic", "logging", "asyncio", "socket"}


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
        wait_for(lambda: len(descendants(shell.pid)) >= 3)
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


def test_only_interrupts_make_haste() -> None:
    """SIGTERM and SIGHUP often come together or repeated; that must not cut the grace short."""
    escalation = Escalation(10)
    assert escalation.on_signal(signal.SIGHUP, 0) == signal.SIGTERM
    assert escalation.on_signal(signal.SIGTERM, 1) is None
    assert escalation.on_signal(signal.SIGHUP, 2) is None
    assert escalation.on_signal(signal.SIGINT, 3) is None
    assert escalation.on_time(9.9) is None
    assert escalation.on_time(10) == signal.SIGKILL
    assert escalation.on_time(10.5) is None
    assert escalation.on_time(11) == signal.SIGKILL
    assert escalation.stopped_by == "SIGHUP"
