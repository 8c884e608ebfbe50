"""What `guild run` shows or keeps of what would be started, instead of starting it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.terminal import say

if TYPE_CHECKING:
    from commands.app import App
    from commands.run_options import RunOptions
    from operations.catalog import Found
    from operations.run_plan import RunPlan


def show_only(app: App, plans: Sequence[RunPlan], options: RunOptions, found: Found | None = None) -> int:
    """Do what the options ask for instead of a start; returns the exit code.

    `found` is the operation of new runs, None of runs that are there already.
    """
    from operations.command import format_command

    if options.print_cmd:
        for plan in plans:
            say(format_command(plan.command))
    if options.print_env:
        _print_environment(app, plans[0])
    if options.print_trials or options.save_trials:
        from commands.trial_table import print_trials, save_trials

        if options.print_trials:
            print_trials(plans)
        if options.save_trials:
            save_trials(
                plans, found.operation.flags if found is not None else (), os.path.join(app.cwd, options.save_trials)
            )
    return 0


def _print_environment(app: App, plan: RunPlan) -> None:
    """Print what the process is given beyond the caller's own environment, which may hold secrets."""
    from operations.command import format_command
    from operations.runner import process_spec

    environment = process_spec(plan, app.home).env
    for name in sorted(environment):
        if environment[name] != plan.environment.get(name):
            say(f"export {format_command([f'{name}={environment[name]}'])}")
