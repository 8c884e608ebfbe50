"""Stays with a process that was there before its run: a script or a notebook that has begun a run by itself.

Such a process was not started here, so it is not this program's to kill, and its exit status cannot be had. It says
over a pipe how it ended; when the pipe closes without a word it is gone. What `supervise.run_process` is for a process
that guild starts, `attend` is for this one: lease, numbers, and the record of the start and the end are the same.
"""

from __future__ import annotations

import json
import os
import select
import time
from contextlib import suppress
from signal import SIGCHLD, SIGINT, Signals
from typing import TYPE_CHECKING, NamedTuple

from artifacts.output import STDERR, Capture, OutputSummary
from operations.process_info import is_alive
from operations.signals import SignalWatch
from operations.supervise import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from artifacts.lease import Lease
    from operations.supervise import ProcessSpec

LOST = "its process is gone, and has not said how it ended"
_PIECE = 65_536
_MOST_SAID = 4 * 1024 * 1024


class Process(NamedTuple):
    """The process that has begun a run.

    Attributes:
        pid: its number.
        start_ticks: its start time, as in `process_info`.
        heard: descriptor on which it says a line of JSON at its end: `exit_status`, `stopped_by`, `failure` and
            `traceback`, as far as they are known.
        begun: called when the run is on record and its directory is there.
    """

    pid: int
    start_ticks: int
    heard: int
    begun: Callable[[], None]


class _Said(NamedTuple):
    """What a process said of its end."""

    exit_status: int | None
    stopped_by: str | None
    failure: str | None
    traceback: str


def attend(process: Process, spec: ProcessSpec, lease: Lease) -> Ending:
    """Stay until the process says that the run is over, until it is gone, or until somebody stops the run.

    To stop it, the process gets SIGINT once, as if its user had pressed Ctrl-C: a script ends by that, a notebook gives
    up the cell at work. It is never killed; when it does not react within the grace the run is over without it.
    """
    started_at = time.time_ns() // 1000
    with SignalWatch() as watch:
        process.begun()
        said, asked_by = _Attendance(process, spec, watch).wait()
    ended_at = max(started_at, time.time_ns() // 1000)
    output = OutputSummary()
    if said is not None and said.traceback:
        output = _captured(said.traceback, spec.output_dir)
    if said is None and asked_by is None:
        # Not noted in the lease: nothing is known that it could hold.
        return Ending(None, None, started_at, ended_at, output, LOST, is_lost=True)
    exit_status, failure = (said.exit_status, said.failure) if said is not None else (None, None)
    stopped_by = asked_by or (said.stopped_by if said is not None else None)
    lease.note(exit_status=exit_status, ended_at=ended_at, stopped_by=stopped_by)
    return Ending(exit_status, stopped_by, started_at, ended_at, output, failure, asked_by=asked_by)


class _Attendance:
    """The wait for one process."""

    def __init__(self, process: Process, spec: ProcessSpec, watch: SignalWatch) -> None:
        self._process = process
        self._spec = spec
        self._watch = watch
        self._words = b""
        self._asked_by: str | None = None
        self._deadline: float | None = None

    def wait(self) -> tuple[_Said | None, str | None]:
        """Return what the process said, None when it did not, and the signal that asked to stop the run, if any."""
        descriptors = [self._process.heard]
        if self._watch.descriptor is not None:
            descriptors.append(self._watch.descriptor)
        while True:
            ready, _, _ = select.select(descriptors, [], [], self._patience())
            if self._process.heard in ready and not self._hear():
                return _said(self._words), self._asked_by
            if self._is_stopped():
                return None, self._asked_by
            if self._spec.scalars is not None:
                self._spec.scalars.look()

    def _hear(self) -> bool:
        """Read what was said; tell whether there is more to wait for."""
        piece = os.read(self._process.heard, _PIECE)
        self._words += piece
        return bool(piece) and b"\n" not in piece and len(self._words) < _MOST_SAID

    def _is_stopped(self) -> bool:
        """Do what signals ask for; tell whether the run is over without a word from its process."""
        for number in self._watch.take():
            if number == SIGCHLD:
                continue
            if self._asked_by is not None:
                return True
            self._asked_by = Signals(number).name
            self._deadline = time.monotonic() + self._spec.grace_seconds
            if is_alive(self._process.pid, self._process.start_ticks):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(self._process.pid, SIGINT)
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _patience(self) -> float | None:
        scalars = self._spec.scalars.patience() if self._spec.scalars is not None else None
        deadline = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        return min((wait for wait in (scalars, deadline) if wait is not None), default=None)


def _said(words: bytes) -> _Said | None:
    """Return what a process said, None when that is nothing that was agreed upon."""
    try:
        known = json.loads(words)
    except ValueError:
        return None
    if not isinstance(known, dict):
        return None
    exit_status, stopped_by, failure = (known.get(name) for name in ("exit_status", "stopped_by", "failure"))
    return _Said(
        exit_status if type(exit_status) is int else None,
        stopped_by if stopped_by in Signals.__members__ else None,
        failure if isinstance(failure, str) else None,
        str(known.get("traceback") or ""),
    )


def _captured(text: str, folder: str) -> OutputSummary:
    """Keep the traceback where a process that guild starts would have printed it."""
    capture = Capture(folder, lambda: time.time_ns() // 1000)
    capture.write(STDERR, text.encode(errors="backslashreplace"))
    return capture.close(None if text.endswith("\n") else STDERR)
