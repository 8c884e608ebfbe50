"""Running a batch: staged in one transaction, then carried out one after the other, or several at a time.

A trial that was not started stays staged whatever happens to this process, and can be started later.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.run_again import Stager
from commands.run_one import carried_out
from commands.run_options import RunOptions
from commands.terminal import note, say, warn
from ledger.errors import GuildError
from ledger.ids import RunId, run_stream
from ledger.seams import seam
from ledger.transaction import NewEvent, Transaction

if TYPE_CHECKING:
    from operations.run_plan import RunPlan

EXIT_OF_SIGNAL = 128


@dataclass(slots=True)
class Tally:
    """What became of the trials so far.

    Attributes:
        total: how many there are.
        completed: how many ended well.
        failed: how many did not, those included that could not be started.
        stopped_by: the signal that ended the batch, None while none did.
    """

    total: int
    completed: int = 0
    failed: int = 0
    stopped_by: str | None = None

    @property
    def exit_code(self) -> int:
        """0 when all is well, 1 when a trial failed, 128 + N after signal N."""
        if self.stopped_by is not None:
            return EXIT_OF_SIGNAL + signal.Signals[self.stopped_by]
        return 1 if self.failed else 0


def stage(app: App, plans: Sequence[RunPlan]) -> None:
    """Record runs that are to be started later, all in one transaction."""
    from operations.starts import staging_events

    app.home.ensure()
    events = [NewEvent(run_stream(plan.run_id), event) for plan in plans for event in staging_events(plan)]
    seam("batch.stage")
    app.ledger.append(Transaction(app.header(), tuple(events)))
    seam("batch.staged")


def run_batch(app: App, run_ids: Sequence[RunId], options: RunOptions) -> int:
    """Carry staged runs out and say how it went; returns the exit code."""
    if options.jobs > 1 and len(run_ids) > 1:
        from commands.batch_workers import run_at_a_time

        tally = run_at_a_time(app, run_ids, options)
    else:
        tally = _one_by_one(app, run_ids, options)
    _tell(tally)
    return tally.exit_code


def _one_by_one(app: App, run_ids: Sequence[RunId], options: RunOptions) -> Tally:
    tally = Tally(len(run_ids))
    stager = Stager(app, options)
    for number, run_id in enumerate(run_ids, 1):
        try:
            plan = stager.plan(run_id)
            if not options.quiet:
                note(f"Trial {number} of {tally.total}: run {run_id[:8]}{_told_flags(plan)}")
            ending = carried_out(app, plan)
        except KeyboardInterrupt:
            tally.stopped_by = "SIGINT"
            break
        except GuildError as error:
            tally.failed += 1
            warn(f"run {run_id[:8]}: {error.message}")
            continue
        if ending.failure:
            warn(f"run {run_id[:8]} failed: {ending.failure}")
        if ending.stopped_by and not ending.timed_out:
            tally.stopped_by = ending.stopped_by
            break
        good = ending.exit_status == 0 and not ending.timed_out
        tally.completed, tally.failed = tally.completed + good, tally.failed + (not good)
    return tally


def _told_flags(plan: RunPlan) -> str:
    from ledger.text import printable

    text = " ".join(f"{name}={value}" for name, value in sorted(plan.flag_texts.items()))
    return f" ({printable(text, 200)})" if text else ""


def _tell(tally: Tally) -> None:
    left = tally.total - tally.completed - tally.failed
    say(f"Completed {tally.completed} of {tally.total} trial(s)" + (f", {tally.failed} failed" if tally.failed else ""))
    if tally.stopped_by:
        click.echo(f"Stopped by {tally.stopped_by}; what was not started stays staged ({left} at most).", err=True)
        note("To go on: guild run --start :")
