"""`guild run`: start an operation, show its output, return its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from artifacts.environment import active_interpreter
from commands.app import App, working_directory
from commands.terminal import confirm, note, say, warn
from ledger.errors import GuildError
from ledger.ids import new_run_id
from operations.command import build_command, format_command
from operations.definitions import FlagValue, ModelDef, ModelFile, OperationDef
from operations.flags import flow_text, parse_assignments, resolve_flags
from operations.help_text import operation_help, preview
from operations.model_file_path import find_model_file
from operations.names import full_name, resolve_operation

if TYPE_CHECKING:
    from operations.run_plan import RunPlan


@click.command("run")
@click.argument("operation", metavar="[MODEL:]OPERATION")
@click.argument("assignments", metavar="[FLAG=VALUE]...", nargs=-1)
@click.option("-y", "--yes", is_flag=True, help="Start without asking.")
@click.option("-l", "--label", metavar="TEXT", help="Label of the run.")
@click.option("--print-cmd", is_flag=True, help="Print the command of the process, and start nothing.")
@click.option("--help-op", is_flag=True, help="Show help for the operation and its flags.")
@click.option("--force-flags", is_flag=True, help="Accept flags that the operation does not define.")
@click.pass_obj
def run(
    app: App,
    operation: str,
    assignments: tuple[str, ...],
    *,
    yes: bool,
    label: str | None,
    print_cmd: bool,
    help_op: bool,
    force_flags: bool,
) -> int:
    """Start a run of an operation of the model file in the current directory.

    Any part of the name that is unique will do: train, cnn:train, iris-cnn:train.
    The exit code is that of the process; 128 + N when signal N ended it.

    \b
    Examples:
      guild run train
      guild run iris-knn:train k=5 -y
      guild run finetune --help-op
    """
    model_file = _load(app)
    model, found = resolve_operation(operation, model_file.models)
    if help_op:
        say(operation_help(model, found).rstrip("\n"))
        return 0
    flags = resolve_flags(found, parse_assignments(assignments), force=force_flags)
    command = build_command(found, flags, active_interpreter(os.environ, sys.executable), model_file.project)
    for text in (*model_file.warnings, *command.warnings):
        warn(text)
    if print_cmd:
        say(format_command(command.argv))
        return 0
    if label == "":
        raise GuildError("the label is empty", hint="Leave -l out to start a run without a label.")
    if not yes and not _confirmed(model, found, flags):
        return 0
    from operations.run_plan import RunPlan

    plan = RunPlan(
        run_id=new_run_id(),
        project=model_file.project,
        model=model.name,
        operation=found.name,
        command=command.argv,
        flags=flags,
        flag_texts={name: _flag_text(value) for name, value in flags.items() if value is not None},
        label=label,
        cmd_dir=working_directory() or app.cwd,
        environment=dict(os.environ),
    )
    return _start(app, plan)


def _flag_text(value: FlagValue) -> str:
    return value if isinstance(value, str) else flow_text(value)


def _load(app: App) -> ModelFile:
    path = find_model_file(app.cwd)
    if path is None:
        raise GuildError(
            "there is no model file in this directory",
            hint="A model file is named MODELS, MODEL or guild.yml. Change to a project, or name one with -C.",
        )
    from operations.model_file import load_model_file

    return load_model_file(path)


def _confirmed(model: ModelDef, operation: OperationDef, flags: Mapping[str, FlagValue]) -> bool:
    click.echo(preview(full_name(model, operation), flags), err=True)
    return confirm("Continue?", default=True)


def _start(app: App, plan: RunPlan) -> int:
    """Carry the plan out, say what became of it when it did not end well by itself, and return its exit code."""
    from operations.runner import run as run_plan
    from operations.supervise import exit_code

    app.home.ensure()
    header = app.header()
    app.close()
    if not os.environ.get("GUILD_LEDGER") and not os.path.exists(app.home.ledger_path):
        # Before the run has its lease: a home with traces of runs and no ledger is one that lost it.
        app.open_ledger().store.close()
    ending = run_plan(plan, app.home, header, app.open_ledger)
    if ending.failure:
        raise GuildError(f"run {plan.run_id[:8]} failed: {ending.failure}", hint="It is listed with status error.")
    if ending.stopped_by:
        note(f"Run {plan.run_id[:8]} was stopped ({ending.stopped_by}).")
    if ending.output.failure:
        warn(f"the output of run {plan.run_id[:8]} was not captured to its end: {ending.output.failure}")
    return exit_code(ending)
