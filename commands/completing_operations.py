"""Operations, scripts, models and flags to offer at the Tab key; imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.aliases import alias_spec, declared_aliases
from commands.app import App
from commands.catalogs import catalog_of
from commands.completing import MOST, Items, app_of, item, texts
from commands.completing_files import entries, scripts
from commands.lazy import Completer
from ledger.errors import GuildError
from operations.catalog import Catalog
from operations.definitions import ChoiceDef, FlagDef, ModelDef, OperationDef
from operations.flags import flow_text, parse_value
from operations.names import full_name

if TYPE_CHECKING:
    import click


def run_operations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `guild run` takes first: operations, scripts, or flags of the default operation."""
    app = app_of(ctx)
    if _is_flag(incomplete):
        return flag_items(app, None, (), incomplete)
    return operation_items(app, incomplete)


def run_flags(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the flags of the operation that was named, or the values of one."""
    operation, words = ctx.params.get("operation"), texts(ctx.params.get("words"))
    if operation is not None and _is_flag(operation):
        words, operation = (operation, *words), None
    return flag_items(app_of(ctx), operation, words, incomplete)


def alias_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Offer what an alias takes first: models that have its operation, or flags of it."""
    found = [] if _is_flag(incomplete) else model_items(app_of(ctx), _alias_operations(ctx), incomplete)
    return [*found, *_quiet(alias_flags, ctx, param, incomplete)]


def alias_flags(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the flags of the operation that an alias means, or the values of one."""
    model, words, name = ctx.params.get("model"), texts(ctx.params.get("words")), str(ctx.info_name)
    if model is not None and _is_flag(model):
        words, model = (model, *words), None
    pairs = [] if name == "train" else declared_aliases(ctx.find_root()).get(name, [])
    train = "train" if model is None else f"{model}:train"
    return flag_items(app_of(ctx), alias_spec(name, pairs, model) if pairs else train, words, incomplete)


def _alias_operations(ctx: click.Context) -> set[str]:
    name = str(ctx.info_name)
    if name == "train":
        return {name}
    return {operation.name for _, operation in declared_aliases(ctx.find_root()).get(name, [])}


def _is_flag(word: str) -> bool:
    return "=" in word or word.startswith("@")


def _quiet(offer: Completer, ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Return what `offer` offers, nothing when it fails: what else can be offered still is."""
    try:
        return offer(ctx, param, incomplete)
    except GuildError:
        return []


def operation_items(app: App, incomplete: str) -> Items:
    """Return operations and scripts whose name begins with what is typed; the model may be a part of its name.

    Packages are asked only where nothing of the directory fits, as `guild run` does: it takes long.
    """
    catalog = catalog_of(app)
    found = _named(_local(catalog), incomplete)
    found += [item(path, about) for path, about in scripts(app.cwd, incomplete)]
    if not found or catalog.path is None:
        found += _named(_packaged(catalog), incomplete)
    return found


def _local(catalog: Catalog) -> list[ModelDef]:
    try:
        return [model for model in catalog.local_models if not model.private]
    except GuildError:
        return []


def _packaged(catalog: Catalog) -> list[ModelDef]:
    try:
        return [model for model in catalog.packaged_models() if not model.private]
    except GuildError:
        return []


def _named(models: list[ModelDef], incomplete: str) -> Items:
    offered: dict[str, str] = {}
    for model in models:
        for operation in model.operations:
            for name in _spellings(model, operation, models, incomplete):
                offered.setdefault(name, operation.description)
    return [item(name, about) for name, about in sorted(offered.items()) if name.startswith(incomplete)][: MOST * 4]


def _spellings(model: ModelDef, operation: OperationDef, models: list[ModelDef], incomplete: str) -> list[str]:
    """Return the ways to write an operation that mean only this one and may follow what is typed."""
    if incomplete.startswith("./") or model.package:
        return [full_name(model, operation)]
    if not model.name:
        return [operation.name]
    typed, colon, _ = incomplete.partition(":")
    short = f"{typed}:{operation.name}" if colon and typed and typed in model.name else ""
    others = [other for other in models if any(one.name == operation.name for one in other.operations)]
    alone = [operation.name] if len(others) == 1 else []
    if short and sum(typed in other.name for other in others) > 1:
        short = ""
    return [*alone, f"{model.name}:{operation.name}", *([short] if short else [])]


def model_items(app: App, operations: set[str], incomplete: str) -> Items:
    """Return the models that have one of these operations; those of packages where none of the directory fits."""
    catalog = catalog_of(app)
    return _having(_local(catalog), operations, incomplete) or _having(_packaged(catalog), operations, incomplete)


def _having(models: list[ModelDef], operations: set[str], incomplete: str) -> Items:
    found = []
    for model in models:
        if model.name and operations & {operation.name for operation in model.operations}:
            name = full_name(model) if model.package or incomplete.startswith("./") else model.name
            if name.startswith(incomplete):
                found.append(item(name, model.description.strip().partition("\n")[0]))
    return found


def flag_items(app: App, operation: str | None, words: tuple[str, ...], incomplete: str) -> Items:
    """Return `NAME=` of flags that were not given yet, or after `NAME=` the values that it is known to take."""
    if incomplete.startswith("@"):
        return [item(f"@{path}") for path in entries(app.cwd, incomplete[1:])]
    flags = catalog_of(app).find(operation).operation.flags
    name, equals, typed = incomplete.partition("=")
    if equals:
        flag = next((flag for flag in flags if flag.name == name), None)
        return [] if flag is None else _value_items(app, flag, typed)
    given = {word.partition("=")[0] for word in words}
    left = [flag for flag in flags if flag.name not in given and flag.name.startswith(incomplete)]
    return [item(f"{flag.name}=", _flag_about(flag)) for flag in sorted(left, key=lambda flag: flag.name)]


def _flag_about(flag: FlagDef) -> str:
    note = "(required)" if flag.required and flag.default is None else ""
    if flag.default is not None:
        note = f"(default is {_value_text(flag.default)})"
    return f"{flag.description} {note}".strip()


def _value_items(app: App, flag: FlagDef, typed: str) -> Items:
    offered: dict[str, str] = {}
    for choice in flag.choices:
        offered[_choice_text(choice)] = choice.description
    if not offered and (flag.type == "boolean" or isinstance(flag.default, bool)):
        offered = {"yes": "", "no": ""}
    found = [item(f"{flag.name}={value}", about) for value, about in offered.items() if value.startswith(typed)]
    if not offered and flag.type in ("path", "existing-path", "filename"):
        found = [item(f"{flag.name}={path}") for path in entries(app.cwd, typed)]
    return found


def _choice_text(choice: ChoiceDef) -> str:
    return _value_text(choice.value if choice.alias is None else choice.alias)


def _value_text(value: object) -> str:
    """Return a value as it is typed: text without quotes, wherever it is read as the same text."""
    if isinstance(value, str) and value and parse_value(value) == value:
        return value
    return flow_text(value)  # type: ignore[arg-type]  # the values of flags
