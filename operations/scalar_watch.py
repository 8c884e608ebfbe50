"""The numbers of a run, seen from its supervisor: who reads them, and what is known of them at the end.

A run that lasts longer than a second gets a process beside it that reads them (`scalar_helper`). What a shorter one has
reported is read here when it has ended, unless the operation has patterns of its own: what these may take, nobody knows
beforehand. A run that reports nothing costs a look into its directory, and imports nothing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from artifacts.output import OutputSummary
    from ledger.canonical import Value

BEGIN_SECONDS = 1.0
_SILENT_SECONDS = 60.0
"""How long a helper may be busy without a sign of life: what it reads lies on a disk that may be slow."""

_SERIES = "scalars.csv"
_EVENT_FILE = "tfevents"
_MOST_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class ScalarJob:
    """What to read.

    Attributes:
        run_dir: the run's directory.
        output_dir: where its output is captured.
        patterns: the operation's `output-scalars`: None for the usual form, False for none.
        record: brings summaries to the ledger while the run goes on; None when nobody keeps them.
        printed: how many bytes, and lines, of the output are an earlier try's.
        events: how much of each event file was there before the run, by path.
        begun: when, in seconds of `time.monotonic`.
    """

    run_dir: str
    output_dir: str
    patterns: Value = None
    record: Callable[[Mapping[str, Value]], None] | None = None
    printed: tuple[int, int] = (0, 0)
    events: Mapping[str, int] = field(default_factory=dict)
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class Reported:
    """What is known at the end.

    Attributes:
        scalars: summaries that the ledger does not have, by key.
        given_up: patterns that took too long and were tried no more.
        failure: why not all series could be written; None when they are.
    """

    scalars: Mapping[str, Value] = field(default_factory=dict)
    given_up: tuple[str, ...] = ()
    failure: str | None = None


class ScalarWatch:
    """Has the numbers of one run read.

    Attributes:
        pid: the process that reads them; 0 while there is none.
    """

    def __init__(self, job: ScalarJob) -> None:
        self._job = job
        self._begin = time.monotonic() + BEGIN_SECONDS
        self._ends: tuple[int, int] | None = None
        self._is_tried = False
        self.pid = 0

    def patience(self) -> float | None:
        """Return after how many seconds `look` has something to do; None for never."""
        return None if self._is_tried else max(0.0, self._begin - time.monotonic())

    def look(self) -> None:
        """Start the process that reads, when it is time."""
        if not self._is_tried and time.monotonic() >= self._begin:
            self._start()

    def finish(self, output: OutputSummary) -> Reported:
        """Return what was reported, once nothing more can be.

        Args:
            output: what was captured.
        """
        if not self.pid and output.bytes and self._job.patterns not in (None, False):
            self._start()
        if self.pid:
            found = self._answer()
            self.close()
            if found is None:
                from artifacts.summaries import summaries_of

                return Reported(summaries_of(self._job.run_dir))
            return Reported(found[0], tuple(found[1]), found[2])
        return self._read_here(output)

    def close(self) -> None:
        """End the process, however far it is."""
        if not self.pid:
            return
        from signal import SIGKILL

        for end in self._ends or ():
            os.close(end)
        try:
            # As long as it is not reaped its number is not given to another.
            if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                os.kill(self.pid, SIGKILL)
                os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # the supervisor has reaped it with others
        self.pid, self._ends = 0, None

    def _start(self) -> None:
        from signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask

        from operations.process_tree import process_control
        from operations.scalar_helper import become_helper
        from operations.signals import CAUGHT, private_pipe

        self._is_tried = True
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
                    become_helper(self._job, (heard, answered), parent, prctl)
            finally:
                pthread_sigmask(SIG_SETMASK, mask)
        except OSError:
            # No memory or no process to be had: what was reported is read at the end.
            for end in opened:
                os.close(end)
            return
        os.close(heard)
        os.close(answered)
        self.pid, self._ends = pid, (control, answer)

    def _answer(self) -> tuple[dict[str, Value], list[str], str | None] | None:
        """Ask the process to finish, and wait as long as it works."""
        import select

        from operations.scalar_helper import answer_of

        control, answer = self._ends or (-1, -1)
        parts = []
        try:
            os.write(control, b"!")
            while select.select([answer], [], [], _SILENT_SECONDS)[0]:
                part = os.read(answer, 1 << 16)
                if not part:
                    break
                parts.append(part)
        except OSError:
            return None  # it is gone
        return answer_of(b"".join(parts))

    def _read_here(self, output: OutputSummary) -> Reported:
        if not (self._has_printed(output) or self._has_series() or _has_event_files(self._job.run_dir)):
            return Reported()
        from operations.scalar_helper import patterns_of, recorder_of

        recorder = recorder_of(self._job, patterns_of(self._job))
        recorder.look(is_end=True)
        recorder.close()
        return Reported(recorder.summaries.changed(), (), recorder.failure)

    def _has_printed(self, output: OutputSummary) -> bool:
        """Tell whether a number was printed, in the usual form."""
        if not output.bytes or self._job.patterns is not None:
            return False
        from artifacts.output_scalars import OutputScalars

        return any(OutputScalars(self._job.output_dir, self._job.printed).read(0, is_end=True))

    def _has_series(self) -> bool:
        return os.path.exists(os.path.join(self._job.output_dir, _SERIES))


def _has_event_files(run_dir: str) -> bool:
    waiting, seen = [run_dir], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if _EVENT_FILE in entry.name or seen > _MOST_LOOKED_AT:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return False
