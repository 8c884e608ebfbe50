"""`guild help`: what the models of a directory or a package can do, or how a command is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.catalogs import catalog_of
from commands.lazy import completer
from commands.terminal import page, say, warn
from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    from operations.catalog import Catalog
    from operations.definitions import FlagDef, ModelDef, OperationDef

_LONGEST_PATH = 400
_TARGETS = completer("commands.completing:help_targets")


@click.command("help")
@click.argument("words", metavar="[PATH-OR-PACKAGE]", nargs=-1, shell_complete=_TARGETS)
@click.option("-n", "--no-pager", is_flag=True, help="Do not use the pager.")
@click.pass_context
def show_help(ctx: click.Context, words: tuple[str, ...], *, no_pager: bool) -> None:
    """Show help for the models of a directory (the current one by default) or of an installed package.

    The name of a guild command shows the help of that command.

    \b
    Examples:
      guild help            models, operations and flags of the model file here
      guild help ../iris    those of another directory
      guild help runs rm    how a command is used
    """
    text = _command_help(ctx, words) if len(words) > 1 else _help(ctx, words[0] if words else None)
    if text is None:
        raise GuildError(
            f"there is no command '{printable(' '.join(words))}'", hint="`guild --help` lists the commands."
        )
    lines = text.split("\n")
    if not no_pager:
        page(lines)
        return
    for line in lines:
        if not say(line):
            return


def _help(ctx: click.Context, target: str | None) -> str:
    from operations.model_file_path import find_model_file

    app: App = ctx.obj
    directory = os.path.join(app.cwd, os.path.expanduser(target or "."))
    is_here = target is None or os.path.realpath(directory) == os.path.realpath(app.cwd)
    where = "the current directory" if is_here and app.directory is None else f"'{_shown(target or app.directory)}'"
    if find_model_file(directory):
        catalog = catalog_of(app, os.path.abspath(directory))
        return _models_help(catalog, catalog.local_models, f"models defined in {where}", where)
    if target is not None:
        text = _package_help(app, target) or _command_help(ctx, (target,))
        if text:
            return text
    if os.path.isdir(directory):
        hint = "`guild --help` lists the commands, `guild help PATH` shows the models of another directory."
        above = catalog_of(app, os.path.abspath(directory)).way_up()
        raise GuildError(
            f"No help available ({where} does not contain a model file)", hint=f"{above}\n{hint}" if above else hint
        )
    raise GuildError(
        f"cannot find a model package matching '{_shown(target)}'", hint="Try 'guild models -a' for a list of models."
    )


def _shown(path: str | None) -> str:
    return printable(path or "", _LONGEST_PATH)


def _models_help(catalog: Catalog, models: Sequence[ModelDef], what: str, where: str) -> str:
    from operations.help_text import directory_help

    def flags_of(model: ModelDef, operation: OperationDef) -> Sequence[FlagDef]:
        try:
            return catalog.with_all_flags(model, operation).flags
        except GuildError as error:  # the other operations are explained all the same
            warn(f"flags of {printable(operation.name)} are missing here: {error}")
            return operation.flags

    if all(model.private for model in models):
        raise GuildError(f"No help available ({where} does not define a model)")
    return directory_help(models, f"You are viewing help for {what}.", flags_of)


def _package_help(app: App, target: str) -> str | None:
    """Return the help of the package with this name, or of the only one that has a model like it."""
    from operations.names import full_name

    catalog = catalog_of(app)
    models = [model for model in catalog.packaged_models() if not model.private and model.package]
    fitting = [model for model in models if model.package == target]
    fitting = fitting or [model for model in models if target in full_name(model)]
    packages = dict.fromkeys(model.package for model in fitting)
    if len(packages) > 1:
        names = ", ".join(printable(full_name(model)) for model in fitting)
        raise GuildError(
            f"multiple packages match '{_shown(target)}'", hint=f"Try again with one of these models: {names}"
        )
    for package in packages:
        whole = [model for model in models if model.package == package]
        return _models_help(catalog, whole, f"the '{_shown(package)}' package", f"'{_shown(package)}'")
    return None


def _command_help(ctx: click.Context, words: Sequence[str]) -> str | None:
    """Return the help of a command of guild; None when there is none of this name."""
    context = ctx.find_root()
    for word in words:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            return None
        context = click.Context(command, info_name=word, parent=context)
    return context.get_help()
