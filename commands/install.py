"""`guild install`: pip installs packages into the environment that runs are made with."""

from __future__ import annotations

import click

from commands.app import App
from commands.pip_calls import call_pip, no_options
from ledger.errors import UsageError


@click.command("install")
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1)
@click.option("-U", "--upgrade", is_flag=True, help="Install the newest version of packages that are there already.")
@click.option("--pre", is_flag=True, help="Accept pre-releases.")
@click.option(
    "-e",
    "--editable",
    metavar="PATH",
    multiple=True,
    help="Install the Python project in PATH.",
)
@click.option("--index-url", metavar="URL", help="The index to install from, instead of pip's.")
@click.option("--no-deps", is_flag=True, help="Do not install what the packages require.")
@click.pass_obj
def install(
    app: App,
    packages: tuple[str, ...],
    *,
    upgrade: bool,
    pre: bool,
    editable: tuple[str, ...],
    index_url: str | None,
    no_deps: bool,
) -> int:
    """Install packages with pip, into the environment that is active.

    PACKAGE is whatever pip takes: a name, NAME==VERSION, the path of a wheel or of a Python project, a URL.
    The exit code is that of pip.

    \b
    Examples:
      guild install dist/iris_models-1.0-py3-none-any.whl
      guild install -U iris-models
    """
    if not packages and not editable:
        raise UsageError("missing argument for PACKAGE", hint="For example: guild install iris-models")
    no_options([*packages, *editable], "a package")
    arguments = ["install"]
    arguments += [option for option, given in (("--upgrade", upgrade), ("--pre", pre), ("--no-deps", no_deps)) if given]
    if index_url is not None:
        arguments.append(f"--index-url={index_url}")
    for path in editable:
        arguments += ["--editable", path]
    return call_pip(app, [*arguments, *packages])
