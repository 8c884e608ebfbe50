"""Flags of a script that takes its arguments with `click`, read from its syntax tree."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from operations.definitions import ChoiceDef, FlagDef
from operations.option_flags import Call, description, listed_default, spelled_boolean, switch, type_of
from operations.script_constants import dotted, top_level_constants

if TYPE_CHECKING:
    from operations.definitions import FlagValue


def click_flags(tree: ast.Module) -> tuple[tuple[FlagDef, ...], tuple[str, ...]] | None:
    """Return the flags and notes of a script's command; None when it has none.

    With several commands (a group) the options of the group are flags, or else nothing is, because a command's
    name would have to come before its options.
    """
    modules, names = _imported(tree)
    commands = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(_is(one, modules, names, "command", "group") for one in node.decorator_list)
    ]
    if not commands:
        return None
    groups = [node for node in commands if any(_is(one, modules, names, "group") for one in node.decorator_list)]
    constants = top_level_constants(tree)
    flags: dict[str, FlagDef] = {}
    notes: list[str] = []
    for command in (groups or commands)[:1]:
        for node in command.decorator_list:
            if _is(node, modules, names, "option", "argument") and isinstance(node, ast.Call):
                found = _flag(Call(node, constants), _last(node))
                if isinstance(found, FlagDef):
                    flags.setdefault(found.name, found)
                else:
                    notes.append(found)
    return tuple(flags.values()), tuple(notes)


def _imported(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """Return the names of the module `click`, and those of what is imported from it with what each means."""
    modules: set[str] = set()
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name in ("click", "rich_click")}
        elif isinstance(node, ast.ImportFrom) and node.module in ("click", "rich_click"):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return modules, names


def _is(node: ast.expr, modules: set[str], names: dict[str, str], *wanted: str) -> bool:
    """Return whether a decorator is one of click's, such as `@click.command()`."""
    holder, _, name = dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")
    return (holder in modules and name in wanted) or (not holder and names.get(name) in wanted)


def _last(node: ast.Call) -> str:
    return dotted(node.func).rpartition(".")[2]


def _flag(call: Call, decorator: str) -> FlagDef | str:
    """Return a flag, or why there is none."""
    names = [name for name in call.names if name.startswith("-")]
    long = [name for name in names if name.startswith("--")]
    if not long:
        kind = "positional argument" if decorator == "argument" or not names else "option"
        shown = call.names[0] if call.names else "?"
        return f"{kind} '{shown}' cannot be a flag: only options with a long name (--NAME) can"
    on, _, off = long[0].partition("/")
    name, off = on.strip().removeprefix("--"), off.strip().removeprefix("--")
    default = call.get("default")
    required = call.get("required") is True
    text = description(call.text("help").replace("%", "%%"), default, known=True)
    if call.get("count") is True:
        return f"option '--{name}' cannot be a flag because it counts how often it is given"
    if off or call.get("is_flag") is True or "flag_value" in call.keywords:
        return switch(name, bool(default), text, off, required=required)
    return _valued(call, name, default, text, required=required)


def _valued(call: Call, name: str, default: FlagValue, text: str, *, required: bool) -> FlagDef:
    node = call.keywords.get("type")
    nargs = call.get("nargs")
    several = type(nargs) is int and nargs > 1
    kind = type_of(node) if node is not None else _type_of_default(default)
    least, most = _range(call, node)
    if _call_name(node) in ("IntRange", "FloatRange"):
        kind = "int" if _call_name(node) == "IntRange" else "float"
    choices: tuple[ChoiceDef, ...] = ()
    if isinstance(node, ast.Call) and _call_name(node) == "Choice":
        listed = node.args[0] if node.args else next((one.value for one in node.keywords if one.arg == "choices"), None)
        choices = tuple(ChoiceDef(value) for value in call.constants.items(listed))
    elif kind == "boolean":
        choices = spelled_boolean("true", "false", name)
    return FlagDef(
        name,
        listed_default(default, several=several),
        text,
        required=required,
        type=None if several else kind,
        choices=choices,
        minimum=least,
        maximum=most,
        arg_split=" " if several else None,
    )


def _call_name(node: ast.expr | None) -> str:
    return dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""


def _type_of_default(default: FlagValue) -> str | None:
    """Return the type that click itself takes from a default."""
    if isinstance(default, bool):
        return "boolean"
    if isinstance(default, int | float):
        return "int" if isinstance(default, int) else "float"
    return "string" if default is None or isinstance(default, str) else None


def _range(call: Call, node: ast.expr | None) -> tuple[float | None, float | None]:
    if not isinstance(node, ast.Call) or _call_name(node) not in ("IntRange", "FloatRange"):
        return None, None
    bounds = dict(zip(("min", "max"), node.args, strict=False)) | {one.arg or "": one.value for one in node.keywords}
    return _number(call.constants.get(bounds.get("min"))), _number(call.constants.get(bounds.get("max")))


def _number(value: FlagValue) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
