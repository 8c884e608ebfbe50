"""Reading the numbers of a run, from the side of its supervisor: what goes before, the helper's life, what it found.

Loaded only for a run that lasts longer than a second, or has something to be read.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from signal import SIG_BLOCK, SIG_SETMASK, SIGKILL, pthread_sigmask
from typing import TYPE_CHECKING

from artifacts.output import INDEX, OUTPUT, RECORD
from operations.process_tree import process_control
from operations.scalar_helper import Answer, answer_of, become_helper, patterns_of, recorder_of
from operations.scalar_watch import SERIES
from operations.signals import CAUGHT, private_pipe, stopping_raises

if TYPE_CHECKING:
    from collections.abc import Callable

    from artifacts.output import OutputSummary
    from ledger.events.base import Event
    from operations.scalar_watch import ScalarWatch

_SILENT_SECONDS = 60.0
"""How long a helper may be busy without a sign of life: what it reads lies on a disk that may be slow."""

_PATIENCE_SECONDS = 3.0
"""How long the end of a run may take without a word."""

_LARGE = 4 * 1024 * 1024
"""Bytes of output, of event files, or of rows, that are read at the end without a process for it."""

_MOST_ASIDE = 10_000
_NOTHING: Answer = ({}, [], None)
_NOT_READ = "guild: the numbers that the run reported were not read to their end"


def set_apart(watch: ScalarWatch) -> None:
    """Take note of what is there before the run, and put the series of an earlier try aside."""
    from artifacts.event_files import EventFolders

    _put_aside(watch.output_dir)
    watch.printed = _size(watch.output_dir, OUTPUT), _size(watch.output_dir, INDEX) // RECORD
    watch.events = EventFolders(watch.run_dir).sizes()


def _size(folder: str, name: str) -> int:
    try:
        return os.lstat(os.path.join(folder, name)).st_size
    except OSError:
        return 0


def _put_aside(folder: str) -> None:
    path = os.path.join(folder, SERIES)
    if not os.path.lexists(path):
        return
    for number in range(1, _MOST_ASIDE):
        aside = os.path.join(folder, f"scalars-{number}.csv")
        if not os.path.lexists(aside):
            with suppress(OSError):
                os.rename(path, aside)
            return


def start_helper(watch: ScalarWatch) -> None:
    """Start the process that reads; without one what was reported is read at the end."""
    prctl, parent = process_control(), os.getpid()
    opened: list[int] = []
    try:
        opened += private_pipe()
        opened += private_pipe()
        heard, control, answer, answered = opened
        mask = pthread_sigmask(SIG_BLOCK, CAUGHT)
        try:
            pid = os.fork()
            if pid == 0:
                become_helper(watch, (heard, answered), parent, prctl)
        finally:
            pthread_sigmask(SIG_SETMASK, mask)
    except OSError:
        # No memory, or no process to be had.
        for end in opened:
            os.close(end)
        return
    os.close(heard)
    os.close(answered)
    watch.pid, watch.ends = pid, (control, answer)


def end_helper(watch: ScalarWatch) -> None:
    """End the process that reads, however far it is."""
    for end in watch.ends or ():
        os.close(end)
    with suppress(ChildProcessError):  # the supervisor has reaped it with others
        # As long as it is not reaped its number is not given to another.
        if os.waitpid(watch.pid, os.WNOHANG)[0] == 0:
            os.kill(watch.pid, SIGKILL)
            os.waitpid(watch.pid, 0)
    watch.pid, watch.ends = 0, None


def reported(watch: ScalarWatch, output: OutputSummary, told: Callable[[str], None]) -> list[Event]:
    """Return the event that says what the run reported; see `ScalarWatch.reported`."""
    scalars, given_up, failure = _NOTHING
    try:
        with stopping_raises():
            scalars, given_up, failure = _found(watch, output, told)
    except KeyboardInterrupt:
        # Somebody does not want to wait. The end of the run is recorded, and its series stay as far as they were read.
        told(_NOT_READ)
    for text in given_up:
        told(f"guild: the pattern {text!r} took too long and was given up (output-scalars)")
    if failure:
        told(f"guild: the series of numbers could not be written to their end: {failure}")
    if not scalars:
        return []
    from ledger.events.notes import RunScalarsRecorded

    return [RunScalarsRecorded(scalars)]


def _found(watch: ScalarWatch, output: OutputSummary, told: Callable[[str], None]) -> Answer:
    has_own = bool(output.bytes) and watch.patterns not in (None, False)
    if not watch.pid and (has_own or _is_much(watch, output)):
        # What an operation's own patterns may take, nobody knows beforehand; what much of anything takes is told.
        start_helper(watch)
    if not watch.pid:
        recorder = recorder_of(watch, patterns_of(watch))
        recorder.look(is_end=True)
        recorder.close()
        return dict(recorder.summaries.changed()), [], recorder.failure
    found = _answer(watch, told)
    if found is None:
        from artifacts.summaries import summaries_of

        told(f"{_NOT_READ}: the process that reads them is gone; the summary is of what lies in .guild/{SERIES}")
        return summaries_of(watch.run_dir), [], None
    return found


def _is_much(watch: ScalarWatch, output: OutputSummary) -> bool:
    """Tell whether reading takes so long that whoever waits should hear of it."""
    if output.bytes > _LARGE or _size(watch.output_dir, SERIES) > _LARGE:
        return True
    from artifacts.event_files import EventFolders

    sizes = EventFolders(watch.run_dir).sizes()
    return sum(size - watch.events.get(path, 0) for path, size in sizes.items()) > _LARGE


def _answer(watch: ScalarWatch, told: Callable[[str], None]) -> Answer | None:
    """Ask the process to finish, and wait as long as it works; None when it did not answer."""
    control, answer = watch.ends or (-1, -1)
    parts = []
    patience = time.monotonic() + _PATIENCE_SECONDS
    try:
        os.write(control, b"!")
        while select.select([answer], [], [], _SILENT_SECONDS)[0]:
            if time.monotonic() > patience:
                told("guild: the run is over; reading the rest of the numbers that it reported (Ctrl-C ends this)")
                patience = float("inf")
            part = os.read(answer, 1 << 16)
            if not part:
                break
            parts.append(part)
    except OSError:
        return None  # it is gone
    return answer_of(b"".join(parts))
