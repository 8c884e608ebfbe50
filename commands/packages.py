"""`guild packages`: installed distributions that carry models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.options import json_option
from commands.pip_calls import interpreter_of_runs
from commands.terminal import note, page, say, warn
from ledger.text import printable

if TYPE_CHECKING:
    from operations.definitions import ModelDef
    from operations.packages import Installed


@click.command("packages")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("-a", "--all", "everything", is_flag=True, help="All installed packages, not only those with models.")
@json_option
@click.pass_obj
def packages(app: App, filters: tuple[str, ...], *, everything: bool, as_json: bool) -> None:  # noqa: ARG001 - all commands get it
    """List installed packages that carry models: name, version, summary and where they are.

    With FILTER, only packages whose name or summary contains it, or the name of one of their models; of several
    filters, any. The packages are those of the environment that is active (VIRTUAL_ENV, CONDA_PREFIX), which runs are
    made with.

    \b
    Examples:
      guild packages                 packages with models
      guild packages iris            those about iris
      guild operations --all         what they can run
    """
    from operations.packages import installed_packages, models_of

    found = installed_packages(interpreter_of_runs(), os.environ, everything=everything)
    models = models_of(found, warn)
    shown = [one for one in found if fits(one, models, filters)]
    if as_json:
        import orjson

        data = [as_data(one, models) for one in shown]
        say(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
        return
    page(rows(shown))
    if not found:
        note("No package that carries models is installed.")


def fits(one: Installed, models: Sequence[ModelDef], filters: Sequence[str]) -> bool:
    """Tell whether a package is one of those asked for."""
    texts = [one.name, one.summary, *model_names(one, models)]
    return not filters or any(wanted.lower() in text.lower() for wanted in filters for text in texts)


def rows(shown: Sequence[Installed]) -> Iterator[str]:
    """Yield the lines that show packages."""
    cells = [[printable(text, 80) for text in (one.name, one.version, one.summary)] for one in shown]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    for row, one in zip(cells, shown, strict=True):
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join([*padded, printable(one.location, 4096)])


def model_names(one: Installed, models: Sequence[ModelDef]) -> list[str]:
    """Return the names of the models that a package carries and lists, in order."""
    carried = {entry.package for entry in one.carried}
    return [f"{model.package}/{model.name}" for model in models if model.package in carried and not model.private]


def as_data(one: Installed, models: Sequence[ModelDef]) -> dict[str, object]:
    """Return a package as `--json` prints it."""
    return {
        "name": one.name,
        "version": one.version,
        "summary": one.summary,
        "location": one.location,
        "models": model_names(one, models),
    }
