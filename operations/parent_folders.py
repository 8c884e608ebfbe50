"""Where what an inherited operation names is looked for: beside the model file that says it, then in the project.

What neither of these has may still be in one of the packages, when the operation inherits from any.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operations.definitions import OperationDef


def folders(operation: OperationDef, key: str, project: str) -> tuple[str, ...]:
    """Return the absolute directories in which what `key` of an operation names is looked for, in order."""
    return tuple(dict.fromkeys((operation.folders.get(key, project), project, *operation.parents)))


def module_roots(operation: OperationDef, key: str, project: str) -> tuple[str, ...]:
    """Return the absolute directories that modules and scripts of an operation are looked for in, in order.

    The `root` of `sourcecode` counts where it is said, and for the project, which may follow the ways of a package.
    """
    root = operation.sourcecode.root if operation.sourcecode and key == "main" else "."
    said = operation.folders.get("sourcecode", project)
    found = []
    for folder in folders(operation, key, project):
        own = os.path.normpath(os.path.join(folder, root))
        if own != folder and folder in (said, project) and os.path.isdir(own):
            found.append(own)
        found.append(folder)
    return tuple(found)


def root_of(word: str, roots: Sequence[str]) -> str:
    """Return the first directory that has a script or module (`train.py`, `pkg.mod`, `dir/mod`), else the first."""
    directory, slash, module = word.rpartition("/")
    path = word if word.endswith(".py") else f"{directory}{slash}{module.replace('.', '/')}"
    endings = ("",) if word.endswith(".py") else (".py", "/__main__.py")
    names = [path + ending for ending in endings]
    return next((root for root in roots if any(os.path.isfile(os.path.join(root, name)) for name in names)), roots[0])


def python_path(operation: OperationDef, project: str) -> list[str]:
    """Return the absolute directories that `python-path` of an operation names, whether or not they are there."""
    places = folders(operation, "python-path", project)
    ways = [[os.path.normpath(os.path.join(place, path)) for place in places] for path in operation.python_path]
    return [next(filter(os.path.exists, way), way[0]) for way in ways]
