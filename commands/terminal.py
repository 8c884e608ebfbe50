"""Saying things: rows and data on stdout, notes, prompts and errors on stderr; nothing is cut when it is piped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import click

from ledger.errors import GuildError


def color() -> bool | None:
    """Return whether to colour: `NO_COLOR` and `FORCE_COLOR` decide, else None (only on a terminal)."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def say(text: str = "") -> None:
    """Print a line of data on stdout."""
    click.echo(text, color=color())


def note(text: str) -> None:
    """Print a note, dim, on stderr."""
    click.secho(text, err=True, dim=True, color=color())


def warn(text: str) -> None:
    """Print a warning on stderr."""
    click.secho(f"WARNING: {text}", err=True, fg="yellow", color=color())


def tell(text: str) -> None:
    """Print a result or preview on stderr's quieter sibling: stdout, where it can be read by a pipe."""
    click.echo(text, color=color())


def tell_error(error: GuildError) -> None:
    """Print an error: what happened and why, then what to do next."""
    click.secho(f"guild: {error.message}", err=True, fg="red", color=color())
    if error.hint:
        click.echo(error.hint, err=True)


def width() -> int | None:
    """Return the width of the terminal, or None when stdout is not one: then nothing is cut."""
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def page(lines: Iterable[str]) -> None:
    """Print lines, on a terminal through the pager as soon as they do not fit on one screen."""
    if not sys.stdout.isatty():
        for line in lines:
            click.echo(line, color=color())
        return
    os.environ.setdefault("LESS", "FRX")
    click.echo_via_pager((line + "\n" for line in lines), color=color())


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask on stderr and return the answer: only `y` or `yes` goes on; nothing typed means `default`.

    Raises:
        GuildError: the input ended before an answer.
    """
    click.echo(f"{question} ({'Y/n' if default else 'y/N'}) ", err=True, nl=False)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer:
        click.echo(err=True)
        raise GuildError("no answer: the input ended", hint="Nothing was changed. Use -y to go on without being asked.")
    answer = answer.strip().lower()
    return default if not answer else answer in ("y", "yes")
