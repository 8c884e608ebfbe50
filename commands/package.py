"""`guild package`: build a wheel from a project whose model file has a `package` item."""

from __future__ import annotations

import os

import click

from commands.app import App, working_directory
from commands.catalogs import catalog_of
from commands.terminal import note, say, warn
from guild_ledger import __version__
from ledger.errors import GuildError


@click.command("package")
@click.option("-d", "--dist-dir", metavar="DIR", help="Where the wheel goes (default: dist in the project).")
@click.option("--force", is_flag=True, help="Replace another wheel of the same version.")
@click.pass_obj
def package(app: App, *, dist_dir: str | None, force: bool) -> None:
    """Build a package (a wheel) from the project in the current directory, and print its path.

    The model file needs an item `package: NAME` with a `version`. The package holds the model file, the project's
    source code (what a run's snapshot holds) and what `data-files` names. Nothing is downloaded.

    \b
    Examples:
      guild package
      guild install dist/iris_models-1.0-py3-none-any.whl
      guild run iris-models/iris-cnn:train
    """
    from operations.package_build import build_package

    catalog = catalog_of(app)
    file = catalog.model_file
    if file is None:
        hint = catalog.way_up() or "Change to a directory with a model file, or use -C PATH."
        raise GuildError(f"there is no model file in {app.cwd!r}", hint=hint)
    for text in file.warnings:
        warn(text)
    out_dir = os.path.abspath(os.path.join(app.cwd, dist_dir or "dist"))
    built = build_package(
        file, out_dir, env=os.environ, home=app.home, program=f"guild-ledger {__version__}", force=force, warn=warn
    )
    say(_shown(built.path))
    if not built.is_new:
        note("The same wheel was there before.")


def _shown(path: str) -> str:
    """Return a path as it can be typed here: relative when it is below the working directory."""
    here = working_directory()
    relative = os.path.relpath(path, here) if here else path
    return path if relative.startswith("..") else relative
