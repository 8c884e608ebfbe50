"""The process beside a run that reads its numbers: what that costs, or gets wrong, never reaches the supervisor.

It is a copy of the supervisor, made by fork a second after the run began, so that it starts at once and has the code at
hand. It holds no file of the supervisor's, dies with it, and does not hear the signals that ask a run to stop. It reads
what the run has left in its directory; nothing passes through it.

    read twice a second, and a point that is new is in the file of series within a second
    summaries to the ledger after 5 seconds, and whenever 5 seconds and a tenth of the time so far have passed and
    something has changed: some hundred times in a week. The ledger is open for the moment of the append.
    a pattern that takes a fifth of a second of processor time for one line is given up

At the end it is asked to finish, reads what is left, and answers with what the ledger does not have yet.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from artifacts.output_patterns import Patterns, TooSlowError
from artifacts.output_scalars import OutputScalars
from artifacts.scalar_recorder import ScalarRecorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ledger.canonical import Value
    from operations.scalar_watch import ScalarWatch

LOOK_SECONDS = 0.4
FIRST_SECONDS = 5.0
_SHARE = 10
_PATTERN_SECONDS = 0.1
"""A pattern that is found at the same line twice in a row, so many seconds apart, has had its time."""

_PR_SET_PDEATHSIG = 1
_MOST_DESCRIPTORS = 65_536
ALIVE, ANSWER = b".", b"="

Answer = tuple[dict[str, "Value"], list[str], str | None]
"""Summaries that the ledger does not have, patterns that were given up, and why not all series could be written."""


def recorder_of(job: ScalarWatch, patterns: Patterns | None) -> ScalarRecorder:
    """Return what records the numbers of a run."""
    from artifacts.event_files import EventFiles

    output = None if job.patterns is False else OutputScalars(job.output_dir, job.printed, patterns)
    return ScalarRecorder(job.run_dir, output, EventFiles(job.run_dir, job.events), lambda: time.time_ns() // 1000)


def patterns_of(job: ScalarWatch) -> Patterns | None:
    """Return the operation's own patterns, None when it has none."""
    return None if job.patterns is None or job.patterns is False else Patterns(job.patterns)


class Schedule:
    """When summaries go to the ledger: their number grows with the logarithm of the time."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._next = begun + FIRST_SECONDS

    def is_due(self, now: float) -> bool:
        """Tell whether it is time."""
        return now >= self._next

    def done(self, now: float) -> None:
        """Take note that they went."""
        self._next = now + max(FIRST_SECONDS, (now - self._begun) / _SHARE)


class _Helper:
    """The work of the process.

    Args:
        job: what to read, as the supervisor knew it when the process began.
        control: one byte comes here when the run is over.
        answer: what is found then goes there, as marshal writes it: both ends are the same program.
    """

    def __init__(self, job: ScalarWatch, control: int, answer: int) -> None:
        self._job = job
        self._control = control
        self._answer = answer
        self._patterns = patterns_of(job)
        self._recorder = recorder_of(job, self._patterns)
        self._schedule = Schedule(job.begun)
        self._is_over = False
        self._seen = 0

    def work(self) -> None:
        """Read until asked to finish; return at once when there is nobody any more who could ask."""
        if self._patterns is not None:
            signal.signal(signal.SIGVTALRM, self._on_time)
            signal.setitimer(signal.ITIMER_VIRTUAL, _PATTERN_SECONDS, _PATTERN_SECONDS)
        while not self._is_over:
            self._recorder.look(beat=self._beat)
            self._beat(LOOK_SECONDS)
        self._recorder.look(is_end=True, beat=self._beat)
        given_up = [] if self._patterns is None else self._patterns.given_up
        found = self._recorder.summaries.changed(), given_up, self._recorder.failure
        _write_all(self._answer, ANSWER + marshal.dumps(found))

    def _beat(self, wait: float = 0.0) -> None:
        """Do what is due in between: hear the supervisor, tell it that work goes on, tell the ledger."""
        if self._schedule.is_due(time.monotonic()) and not self._is_over:
            self._tell()
        if self._is_over:
            _write_all(self._answer, ALIVE)
        elif select.select([self._control], [], [], wait)[0]:
            if not os.read(self._control, 1):
                os._exit(1)
            self._is_over = True

    def _tell(self) -> None:
        found = self._recorder.summaries.changed()
        if found and self._job.record is not None:
            try:
                self._job.record(found)
            except Exception:  # noqa: BLE001 - a busy or full ledger: the next time, or the end, tells it
                found = {}
        if found:
            self._recorder.summaries.told()
        self._schedule.done(time.monotonic())

    def _on_time(self, _number: int, _frame: FrameType | None) -> None:
        patterns = self._patterns
        if patterns is None or patterns.current < 0:
            return
        if patterns.tried == self._seen:
            raise TooSlowError
        self._seen = patterns.tried


def become_helper(
    job: ScalarWatch, ends: tuple[int, int], parent: int, prctl: Callable[[int, int], int] | None
) -> NoReturn:
    """Turn this freshly forked copy of the supervisor into the helper, and end it with its work.

    Args:
        job: what to read.
        ends: where the supervisor is heard, and where it is answered.
        parent: the supervisor.
        prctl: Linux's call of this name, None elsewhere.
    """
    try:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _let_go(ends)
        # The request came too late if the supervisor died before it.
        if os.getppid() == parent:
            _Helper(job, *ends).work()
    except BaseException:  # noqa: BLE001 - whatever it is: the supervisor notices that there is no answer
        os._exit(1)
    finally:
        os._exit(0)


def _let_go(ends: tuple[int, int]) -> None:
    """Close every file but these, and be deaf: locks, pipes and the terminal are the supervisor's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        opened = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        opened = list(range(_MOST_DESCRIPTORS))
    for descriptor in opened:
        if descriptor > 2 and descriptor not in ends:  # noqa: PLR2004 - the standard streams
            with suppress(OSError):
                os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def answer_of(data: bytes) -> Answer | None:
    """Return what a helper answered; None for nothing."""
    alive, found, answer = data.partition(ANSWER)
    if not found or alive.strip(ALIVE):
        return None
    try:
        summaries, given_up, failure = marshal.loads(answer)  # noqa: S302 - written by this very program, into a pipe of ours
    except (ValueError, EOFError, TypeError):
        return None  # it was killed on the way
    return summaries, given_up, failure
