"""`guild run`: start an operation, once or for many trials, show its output, return its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.lazy import completer
from commands.run_options import RunOptions, run_options
from commands.terminal import say
from ledger.errors import UsageError

if TYPE_CHECKING:
    from operations.catalog import Found

_OPERATIONS = completer("commands.completing_operations:run_operations")
_FLAGS = completer("commands.completing_operations:run_flags")


@click.command("run")
@click.argument("operation", metavar="[[MODEL:]OPERATION]", required=False, shell_complete=_OPERATIONS)
@click.argument("words", metavar="[FLAG=VALUE]...", nargs=-1, shell_complete=_FLAGS)
@run_options
@click.pass_obj
def run(app: App, operation: str | None, words: tuple[str, ...], *, options: RunOptions) -> int:
    """Start a run of an operation of the model file in the current directory, of a script, or of a package.

    Any part of the name that is unique will do: train, cnn:train, iris-cnn:train. A list for a flag (lr=[0.01,0.1]),
    a range (epochs=range[1:5]) or a file of values (@trials.csv) starts a run for each: a batch.
    The exit code is that of the process; 128 + N when signal N ended it.

    \b
    Examples:
      guild run train
      guild run iris-knn:train k=5 -y
      guild run train.py lr=[0.01,0.1] epochs=range[1:3] -j 2
      guild run finetune --help-op
    """
    return start_operation(app, operation, words, options)


def start_operation(app: App, operation: str | None, words: tuple[str, ...], options: RunOptions) -> int:
    """Do what `guild run` says; aliases such as `guild train` come here as well."""
    app.fresh = options.fresh
    if operation is not None and ("=" in operation or operation[:1] == "@") and not _is_there(app, operation):
        words, operation = (operation, *words), None
    if options.start or options.restart is not None:
        from commands.run_again import restart_run, start_staged

        _refuse_operation(operation, words, "--start" if options.start else "--restart", staged=bool(options.start))
        return start_staged(app, options) if options.start else restart_run(app, words, options)
    from commands.catalogs import catalog_of
    from commands.run_new import start_new

    if options.proto is not None:
        from commands.run_again import taken_over

        found, proto = taken_over(app, operation, options)
    else:
        found, proto = catalog_of(app).find(operation), None
    if options.help_op or options.help_model:
        say(_help(found, options))
        return 0
    return start_new(app, found, words, options, proto)


def _is_there(app: App, name: str) -> bool:
    import os

    return os.path.exists(os.path.join(app.cwd, name))


def _refuse_operation(operation: str | None, words: tuple[str, ...], option: str, *, staged: bool) -> None:
    if operation is not None:
        raise UsageError(
            f"{option} names a run, so '{operation}' is one word too many", hint="Leave the operation out."
        )
    if staged and words:
        raise UsageError("the flags of a staged run are fixed", hint="Use --proto RUN to start a run with other flags.")


def _help(found: Found, options: RunOptions) -> str:
    from operations.help_text import model_help, operation_help

    return model_help(found.model) if options.help_model else operation_help(found.model, found.operation)
