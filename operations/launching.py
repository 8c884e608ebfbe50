"""Say how a process is started that gets its flags as variables: what it runs is `launch_child.py`."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.definitions import FlagValue

LAUNCH_CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_child.py")
"""The program that sets the variables; run by its path, so that the process needs nothing of this one."""


class LaunchError(GuildError):
    """The flags cannot become variables of a script; nothing was started."""


def is_variable_dest(dest: str) -> bool:
    """Return whether flags with this destination become variables: `globals`, `global:NAME`, `namespace:NAME`."""
    return dest == "globals" or dest.startswith(("global:", "namespace:"))


def launcher_arguments(dest: str, program: Sequence[str], flags: Mapping[str, FlagValue]) -> tuple[str, ...]:
    """Return what follows `PYTHON -u` to run a program with its flags as variables; its own arguments go behind.

    A flag whose name is no Python name has `_` for each `-`. A flag without a value (None) is not set: the
    script keeps its own.

    Args:
        dest: `globals`, `global:NAME` for the entries of a mapping (or the attributes of anything else), or
            `namespace:NAME` for attributes.
        program: `("-m", "pkg.mod")` or `("/abs/script.py",)`.
        flags: the values, by the names that the script knows.

    Raises:
        LaunchError: the destination is none of these, or a flag's name cannot be a variable of it.
    """
    import json

    kind, _, holder = dest.partition(":")
    if not is_variable_dest(dest) or (holder and not holder.isidentifier()) or dest.endswith(":"):
        raise LaunchError(
            f"flags-dest '{printable(dest)}' is no place for variables",
            hint="Expected globals, global:NAME or namespace:NAME, with the name of a variable of the script",
        )
    given = {_variable(kind, name): value for name, value in flags.items() if value is not None}
    return (LAUNCH_CHILD, dest, json.dumps(given), *program)


def _variable(kind: str, name: str) -> str:
    if kind == "global":
        return name  # the key of a mapping may be any text
    spelled = name.replace("-", "_")
    parts = spelled.split(".") if kind == "namespace" else [spelled]
    if not all(_is_name(part) for part in parts):
        raise LaunchError(
            f"flag '{printable(name)}' cannot be set as a variable because it is no Python name",
            hint="Give it another name with 'arg-name', or pass it as an argument with 'flags-dest: args'",
        )
    return spelled


def _is_name(text: str) -> bool:
    import keyword

    return text.isidentifier() and not keyword.iskeyword(text)
