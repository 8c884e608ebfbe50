"""A process with everything it starts: started, found, signalled and stopped as a whole.

A training script starts data loaders, shells and daemons; to stop it means to stop all of them. Process
groups do not tell: the script shares the supervisor's (so that Ctrl-C and `input()` work) and a daemon leaves
it. So the tree is read from the parents of all processes, and on Linux the supervisor becomes a *subreaper*:
what a script starts and abandons is then handed to it instead of to process 1, and stays below it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from ledger.errors import GuildError
from operations.process_info import all_processes, is_alive, process_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from operations.process_info import ProcessStat

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_AGAIN_SECONDS = 0.02
# For what was killed to be gone, and for a supervisor to write down the ending.
_SETTLE_SECONDS = 5.0


class CannotStartError(GuildError):
    """A process could not be started: no such program, directory or memory."""


def start_process(argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> tuple[int, tuple[int, int]]:
    """Start a process in `cwd`; return its pid and the reading ends of its standard output and error.

    It shares this process's standard input, group and session, and has the signals that a shell would give
    it. On Linux it is killed when the calling thread ends in any way, kill -9 included.

    Forked by hand: importing subprocess costs more time than all the rest, and the steps before exec matter
    (tie the child to its parent, *then* look whether the parent still lives). This is sound as long as no
    other thread runs here, which is so in the supervisor of a run.

    Raises:
        CannotStartError: the program or the directory is missing, or the system refuses.
    """
    from signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask

    from operations.signals import CAUGHT, private_pipe

    if not argv:
        raise CannotStartError("cannot start a process: no program was named")
    opened: list[int] = []
    prctl = process_control()
    try:
        for _ in range(3):
            opened += private_pipe()
        out, out_end, err, err_end, report, report_end = opened
        # A signal in the new process must not run this one's handler, which would write into this one's pipe.
        mask = pthread_sigmask(SIG_BLOCK, CAUGHT)
        try:
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                ends = (out_end, err_end, report_end)
                _become(argv, cwd, env, ends=ends, parent=parent, prctl=prctl)
        finally:
            pthread_sigmask(SIG_SETMASK, mask)
    except OSError as error:
        _close(opened)
        raise CannotStartError(f"cannot start a process: {error.strerror}") from error
    _close([out_end, err_end, report_end])
    with open(report, "rb") as file:
        problem = file.read().decode(errors="replace")
    if problem:
        os.waitpid(pid, 0)
        _close([out, err])
        raise CannotStartError(problem)
    return pid, (out, err)


def _become(
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    *,
    ends: tuple[int, int, int],
    parent: int,
    prctl: Callable[[int, int], int] | None,
) -> NoReturn:
    """Turn this forked process into the program; tell through the last of `ends` when that fails."""
    from signal import SIGKILL

    from operations.signals import restore_defaults

    doing = "start a process"
    program = ""
    try:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, SIGKILL)
        # The request came too late if the supervisor died before it.
        if os.getppid() == parent:
            os.dup2(ends[0], 1)
            os.dup2(ends[1], 2)
            doing = f"enter the directory {cwd!r}"
            os.chdir(cwd)
            program = argv[0]
            doing = f"start {program!r}"
            restore_defaults()
            os.execvpe(program, list(argv), dict(env))  # noqa: S606 - the user's program, as it was asked for
    except BaseException as error:  # noqa: BLE001 - this copy of the supervisor must not run on
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, FileNotFoundError) and os.path.isfile(program):
            reason = "the interpreter named in its first line is missing"
        os.write(ends[2], f"cannot {doing}: {reason}".encode(errors="replace"))
    finally:
        os._exit(127)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def descendants(pid: int) -> list[tuple[int, int]]:
    """Return (pid, start ticks) of all living processes below `pid` (not itself), parents before children."""
    below: dict[int, list[ProcessStat]] = {}
    for stat in all_processes():
        below.setdefault(stat.parent, []).append(stat)
    # Kept because a list read while processes come and go can show a circle.
    seen = {pid}
    found: list[tuple[int, int]] = []
    waiting = [pid]
    while waiting:
        children = [stat for parent in waiting for stat in below.get(parent, ()) if stat.pid not in seen]
        waiting = [stat.pid for stat in children]
        seen.update(waiting)
        found.extend((stat.pid, stat.start_ticks) for stat in children if not stat.ended)
    return found


def signal_tree(pids: Iterable[tuple[int, int]], sig: int) -> int:
    """Send signal `sig` to each (pid, start ticks) that is still the same process; return how many got it.

    Processes that are gone, or belong to someone else, are passed over. One that was suspended (Ctrl-Z) is
    woken up, or it would not notice that it is asked to end.
    """
    import signal

    asks_to_end = sig in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    sent = 0
    for pid, ticks in pids:
        stat = process_stat(pid)
        if stat is None or stat.ended or stat.start_ticks != ticks:
            continue
        try:
            os.kill(pid, sig)
            sent += 1
            if asks_to_end and stat.state == "T":
                os.kill(pid, signal.SIGCONT)
        except (ProcessLookupError, PermissionError):
            continue
    return sent


def stop_tree(pid: int, ticks: int, grace: float, *, child: tuple[int, int] | None = None) -> bool:
    """Stop a running run: ask its supervisor, wait up to `grace` seconds, make sure; True when all are gone.

    Args:
        pid: the supervisor.
        ticks: its start time; a process that got its number later is left alone.
        grace: for the supervisor, which itself gives the run its grace and needs a little more than that.
        child: the run's process as (pid, start ticks), for the case that the supervisor is gone already.
    """
    from signal import SIGKILL, SIGTERM

    supervisor = [(pid, ticks)]
    tree = _with_descendants([child] if child else [])
    if is_alive(pid, ticks):
        tree |= set(descendants(pid))
        signal_tree(supervisor, SIGTERM)
    else:
        signal_tree(tree, SIGTERM)
    _wait_until_gone({*supervisor, *tree}, grace)
    # What is below goes first, so that the supervisor can still tell the ending.
    tree = _with_descendants(tree)
    signal_tree(tree, SIGKILL)
    if not _wait_until_gone(supervisor, _SETTLE_SECONDS):
        tree = _with_descendants({*supervisor, *tree})
        signal_tree(tree, SIGKILL)
    return _wait_until_gone({*supervisor, *tree}, _SETTLE_SECONDS)


def _with_descendants(roots: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of `roots` that still live, and all below them."""
    living = {root for root in roots if is_alive(*root)}
    return living.union(*(descendants(pid) for pid, _ in living))


def _wait_until_gone(tree: Iterable[tuple[int, int]], seconds: float) -> bool:
    """Wait until none of `tree` lives, at most `seconds`; return whether that came to be."""
    end = time.monotonic() + seconds
    left = [process for process in tree if is_alive(*process)]
    while left and time.monotonic() < end:
        time.sleep(_LOOK_AGAIN_SECONDS)
        left = [process for process in left if is_alive(*process)]
    return not left


def become_subreaper() -> bool:
    """Ask that orphans among this process's descendants become its children; False where the system cannot.

    Lasts as long as this process. Whoever asks must also reap children that it never started.
    """
    prctl = process_control()
    return prctl is not None and prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0


def process_control() -> Callable[[int, int], int] | None:
    """Return Linux's prctl(option, value), ready for a call between fork and exec; None elsewhere."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    prctl.restype = ctypes.c_int

    def call(option: int, value: int) -> int:
        return int(prctl(option, value, 0, 0, 0))

    return call
