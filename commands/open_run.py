"""`guild open`: a run directory, or a file in it, in the program that people use for such things."""

from __future__ import annotations

import os
import sys

import click

from artifacts.run_files import inside
from commands.app import App
from commands.options import SELECTION_HELP, Limits, limiting, run_words
from commands.program_calls import call, words_of
from commands.run_folder import deleted_option, folder_of, one_run
from commands.terminal import note, say
from ledger.errors import GuildError, UsageError
from ledger.text import printable
from projections.query import RunRow


@click.command("open", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@click.argument("path", metavar="[PATH]", default="")
@click.option("--cmd", "program", metavar="PROGRAM", help="Open it with PROGRAM (default: $GUILD_OPEN).")
@click.option("--shell", is_flag=True, help="Start $SHELL in the run directory.")
@deleted_option
@limiting
@click.pass_obj
def open_run(
    app: App, spec: str | None, path: str, limits: Limits, *, program: str | None, shell: bool, deleted: bool
) -> int:
    """Open the directory of a run, or the file PATH in it: of the latest run when no RUN is given.

    The desktop's own program for it is used unless another is given; where there is none, the path is printed.

    \b
    Examples:
      guild open 0
      guild open 0 plot.png --cmd eog
      guild open --shell
    """
    if shell and program is not None:
        raise UsageError("--shell and --cmd cannot be used together", hint="Give one of them.")
    row = one_run(app, spec, limits, deleted=deleted)
    target = inside(folder_of(app, row), path)
    app.close()  # no database stays open while another program works
    if shell:
        return _start_shell(row, target)
    words = _opener(program)
    if not words:
        note("Nothing here can open it; this is where it is:")
        say(target)
        return 0
    _start([*words, target])
    return 0


def _opener(program: str | None) -> list[str]:
    """Return the command that opens a path, empty when there is none."""
    import shutil

    wanted = os.environ.get("GUILD_OPEN", "") if program is None else program
    if program is not None or wanted:
        return words_of(wanted, "guild open 0 --cmd ls")
    if sys.platform == "darwin":
        return ["open"]
    # Without a display xdg-open would look for a browser that runs in the terminal.
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return ["xdg-open"] if has_display and shutil.which("xdg-open") else []


def _start_shell(row: RunRow, target: str) -> int:
    """Start a shell in a folder and return its exit code."""
    folder = target if os.path.isdir(target) else os.path.dirname(target)
    shell = os.environ.get("SHELL") or "/bin/sh"
    note(f"In the directory of run {row.run_id[:8]}; leave the shell to come back.")
    return call([shell], folder, {**os.environ, "PWD": folder, "RUN_ID": row.run_id})


def _start(words: list[str]) -> None:
    code = call(words, None, os.environ)
    if code:
        raise GuildError(
            f"{printable(words[0], 80)} ended with {code}", hint=f"The path is {printable(words[-1], 4_000)}"
        )
