"""`guild models`: the models whose operations can be run here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.listing_operations import (
    LONGEST_LINE,
    Item,
    catalog_options,
    details_lines,
    models_in_scope,
    opened,
    show,
    tell_warnings,
)
from ledger.text import printable

if TYPE_CHECKING:
    from operations.definitions import ModelDef


@click.command("models")
@catalog_options
@click.pass_obj
def models(
    app: App, filters: tuple[str, ...], *, everywhere: bool, installed: bool, verbose: bool, as_json: bool
) -> None:
    """List models: those of the model file here, or of installed packages.

    In a directory with a model file only its models are listed; --all adds those of packages. With FILTER, only
    what holds it in name or description (each of several).

    \b
    Examples:
      guild models         models of this directory
      guild models -a cnn  also those of packages, with cnn in name or description
    """
    from operations.names import full_name

    catalog = opened(app)
    found = models_in_scope(app, catalog, everywhere=everywhere, installed=installed)
    if verbose:
        tell_warnings(catalog)
    items = []
    for model in found:
        if model.name:  # operations without a model are not one
            source = model.project if model.package else catalog.path or ""
            name = full_name(model)
            items.append(
                Item(name, model.description, partial(_details, model, source), partial(_data, model, name, source))
            )
    show(items, filters, verbose=verbose, as_json=as_json)


def _details(model: ModelDef, source: str) -> Iterator[str]:
    yield f"  source: {printable(source, LONGEST_LINE)}".rstrip()
    names = ", ".join(printable(operation.name) for operation in model.operations)
    yield f"  operations: {names or '-'}"
    yield from details_lines(model.description)


def _data(model: ModelDef, name: str, source: str) -> dict[str, object]:
    return {
        "name": name,
        "package": model.package,
        "model": model.name,
        "description": model.description,
        "source": source,
        "operations": [operation.name for operation in model.operations],
        "references": list(model.references),
    }
