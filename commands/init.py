"""`guild init`: a home of its own for a project, so that its runs lie beside it."""

from __future__ import annotations

import os

import click

from artifacts.home import Home, why_no_home
from commands.app import App
from commands.lazy import completer
from commands.terminal import note, say
from ledger.errors import GuildError, UsageError
from ledger.text import printable


@click.command("init")
@click.argument("directory", required=False, shell_complete=completer("commands.completing:directories"))
@click.pass_context
def init(ctx: click.Context, directory: str | None) -> None:
    """Make a home for runs here: a folder `.guild` in DIRECTORY, or the working directory.

    Commands in that directory and below it then keep their runs there, unless -H or GUILD_HOME says otherwise.
    Where there is one already nothing is changed. With -H PATH the home is made at PATH.

    \b
    Examples:
      guild init
      guild init ~/projects/iris
    """
    app: App = ctx.obj
    chosen = None if ctx.parent is None else ctx.parent.params.get("home")
    if chosen is not None and directory is not None:
        raise UsageError("-H and DIRECTORY both say where", hint="Leave one of them out.")
    if chosen is not None:
        _make(app.home, below=None)
        return
    below = os.path.realpath(os.path.join(app.cwd, app.cwd if directory is None else os.path.expanduser(directory)))
    if directory == "" or not os.path.isdir(below):
        raise UsageError(
            f"there is no directory '{printable(directory or '')}'", hint="Make it first, or leave it out."
        )
    _make(Home(os.path.join(below, ".guild")), below=below)
    other = os.environ.get("GUILD_HOME")
    if other:
        note(f"GUILD_HOME is set, and goes before it: {printable(other)}")


def _make(home: Home, below: str | None) -> None:
    """Make what is missing of a home, and say whether there was one.

    Args:
        home: the home.
        below: the directory that it is for; None when it was chosen by its own path.

    Raises:
        GuildError: it cannot be made, or would never be found.
    """
    reason = None if below is None else why_no_home(home.root)
    if reason is not None:
        raise GuildError(
            f"a home in {below!r} would not be used: {reason}",
            hint="Make it in another directory, or choose it with -H.",
        )
    was_there = all(os.path.isdir(folder) for folder in home.folders())
    home.ensure()
    if below is not None:
        _keep_out_of_git(home.root)
    if was_there:
        say(f"There is a home for runs already: {printable(home.root, 4_000)}")
        return
    say(f"Made a home for runs: {printable(home.root, 4_000)}")
    if below is not None:
        note(f"Commands in {printable(below, 4_000)} and below it use it.")


def _keep_out_of_git(root: str) -> None:
    """Tell git to leave the home alone; a file that is there stays as it is."""
    try:
        with open(os.path.join(root, ".gitignore"), "x", encoding="ascii") as file:
            file.write("*\n")
    except OSError:
        return  # there is one, or the home is read-only: that is no reason to fail
