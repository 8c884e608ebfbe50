"""Starts the process of a run, stays with it to its end, and tells how it ended.

Between the script and its user nothing changes: it reads the user's terminal, gets the Ctrl-C typed there,
and has the signals that a shell would give it. What is added: its output is captured, its ending is written
into the lease at once, it is stopped with all that it started, and on Linux it cannot outlive its supervisor.

The ledger is not touched here. What the script, the disk or the terminal does raises nothing here: it is told
in the `Ending`.
"""

from __future__ import annotations

import os
import time
from signal import SIGCHLD, SIGINT, SIGKILL, SIGTERM, Signals
from typing import TYPE_CHECKING

from artifacts.output import OutputSummary, Tee
from ledger.dataclass import dataclass, replace
from operations.process_info import all_processes, is_alive, start_ticks
from operations.process_tree import (
    CannotStartError,
    become_subreaper,
    descendants,
    signal_tree,
    start_process,
)
from operations.signals import Escalation, SignalWatch, is_in_foreground

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from artifacts.lease import Lease
    from operations.scalar_watch import ScalarWatch

__all__ = ["Ending", "ProcessSpec", "Started", "exit_code", "run_process"]

# After the end of the process, what its daemons print is no longer of interest: a pause ends the reading, and
# so does the limit, however much they have to say.
_QUIET_SECONDS = 0.2
_DRAIN_SECONDS = 2.0
# How long what a stopped run has left behind may take to end by itself.
_SWEEP_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.02
# Only where neither a pidfd nor SIGCHLD can wake the supervisor.
_POLL_SECONDS = 0.05
_EXIT_OF_SIGNAL = 128
_first_started: list[int] = []
"""Start time of the first process that was supervised here: what is younger and hangs below us was adopted."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to start.

    Attributes:
        argv: program and arguments; a program without slash is looked for in the PATH of `env`.
        cwd: the directory in which it runs.
        env: its whole environment.
        output_dir: where its output is captured.
        stdout_fd: where to show its standard output, None for nowhere.
        stderr_fd: where to show its standard error, None for nowhere.
        grace_seconds: how long it may take to end when asked to, before it is asked more firmly.
        stop_after: how long it may run before it is stopped, in seconds; None for ever.
        scalars: has the numbers read that it reports; None when nobody asks for them.
    """

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    output_dir: str
    stdout_fd: int | None = None
    stderr_fd: int | None = None
    grace_seconds: float = 10.0
    stop_after: float | None = None
    scalars: ScalarWatch | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The process that was started: number, start time as in process_info, and when in microseconds UTC."""

    pid: int
    start_ticks: int
    started_at: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How it went.

    Attributes:
        exit_status: the process's own; negative: the number of the signal that killed it; None: it never
            started, somebody else took its status (`failure` tells which), or a process that was not started here has
            not said one.
        stopped_by: the first signal that asked to stop the run ('SIGINT', 'SIGTERM', 'SIGHUP'), or None.
        started_at: microseconds UTC.
        ended_at: microseconds UTC, never before `started_at`.
        output: what was captured.
        failure: why the process could not be started, its status not be read, or what it said it failed with; None when
            all was well.
        children_killed: how many processes a stopped run had left behind that had to be ended after it.
        timed_out: whether it was stopped because its time was up.
        asked_by: the first signal that asked to stop, also when the process had just ended well by itself; or None.
        is_lost: whether the process is gone and nobody knows how it ended.
    """

    exit_status: int | None
    stopped_by: str | None
    started_at: int
    ended_at: int
    output: OutputSummary
    failure: str | None = None
    children_killed: int = 0
    timed_out: bool = False
    asked_by: str | None = None
    is_lost: bool = False


def run_process(
    spec: ProcessSpec,
    *,
    lease: Lease,
    on_started: Callable[[Started], None],
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Ending:
    """Run the process that `spec` describes to its end, or until a signal asks to stop it.

    `lease` is told the process and later its ending; it stays held. `on_started` is called once the process
    runs; if it raises, the process is killed and the exception goes on. During the call this process must have no
    children that it has started since its first call: on Linux it adopts, and reaps, everything that is younger than
    the process of its first run.

    To be called from the main thread, or no signal is caught, and the run dies with the calling thread.
    """
    started_at = now_us()
    with SignalWatch() as watch:
        adopts = become_subreaper()
        try:
            pid, sources = start_process(spec.argv, spec.cwd, spec.env)
        except CannotStartError as error:
            ending = Ending(None, None, started_at, max(started_at, now_us()), OutputSummary(), str(error))
            lease.note(exit_status=None, ended_at=ending.ended_at, stopped_by=None)
            return ending
        started = Started(pid, start_ticks(pid) or 0, started_at)
        if not _first_started:
            _first_started.append(started.start_ticks)
        supervision = _Supervision(spec, lease, started, watch, now_us, adopts=adopts)
        return supervision.run(sources, on_started)


def exit_code(ending: Ending) -> int:
    """Return what `guild run` exits with: 128 + N if signal N stopped or killed it, else the run's own."""
    if ending.stopped_by is not None:
        return _EXIT_OF_SIGNAL + Signals[ending.stopped_by]
    if ending.exit_status is None:
        return 1
    return ending.exit_status if ending.exit_status >= 0 else _EXIT_OF_SIGNAL - ending.exit_status


class _Supervision:
    """One process, from just after its start to its end."""

    def __init__(
        self,
        spec: ProcessSpec,
        lease: Lease,
        started: Started,
        watch: SignalWatch,
        now_us: Callable[[], int],
        *,
        adopts: bool,
    ) -> None:
        self._spec = spec
        self._lease = lease
        self._started = started
        self._watch = watch
        self._now_us = now_us
        self._adopts = adopts and hasattr(os, "waitid")
        self._escalation = Escalation(spec.grace_seconds)
        self._limit = None if spec.stop_after is None else time.monotonic() + spec.stop_after
        self._timed_out = False
        self._arrived: list[int] = []
        self._known = {(started.pid, started.start_ticks)}
        self._exit_status: int | None = None
        self._failure: str | None = None
        self._ended = False
        self._pidfd = _pidfd(started.pid)

    def run(self, sources: tuple[int, int], on_started: Callable[[Started], None]) -> Ending:
        spec = self._spec
        self._tee = Tee(sources, (spec.stdout_fd, spec.stderr_fd), spec.output_dir, self._now_us)
        try:
            self._begin(on_started)
            while not self._has_ended():
                self._tee.step(self._patience())
                if not self._has_ended():  # a signal that comes after the end did not stop anything
                    self._obey()
            return self._end()
        except BaseException:
            self._tee.close()
            raise
        finally:
            if self._pidfd is not None:
                os.close(self._pidfd)

    def _begin(self, on_started: Callable[[Started], None]) -> None:
        for descriptor in (self._watch.descriptor, self._pidfd):
            if descriptor is not None:
                self._tee.watch(descriptor)
        self._lease.note(child_pid=self._started.pid, child_ticks=self._started.start_ticks)
        try:
            on_started(self._started)
        except BaseException:
            self._kill_all()
            raise

    def _end(self) -> Ending:
        # A Ctrl-C reaches the process as well: it may be gone before the signal is looked at here.
        self._asked()
        if self._arrived and self._exit_status != 0:
            self._escalation.on_signal(self._arrived[0], time.monotonic())
        started_at, stopped_by = self._started.started_at, self._escalation.stopped_by
        ending = Ending(
            self._exit_status,
            stopped_by,
            started_at,
            max(started_at, self._now_us()),
            OutputSummary(),
            self._failure,
            timed_out=self._timed_out,
        )
        self._lease.note(exit_status=self._exit_status, ended_at=ending.ended_at, stopped_by=stopped_by)
        if self._pidfd is not None:
            self._tee.unwatch(self._pidfd)
        swept = self._sweep() if stopped_by else 0
        self._drain()
        asked = stopped_by or (Signals(self._arrived[0]).name if self._arrived else None)
        return replace(ending, output=self._tee.close(), children_killed=swept, asked_by=asked)

    def _obey(self) -> None:
        """Do what the signals that have arrived, and the time that has passed, ask for."""
        now = time.monotonic()
        for number in self._asked():
            wanted = self._escalation.on_signal(number, now)
            # Ctrl-C has reached the run without us; some scripts take a second one for 'at once'.
            if wanted and not (wanted == SIGINT and is_in_foreground()):
                self._signal(wanted)
        late = self._escalation.on_time(now) or self._end_of_time(now)
        if late:
            self._signal(late)
        if self._spec.scalars is not None:
            self._spec.scalars.look()

    def _end_of_time(self, now: float) -> Signals | None:
        """Return the signal for a run whose time is up, once."""
        if self._limit is None or now < self._limit or self._escalation.stopped_by is not None:
            return None
        self._timed_out = True
        return self._escalation.on_signal(SIGTERM, now)

    def _signal(self, number: Signals) -> None:
        sent = signal_tree(self._tree(), number)
        if not sent and not self._ended:
            # Its start time cannot be read; but the number of our own child is not given to another before we
            # have taken note of its end.
            os.kill(self._started.pid, number)

    def _asked(self) -> list[int]:
        """Return the stopping signals that have arrived; look after orphans when there may be some."""
        arrived = self._watch.take()
        if SIGCHLD in arrived:
            self._reap_orphans()
        stopping = [number for number in arrived if number != SIGCHLD]
        self._arrived += stopping
        return stopping

    def _patience(self) -> float | None:
        waits = []
        scalars = self._spec.scalars.patience() if self._spec.scalars is not None else None
        if scalars is not None:
            waits.append(scalars)
        if self._escalation.deadline is not None:
            waits.append(max(0.0, self._escalation.deadline - time.monotonic()))
        elif self._limit is not None and self._escalation.stopped_by is None:
            waits.append(max(0.0, self._limit - time.monotonic()))
        if self._pidfd is None and self._watch.descriptor is None:
            waits.append(_POLL_SECONDS)
        return min(waits, default=None)

    def _has_ended(self) -> bool:
        if self._ended:
            return True
        try:
            pid, status = os.waitpid(self._started.pid, os.WNOHANG)
        except ChildProcessError:
            self._failure = "somebody else took the exit status of the process"
            self._ended = True
            return True
        if pid:
            self._exit_status = os.waitstatus_to_exitcode(status)
            self._ended = True
        return self._ended

    def _tree(self) -> list[tuple[int, int]]:
        """Return all that belongs to the run: found below us now or before, and not older than the run."""
        first, helper = self._started.start_ticks, self._spec.scalars.pid if self._spec.scalars is not None else 0
        self._known.update(found for found in descendants(os.getpid()) if found[1] >= first and found[0] != helper)
        self._known = {found for found in self._known if is_alive(*found)}
        # The run's own process first: it may want to end its children itself.
        return sorted(self._known, key=lambda found: (found[0] != self._started.pid, found[1]))

    def _reap_orphans(self) -> None:
        """Reap what this run or an earlier one abandoned, or its zombies would fill the process table."""
        while self._adopts:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid == self._started.pid:
                return
            if (start_ticks(ended.si_pid) or 0) < _first_started[0]:
                # The caller's own, which it may ask after; the system would name it again and again.
                self._reap_others()
                return
            os.waitpid(ended.si_pid, os.WNOHANG)

    def _reap_others(self) -> None:
        own = os.getpid()
        for stat in all_processes():
            adopted = stat.parent == own and stat.start_ticks >= _first_started[0] and stat.pid != self._started.pid
            if adopted and stat.ended:
                os.waitpid(stat.pid, os.WNOHANG)

    def _sweep(self) -> int:
        """End what a stopped run has left behind; return how many there were."""
        left = self._tree()
        swept = set(left)
        signal_tree(left, SIGKILL if self._escalation.is_killing else SIGTERM)
        end = time.monotonic() + min(self._spec.grace_seconds, _SWEEP_SECONDS)
        while left and time.monotonic() < end and not self._escalation.is_killing:
            self._tee.step(_LOOK_AGAIN_SECONDS)
            self._obey()
            left = self._tree()
            swept.update(left)
        return len(swept | self._kill_all())

    def _kill_all(self) -> set[tuple[int, int]]:
        """Kill what is left of the run, and what it starts meanwhile; give up on what cannot be killed."""
        killed: set[tuple[int, int]] = set()
        end = time.monotonic() + _SWEEP_SECONDS
        while (left := self._tree()) and time.monotonic() < end:
            killed.update(left)
            signal_tree(left, SIGKILL)
            self._tee.step(_LOOK_AGAIN_SECONDS)
            self._has_ended()
            self._reap_orphans()
        return killed

    def _drain(self) -> None:
        """Read what is left, not waiting for daemons; show it, waiting for the terminal unless stopped."""
        tee = self._tee
        unblocked_at = now = time.monotonic()
        end = now + _DRAIN_SECONDS
        while tee.is_reading or tee.is_blocked:
            now = time.monotonic()
            if tee.is_blocked:
                self._wait_for_terminal()
                unblocked_at = time.monotonic()
                end += unblocked_at - now
                continue
            limit = min(max(tee.last_heard, unblocked_at) + _QUIET_SECONDS, end)
            if now >= limit:
                tee.stop_reading()
            else:
                tee.step(limit - now)
                self._asked()

    def _wait_for_terminal(self) -> None:
        stopped = self._escalation.stopped_by is not None
        self._tee.step(_QUIET_SECONDS if stopped else None)
        if (self._asked() or stopped) and self._tee.is_blocked:
            self._tee.give_up_terminals()


def _pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when our child `pid` ends, None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
