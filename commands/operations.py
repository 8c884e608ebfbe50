"""`guild operations`: what can be run here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.listing_operations import (
    LONGEST_LINE,
    LONGEST_NAME,
    Item,
    catalog_options,
    details_lines,
    models_in_scope,
    opened,
    show,
    tell_warnings,
)
from commands.terminal import warn
from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    from operations.catalog import Catalog
    from operations.definitions import FlagDef, ModelDef, OperationDef


@click.command("operations")
@catalog_options
@click.pass_context
def operations(
    ctx: click.Context, filters: tuple[str, ...], *, everywhere: bool, installed: bool, verbose: bool, as_json: bool
) -> None:
    """List what can be run: operations of the model file here, scripts, operations of installed packages.

    In a directory with a model file only its operations are listed; --all adds those of packages. A directory
    without one lists its Python scripts. With FILTER, only what holds it in name or description (each of several).

    \b
    Examples:
      guild operations          what can be run here
      guild ops cnn train       what has both words in its name or description
      guild ops -v iris-cnn     with flags and their defaults
    """
    app: App = ctx.obj
    catalog = opened(app)
    models = models_in_scope(app, catalog, everywhere=everywhere, installed=installed)
    items = [_item(catalog, model, operation) for model in models for operation in model.operations]
    if catalog.path is None and not installed:
        items += _scripts(app.cwd)
    _warn_of_hidden_aliases(ctx, models)
    if verbose:
        tell_warnings(catalog)
    show(items, filters, verbose=verbose, as_json=as_json)


def _scripts(directory: str) -> list[Item]:
    from operations.script_list import listed_scripts

    return [
        Item(
            operation.name,
            operation.description,
            partial(_details, operation, operation),
            partial(_data, operation.name, model, operation, directory),
        )
        for model, operation in listed_scripts(directory)
    ]


def _item(catalog: Catalog, model: ModelDef, operation: OperationDef) -> Item:
    from operations.names import full_name

    def details() -> Iterator[str]:
        return _details(operation, _with_flags(catalog, model, operation))

    def data() -> dict[str, object]:
        project = model.project or catalog.directory
        return _data(full_name(model, operation), model, _with_flags(catalog, model, operation), project)

    return Item(full_name(model, operation), operation.description, details, data)


def _with_flags(catalog: Catalog, model: ModelDef, operation: OperationDef) -> OperationDef:
    """Return the operation with the flags of its script; without them when the script cannot be read."""
    try:
        return catalog.of_run(model.package, model.name, operation.name).operation
    except GuildError as error:
        warn(error.message)
        return operation


def _details(written: OperationDef, operation: OperationDef) -> Iterator[str]:
    kind, command = _command(written)
    yield f"  {kind}: {printable(command, LONGEST_LINE)}".rstrip()
    yield "  flags:" if operation.flags else "  flags: -"
    for flag in sorted(operation.flags, key=lambda flag: flag.name):
        yield f"    {printable(flag.name, LONGEST_NAME)}: {_flag_text(flag)}".rstrip()
    if written.alias:
        yield f"  alias: guild {printable(written.alias)}"
    yield from details_lines(written.description)


def _command(operation: OperationDef) -> tuple[str, str]:
    """Return what an operation runs, as its model file says it, and under which key."""
    for kind, text in (("cmd", operation.cmd), ("main", operation.main), ("exec", operation.exec)):
        if text:
            return kind, text
    return "steps", ", ".join(step.run for step in operation.steps)


def _flag_text(flag: FlagDef) -> str:
    from operations.help_text import flag_text

    return flag_text(flag)


def _data(name: str, model: ModelDef, operation: OperationDef, project: str) -> dict[str, object]:
    kind, command = _command(operation)
    return {
        "name": name,
        "package": model.package,
        "project": project,
        "model": model.name,
        "operation": operation.name,
        "description": operation.description,
        "kind": kind,
        "command": command,
        "default": operation.default,
        "alias": operation.alias,
        "flags": [_flag_data(flag) for flag in operation.flags],
    }


def _flag_data(flag: FlagDef) -> dict[str, object]:
    return {
        "name": flag.name,
        "description": flag.description,
        "default": flag.default,
        "required": flag.required,
        "type": flag.type,
        "min": flag.minimum,
        "max": flag.maximum,
        "choices": [{"value": choice.value, "description": choice.description} for choice in flag.choices],
    }


def _warn_of_hidden_aliases(ctx: click.Context, models: list[ModelDef]) -> None:
    """Tell which aliases can never be reached because a command of guild has that name."""
    from commands.aliases import is_built_in

    for model in models:
        for operation in model.operations:
            if operation.alias and not model.package and is_built_in(ctx, operation.alias):
                name = printable(operation.alias)
                warn(f"the alias '{name}' of operation '{printable(operation.name)}' is the name of a guild command")
