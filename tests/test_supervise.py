"""Supervising a process: its exit code, lease, input and output, and what must not go wrong beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from artifacts.lease import LeaseRecord, is_held, read_lease
from artifacts.output import OutputSummary
from operations.process_info import is_alive
from operations.signals import Escalation
from tests.cli_kit import wait_until
from tests.supervise_kit import (
    FAMILY,
    LINUX,
    PATIENCE_SECONDS,
    Supervisor,
    all_gone,
    python,
    supervise_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., "Supervisor"]


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
    wait_until(lambda: not is_alive(*child))
    run.process.wait()
    assert is_held(str(tmp_path / "lease")) is False
    record = read_lease(str(tmp_path / "lease"))
    assert record is not None
    assert (record.child_pid, record.exit_status) == (child[0], None)


def test_a_reader_who_takes_nothing_does_not_make_the_supervisor_deaf(supervise: Start) -> None:
    """While a pager blocks the output, the run can be stopped, and what it printed is captured."""
    run = supervise("sh", "-c", "yes; exit 3", shown=True, popen={"stdout": subprocess.PIPE})
    tree = run.tree(2)
    wait_until(lambda: len(run.output()) > 60_000)
    run.send(signal.SIGTERM)
    ending = run.ending()
    assert ending.stopped_by == "SIGTERM"
    assert ending.output.bytes > 60_000
    assert all_gone(tree)


def test_a_reader_who_comes_late_gets_everything(supervise: Start) -> None:
    """A pager that waits longer than the run lives loses nothing."""
    run = supervise("sh", "-c", "seq 15000; echo ready >&2", shown=True, popen={"stdout": subprocess.PIPE})
    wait_until(lambda: (run.home / "started").exists() and not is_alive(*run.child()))
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
