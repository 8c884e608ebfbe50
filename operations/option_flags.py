"""What the readers of `argparse` and `click` have in common: keywords of calls, texts, and flags of some kinds."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from operations.definitions import ChoiceDef, FlagDef
from operations.script_constants import Constants, dotted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.definitions import FlagValue

_TYPES = {
    "int": "int",
    "INT": "int",
    "float": "float",
    "FLOAT": "float",
    "str": "string",
    "STRING": "string",
    "bool": "boolean",
    "BOOL": "boolean",
    "Path": "path",
    "PurePath": "path",
    "FileType": "path",
    "File": "path",
    "open": "path",
}
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)[-#0 +.\d]*[a-zA-Z]|%)")
_IN_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*%\((\w+)\)[^()\[\]]*[)\]]")


class Call:
    """A call that declares an option: its positional texts and its keywords."""

    def __init__(self, node: ast.Call, constants: Constants) -> None:
        self.constants = constants
        self.names = [value for value in map(constants.get, node.args) if isinstance(value, str)]
        self.keywords: Mapping[str, ast.expr] = {one.arg: one.value for one in node.keywords if one.arg}

    def get(self, keyword: str) -> FlagValue:
        """Return the value of a keyword, None when it is not given or not known without running the script."""
        return self.constants.get(self.keywords.get(keyword))

    def text(self, keyword: str) -> str:
        """Return a keyword's text, '' without one."""
        value = self.get(keyword)
        return value if isinstance(value, str) else ""

    def long_names(self) -> list[str]:
        """Return the names of the long options, without dashes."""
        return [name[2:] for name in self.names if name.startswith("--") and name != "--"]


def type_of(node: ast.expr | None) -> str | None:
    """Return the type of a flag for what a script gives as `type`; None for one that is not known."""
    name = dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
    if name in _TYPES:
        return _TYPES[name]
    return "boolean" if "bool" in name.lower() else None


def description(text: str, default: FlagValue, *, known: bool) -> str:
    """Return a help text with `%(default)s` filled in; where that is not known, without what speaks of it."""
    values = {"default": str(default)} if known else {}
    text = _IN_BRACKETS.sub(lambda match: match[0] if match[1] in values else "", text)
    filled = _PLACEHOLDER.sub(lambda match: values.get(match[1], "") if match[1] else "%", text)
    return " ".join(filled.split())


def spelled_boolean(true: str, false: str, name: str) -> tuple[ChoiceDef, ChoiceDef]:
    """Return the choices of a flag whose option wants a truth value as text."""
    return ChoiceDef(True, args={name: true}), ChoiceDef(False, args={name: false})


def switch(name: str, default: FlagValue, text: str, off: str = "", *, required: bool = False) -> FlagDef:
    """Return the flag of an option without a value: `--NAME` for true and, if there is such an option, `--OFF`."""
    if not off:
        return FlagDef(name, default is True, text, required=required, type="boolean", arg_switch=True)
    if default is None:
        choices = (ChoiceDef(True, args={name: True}), ChoiceDef(False, args={off: True}))
        return FlagDef(name, None, text, required=required, type="boolean", choices=choices)
    if default:
        return FlagDef(name, True, text, type="boolean", arg_name=off, arg_switch=False)
    return FlagDef(name, False, text, type="boolean", arg_switch=True)


def listed_default(value: FlagValue, *, several: bool) -> FlagValue:
    """Return a default; the items of a list as one text that `arg_split` takes apart at blanks again.

    A list or mapping for an option of one argument is left to the script, because it cannot be passed.
    """
    import shlex

    if several and isinstance(value, list):
        return " ".join(shlex.quote("" if item is None else str(item)) for item in value)
    return None if isinstance(value, list | dict) else value
