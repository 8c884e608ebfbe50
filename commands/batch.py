"""Running a batch: staged in one transaction, then carried out one after the other, or several at a time.

A trial that was not started stays staged whatever happens to this process, and can be started later.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

import click

from commands.app import App
from commands.handed_over import shortened
from commands.run_again import Stager
from commands.run_one import carried_out
from commands.run_options import RunOptions
from commands.terminal import note, say, warn
from ledger.dataclass import dataclass, field
from ledger.errors import GuildError
from ledger.ids import RunId, run_stream
from ledger.seams import seam
from ledger.transaction import NewEvent, Transaction
from operations.signals import StoppedError, stopping_raises

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
        stopped: how many were stopped on their way.
        taken: how many another command has started.
        begun: all that were begun, or tried to.
        stopped_by: the signal that ended the batch, None while none did.
    """

    total: int
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    taken: int = 0
    begun: set[RunId] = field(default_factory=set)
    stopped_by: str | None = None

    @property
    def left(self) -> int:
        """How many were not started."""
        return self.total - len(self.begun)

    @property
    def exit_code(self) -> int:
        """0 when all is well, 1 when a trial failed, 128 + N after signal N."""
        if self.stopped_by is not None:
            return EXIT_OF_SIGNAL + signal.Signals[self.stopped_by]
        return 1 if self.failed or self.left else 0

    def count(self, run_id: RunId, outcome: Outcome) -> None:
        """Count what became of a trial; one that was stopped ends the batch."""
        self.begun.add(run_id)
        if outcome["kind"] == "not started":
            self.begun.discard(run_id)
        elif outcome["kind"] == "completed":
            self.completed += 1
        elif outcome["kind"] == "stopped":
            self.stopped += 1
        elif outcome["kind"] == "taken":
            self.taken += 1
        else:
            self.failed += 1
        self.stopped_by = self.stopped_by or outcome["by"]


class Outcome(TypedDict):
    """What became of a trial.

    Keys:
        kind: completed, failed, stopped, taken (by another command) or not started (because of a signal).
        message: what there is to warn of, empty for nothing.
        by: the signal that asked to stop, None for none.
    """

    kind: str
    message: str
    by: str | None


def outcome_of(app: App, run_id: RunId, planned: Callable[[], RunPlan]) -> Outcome:
    """Carry one trial out and return what became of it; nothing is raised but `KeyboardInterrupt`."""
    from operations.runner import TakenError

    name = run_id[:8]
    try:
        ending = carried_out(app, planned())
    except StoppedError as stopped:
        # Where the end of a run was not recorded any more, the next command does that.
        kind = "stopped" if os.path.isdir(app.home.run_dir(run_id)) else "not started"
        return {"kind": kind, "message": "", "by": stopped.name}
    except GuildError as error:
        kind = "taken" if isinstance(error, TakenError) else "failed"
        text = error.message.removeprefix(f"run {name} ")
        between = ": " if text == error.message else " "
        told = f"run {name}{between}{text}" + (f". {error.hint}" if error.hint else "")
        return {"kind": kind, "message": told, "by": None}
    except OSError as error:
        return {"kind": "failed", "message": f"run {name}: {error.strerror or error}", "by": None}
    if ending.failure:
        return {"kind": "failed", "message": f"run {name} failed: {ending.failure}", "by": None}
    if ending.stopped_by and not ending.timed_out:
        return {"kind": "stopped", "message": "", "by": ending.stopped_by}
    kind = "completed" if ending.exit_status == 0 and not ending.timed_out else "failed"
    # Who pressed Ctrl-C just when this trial had ended meant the batch.
    return {"kind": kind, "message": "", "by": None if ending.timed_out else ending.asked_by}


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
    app.argv = shortened(app.argv)
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
    try:
        with stopping_raises():
            for number, run_id in enumerate(run_ids, 1):
                _one(app, stager, run_id, tally, None if options.quiet else f"Trial {number} of {tally.total}")
                if tally.stopped_by:
                    break
    except StoppedError as stopped:
        tally.stopped_by = stopped.name
    except KeyboardInterrupt:
        tally.stopped_by = "SIGINT"
    return tally


def _one(app: App, stager: Stager, run_id: RunId, tally: Tally, title: str | None) -> None:
    def planned() -> RunPlan:
        plan = stager.plan(run_id)
        if title is not None:
            note(f"{title}: run {run_id[:8]}{_told_flags(plan)}")
        return plan

    outcome = outcome_of(app, run_id, planned)
    tally.count(run_id, outcome)
    if outcome["message"]:
        warn(outcome["message"])


def _told_flags(plan: RunPlan) -> str:
    from ledger.text import printable

    text = " ".join(f"{name}={value}" for name, value in sorted(plan.flag_texts.items()))
    return f" ({printable(text, 200)})" if text else ""


def _tell(tally: Tally) -> None:
    told = [f"Completed {tally.completed} of {tally.total} trial(s)"]
    told += [f"{tally.failed} failed"] if tally.failed else []
    told += [f"{tally.stopped} stopped"] if tally.stopped else []
    told += [f"{tally.taken} taken by another command"] if tally.taken else []
    say(", ".join(told))
    if tally.stopped_by:
        click.echo(f"Stopped by {tally.stopped_by}.", err=True)
    if tally.left:
        note(f"{tally.left} stay staged; to go on: guild run --start :")
