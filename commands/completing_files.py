"""Files to offer at the Tab key, where the shell's own completion does not know which; imported only then."""

from __future__ import annotations

import os

from commands.completing import MOST

_SCRIPTS = (".py", ".sh")


def entries(directory: str, incomplete: str) -> list[str]:
    """Return the paths that begin with what is typed, relative as it is; directories end with a slash."""
    start, _, beginning = incomplete.rpartition("/")
    start += "/" if "/" in incomplete else ""
    try:
        with os.scandir(os.path.join(directory, os.path.expanduser(start))) as found:
            named = sorted(
                (entry.name, entry.is_dir())
                for entry in found
                if entry.name.startswith(beginning) and (beginning or not entry.name.startswith("."))
            )
    except OSError:
        return []
    return [f"{start}{name}{'/' if is_directory else ''}" for name, is_directory in named[: MOST * 4]]


def scripts(directory: str, incomplete: str) -> list[tuple[str, str]]:
    """Return the scripts that begin with what is typed, each with its description.

    Without a path those are the ones that `guild operations` lists in a directory without a model file; as soon as a
    name is begun, any script, and below a directory its directories as well.
    """
    from operations.model_file_path import find_model_file
    from operations.script_list import listed_scripts

    if "/" in incomplete:
        return [(path, "") for path in entries(directory, incomplete) if path.endswith((*_SCRIPTS, "/"))]
    found = dict.fromkeys((path for path in entries(directory, incomplete) if path.endswith(_SCRIPTS)), "")
    if find_model_file(directory) is not None:
        return list(found.items()) if incomplete else []
    for _, operation in listed_scripts(directory):
        if operation.name.startswith(incomplete):
            found[operation.name] = operation.description.strip().partition("\n")[0]
    return list(found.items())
