"""What the supervisor does about signals: it takes note, and turns them into ever firmer ways to stop a run.

A handler that only writes into a pipe wakes the supervisor's loop, wherever it waits, and nothing ever
happens in the middle of something else. What a signal leads to is decided in `Escalation`, which knows
neither clock nor processes.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Self

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CAUGHT = (*STOPPING, signal.SIGCHLD)
_FIRMNESS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
# A process that was just being started when the others were killed is caught by the next round.
_KILL_AGAIN_SECONDS = 1.0


class SignalWatch:
    """Catches the stopping signals and SIGCHLD while entered; afterwards everything is as it was before.

    A signal that was ignored stays ignored (`nohup guild run`, background jobs of a script). Outside the main
    thread nothing can be caught: `descriptor` is None then, and `take` always empty.

    Attributes:
        descriptor: becomes readable when a signal has arrived.
    """

    def __init__(self) -> None:
        self.descriptor: int | None = None
        self._writer = -1
        self._previous_wakeup = -1
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int] = {}

    def __enter__(self) -> Self:
        reader, self._writer = private_pipe()
        os.set_blocking(reader, False)
        os.set_blocking(self._writer, False)
        try:
            self._previous_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        except ValueError:
            os.close(reader)
            os.close(self._writer)
            return self
        self.descriptor = reader
        for number in CAUGHT:
            self._catch(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.descriptor is None:
            return
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self._writer)
        os.close(self.descriptor)
        self.descriptor = None

    def take(self) -> list[int]:
        """Return the numbers of the signals that arrived since the last call, in order."""
        if self.descriptor is None:
            return []
        try:
            # Others that have a handler, of the caller's, come through the same pipe.
            return [number for number in os.read(self.descriptor, 4096) if number in CAUGHT]
        except BlockingIOError:
            return []

    def _catch(self, number: signal.Signals) -> None:
        previous = signal.getsignal(number)
        # None: set by something other than Python, which could not be put back.
        if previous is None or (previous == signal.SIG_IGN and number != signal.SIGCHLD):
            return
        self._previous[number] = previous
        signal.signal(number, _note)


class StoppedError(KeyboardInterrupt):
    """A stopping signal arrived where no run's process was there to be stopped.

    Attributes:
        name: the signal's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@contextmanager
def stopping_raises() -> Iterator[None]:
    """Have the stopping signals raise `StoppedError` while entered, where a `SignalWatch` does not catch them.

    For work that has something to do yet when it is stopped: between two runs of many, or before the process of one
    is there.
    """
    with stopping_calls(_raise_stopped):
        yield


@contextmanager
def stopping_calls(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have the stopping signals call `handler` while entered; one that was ignored stays ignored (`nohup guild run`).

    Outside the main thread nothing can be caught.
    """
    before = {number: signal.getsignal(number) for number in STOPPING}
    # None: set by something other than Python, which could not be put back.
    caught = {number: previous for number, previous in before.items() if previous not in (signal.SIG_IGN, None)}
    try:
        for number in caught:
            signal.signal(number, handler)
    except ValueError:
        caught = {}
    try:
        yield
    finally:
        for number, previous in caught.items():
            signal.signal(number, previous)


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise StoppedError(signal.Signals(number).name)


class TimeUpError(KeyboardInterrupt):
    """The time was up before a run's process was there to be stopped."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Have `TimeUpError` raised after so many seconds while entered; None for never, and outside the main thread."""
    try:
        previous = None if seconds is None else signal.signal(signal.SIGALRM, _raise_time_up)
    except ValueError:
        seconds = previous = None
    if seconds is None:
        yield
        return
    # Again and again: one that comes while a library cleans up may be lost in it.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous if previous is not None else signal.SIG_DFL)


def _raise_time_up(_number: int, _frame: FrameType | None) -> None:
    raise TimeUpError


class Escalation:
    """Which signal the run gets next, and when.

    SIGINT leads to SIGINT, after the grace to SIGTERM, after another to SIGKILL; a second one leads to
    SIGTERM at once, a third to SIGKILL. SIGTERM and SIGHUP lead to SIGTERM, after the grace to SIGKILL;
    repeated ones change nothing, because a closing terminal and some service managers send several as a
    matter of course.

    Attributes:
        stopped_by: name of the first signal that asked to stop, None while nobody did.
        deadline: when `on_time` has something to do, None while it has not.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.stopped_by: str | None = None
        self.deadline: float | None = None
        self._grace_seconds = grace_seconds
        self._interrupts = 0
        self._level = 0

    @property
    def is_killing(self) -> bool:
        """Whether the last means was reached."""
        return self._level == len(_FIRMNESS)

    def on_signal(self, number: int, now: float) -> signal.Signals | None:
        """Return what the run must get because the supervisor got signal `number`, None for nothing new."""
        self.stopped_by = self.stopped_by or signal.Signals(number).name
        if number != signal.SIGINT:
            return self._firmer(2, now)
        self._interrupts += 1
        return self._firmer(min(self._interrupts, len(_FIRMNESS)), now)

    def on_time(self, now: float) -> signal.Signals | None:
        """Return what the run must get because it still lives at time `now`, None for nothing yet."""
        if self.deadline is None or now < self.deadline:
            return None
        if self.is_killing:
            self.deadline = now + _KILL_AGAIN_SECONDS
            return signal.SIGKILL
        return self._firmer(self._level + 1, now)

    def _firmer(self, level: int, now: float) -> signal.Signals | None:
        if level <= self._level:
            return None
        self._level = level
        self.deadline = now + (_KILL_AGAIN_SECONDS if self.is_killing else self._grace_seconds)
        return _FIRMNESS[level - 1]


def is_in_foreground() -> bool:
    """Whether a Ctrl-C on our terminal reaches this process's group, and so the run, without our doing."""
    try:
        # The controlling terminal itself: the standard streams may all be redirected.
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def restore_defaults() -> None:
    """Give this (freshly forked) process the signals that a shell would: what Python changed is undone.

    Signals that are ignored on purpose (nohup) stay ignored. Afterwards none is blocked.
    """
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    # Python itself ignores two of these, and none of them is ignored on purpose by anybody.
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def accept_signals() -> None:
    """Have the stopping signals and SIGCHLD mean what they usually do, whoever started this process.

    A script ignores or blocks some for itself; what it starts inherits that, and could not be stopped.
    """
    for number in CAUGHT:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def private_pipe() -> tuple[int, int]:
    """Make a pipe that no exec inherits, above the standard streams even when some of those are closed.

    Otherwise one of its ends could be taken for the terminal, or be lost when the streams are put in place.
    """
    import fcntl

    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]


def _note(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the byte in the pipe has been written by the time this runs."""
