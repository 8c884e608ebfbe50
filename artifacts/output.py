"""What a run prints: shown on the terminal as it comes, and kept in the run's directory.

Two files are written into the folder that the caller names:

    output         the bytes of both streams as they were printed, joined line by line
    output.index   one record of RECORD bytes for each line of `output`, in the same order:
                   8 bytes, big-endian: when the line was written, in microseconds UTC
                   1 byte: 0 for standard output, 1 for standard error

A line is what ends with a newline; a last line without one has a record too. After a crash or on a full disk
the index may be shorter than the output, or end within a record; it is never ahead of it.

The two streams never mix within a line. A line of more than PIECE bytes is passed on in pieces, and the
terminal shows an unfinished line (a prompt) after WAIT_SECONDS. When the other stream then has something to
say, it waits for the end of that line, but for no longer than WAIT_SECONDS and no more than PIECE bytes;
then a newline is inserted. These newlines are the only bytes that the run did not print.

Memory stays bounded whatever the run prints. Nothing that goes wrong here reaches the run: a full disk ends
the capture only, a closed terminal ends the showing only, and a terminal that takes nothing (Ctrl-S, a pager)
makes the run wait without making its supervisor deaf.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector

    _Terminals = tuple[int | None, int | None]

STDOUT = 0
STDERR = 1
OUTPUT = "output"
INDEX = "output.index"
RECORD = 9
PIECE = 64 * 1024
WAIT_SECONDS = 0.05
_NEVER = float("inf")
# What any pipe takes without blocking once it is ready, on every system.
_SMALLEST_PIPE_WRITE = 512
# The values of selectors.EVENT_READ and EVENT_WRITE, without importing the module at start.
_READ, _WRITE = 1, 2


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """What was captured: lines (index records), bytes of `output`, and why capturing stopped, if it did."""

    lines: int = 0
    bytes: int = 0
    failure: str | None = None


class LineMerger:
    """Joins two streams into one sequence of writes that never breaks a line of one with the other.

    Args:
        emit: takes (stream, bytes) in the order of the joined stream.
        hold_seconds: pass an unfinished line on after this time; `inf`: only when it is longer than PIECE.
    """

    def __init__(self, emit: Callable[[int, bytes], None], hold_seconds: float = _NEVER) -> None:
        self._emit = emit
        self._hold_seconds = hold_seconds
        self._held = [b"", b""]
        self._since = [0.0, 0.0]
        # The stream whose line was passed on without its end; nothing of it is held then.
        self._open: int | None = None

    def feed(self, stream: int, data: bytes, now: float) -> None:
        """Take what `stream` printed at time `now` (seconds of any steady clock)."""
        if not self._held[stream]:
            self._since[stream] = now
        self._held[stream] += data
        if self._open == 1 - stream:
            if len(self._held[stream]) < PIECE:
                return
            self._end_line()
        self._advance(stream, now)

    def close(self, stream: int) -> None:
        """Pass on what is left of a stream that has ended, unless the other one's line is in the way."""
        if self._open != 1 - stream:
            self._pass(stream, len(self._held[stream]))

    def deadline(self) -> float:
        """Return the time at which `tick` has something to do if nothing is fed before; `inf` for never."""
        return min(self._due(STDOUT), self._due(STDERR))

    def tick(self, now: float) -> None:
        """Pass on what has waited long enough."""
        for stream in (STDOUT, STDERR):
            if self._due(stream) <= now and self._open == 1 - stream:
                self._end_line()
                self._advance(stream, now)
            if self._due(stream) <= now:
                self._pass(stream, len(self._held[stream]))

    def finish(self) -> int | None:
        """Pass on everything; return the stream whose last line has no end, None when all lines are whole."""
        first = self._open or STDOUT
        for stream in (first, 1 - first):
            if self._held[stream] and self._open == 1 - stream:
                self._end_line()
            self._pass(stream, len(self._held[stream]))
        return self._open

    def _due(self, stream: int) -> float:
        held = self._held[stream]
        if not held:
            return _NEVER
        is_waiting_for_other = self._open == 1 - stream and b"\n" in held
        return self._since[stream] + (WAIT_SECONDS if is_waiting_for_other else self._hold_seconds)

    def _advance(self, stream: int, now: float) -> None:
        """Pass on whole lines, and what is too long or already begun; hold the rest."""
        held = self._held[stream]
        end = held.rfind(b"\n") + 1
        if (end == 0 and self._open == stream) or len(held) - end >= PIECE:
            end = len(held)
        if end:
            self._pass(stream, end)
            self._since[stream] = now
            if self._open is None:
                self._advance(1 - stream, now)

    def _end_line(self) -> None:
        if self._open is not None:
            self._emit(self._open, b"\n")
        self._open = None

    def _pass(self, stream: int, end: int) -> None:
        data, self._held[stream] = self._held[stream][:end], self._held[stream][end:]
        if data:
            self._emit(stream, data)
            self._open = None if data.endswith(b"\n") else stream


class Capture:
    """The two files. The first failure ends the capture for good, and is told in the summary only."""

    def __init__(self, folder: str, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._descriptors: list[int] = []
        self.lines = self.bytes = 0
        self.failure: str | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            os.makedirs(folder, exist_ok=True)
            for name in (OUTPUT, INDEX):
                self._descriptors.append(os.open(os.path.join(folder, name), flags, 0o600))
        except OSError as error:
            self._fail(error)

    def write(self, stream: int, data: bytes) -> None:
        """Append what was printed, then the records of its lines: the index is never ahead of the output."""
        if self.failure is not None:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptors[0], rest) :]
        except OSError as error:
            self._fail(error)
        written = len(data) - len(rest)
        self.bytes += written
        try:
            self._record(stream, data[:written].count(b"\n"))
        except OSError as error:
            self._fail(error)

    def close(self, unfinished: int | None) -> OutputSummary:
        """Give a last line without newline its record, close the files and tell what they hold."""
        try:
            if self.failure is None and self._descriptors:
                self._record(unfinished or STDOUT, 0 if unfinished is None else 1)
                if os.fstat(self._descriptors[0]).st_nlink == 0:
                    self.failure = "the captured output was deleted while the process ran"
        except OSError as error:
            self._fail(error)
        while self._descriptors:
            os.close(self._descriptors.pop())
        return OutputSummary(self.lines, self.bytes, self.failure)

    def _record(self, stream: int, count: int) -> None:
        if count:
            rest = memoryview((self._now_us().to_bytes(8, "big") + bytes((stream,))) * count)
            while rest:
                rest = rest[os.write(self._descriptors[1], rest) :]
        self.lines += count

    def _fail(self, error: OSError) -> None:
        self.failure = self.failure or f"the output could not be captured: {error.strerror or error}"


class _Terminal:
    """One of our own output streams, written without ever blocking; `pending` is what it did not take yet."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pending = b""
        self._is_given_up = False
        self._own: int | None = None
        self._may_block = False
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor):
                self._unblock()
        except OSError:
            self._is_given_up = True

    def write(self, data: bytes) -> None:
        """Show `data`, now or as soon as the terminal takes it."""
        if not self._is_given_up:
            self.pending += data
            self.flush()

    def flush(self) -> None:
        """Write as much of what is pending as the terminal takes at once."""
        limit = _SMALLEST_PIPE_WRITE if self._may_block else PIECE
        try:
            while self.pending and self._is_ready():
                self.pending = self.pending[os.write(self.descriptor, self.pending[:limit]) :]
        except BlockingIOError:
            return
        except OSError:
            self.give_up()

    def give_up(self) -> None:
        """Show nothing any more."""
        self._is_given_up = True
        self.pending = b""

    def close(self) -> None:
        """Close what this object opened itself."""
        self.give_up()
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _unblock(self) -> None:
        # A second description of the same file: the first is shared with the shell and with the run, and
        # O_NONBLOCK would be in force for them too.
        path = f"/proc/self/fd/{self.descriptor}"
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            self._own = os.open(path if os.path.exists(path) else os.ttyname(self.descriptor), flags)
            self.descriptor = self._own
        except OSError:
            self._may_block = True

    def _is_ready(self) -> bool:
        import select

        return not self._may_block or bool(select.select([], [self.descriptor], [], 0)[1])


class Tee:
    """Reads the two pipes of a process, shows and captures what comes, step by step in the caller's loop.

    Args:
        sources: reading ends of the process's standard output and standard error; closed by this object.
        terminals: where to show each, None for nowhere; never closed.
        folder: where `output` and `output.index` are written; made when missing.
        now_us: the time in microseconds UTC, for the index.

    Attributes:
        last_heard: when something was read last, in seconds of `time.monotonic`.
    """

    def __init__(self, sources: tuple[int, int], terminals: _Terminals, folder: str, now_us: Callable[[], int]) -> None:
        self._sources = dict(zip(sources, (STDOUT, STDERR), strict=True))
        self._terminals = {stream: _Terminal(fd) for stream, fd in enumerate(terminals) if fd is not None}
        self._capture = Capture(folder, now_us)
        self._mergers = [LineMerger(self._capture.write)]
        self._is_joined = _are_same_file(*terminals)
        if self._is_joined:
            self._mergers.append(LineMerger(self._show, WAIT_SECONDS))
        self._unfinished: int | None = None
        self._selector = _selector()
        self._watched: set[int] = set()
        self.last_heard = time.monotonic()
        self._balance()

    @property
    def is_reading(self) -> bool:
        """Whether one of the pipes may still bring something."""
        return bool(self._sources)

    @property
    def is_blocked(self) -> bool:
        """Whether a terminal does not take what it should show; until it does, nothing is read."""
        return any(terminal.pending for terminal in self._terminals.values())

    def watch(self, descriptor: int) -> None:
        """Let `step` return when a descriptor of the caller's becomes readable, too."""
        self._selector.register(descriptor, _READ)

    def unwatch(self, descriptor: int) -> None:
        """Undo `watch`."""
        self._selector.unregister(descriptor)

    def step(self, timeout: float | None) -> None:
        """Wait up to `timeout` seconds (None: for ever) for something to happen, and deal with it.

        What happens on a descriptor of the caller's is left to the caller.
        """
        for key, _ in self._selector.select(self._wait(timeout)):
            if key.fd in self._sources:
                self._read(key.fd)
        for terminal in self._terminals.values():
            terminal.flush()
        now = time.monotonic()
        for merger in self._mergers:
            merger.tick(now)
        self._balance()

    def give_up_terminals(self) -> None:
        """Show nothing any more, so that a terminal that takes nothing does not hold up the end."""
        for terminal in self._terminals.values():
            terminal.give_up()
        self._balance()

    def stop_reading(self) -> None:
        """Close the pipes and pass on what is held; only a blocked terminal keeps back anything then."""
        for source in list(self._sources):
            self._forget(source)
        self._unfinished, *_ = [merger.finish() for merger in self._mergers]
        self._balance()

    def close(self) -> OutputSummary:
        """End everything (see `stop_reading`) and tell what was captured; again and again if need be."""
        self.stop_reading()
        self._selector.close()
        for terminal in self._terminals.values():
            terminal.close()
        return self._capture.close(self._unfinished)

    def _wait(self, timeout: float | None) -> float | None:
        deadline = min(merger.deadline() for merger in self._mergers)
        wait = min(deadline - time.monotonic(), _NEVER if timeout is None else timeout)
        return None if wait == _NEVER else max(0.0, wait)

    def _read(self, source: int) -> None:
        data, stream = os.read(source, PIECE), self._sources[source]
        if not data:
            self._forget(source)
            for merger in self._mergers:
                merger.close(stream)
            return
        self.last_heard = now = time.monotonic()
        if not self._is_joined:
            self._show(stream, data)
        for merger in self._mergers:
            merger.feed(stream, data, now)

    def _show(self, stream: int, data: bytes) -> None:
        if stream in self._terminals:
            self._terminals[stream].write(data)

    def _forget(self, source: int) -> None:
        if source in self._watched:
            self._selector.unregister(source)
            self._watched.discard(source)
        del self._sources[source]
        os.close(source)

    def _balance(self) -> None:
        """Watch the pipes, or the terminals that are behind: never both, so that memory stays bounded."""
        behind = {terminal.descriptor for terminal in self._terminals.values() if terminal.pending}
        wanted = behind or set(self._sources)
        for descriptor in self._watched - wanted:
            self._selector.unregister(descriptor)
        for descriptor in wanted - self._watched:
            self._selector.register(descriptor, _WRITE if behind else _READ)
        self._watched = wanted


def _selector() -> BaseSelector:
    import selectors

    # Not the default one: epoll and kqueue refuse plain files and some terminals.
    return selectors.PollSelector() if sys.platform == "linux" else selectors.SelectSelector()


def _are_same_file(one: int | None, other: int | None) -> bool:
    try:
        return one is not None and other is not None and os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False
