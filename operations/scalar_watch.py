"""The numbers of a run, seen from its supervisor: whether there are any, and who reads them.

A run that lasts longer than a second gets a process beside it that reads them (`scalar_helper`). What a shorter one has
reported is read when it has ended. A run that reports nothing costs a look at what it has left, and this module, which
is all that is loaded for it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from artifacts.output import OutputSummary
    from ledger.canonical import Value
    from ledger.events.base import Event
    from operations.run_plan import RunPlan

BEGIN_SECONDS = 1.0
SERIES = "scalars.csv"
_OUTPUT = "output"
_EVENT_FILE = "tfevents"
_GLANCE = 65_536
_MOST_LOOKED_AT = 20_000


class ScalarWatch:
    """Has the numbers of one run read, whose directory is ready and whose process is not there yet.

    What an earlier try reported is not this one's: its series are put aside as `scalars-N.csv`, its output and event
    files are passed over, and so are event files that were required.

    Args:
        plan: the run.
        run_dir: its directory.
        output_dir: where its output is captured.
        record: brings summaries to the ledger while the run goes on; None when it is not recorded.

    Attributes:
        patterns: the operation's `output-scalars`: None for the usual form, False for none.
        begun: when the watch began, in seconds of `time.monotonic`.
        printed: how many bytes, and lines, of the output are an earlier try's.
        events: how much of each event file was there before the run, by path.
        pid: the process that reads; 0 while there is none.
        ends: where it is spoken to, and where it answers.
    """

    def __init__(
        self, plan: RunPlan, run_dir: str, output_dir: str, record: Callable[[Mapping[str, Value]], None] | None
    ) -> None:
        self.run_dir = run_dir
        self.output_dir = output_dir
        self.patterns = plan.output_scalars
        self.record = record
        self.begun = time.monotonic()
        self.printed = 0, 0
        self.events: Mapping[str, int] = {}
        self.pid = 0
        self.ends: tuple[int, int] | None = None
        self._is_tried = False
        is_again = os.path.lexists(os.path.join(output_dir, _OUTPUT))
        if is_again or (plan.dependencies is not None and plan.dependencies.items):
            from operations.scalar_reading import set_apart

            set_apart(self)

    def patience(self) -> float | None:
        """Return after how many seconds `look` has something to do; None for never."""
        return None if self._is_tried else max(0.0, self.begun + BEGIN_SECONDS - time.monotonic())

    def look(self) -> None:
        """Start the process that reads, when it is time."""
        if not self._is_tried and time.monotonic() >= self.begun + BEGIN_SECONDS:
            from operations.scalar_reading import start_helper

            self._is_tried = True
            start_helper(self)

    def reported(self, output: OutputSummary, told: Callable[[str], None]) -> list[Event]:
        """Return the event that says what the run reported, as far as the ledger does not know it; none if it did not.

        Args:
            output: what was captured.
            told: shows a line to whoever sees the run's errors.
        """
        if not self.pid and self._is_silent(output):
            return []
        from operations.scalar_reading import reported

        return reported(self, output, told)

    def close(self) -> None:
        """End the process that reads, however far it is."""
        if self.pid:
            from operations.scalar_reading import end_helper

            end_helper(self)

    def _is_silent(self, output: OutputSummary) -> bool:
        """Tell whether there is certainly no number to be read."""
        if output.bytes and self.patterns is not False and (self.patterns is not None or self._has_printed(output)):
            return False
        return not os.path.lexists(os.path.join(self.output_dir, SERIES)) and not _has_event_files(self.run_dir)

    def _has_printed(self, output: OutputSummary) -> bool:
        """Tell whether there is a line of the usual form."""
        if output.bytes <= _GLANCE and b":" not in self._begin():
            return False
        from artifacts.output_scalars import OutputScalars

        return any(OutputScalars(self.output_dir, self.printed).read(0, is_end=True))

    def _begin(self) -> bytes:
        """Return the beginning of what was printed."""
        try:
            descriptor = os.open(os.path.join(self.output_dir, _OUTPUT), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            return os.pread(descriptor, _GLANCE, self.printed[0])
        except OSError:
            return b""
        finally:
            os.close(descriptor)


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
