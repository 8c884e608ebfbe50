"""Flags of a script that takes its arguments with `argparse`, read from its syntax tree."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from operations.argparse_parsers import Parsers
from operations.definitions import ChoiceDef, FlagDef
from operations.option_flags import Call, description, listed_default, spelled_boolean, switch, type_of
from operations.script_constants import dotted, top_level_constants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.definitions import FlagValue

_SILENT_ACTIONS = ("help", "version")
_SWITCHES = ("store_true", "store_false", "store_const")
_UNSUITABLE_ACTIONS = ("append_const", "count")
_SEVERAL = ("+", "*", "...", "A...")


def argparse_flags(tree: ast.Module) -> tuple[tuple[FlagDef, ...], tuple[str, ...]] | None:
    """Return the flags and notes of the parser that a script lets parse; None when it lets none.

    A switch, whatever it stores, is a flag that is false by default and passes `--NAME` when true. Arguments
    of subcommands, positional arguments and options without a long name are no flags.
    """
    parsers = Parsers(tree)
    if not parsers.any_parsed():
        return None
    constants = top_level_constants(tree)
    flags: dict[str, FlagDef] = {}
    notes: list[str] = []
    defaults = {name: constants.get(node) for name, node in parsers.set_defaults()}
    for node in parsers.arguments():
        found = _flag(Call(node, constants), defaults)
        if isinstance(found, FlagDef):
            flags.setdefault(found.name, found)
        elif found:
            notes.append(found)
    return tuple(flags.values()), tuple(dict.fromkeys(notes))


def _flag(call: Call, defaults: Mapping[str, FlagValue]) -> FlagDef | str | None:
    """Return a flag, or why there is none, or None for what is of no interest."""
    long = call.long_names()
    action = call.text("action") or dotted(call.keywords.get("action")).rpartition(".")[2]
    if action in _SILENT_ACTIONS or not call.names or call.names == ["--help"]:
        return None
    if not long:
        kind = "option" if call.names[0].startswith("-") else "positional argument"
        return f"{kind} '{call.names[0]}' cannot be a flag: only options with a long name (--NAME) can"
    name = long[0]
    if action in _UNSUITABLE_ACTIONS:
        return f"option '--{name}' cannot be a flag because it counts how often it is given"
    known = "default" in call.keywords
    default = call.get("default")
    dest = call.text("dest") or name.replace("-", "_")
    if dest in defaults:
        known, default = True, defaults[dest]
    text = description(call.text("help"), default, known=known and (default is not None or _is_none(call)))
    required = call.get("required") is True
    if action in _SWITCHES:
        return switch(name, False, text)
    if action == "BooleanOptionalAction":
        return switch(name, default, text, f"no-{name}", required=required)
    return _valued(call, name, default, text, required=required)


def _valued(call: Call, name: str, default: FlagValue, text: str, *, required: bool) -> FlagDef:
    nargs = call.get("nargs")
    several = nargs in _SEVERAL or (type(nargs) is int and nargs > 1)
    choices = tuple(ChoiceDef(value) for value in call.constants.items(call.keywords.get("choices")))
    kind = _type(call, default)
    if kind == "boolean" and not choices and dotted(call.keywords.get("type")) != "bool":
        choices = spelled_boolean("True", "False", name)
    return FlagDef(
        name,
        listed_default(default, several=several),
        text,
        required=required,
        type=None if several else kind,
        choices=() if several else choices,
        arg_split=" " if several else None,
    )


def _type(call: Call, default: FlagValue) -> str | None:
    """Return the type; without one `argparse` hands over text, unless the default shows that more is meant."""
    node = call.keywords.get("type")
    if node is not None:
        kind = type_of(node)
        return "boolean" if kind is None and isinstance(default, bool) else kind
    return "string" if default is None or isinstance(default, str) else None


def _is_none(call: Call) -> bool:
    node = call.keywords.get("default")
    return isinstance(node, ast.Constant) and node.value is None
