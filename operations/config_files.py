"""Read the settings of a configuration file as flags, and write the file anew with other values in place.

An operation may take its flags from such a file, and a run then gets a copy that says what the flags say. What is
not replaced keeps its meaning, down to the spelling of a YAML scalar; comments survive in TOML alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import printable
from operations.definitions import FlagDef, FlagValue
from operations.nodes import Node, NodeError, compose, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CONFIG_BYTES = 10 * 1024 * 1024
"""The largest configuration file that is read."""

_FORMATS = {
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".ini": "ini",
    ".cfg": "ini",
    ".conf": "ini",
    ".toml": "toml",
}
_LONGEST_PATH = 4096
_MAX_DEPTH = 100


class ConfigFileError(GuildError):
    """A configuration file cannot be read, or not be written with these values; the message names it."""


def read_config(path: str) -> dict[str, FlagValue]:
    """Return what a YAML, JSON, INI or TOML file says; the name decides which, a last `.in` aside.

    A section of an INI file is a mapping, and its values are what YAML makes of their text. Dates are text.

    Raises:
        ConfigFileError: the file cannot be read, is above `MAX_CONFIG_BYTES`, is not what its name says, or its
            top level is no mapping.
    """
    kind = _kind(path)
    text = _text(path)
    if kind == "yaml":
        return _mapping(path, _yaml_value(_yaml_root(path, text)))
    if kind == "json":
        return _mapping(path, _json(path, text))
    if kind == "ini":
        return _ini_values(path, text)
    return _toml(path, text)


def config_flags(path: str) -> tuple[FlagDef, ...]:
    """Return a flag for each value of a configuration file; those of nested mappings have dotted names.

    Raises:
        ConfigFileError: as for `read_config`.
    """
    return tuple(FlagDef(name, default=value, type=flag_type(value)) for name, value in _leaves(read_config(path), ""))


def flag_type(value: FlagValue) -> str | None:
    """Return the type of a flag whose default is `value`; None when it may be anything."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def written_config(path: str, values: Mapping[str, FlagValue]) -> bytes:
    """Return the content of the file at `path` with values put in place by dotted name; the file stays as it is.

    Names that the file does not know are added, with the mappings or sections they need.

    Raises:
        ConfigFileError: as for `read_config`; a name leads through a value that is no mapping; a value cannot be said
            in the format of the file.
    """
    kind = _kind(path)
    text = _text(path)
    if kind == "toml":
        return _written_toml(path, text, values)
    if kind == "ini":
        return _written_ini(path, text, values)
    if kind == "json":
        tree = _mapping(path, _json(path, text))
        _put_all(path, tree, values)
        return _json_bytes(tree)
    from operations.config_yaml import written_yaml

    root = _yaml_root(path, text)
    tree = _mapping(path, _yaml_value(root))
    _put_all(path, tree, values)
    return written_yaml(tree, text, root)


def _error(path: str, problem: str, hint: str | None = None) -> ConfigFileError:
    return ConfigFileError(f"cannot use configuration file {printable(path, _LONGEST_PATH)}: {problem}", hint=hint)


def _kind(path: str) -> str:
    ending = os.path.splitext(path.removesuffix(".in"))[1].lower()
    if ending not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise _error(path, f"its format is not known: expected a name that ends in one of {known}")
    return _FORMATS[ending]


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _error(path, getattr(error, "strerror", None) or str(error)) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise _error(path, f"it is larger than {MAX_CONFIG_BYTES // 1024 // 1024} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(path, f"line {line} is not UTF-8 text") from error


def _mapping(path: str, value: FlagValue) -> dict[str, FlagValue]:
    if not isinstance(value, dict):
        raise _error(path, "expected a mapping of names to values at its top level")
    return value


def _leaves(values: Mapping[str, FlagValue], prefix: str) -> Iterator[tuple[str, FlagValue]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


# --- Putting values in place --------------------------------------------------------------------------------


def _put_all(path: str, tree: dict[str, FlagValue], values: Mapping[str, FlagValue]) -> None:
    for name, value in values.items():
        holder, key = _found(tree, name) or _made(path, tree, name)
        holder[key] = value


def _found(tree: dict[str, FlagValue], name: str) -> tuple[dict[str, FlagValue], str] | None:
    """Return where the value with this dotted name stands; a key may hold dots itself."""
    if name in tree:
        return tree, name
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        inner = tree.get(".".join(parts[:length]))
        found = _found(inner, ".".join(parts[length:])) if isinstance(inner, dict) else None
        if found:
            return found
    return None


def _made(path: str, tree: dict[str, FlagValue], name: str) -> tuple[dict[str, FlagValue], str]:
    parts = name.split(".")
    if len(parts) > _MAX_DEPTH:
        raise _error(path, f"'{printable(name)}' has more than {_MAX_DEPTH} parts")
    for index, part in enumerate(parts[:-1]):
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            outer = ".".join(parts[: index + 1])
            raise _error(path, f"'{printable(name)}' cannot be set because '{printable(outer)}' is no mapping")
        tree = inner
    return tree, parts[-1]


# --- JSON and TOML ------------------------------------------------------------------------------------------


def _json(path: str, text: str) -> FlagValue:
    import json

    try:
        value: FlagValue = json.loads(text)
    except RecursionError as error:
        raise _error(path, "it is nested too deep") from error
    except ValueError as error:
        raise _error(path, f"it is not JSON: {error}") from error
    return value


def _json_bytes(tree: FlagValue) -> bytes:
    import json

    try:
        return (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half a surrogate pair exists only as an escape
        return (json.dumps(tree, indent=2) + "\n").encode()


def _toml(path: str, text: str) -> dict[str, FlagValue]:
    import tomllib

    from operations.config_toml import plain

    try:
        return _mapping(path, plain(tomllib.loads(text)))
    except (ValueError, RecursionError) as error:
        raise _error(path, f"it is not TOML: {error}") from error


def _written_toml(path: str, text: str, values: Mapping[str, FlagValue]) -> bytes:
    from operations.config_toml import written_toml

    _toml(path, text)
    try:
        return written_toml(text, values, lambda tree, name: _found(tree, name) or _made(path, tree, name))
    except (ValueError, RecursionError) as error:
        raise _error(path, str(error)) from error


# --- INI ----------------------------------------------------------------------------------------------------


def _ini_values(path: str, text: str) -> dict[str, FlagValue]:
    from operations.config_ini import ini_values

    try:
        return ini_values(text)
    except ValueError as error:
        raise _error(path, str(error), "Each value stands as NAME = VALUE below a [SECTION]") from error


def _written_ini(path: str, text: str, values: Mapping[str, FlagValue]) -> bytes:
    from operations.config_ini import written_ini

    try:
        return written_ini(text, values)
    except ValueError as error:
        raise _error(path, str(error)) from error


# --- YAML -------------------------------------------------------------------------------------------


def _yaml_root(path: str, text: str) -> Node | None:
    try:
        return compose(text)
    except NodeError as error:
        raise _error(path, f"line {error.place.line + 1}: {error.problem}") from error


def _yaml_value(root: Node | None) -> FlagValue:
    """Return what a tree says; an empty file is a mapping without entries."""
    value = None if root is None else value_of(root)
    return {} if value is None else value
