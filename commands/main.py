"""The entry of `guild`: global options, and the one place where errors become messages and exit codes.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 an integrity check found something, 130 interrupted;
`guild run` returns its process's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from commands.app import App, make_app
from commands.lazy import LazyGroup, completer
from commands.terminal import drop_output, tell_error
from guild_ledger import __version__
from ledger.errors import GuildError
from ledger.text import printable

_LONGEST_MESSAGE = 1_000
FLAGS = "[FLAG=VALUE]..."
"""How the arguments that are flags of an operation are called in usages."""
_EPILOG = """\b
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 an integrity check found something,
130 interrupted; `guild run` returns its process's own."""

_COMMANDS = {
    "cat": "commands.cat:cat",
    "check": "commands.check:check",
    "comment": "commands.comment:comment",
    "compare": "commands.compare:compare",
    "completion": "commands.completion:completion",
    "diff": "commands.diff:diff",
    "help": "commands.help:show_help",
    "history": "commands.history:history",
    "init": "commands.init:init",
    "install": "commands.install:install",
    "label": "commands.runs_label:label",
    "ledger": "commands.ledger:ledger",
    "log": "commands.log:log",
    "ls": "commands.ls:list_files",
    "mark": "commands.mark:mark",
    "models": "commands.models:models",
    "open": "commands.open_run:open_run",
    "operations": "commands.operations:operations",
    "package": "commands.package:package",
    "packages": "commands.packages:packages",
    "protect": "commands.protect:protect",
    "redo": "commands.undo:redo",
    "run": "commands.run:run",
    "runs": "commands.runs:runs",
    "search": "commands.search:search",
    "select": "commands.select:select_run",
    "stop": "commands.stop:stop",
    "tag": "commands.tag:tag",
    "tensorboard": "commands.tensorboard:tensorboard",
    "train": "commands.aliases:train",
    "undo": "commands.undo:undo",
    "uninstall": "commands.uninstall:uninstall",
    "unprotect": "commands.protect:unprotect",
    "view": "commands.view:view",
    "watch": "commands.watch:watch",
}
_ALIASES = {"ops": "operations", "tb": "tensorboard"}
_DIRECTORIES = completer("commands.completing:directories")


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    # Not click's own option: that one looks for translations of its help text at every start.
    if value and not ctx.resilient_parsing:
        click.echo(f"guild-ledger {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    aliases=_ALIASES,
    declared="commands.aliases:declared_commands",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["--help"], "max_content_width": 100},
)
@click.option("-C", "directory", metavar="PATH", shell_complete=_DIRECTORIES, help="Act as if started in PATH.")
@click.option(
    "-H",
    "home",
    metavar="PATH",
    shell_complete=_DIRECTORIES,
    help="Use PATH as the guild home (default: $GUILD_HOME, .guild or ~/.guild).",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def guild(ctx: click.Context, directory: str | None, home: str | None) -> None:
    """Start, list, select, label, delete, restore and purge machine-learning runs; never forget what was done.

    \b
    Examples:
      guild run train lr=0.1   start a run
      guild runs               list runs
      guild runs info          show what is known of the latest
      guild help               explain the models of this directory
    """
    app = make_app(directory, home)
    ctx.obj = app
    ctx.call_on_close(app.close)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; no traceback reaches a user unless GUILD_DEBUG is set."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            # Names may hold bytes that are no text; showing them escaped beats dying in the middle of a list.
            stream.reconfigure(errors="backslashreplace")
    if os.environ.get("_GUILD_COMPLETE", "").endswith("_complete"):
        from commands.shells import complete

        sys.exit(complete(guild))
    sys.exit(_flushed(_guarded(argv)))


def _open_missing_streams() -> None:
    """Put the null device where a standard stream is closed, or the next file opened (a lease) would become stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _flushed(code: int) -> int:
    """Write out what is still waiting for stdout; what cannot be written must not look complete."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()  # the reader has left (`guild runs | head`): go quietly, as other filters do
    except OSError as error:
        drop_output()
        click.echo(f"guild: the output could not be written: {error.strerror}", err=True)
        return code or 1
    return code


def _guarded(argv: Sequence[str] | None) -> int:
    try:
        result = guild.main(args=argv, prog_name="guild", standalone_mode=False)
    except GuildError as error:
        tell_error(error)
        return error.exit_code
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("guild: interrupted", err=True)
        return 130
    except Exception as error:  # noqa: BLE001 - the last line of defence: a message instead of a traceback
        return 0 if _is_about_output(error) else _unexpected(error)
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> int:
    """Print a usage error in guild's words."""
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        guess = f" (did you mean {error.possibilities[0]}?)" if error.possibilities else ""  # the nearest one
        message = f"unrecognized option '{error.option_name}'{guess}"
        if error.ctx is not None and any(param.metavar == FLAGS for param in error.ctx.command.params):
            message += "; a flag of the operation is given as NAME=VALUE"
        elif error.option_name == "--archive":
            message = (
                "--archive is for commands that only show runs: runs, runs info, select, tag --list, comment --list,"
            )
            message += " ls and cat; `guild runs import FILE` takes its runs into this home"
        elif error.option_name == "--at":
            message = "--at is for commands that show what was recorded: runs, runs info, select, tag --list, and diff"
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        message = f"missing argument for {error.param.make_metavar(error.ctx or click.Context(guild))}"
    elif message.startswith("Got unexpected extra argument"):
        message = "unexpected extra argument" + message.removeprefix("Got unexpected extra argument")
    click.echo(f"guild: {printable(message, _LONGEST_MESSAGE)}", err=True)
    ctx = getattr(error, "ctx", None)
    click.echo(f"Try '{ctx.command_path if ctx else 'guild'} --help' for more information.", err=True)
    return error.exit_code


def _is_about_output(error: Exception) -> bool:
    """Tell whether it is stdout that failed: what could not be written still waits there, and fails again."""
    if sys.stdout is None:
        return False  # closed from the start: nothing can wait there
    try:
        sys.stdout.flush()
    except OSError as again:
        return isinstance(error, OSError) and error.errno == again.errno
    return False


def _unexpected(error: Exception) -> int:
    if os.environ.get("GUILD_DEBUG"):
        raise error
    what = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    click.echo(f"guild: something went wrong that was not foreseen: {what}", err=True)
    click.echo("What was recorded stays recorded. Set GUILD_DEBUG=1 and repeat to see where it happened.", err=True)
    return 1


__all__ = ["App", "guild", "main"]
