"""The numbers of one run of a plan: from the start, when what is there already is told apart, to the last event."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from artifacts.output import INDEX, OUTPUT, RECORD
from operations.run_plan import AGAIN
from operations.scalar_watch import Reported, ScalarJob, ScalarWatch
from operations.signals import stopping_raises

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from artifacts.output import OutputSummary
    from ledger.canonical import Value
    from ledger.events.base import Event
    from operations.run_plan import RunPlan

SERIES = "scalars.csv"
_MOST_ASIDE = 10_000


def watch_scalars(
    plan: RunPlan, run_dir: str, output_dir: str, record: Callable[[Mapping[str, Value]], None] | None
) -> ScalarWatch:
    """Return what reads the numbers of a run, whose directory is ready and whose process is not there yet.

    What an earlier try reported is not this one's: its series are put aside as `scalars-N.csv`, its output and event
    files are passed over, and so are event files that were required.

    Args:
        plan: the run.
        run_dir: its directory.
        output_dir: where its output is captured.
        record: brings summaries to the ledger while the run goes on; None when it is not recorded.
    """
    is_again = os.path.isfile(os.path.join(output_dir, OUTPUT)) if plan.follows != AGAIN else True
    printed, events = (0, 0), {}
    if is_again:
        _put_aside(output_dir)
        printed = _size(output_dir, OUTPUT), _size(output_dir, INDEX) // RECORD
    if is_again or (plan.dependencies is not None and plan.dependencies.items):
        from artifacts.event_files import EventFolders

        events = EventFolders(run_dir).sizes()
    return ScalarWatch(
        ScalarJob(run_dir, output_dir, plan.output_scalars, record, printed, events, begun=time.monotonic())
    )


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


def reported(watch: ScalarWatch, output: OutputSummary, told: Callable[[str], None]) -> list[Event]:
    """Return the event that says what the run reported, as far as the ledger does not know it; none if there is none.

    Args:
        watch: has read it.
        output: what was captured.
        told: shows a line to whoever sees the run's errors.
    """
    found = Reported()
    try:
        with stopping_raises():
            found = watch.finish(output)
    except KeyboardInterrupt:
        # Somebody does not want to wait. The end of the run is recorded, and its series stay as far as they were read.
        told("guild: the numbers that the run reported were not read to their end")
    finally:
        watch.close()
    for text in found.given_up:
        told(f"guild: the pattern {text!r} took too long and was given up (output-scalars)")
    if found.failure:
        told(f"guild: the series of numbers could not be written to their end: {found.failure}")
    if not found.scalars:
        return []
    from ledger.events.notes import RunScalarsRecorded

    return [RunScalarsRecorded(found.scalars)]
