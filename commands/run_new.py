"""Starting new runs: one, or a batch of trials; also what only shows or keeps what would be started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import click

from commands.app import App
from commands.run_one import execute
from commands.run_options import RunOptions
from commands.run_setting import setting_of
from commands.run_shown import show_only
from commands.terminal import confirm, note, say, warn
from ledger.dataclass import replace
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId, new_run_id
from operations.catalog import Found
from operations.flags import FlagError
from operations.planning import Setting, plan_run, split_overrides, with_dependencies
from operations.run_plan import RunPlan
from operations.trials import Trials, plan_trials

if TYPE_CHECKING:
    from commands.run_again import Proto
    from operations.definitions import FlagValue

_SHOWN_TRIALS = 20
_SEED_BITS = 31


def start_new(app: App, found: Found, words: Sequence[str], options: RunOptions, proto: Proto | None) -> int:
    """Start what the words ask for: a run or a batch; returns the exit code."""
    overrides, flags = split_overrides(found, words)
    setting = setting_of(app, found, options, overrides)
    trials = _trials(app, found, flags, options, proto)
    if trials.is_batch and options.run_dir is not None:
        raise UsageError("--run-dir is for one run, and these are trials", hint="Start them one by one, or without it.")
    rows = _edited(found, trials.rows, setting) if options.edit_flags else trials.rows
    plans = _plans(found, rows, setting, trials, proto)
    ids = [plan.run_id for plan in plans]
    if options.needed:
        ids, plans = _needed(app, found, plans, options)
        if not plans:
            if options.stage:
                _print_ids(ids)
            return 0
    if options.shows_only:
        return show_only(app, plans, options, found)
    # What a batch requires is looked for again by each of its trials; here it is for the sake of an early refusal.
    checked = with_dependencies(plans[0], found, setting)
    if not options.yes and not _confirmed(found, plans, options, is_batch=trials.is_batch):
        return 0
    if trials.is_batch or options.stage or options.background:
        return _start_staged(app, plans, options, ids)
    return execute(app, checked, recorded=options.run_dir is None)


def _trials(app: App, found: Found, words: Sequence[str], options: RunOptions, proto: Proto | None) -> Trials:
    seed = int.from_bytes(os.urandom(4)) >> 1 if options.random_seed is None else options.random_seed
    base = proto.flags if proto is not None else None
    trials = plan_trials(found.operation, words, cwd=app.cwd, max_trials=options.max_trials, seed=seed, base=base)
    if (trials.random or trials.total > len(trials.rows)) and options.random_seed is None:
        note(f"The trials were chosen with --random-seed {seed}")
    if not trials.is_batch and options.jobs > 1:
        note("There is only one run, so -j has nothing to do")
    return trials


def _plans(
    found: Found, rows: Sequence[Mapping[str, FlagValue]], setting: Setting, trials: Trials, proto: Proto | None
) -> list[RunPlan]:
    batch = new_run_id() if trials.is_batch else None
    plans, told = [], dict.fromkeys(found.warnings)
    for number, row in enumerate(rows, 1):
        try:
            plan, warnings = plan_run(found, row, setting, new_run_id())
        except FlagError as error:
            if not trials.is_batch:
                raise
            raise FlagError(f"trial {number} of {len(rows)}: {error.message}", hint=error.hint) from error
        told |= dict.fromkeys(warnings)
        plans.append(replace(plan, batch=batch, proto=proto.run_id if proto is not None else None))
    for text in told:
        warn(text)
    if not plans:
        raise GuildError("there is no trial to run", hint="Is the file of trials empty?")
    return plans


def _edited(
    found: Found, rows: Sequence[Mapping[str, FlagValue]], setting: Setting
) -> tuple[Mapping[str, FlagValue], ...]:
    if len(rows) > 1:
        raise GuildError(
            "the flags of a batch cannot be edited", hint="Use --save-trials, edit the file, and run @FILE."
        )
    from commands.editing import edited_flags

    plan, _ = plan_run(replace_required(found), rows[0], setting, new_run_id())
    return (edited_flags(found, plan.flags),)


def replace_required(found: Found) -> Found:
    """Return the operation with no flag required: what is missing is about to be filled in."""
    flags = tuple(replace(flag, required=False) for flag in found.operation.flags)
    return replace(found, operation=replace(found.operation, flags=flags))


def _needed(app: App, found: Found, plans: list[RunPlan], options: RunOptions) -> tuple[list[RunId], list[RunPlan]]:
    """Return the runs that give what is asked for, in its order, and the plans of those that are not there yet."""
    from commands.run_needed import equal_runs

    equal = equal_runs(app, found, plans, is_step=options.stage and "RUN_ID" in os.environ)
    for plan in plans:
        if plan.run_id in equal:
            note(f"Not needed: run {equal[plan.run_id][:8]} has the same operation and flags")
    left = [plan for plan in plans if plan.run_id not in equal]
    return [equal.get(plan.run_id, plan.run_id) for plan in plans], left


def _print_ids(run_ids: Sequence[RunId]) -> None:
    for run_id in run_ids:
        say(run_id)


def _confirmed(found: Found, plans: Sequence[RunPlan], options: RunOptions, *, is_batch: bool) -> bool:
    from operations.help_text import preview, preview_trials

    rows = [cast("Mapping[str, FlagValue]", plan.flags) for plan in plans]
    labels = {plan.label for plan in plans}
    label = labels.pop() if len(labels) == 1 else None
    if is_batch:
        text = preview_trials(found.name, rows, _SHOWN_TRIALS, label=label, tags=plans[0].tags)
    else:
        text = preview(found.name, rows[0], label=label, tags=plans[0].tags)
    click.echo(text.replace("about to run", "about to stage", 1) if options.stage else text, err=True)
    if options.run_dir is not None:
        note(f"Run directory is '{plans[0].run_dir}' (the run is not recorded)")
    return confirm("Continue?", default=True)


def _start_staged(app: App, plans: Sequence[RunPlan], options: RunOptions, ids: Sequence[RunId]) -> int:
    from commands.batch import run_batch, stage

    stage(app, plans)
    if options.stage:
        _print_ids(ids)
        if not options.quiet:
            start = f"--start {plans[0].run_id[:8]}" if len(plans) == 1 else "--start : (all that are staged)"
            note(f"Staged {len(plans)} run(s); to start: guild run {start}")
        return 0
    # They are on record from here on, where the user may change them before a trial starts.
    options = replace(options, label=None, tags=())
    if options.background:
        from commands.background import start_in_background

        return start_in_background(app, plans, options)
    return run_batch(app, [plan.run_id for plan in plans], options)
