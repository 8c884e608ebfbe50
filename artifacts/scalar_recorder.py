"""Brings together what a run reports, in whichever way, as one file of series, and sums it up.

Three ways lead to a number: a line of output, an event file of TensorBoard, and a row that the run's own process
appended to the file. Here the first two are made rows, and all three are summed up.

One key, one way: a key belongs to the way by which it came first, and what else comes under that name is passed over;
otherwise a script that prints its loss and logs it as well would have each value twice. The process's own rows count
always: they stand in the file already. A key that was printed is therefore held back for one look, so that a row that
is appended in the same breath comes first.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from artifacts.series import FILE, MOST_KEYS, Appender, LineFollower, beginning, moment_of, points
from artifacts.summaries import Summaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from artifacts.event_files import EventFiles
    from artifacts.output_scalars import Found, OutputScalars

_PRINTED, _EVENTS, _APPENDED = 1, 2, 3
_MOST_HELD = 100_000
_EVENTS_SECONDS = 0.9
_PAUSES = 20
"""Times as long as a look into a large directory took is the pause after it."""


class ScalarRecorder:
    """Records the numbers of one run, look by look.

    Args:
        run_dir: its directory; `.guild` is in it.
        output: what it prints; None when that is of no interest.
        events: its event files.
        now_us: the time in microseconds UTC.

    Attributes:
        summaries: of all that was seen so far.
        failure: why no more series are written, None while they are.
    """

    def __init__(
        self, run_dir: str, output: OutputScalars | None, events: EventFiles, now_us: Callable[[], int]
    ) -> None:
        path = os.path.join(run_dir, FILE)
        self._appender = Appender(path)
        self._follower = LineFollower(path)
        self._output = output
        self._events = events
        self._now_us = now_us
        self._ways: dict[str, int] = {}
        self._beginnings: dict[str, str] = {}
        self._held: list[Found] = []
        self._next_events = 0.0
        self._beat: Callable[[], None] = lambda: None
        self.summaries = Summaries()
        self.failure: str | None = None

    def look(self, *, is_end: bool = False, beat: Callable[[], None] = lambda: None) -> None:
        """Read what is new, write and sum it up.

        Args:
            is_end: whether the run is over: nothing is held back then, and a last line without an end counts.
            beat: called now and then on the way.
        """
        self._beat = beat
        self._take_appended()
        held, self._held = self._held, []
        self._take(held, _PRINTED)
        self._take_events(is_end=is_end)
        if self._output is not None:
            for found in self._output.read(self._now_us(), is_end=is_end):
                self._take(found if is_end else self._hold_new(found), _PRINTED)
                beat()

    def close(self) -> None:
        """Let go of the file."""
        self._appender.close()

    def _take_events(self, *, is_end: bool) -> None:
        """Look into the event files, as often as that is cheap."""
        begun = time.monotonic()
        if begun < self._next_events and not is_end:
            return
        for found in self._events.read():
            self._take(found, _EVENTS)
            self._beat()
        now = time.monotonic()
        self._next_events = now + max(_EVENTS_SECONDS, _PAUSES * (now - begun))

    def _hold_new(self, found: list[Found]) -> list[Found]:
        """Keep back the points of keys that were not there before; return the others."""
        ways = self._ways
        if ways.keys() >= {point[0] for point in found}:
            return found
        if len(self._held) > _MOST_HELD:
            held, self._held = self._held, []
            return held + found
        self._held += [point for point in found if point[0] not in ways]
        return [point for point in found if point[0] in ways]

    def _take_appended(self, until: int | None = None) -> None:
        """Sum up what the run's own process has appended, telling after each block that work goes on."""
        ways = self._ways
        for lines in self._follower.read(until):
            for key, step, _, value in points(lines):
                if key in ways or len(ways) < MOST_KEYS:
                    ways[key] = _APPENDED
                self.summaries.add(key, step, value)
            self._beat()

    def _take(self, found: Iterable[Found], way: int) -> None:
        """Write the points whose keys belong to this way, and sum them up."""
        ways, add, rows = self._ways, self.summaries.add, []
        beginnings, moment, time_us = self._beginnings, "", -1
        for key, step, at, value in found:
            owner = ways.get(key)
            if owner is None and len(ways) < MOST_KEYS:
                owner = ways[key] = way
                beginnings[key] = beginning(key)
            if owner != way:
                continue
            if at != time_us:  # many come at once
                moment, time_us = moment_of(at), at
            rows.append(f"{beginnings[key]}{'' if step is None else step},{moment},{value!r}\n")
            add(key, step, value)
        if rows and self.failure is None:
            self._write("".join(rows))

    def _write(self, rows: str) -> None:
        try:
            size = self._appender.append(rows)
            end = self._appender.end()
        except OSError as error:
            self.failure = error.strerror or str(error)
            return
        if end - size > self._follower.offset:
            self._take_appended(end - size)
        self._follower.skip(end)
