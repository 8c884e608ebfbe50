"""Saying things: rows and data on stdout, notes, prompts and errors on stderr; nothing is cut when it is piped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from threading import local
from typing import TYPE_CHECKING

import click

from ledger.errors import GuildError

if TYPE_CHECKING:
    from typing import TextIO

_ears = local()


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect this thread's warnings instead of printing them, and drop its notes: a screen shows them itself."""
    warnings: list[str] = []
    before, _ears.warnings = getattr(_ears, "warnings", None), warnings
    try:
        yield warnings
    finally:
        _ears.warnings = before


def color() -> bool | None:
    """Return whether to colour: `NO_COLOR` and `FORCE_COLOR` decide, else None (only on a terminal)."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def say(text: str = "") -> bool:
    """Print a line of data on stdout; tell whether there still is a reader (`guild runs | head` leaves early).

    Raises:
        GuildError: it cannot be written.
    """
    return _reached(lambda: click.echo(text, color=color()))


def say_bytes(data: bytes) -> bool:
    """Write bytes to stdout as they are; tell whether there is a reader, as `say` does.

    Raises:
        GuildError: they cannot be written.
    """
    if sys.stdout is None:
        return False  # closed from the start
    out = sys.stdout.buffer
    return _reached(lambda: (out.write(data), out.flush()))


def _reached(write: Callable[[], object]) -> bool:
    try:
        write()
    except BrokenPipeError:
        drop_output()
        return False
    except OSError as error:
        drop_output()
        raise GuildError(f"the output could not be written: {error.strerror}") from error
    return True


def drop_output() -> None:
    """Send what is still waiting for stdout, and all that follows, nowhere: it could not be written."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def note(text: str) -> None:
    """Print a note, dim, on stderr."""
    if getattr(_ears, "warnings", None) is not None:
        return
    with suppress(OSError):  # nobody hears it; that must not stop the work
        click.secho(text, err=True, dim=True, color=color())


def warn(text: str) -> None:
    """Print a warning on stderr."""
    collected: list[str] | None = getattr(_ears, "warnings", None)
    if collected is not None:
        collected.append(text)
        return
    with suppress(OSError):
        click.secho(f"WARNING: {text}", err=True, fg="yellow", color=color())


def tell_error(error: GuildError) -> None:
    """Print an error: what happened and why, then what to do next."""
    with suppress(OSError):
        click.secho(f"guild: {error.message}", err=True, fg="red", color=color())
        if error.hint:
            click.echo(error.hint, err=True)


def width() -> int | None:
    """Return the width of the terminal, or None when stdout is not one: then nothing is cut."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def is_screen(*streams: TextIO | None) -> bool:
    """Tell whether these streams all are terminals, and such whose cursor can be moved."""
    return os.environ.get("TERM", "dumb") != "dumb" and all(one is not None and one.isatty() for one in streams)


def page(lines: Iterable[str]) -> None:
    """Print lines, on a terminal through the pager as soon as they do not fit on one screen."""
    if sys.stdout is None or not sys.stdout.isatty():
        for line in lines:
            if not say(line):
                return
        return
    rest = iter(lines)
    first = next(rest, None)
    if first is not None:
        os.environ.setdefault("LESS", "-FRX")  # with the dash click sees that it shows colours
        # The pager is given a line break after the last line by click itself.
        click.echo_via_pager(chain([first], (f"\n{line}" for line in rest)), color=color())


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask on stderr and return the answer: only `y` or `yes` goes on; nothing typed means `default`.

    Raises:
        GuildError: the input ended before an answer.
    """
    click.echo(f"{question} ({'Y/n' if default else 'y/N'}) ", err=True, nl=False)
    answer = _line()
    if not answer:
        click.echo(err=True)
        raise GuildError("no answer: the input ended", hint="Nothing was changed. Use -y to go on without being asked.")
    answer = answer.strip().lower()
    return default if not answer else answer in (b"y", b"yes")


def _line() -> bytes:
    """Read one line of input, and not a byte more: what follows belongs to the script that may be started."""
    line = b""
    try:
        while not line.endswith(b"\n") and (byte := os.read(0, 1)):
            line += byte
    except OSError:
        return b""  # standard input is closed
    return line
