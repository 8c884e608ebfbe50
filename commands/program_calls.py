"""Programs that the user names: split into words as a shell would, started, with exit codes as a shell has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.errors import GuildError, UsageError
from ledger.text import printable


def words_of(text: str, example: str) -> list[str]:
    """Return a command line as words.

    Args:
        text: what `--cmd` was given.
        example: shown when there is no program in it.

    Raises:
        UsageError: it cannot be split, or is empty.
    """
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"'{printable(text, 80)}' cannot be split into words: {error}") from error
    if not words:
        raise UsageError("--cmd needs a program", hint=f"Example: {example}.")
    return words


def call(words: Sequence[str], folder: str | None, environment: Mapping[str, str]) -> int:
    """Run a program to its end and return its exit code, 128 + N after signal N.

    Raises:
        GuildError: it cannot be started.
    """
    import subprocess

    try:
        code = subprocess.run(words, cwd=folder, env=environment, check=False).returncode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise GuildError(
            f"{printable(words[0], 80)} cannot be started: {why}", hint="Name another program with --cmd."
        ) from error
    return code if code >= 0 else 128 - code
