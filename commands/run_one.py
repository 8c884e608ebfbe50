"""Carrying out the plan of one run, and saying what became of it when it did not end well by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from commands.app import App
from commands.terminal import note, warn
from ledger.errors import GuildError

if TYPE_CHECKING:
    from operations.run_plan import RunPlan
    from operations.supervise import Ending


def execute(app: App, plan: RunPlan, *, recorded: bool = True) -> int:
    """Run the plan to its end and return the exit code.

    Raises:
        GuildError: the process could not be started, or something of the run could not be recorded.
    """
    from operations.supervise import exit_code

    ending = carried_out(app, plan) if recorded else _unrecorded(app, plan)
    name = plan.run_id[:8]
    if ending.failure:
        hint = "It is listed with status error." if recorded else "It is not recorded."
        raise GuildError(f"run {name} failed: {ending.failure}", hint=hint)
    if ending.timed_out:
        note(f"Run {name} was stopped: its time was up.")
    elif ending.stopped_by:
        note(f"Run {name} was stopped ({ending.stopped_by}).")
    elif ending.exit_status is not None and ending.exit_status < 0:
        note(f"The process of run {name} was killed ({signal_name(-ending.exit_status)}).")
    if ending.output.failure:
        warn(f"the output of run {name} was not captured to its end: {ending.output.failure}")
    return exit_code(ending)


def signal_name(number: int) -> str:
    """Return the name of a signal, SIGKILL for 9; its number where it has none."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def carried_out(app: App, plan: RunPlan) -> Ending:
    """Run the plan to its end; no database is open meanwhile.

    Raises:
        GuildError: something could not be recorded.
    """
    from operations.runner import run

    app.home.ensure()
    app.close_index()
    return run(plan, app.home, app.header(), app.take_ledger)


def _unrecorded(app: App, plan: RunPlan) -> Ending:
    """Run in a directory of the user's; its lease lies in it, and no ledger hears of it."""
    from operations.runner import run_outside

    return run_outside(plan, app.home, os.uname().nodename)
