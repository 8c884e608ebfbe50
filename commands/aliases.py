"""Commands that start an operation by an alias: `guild train`, and those that a model file declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import click

from commands.app import App
from commands.lazy import LazyGroup, completer
from commands.run import start_operation
from commands.run_options import RunOptions, run_options
from ledger.errors import GuildError, UsageError
from ledger.text import printable

if TYPE_CHECKING:
    from operations.definitions import ModelDef, OperationDef

_META = "commands.aliases"
_MODELS = "commands.completing_operations:alias_models"
_FLAGS = "commands.completing_operations:alias_flags"
_MOST_SHOWN = 20


@click.command("train")
@click.argument("model", metavar="[MODEL]", required=False, shell_complete=completer(_MODELS))
@click.argument("words", metavar="[FLAG=VALUE]...", nargs=-1, shell_complete=completer(_FLAGS))
@run_options
@click.pass_obj
def train(app: App, model: str | None, words: tuple[str, ...], *, options: RunOptions) -> int:
    """Start a run of the operation train: the same as `guild run [MODEL:]train`.

    MODEL is a model or PACKAGE/MODEL; any part of its name that is unique will do.

    \b
    Examples:
      guild train
      guild train iris-cnn
      guild train cnn epochs=5 -y
    """
    model, words = _split(model, words)
    if model is not None:
        _check_model(model)
    return start_operation(app, _spec(model, "train"), words, options)


def declared_commands(ctx: click.Context) -> Mapping[str, click.Command]:
    """Return the commands that operations of the working directory's model file are the alias of.

    While a shell completes, a model file that cannot be used declares none.

    Raises:
        GuildError: there is no such directory (`-C`).
    """
    root = ctx.find_root()
    if _META not in root.meta:
        root.meta[_META] = {
            name: _command(name, pairs)
            for name, pairs in sorted(declared_aliases(root).items())
            if not is_built_in(root, name)
        }
    return cast("Mapping[str, click.Command]", root.meta[_META])


def declared_aliases(ctx: click.Context) -> dict[str, list[tuple[ModelDef, OperationDef]]]:
    """Return the operations of the working directory's model file by their alias."""
    from operations.model_file import ModelFileError

    try:
        models = _local_models(ctx)
    except ModelFileError as error:
        if not ctx.resilient_parsing:
            from commands.terminal import warn

            warn(f"no aliases: {error.message}")
        return {}
    found: dict[str, list[tuple[ModelDef, OperationDef]]] = {}
    for model in models:
        for operation in model.operations:
            if operation.alias and not model.private:
                found.setdefault(operation.alias, []).append((model, operation))
    return found


def is_built_in(ctx: click.Context, name: str) -> bool:
    """Tell whether a word is a command of guild in any directory."""
    root = ctx.find_root().command
    return isinstance(root, LazyGroup) and root.is_built_in(name)


def _local_models(ctx: click.Context) -> Sequence[ModelDef]:
    from commands.app import make_app
    from commands.catalogs import catalog_of

    params = ctx.find_root().params
    return catalog_of(make_app(params.get("directory"), params.get("home"))).local_models


def _command(name: str, pairs: Sequence[tuple[ModelDef, OperationDef]]) -> click.Command:
    """Return the command of an alias."""

    @click.argument("model", metavar="[MODEL]", required=False, shell_complete=completer(_MODELS))
    @click.argument("words", metavar="[FLAG=VALUE]...", nargs=-1, shell_complete=completer(_FLAGS))
    @run_options
    @click.pass_obj
    def start(app: App, model: str | None, words: tuple[str, ...], *, options: RunOptions) -> int:
        model, words = _split(model, words)
        return start_operation(app, alias_spec(name, pairs, model), words, options)

    return click.command(name, help=_help(name, pairs))(start)


def _help(name: str, pairs: Sequence[tuple[ModelDef, OperationDef]]) -> str:
    from operations.names import full_name

    names = [printable(full_name(model, operation)) for model, operation in pairs]
    what = pairs[0][1].description.strip().splitlines()[:1] if len(pairs) == 1 else []
    about = f"{printable(what[0])}\n\n" if what else ""
    return f"{about}Start a run of {', '.join(names[:_MOST_SHOWN])}, which the alias {name} stands for."


def _split(model: str | None, words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the model and the flags: a first word with `=` is a flag."""
    return (None, (model, *words)) if model is not None and ("=" in model or model.startswith("@")) else (model, words)


def _check_model(model: str) -> None:
    if not model.strip() or ":" in model:
        raise UsageError(
            f"'{printable(model)}' is not the name of a model",
            hint="Give MODEL or PACKAGE/MODEL; `guild run MODEL:OPERATION` names an operation.",
        )


def _spec(model: str | None, operation: str) -> str:
    return operation if model is None else f"{model}:{operation}"


def alias_spec(name: str, pairs: Sequence[tuple[ModelDef, OperationDef]], model: str | None) -> str:
    """Return the operation that an alias means, as `guild run` takes it.

    Args:
        name: of the alias.
        pairs: the operations that declare it.
        model: the model that was given with it, None for none.

    Raises:
        GuildError: several operations declare the alias and are meant.
        UsageError: the model is none.
    """
    from operations.names import full_name

    operations = dict.fromkeys(operation.name for _, operation in pairs)
    if model is None:
        if len(pairs) == 1:
            return full_name(*pairs[0])
        if len(operations) == 1:
            return next(iter(operations))
        raise _ambiguous(name, [full_name(*pair) for pair in pairs])
    _check_model(model)
    if len(operations) > 1:
        equal = [pair for pair in pairs if model in (pair[0].name, full_name(pair[0]))]
        pairs = equal or [pair for pair in pairs if model in pair[0].name]
        operations = dict.fromkeys(operation.name for _, operation in pairs) or operations
    if len(operations) > 1:
        raise _ambiguous(name, [full_name(*pair) for pair in pairs])
    return _spec(model, next(iter(operations)))


def _ambiguous(name: str, names: Sequence[str]) -> GuildError:
    listed = "\n".join(f"  guild run {printable(one)}" for one in sorted(names)[:_MOST_SHOWN])
    return GuildError(
        f"several operations have the alias '{printable(name)}'", hint=f"Try one of the following:\n{listed}"
    )
