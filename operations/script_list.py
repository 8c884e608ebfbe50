"""Find the scripts of a directory that look as if they were made to be run, for listings; none of them is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledger.dataclass import replace
from ledger.errors import GuildError
from operations.definitions import ModelDef, OperationDef

if TYPE_CHECKING:
    import ast

_MOST_SCRIPTS = 200
_MOST_BYTES = 1024 * 1024
_WORDS = (b"__name__", b"argparse", b"click", b"ArgumentParser")
"""A file with none of these words is not parsed: that takes hundreds of times as long as looking for them."""


def listed_scripts(directory: str) -> tuple[tuple[ModelDef, OperationDef], ...]:
    """Return the scripts directly in `directory` as operations, by name.

    A `.py` file counts when it reads arguments with a parser, or holds `if __name__ == "__main__"`. Its description
    is its docstring. Files above 1 MiB, hidden ones, those that are no Python, and all beyond the first 200, are
    left out: a listing must neither fail nor take long for them.
    """
    found = []
    for name in _candidates(directory):
        try:
            script = _script(directory, name)
        except GuildError:
            continue
        if script is not None:
            found.append(script)
    return tuple(found)


def _candidates(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if _may_be_script(entry)]
    except OSError:
        return []
    return sorted(names)[:_MOST_SCRIPTS]


def _may_be_script(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.name.endswith(".py") and entry.name[0] not in "._" and entry.is_file() and _is_likely(entry)
    except OSError:
        return False


def _is_likely(entry: os.DirEntry[str]) -> bool:
    if entry.stat().st_size > _MOST_BYTES:
        return False
    with open(entry.path, "rb") as file:
        content = file.read(_MOST_BYTES)
    return any(word in content for word in _WORDS)


def _script(directory: str, name: str) -> tuple[ModelDef, OperationDef] | None:
    import ast

    from operations.script_flags import parsed_script
    from operations.scripts import script_operation

    tree = parsed_script(os.path.join(directory, name))
    model, operation = script_operation(name, directory)
    has_parser = operation.flags_dest in ("args", "args:click")
    if not has_parser and not any(_is_main_guard(node) for node in tree.body):
        return None
    described = replace(operation, description=operation.description or ast.get_docstring(tree) or "")
    return replace(model, operations=(described,)), described


def _is_main_guard(node: ast.stmt) -> bool:
    import ast

    if not isinstance(node, ast.If):
        return False
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test))
