"""Build the command line of an operation's process from its `cmd` and the values of its flags."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import printable
from operations.flags import flow_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from operations.definitions import FlagValue, OperationDef


class CommandError(GuildError):
    """The operation's `cmd` cannot be made into a command; nothing was started."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute, and what the user should know about it."""

    argv: tuple[str, ...]
    warnings: tuple[str, ...]


def build_command(operation: OperationDef, flags: Mapping[str, FlagValue], interpreter: str, project: str) -> Command:
    """Return the command that runs an operation.

    The first word of `cmd` is a Python module (`train`, `pkg.mod`) or a `.py` file of the project; neither is
    looked for here, the process itself reports a missing one. The other words follow, then the flags by name.

    Args:
        operation: the operation that is to run.
        flags: the values as `resolve_flags` returns them.
        interpreter: the Python to run it with.
        project: the absolute directory of the model file.

    Raises:
        CommandError: `cmd` is empty, has an open quote or leads out of the project, or an argument cannot be
            passed to a process.
    """
    program, *arguments = _words(operation)
    argv = [interpreter, "-u", *_program(program, project), *arguments]
    spelled = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    warnings = []
    for name in sorted(flags):
        if f"--{name}" not in spelled:
            argv += _flag_arguments(name, flags[name])
        elif flags[name] is not None:
            warnings.append(_shadowed(operation, name, flags[name]))
    _refuse_impossible(operation, argv)
    return Command(tuple(argv), tuple(warnings))


def format_command(argv: Iterable[str]) -> str:
    """Return a command as one would type it in a POSIX shell."""
    import shlex

    return shlex.join(argv)


def _words(operation: OperationDef) -> list[str]:
    import shlex

    try:
        words = shlex.split(operation.cmd)
    except ValueError as error:
        raise CommandError(
            f"cmd of operation '{operation.name}' cannot be split into words: {str(error).lower()}",
            hint=f"Mend the quotes in: {printable(operation.cmd)}",
        ) from error
    if not words or not words[0]:
        raise CommandError(
            f"missing cmd for operation '{operation.name}'",
            hint="Write a Python module or a .py file as the first word of its cmd",
        )
    return words


def _program(word: str, project: str) -> list[str]:
    if not word.endswith(".py"):
        return ["-m", word]
    path = os.path.normpath(os.path.join(project, word))
    root = os.path.normpath(project)
    if os.path.commonpath((root, path)) != root:
        raise CommandError(
            f"script '{printable(word)}' lies outside the project directory {printable(project, 4096)}",
            hint="Move the script into the project, or run it as a module",
        )
    return [path]


def _flag_arguments(name: str, value: FlagValue) -> list[str]:
    if value is None:
        return []
    if value is True:
        return [f"--{name}"]
    return [f"--{name}", flow_text(value) if isinstance(value, list | dict) else str(value)]


def _shadowed(operation: OperationDef, name: str, value: FlagValue) -> str:
    shown = printable(f"{name}={value if isinstance(value, str) else flow_text(value)}", 100)
    return f"flag {shown} is ignored: the cmd of operation '{operation.name}' already sets --{printable(name)}"


def _refuse_impossible(operation: OperationDef, argv: Sequence[str]) -> None:
    """Find what the system would refuse, so that it is an error of the flag and not a crash at the start."""
    for word in argv:
        try:
            possible = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:
            possible = False
        if not possible:
            shown = printable(word, 80)
            raise CommandError(
                f"operation '{operation.name}' cannot be started: '{shown}' cannot be passed to a process",
                hint="Remove the character that is written as an escape here",
            )
