"""Calling pip for the environment that runs are made with; what pip says is shown as it says it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artifacts.environment import active_interpreter
from commands.app import App
from ledger.errors import GuildError, UsageError
from ledger.text import printable

if TYPE_CHECKING:
    from subprocess import CompletedProcess

_HAS_PIP = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"


def interpreter_of_runs() -> str:
    """Return the Python that runs are made with: of the environment that is active, else guild's own."""
    return active_interpreter(os.environ, sys.executable)


def no_options(names: Sequence[str], what: str) -> None:
    """Refuse words that pip would take for options.

    Raises:
        UsageError: one begins with '-', or is empty.
    """
    for name in names:
        if not name.strip() or name.startswith("-"):
            raise UsageError(
                f"'{printable(name)}' is not {what}", hint="Options of pip's own are given to pip: python -m pip ..."
            )


def call_pip(app: App, arguments: Sequence[str]) -> int:
    """Run pip in the command's directory with its output shown; return its exit code.

    Raises:
        GuildError: there is no pip, or it cannot be started.
    """
    import subprocess

    command = [*pip_command(), *arguments]
    sys.stdout.flush()
    try:
        code = subprocess.call(command, cwd=app.cwd)
    except OSError as error:
        raise GuildError(f"pip cannot be started: {error.strerror}") from error
    return code if code >= 0 else 128 - code


def ask_pip(app: App, arguments: Sequence[str]) -> CompletedProcess[str]:
    """Run pip without showing its output, and return how it ended.

    Raises:
        GuildError: there is no pip, or it cannot be started.
    """
    import subprocess

    command = [*pip_command(), *arguments]
    try:
        return subprocess.run(
            command,
            cwd=app.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise GuildError(f"pip cannot be started: {error.strerror}") from error


def pip_command() -> list[str]:
    """Return how pip is called: that of the environment itself, else guild's own, which can work on another one.

    Raises:
        GuildError: neither has pip.
    """
    interpreter = interpreter_of_runs()
    quiet = ["--disable-pip-version-check"]
    if _has_pip(interpreter):
        return [interpreter, "-m", "pip", *quiet]
    if interpreter != sys.executable and _has_pip(sys.executable):
        return [sys.executable, "-m", "pip", *quiet, "--python", interpreter]
    raise GuildError(
        f"there is no pip in the environment of {interpreter!r}",
        hint=f"Put it there with: {interpreter} -m ensurepip",
    )


def _has_pip(interpreter: str) -> bool:
    import subprocess

    try:
        return subprocess.call([interpreter, "-c", _HAS_PIP], stdin=subprocess.DEVNULL) == 0
    except OSError as error:
        raise GuildError(f"{interpreter!r} cannot be started: {error.strerror}") from error
