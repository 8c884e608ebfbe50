"""`guild uninstall`: pip removes packages from the environment that runs are made with."""

from __future__ import annotations

import click

from commands.app import App
from commands.pip_calls import call_pip, no_options


@click.command("uninstall")
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Go on without asking.")
@click.pass_obj
def uninstall(app: App, packages: tuple[str, ...], *, yes: bool) -> int:
    """Uninstall packages with pip, from the environment that is active.

    Runs of a package stay as they are, and are listed under its name. The exit code is that of pip.

    \b
    Examples:
      guild uninstall iris
    """
    no_options(packages, "the name of a package")
    return call_pip(app, ["uninstall", *(["--yes"] if yes else []), *packages])
