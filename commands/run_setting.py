"""What the options, the environment and the home say about the runs that a command starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from artifacts.environment import active_interpreter
from commands.app import App, working_directory
from commands.itself import guild_itself
from commands.run_options import RunOptions
from ledger.errors import GuildError
from operations.catalog import Found
from operations.planning import Setting

if TYPE_CHECKING:
    from operations.dependencies import FindRun, FoundRun


def setting_of(app: App, found: Found, options: RunOptions, overrides: Mapping[str, str] | None = None) -> Setting:
    """Return what all runs of this command have in common."""
    shown = not (options.quiet or options.background)
    run_dir = None if options.run_dir is None else os.path.join(app.cwd, os.path.expanduser(options.run_dir))
    return Setting(
        home=app.home,
        cwd=app.cwd,
        cmd_dir=working_directory() or app.cwd,
        environment=dict(os.environ),
        interpreter=active_interpreter(os.environ, sys.executable),
        guild=guild_itself(),
        find_run=run_finder(app, found),
        overrides=overrides or {},
        force=options.force_flags,
        label=options.label,
        tags=options.tags,
        variables=device_variables(options),
        run_dir=None if run_dir is None else os.path.abspath(run_dir),
        stop_after=options.stop_after,
        stdout=1 if shown else None,
        stderr=2 if shown else None,
    )


def device_variables(options: RunOptions) -> dict[str, str]:
    """Return the variable that says which devices a run may see."""
    if options.no_gpus:
        return {"CUDA_VISIBLE_DEVICES": ""}
    return {} if options.gpus is None else {"CUDA_VISIBLE_DEVICES": options.gpus}


def run_finder(app: App, found: Found) -> FindRun:
    """Return what finds the runs whose files the operation requires: the latest that has completed."""

    def find(spec: str, *, select_min: str | None, select_max: str | None) -> FoundRun | None:
        if select_min or select_max:
            raise GuildError(
                f"a run of '{spec}' cannot be chosen by {select_min or select_max}: no scalars are recorded yet",
                hint="Name the run: give NAME=RUN_ID on the command line.",
            )
        return _latest(app, found, [part.strip() for part in spec.split(",")])

    return find


def _latest(app: App, found: Found, specs: list[str]) -> FoundRun | None:
    from ledger.ids import RunId, is_run_id
    from operations.dependencies import FoundRun
    from projections.query import Query, RunFilter, displayed, runs_by_id
    from projections.schema import OpKey

    project = None if found.package else found.project
    keys = tuple(
        OpKey(project, found.package, model.name, operation.name)
        for model in found.models
        for operation in model.operations
        if _fits(model.name, operation.name, specs)
    )
    app.index.catch_up(app.ledger)
    for run_id in reversed(os.environ.get("GUILD_STEPS", "").split()):
        row = runs_by_id(app.index, [RunId(run_id)]).get(RunId(run_id)) if is_run_id(run_id) else None
        if row is not None and row.op in keys and row.status == "completed":
            return FoundRun(row.run_id, app.home.run_dir(row.run_id), displayed(row.op, app.cwd))
    for row in Query(app.index, RunFilter(statuses=("completed",), keys=keys)).rows(limit=1):
        return FoundRun(row.run_id, app.home.run_dir(row.run_id), displayed(row.op, app.cwd))
    return None


def _fits(model: str, operation: str, specs: list[str]) -> bool:
    return any(spec in (operation, f"{model}:{operation}") for spec in specs)
