"""Find the flags of a Python script by reading it; no code of the script is run for that.

A script takes them with `argparse` or `click`, and else from variables that it assigns at its top level.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    import ast

    from operations.definitions import FlagDef

MAX_SCRIPT_BYTES = 10 * 1024 * 1024
"""The largest script that is read."""

_LONGEST_PATH = 4096
_OTHER_LIBRARIES = frozenset(
    (
        *("absl", "clize", "configargparse", "docopt", "fire", "getopt", "hydra", "jsonargparse", "plac"),
        *("simple_parsing", "tap", "typer", "tyro"),
    )
)


class ScriptError(GuildError):
    """A script cannot be read or is no Python; the message names file and line."""


@dataclass(frozen=True, slots=True)
class ScriptFlags:
    """What a script takes.

    Attributes:
        dest: `args`, `args:click` or `globals`, as `flags_dest` of an operation says it.
        flags: in the script's order.
        notes: what it takes that cannot be a flag, one text each.
    """

    dest: str
    flags: tuple[FlagDef, ...]
    notes: tuple[str, ...] = ()


def read_script_flags(path: str, *, variables: bool = False) -> ScriptFlags:
    """Return the flags of a script.

    A parser of `argparse` counts when the script lets it parse, a command of `click` when it is decorated as
    one. Without either, public names that get a constant at the top level are flags; but a script that imports
    another library for arguments is taken to use it, although its flags cannot be found.

    Args:
        path: the script.
        variables: whether it is known to take its flags as variables, whatever parsers it has.

    Raises:
        ScriptError: the file cannot be read, is above `MAX_SCRIPT_BYTES`, or is no Python.
    """
    from operations.argparse_flags import argparse_flags
    from operations.click_flags import click_flags
    from operations.global_flags import global_flags

    tree = parsed_script(path)
    for dest, reader in () if variables else (("args:click", click_flags), ("args", argparse_flags)):
        found = reader(tree)
        if found is not None:
            return ScriptFlags(dest, *found)
    other = None if variables else _other_library(tree)
    if other:
        return ScriptFlags("args", (), (f"flags cannot be found in a script that uses '{other}'",))
    return ScriptFlags("globals", global_flags(tree))


def read_holder_flags(path: str, name: str) -> tuple[FlagDef, ...]:
    """Return the flags in the mapping, class or namespace that a script assigns to `name` at its top level.

    Raises:
        ScriptError: as for `read_script_flags`.
    """
    from operations.global_flags import holder_flags

    return holder_flags(parsed_script(path), name)


def parsed_script(path: str) -> ast.Module:
    """Return the syntax tree of a script, decoded as Python itself decodes it.

    Raises:
        ScriptError: as for `read_script_flags`.
    """
    import ast
    import warnings

    try:
        with warnings.catch_warnings():  # of the script, such as an invalid escape: its own run will show them
            warnings.simplefilter("ignore")
            return ast.parse(_source(path), path)
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        raise _error(path, f"it is not valid Python{where}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _error(path, f"it is not valid Python: {error or type(error).__name__}") from error


def _other_library(tree: ast.Module) -> str | None:
    import ast

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in names:
            if name.partition(".")[0] in _OTHER_LIBRARIES:
                return name.partition(".")[0]
    return None


def _source(path: str) -> str:
    import tokenize

    try:
        with open(path, "rb") as file:
            content = file.read(MAX_SCRIPT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _error(path, getattr(error, "strerror", None) or str(error)) from error
    if len(content) > MAX_SCRIPT_BYTES:
        raise _error(path, f"it is larger than {MAX_SCRIPT_BYTES // 1024 // 1024} MB")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(path, f"line {line} is not {encoding} text") from error


def _error(path: str, problem: str) -> ScriptError:
    return ScriptError(
        f"cannot read the flags of script {printable(path, _LONGEST_PATH)}: {printable(problem)}",
        hint="Mend the script, or say 'flags-import: no' for its operation in the model file",
    )
