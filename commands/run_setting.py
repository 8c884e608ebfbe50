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
    from projections.query import RunRow
    from projections.schema import OpKey


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
    """Return what finds the runs whose files the operation requires: of those that have completed.

    It is the latest, or the one with the least or greatest last value of a scalar; in both cases among the earlier
    steps of the same operation, when one of them is such a run.
    """

    def find(spec: str, *, select_min: str | None, select_max: str | None) -> FoundRun | None:
        from operations.dependencies import FoundRun
        from projections.query import displayed

        keys = _operations(found, [part.strip() for part in spec.split(",")])
        app.index.catch_up(app.ledger)
        scalar = select_min or select_max
        row = _best(app, keys, spec, scalar, least=bool(select_min)) if scalar else _latest(app, keys)
        return None if row is None else FoundRun(row.run_id, app.home.run_dir(row.run_id), displayed(row.op, app.cwd))

    return find


def _operations(found: Found, specs: list[str]) -> tuple[OpKey, ...]:
    from projections.schema import OpKey

    project = None if found.package else found.project
    near = tuple(
        OpKey(project, found.package, model.name, operation.name)
        for model in found.models
        for operation in model.operations
        if _fits(model.name, operation.name, specs)
    )
    return (*near, *(OpKey(None, *parts) for parts in map(_packaged, specs) if parts))


def _packaged(spec: str) -> tuple[str, str, str] | None:
    """Return the parts of `PACKAGE/MODEL:OPERATION`, None of anything else."""
    package, slash, name = spec.partition("/")
    model, colon, operation = name.rpartition(":")
    return (package, model, operation) if slash and colon else None


def _earlier_steps(app: App, keys: tuple[OpKey, ...]) -> list[RunRow]:
    """Return the completed runs of these operations among the earlier steps, the latest first."""
    from ledger.ids import RunId, is_run_id
    from projections.query import runs_by_id

    ids = [RunId(text) for text in reversed(os.environ.get("GUILD_STEPS", "").split()) if is_run_id(text)]
    rows = runs_by_id(app.index, ids)
    return [
        rows[run_id]
        for run_id in ids
        if run_id in rows and rows[run_id].op in keys and rows[run_id].status == "completed"
    ]


def _latest(app: App, keys: tuple[OpKey, ...]) -> RunRow | None:
    from projections.query import Query, RunFilter

    for row in _earlier_steps(app, keys):
        return row
    return next(iter(Query(app.index, RunFilter(statuses=("completed",), keys=keys)).rows(limit=1)), None)


def _best(app: App, keys: tuple[OpKey, ...], spec: str, scalar: str, *, least: bool) -> RunRow | None:
    """Return the completed run with the least or greatest last value of a scalar; None when there is no run at all.

    Raises:
        GuildError: there are completed runs, but none of them has the scalar.
    """
    from projections.best import best, no_such_scalar
    from projections.query import Query, RunFilter

    steps = [row.run_id for row in _earlier_steps(app, keys)]
    all_of_them = RunFilter(statuses=("completed",), keys=keys)
    if steps:
        among = RunFilter(statuses=("completed",), keys=keys, expression=f"id in [{', '.join(steps)}]")
        row = best(Query(app.index, among), scalar, least=least)
        if row is not None:
            return row
    query = Query(app.index, all_of_them)
    row = best(query, scalar, least=least)
    if row is None and query.most():
        raise GuildError(
            f"a run of '{spec}' cannot be chosen by {scalar}: {no_such_scalar(query, scalar)}",
            hint="`guild runs info RUN` shows what a run reported. Or name the run: NAME=RUN_ID on the command line.",
        )
    return row


def _fits(model: str, operation: str, specs: list[str]) -> bool:
    return any(spec in (operation, f"{model}:{operation}") for spec in specs)
