"""Complete an operation with what its script or configuration file knows of its flags.

What the operation says itself wins, attribute by attribute. Which flags are taken over is said by `flags_import`. When
nothing is said, an operation without flags of its own gets all of them, and one with flags only what these lack.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ledger.dataclass import replace, values
from operations.definitions import FlagDef
from operations.script_flags import ScriptFlags, read_holder_flags, read_script_flags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from operations.definitions import OperationDef

_CACHED = 64
_PLAIN = FlagDef("")
_REFERENCE = re.compile(r"(?<!\\)\$\{")


def with_imported_flags(operation: OperationDef, project: str, sys_path: Sequence[str]) -> OperationDef:
    """Return the operation with flags merged and `flags_dest` made concrete.

    The early `cmd` imports nothing. An option that `main` spells out itself is only imported by its name. A name in
    `flags_import` is a flag even where the script does not show it. A script that is not found imports nothing: the
    process will report it.

    Args:
        operation: as its model file says.
        project: the absolute directory of the model file.
        sys_path: further directories with modules, such as those of installed packages.

    Raises:
        ScriptError: the script is no Python, or cannot be read.
        ConfigFileError: the flags come from a configuration file that cannot be used; one that is not there is
            only an error when something is imported from it.
    """
    found = _found(operation, project, sys_path)
    if found is None:
        return replace(operation, flags_dest=operation.flags_dest or "args")
    wanted = _wanted(operation, found)
    return replace(operation, flags=_merged(operation.flags, found.flags, wanted), flags_dest=found.dest)


def script_path(operation: OperationDef, project: str, sys_path: Sequence[str]) -> str | None:
    """Return the Python file that `main` of an operation starts, or None when it has none or it is not found.

    `train` and `pkg.mod` are modules, `dir/mod` a module of that directory, and `train.py` is a file.
    """
    word = next(iter(_words(operation.main)), "")
    if not word or _REFERENCE.search(word):
        return None
    word = word.replace("\\${", "${")
    if operation.parents:
        from operations.parent_folders import module_roots, root_of

        roots = module_roots(operation, "main", project)
        root, sys_path = root_of(word, roots), (*roots, *sys_path)
    else:
        root = os.path.join(project, operation.sourcecode.root) if operation.sourcecode else project
    if word.endswith(".py"):
        path = os.path.normpath(os.path.join(root, word))
        return path if os.path.isfile(path) else None
    directory, _, module = word.rpartition("/")
    own: list[str] = []
    if operation.python_path:
        from operations.parent_folders import python_path

        own = python_path(operation, project)
    for place in [os.path.join(root, directory)] if directory else [*own, root, *sys_path]:
        path = os.path.normpath(os.path.join(place, *module.split(".")))
        for candidate in (f"{path}.py", os.path.join(path, "__main__.py")):
            if os.path.isfile(candidate):
                return candidate
    return None


def _words(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError:  # reported where the command is built
        return []


def _found(operation: OperationDef, project: str, sys_path: Sequence[str]) -> ScriptFlags | None:
    """Return what there is to import, and its destination; None where only the operation itself speaks."""
    dest = operation.flags_dest or ""
    kind, _, target = dest.partition(":")
    if kind == "config":
        return _config(operation, os.path.join(_config_folder(operation, target, project), target))
    path = script_path(operation, project, sys_path) if operation.main else None
    if path is None:
        return None
    found = _read(path, kind, target if kind in ("global", "namespace") else "", _state(path))
    return replace(found, dest=dest) if dest else found


def _config_folder(operation: OperationDef, path: str, project: str) -> str:
    inherited = operation.folders.get("flags-dest")
    return inherited if inherited and os.path.lexists(os.path.join(inherited, path)) else project


def _config(operation: OperationDef, path: str) -> ScriptFlags | None:
    from operations.config_files import config_flags

    if operation.flags_import == () or (operation.flags_import is None and not os.path.exists(path)):
        return None
    return ScriptFlags(operation.flags_dest or "", config_flags(path))


@lru_cache(maxsize=_CACHED)
def _read(path: str, kind: str, holder: str, _state: tuple[int, int]) -> ScriptFlags:
    """Return the flags of a script for a destination; the file's state makes a changed one another question."""
    if kind in ("global", "namespace"):
        return ScriptFlags(f"{kind}:{holder}", read_holder_flags(path, holder))
    if kind == "globals":
        return read_script_flags(path, variables=True)
    found = read_script_flags(path)
    return found if not kind or found.dest.startswith("args") else ScriptFlags("args", ())


def _state(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _wanted(operation: OperationDef, found: ScriptFlags) -> list[str]:
    """Return the names of the flags to import, in the script's order."""
    known = [flag.name for flag in found.flags]
    asked = operation.flags_import
    if isinstance(asked, str) and asked not in ("all", "yes"):
        asked = () if asked in ("no", "none") else (asked,)
    if isinstance(asked, tuple):
        names = [*(name for name in known if name in asked), *(name for name in asked if name not in known)]
    elif asked is None and operation.flags:
        names = [flag.arg_name or flag.name for flag in operation.flags]
        names = [name for name in known if name in names]
    else:
        spelled = {word[2:].partition("=")[0] for word in _words(operation.main) if word.startswith("--")}
        names = [name for name in known if name not in spelled]
    return [name for name in names if name not in operation.flags_import_skip]


def _merged(own: Iterable[FlagDef], imported: Iterable[FlagDef], wanted: Sequence[str]) -> tuple[FlagDef, ...]:
    """Return the operation's flags, completed, and behind them those that only the script knows."""
    found = {flag.name: flag for flag in imported}
    left: dict[str, FlagDef] = {name: found.get(name, FlagDef(name)) for name in wanted}
    merged = []
    for flag in own:
        other = left.pop(flag.arg_name or flag.name, None)
        merged.append(_completed(flag, other) if other else flag)
    return (*merged, *left.values())


def _completed(own: FlagDef, other: FlagDef) -> FlagDef:
    missing: Mapping[str, object] = {
        name: value
        for name, value in values(other).items()
        if name != "name" and getattr(own, name) == getattr(_PLAIN, name)
    }
    changes = dict(missing)
    if other.arg_name:  # of the option that says no, which its switch belongs to
        changes["arg_name"] = other.arg_name
    return replace(own, **changes)  # type: ignore[arg-type] # the names are those of the fields
