"""Flags that are variables of a script: constants assigned at its top level, or in one mapping, class or namespace."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from operations.config_files import flag_type
from operations.definitions import FlagDef
from operations.script_constants import Constants, UnknownError, assignments, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.definitions import FlagValue


def global_flags(tree: ast.Module) -> tuple[FlagDef, ...]:
    """Return a flag for each public name that gets a constant at the top level; the last one is its default.

    Constants are numbers, text, truth values, None and lists of those; what is computed from other names is
    left to the script.
    """
    return _flags(_constants(tree.body))


def holder_flags(tree: ast.Module, name: str) -> tuple[FlagDef, ...]:
    """Return the flags in what the top level assigns to `name`; empty when that is nothing that holds constants.

    That may be a mapping as written, `dict(...)`, `SimpleNamespace(...)` or the like, a class, or an instance of
    a class of the script; entries of nested mappings have dotted names.
    """
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name in classes:
        return _flags(_constants(classes[name].body))
    found: dict[str, FlagValue] = {}
    for node in tree.body:
        for assigned, value in assignments(node):
            if assigned == name and value is not None:
                found = dict(_held(value, classes))
    return _flags(found)


def _constants(body: list[ast.stmt]) -> dict[str, FlagValue]:
    found: dict[str, FlagValue] = {}
    for node in body:
        for name, value in assignments(node):
            if name.startswith("_"):
                continue
            try:
                constant = Constants().value(value) if not isinstance(value, ast.Call) else _unknown()
            except UnknownError:
                continue
            if _is_flag_value(constant):
                found[name] = constant
    return found


def _held(node: ast.expr, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, FlagValue]]:
    if isinstance(node, ast.Dict):
        yield from _entries(node, "")
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in classes:
            yield from _constants(classes[node.func.id].body).items()
        if dotted(node.func):
            for keyword in node.keywords:
                yield from _entry(keyword.arg, keyword.value)


def _entries(node: ast.Dict, prefix: str) -> Iterator[tuple[str, FlagValue]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            if isinstance(value, ast.Dict):
                yield from _entries(value, f"{prefix}{key.value}.")
            else:
                yield from _entry(prefix + key.value, value)


def _entry(name: str | None, node: ast.expr) -> Iterator[tuple[str, FlagValue]]:
    if name:
        try:
            value = Constants().value(node)
        except UnknownError:
            return
        if _is_flag_value(value):
            yield name, value


def _is_flag_value(value: FlagValue) -> bool:
    if isinstance(value, list):
        return all(_is_flag_value(item) for item in value)
    return not isinstance(value, dict)


def _flags(values: dict[str, FlagValue]) -> tuple[FlagDef, ...]:
    return tuple(FlagDef(name, default=value, type=flag_type(value)) for name, value in values.items())


def _unknown() -> FlagValue:
    raise UnknownError
