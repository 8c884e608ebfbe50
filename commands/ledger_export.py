"""`guild ledger export`: the whole history as JSON Lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import click

from commands.app import App
from commands.ledger_files import here, refuse_no_ledger
from commands.progress import progress
from commands.terminal import drop_output, note
from ledger.errors import GuildError, UsageError
from ledger.exporting import export_lines
from ledger.files import make_private, partial_name, publish, refuse_existing, remove
from ledger.seams import seam
from ledger.text import printable


@click.command("export")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path())
@click.pass_obj
def export(app: App, *, file: str | None) -> None:
    """Write the whole history as JSON Lines.

    To FILE, or to standard output: every transaction and event, with all hashes, a line each; the format page tells
    the form. `guild ledger import` makes the same ledger of it in another home. FILE must not be there yet, and is
    readable by you alone.

    \b
    Examples:
      guild ledger export history.jsonl
      guild ledger export | zstd > history.jsonl.zst
    """
    refuse_no_ledger(app)
    with progress("Exporting", app.ledger.store.head().position) as reached:
        if file is None or file == "-":
            _to_stdout(app, reached)
            return
        target = here(file)
        refuse_existing(target)
        partial = partial_name(target)
        remove(partial)
        make_private(partial)
        try:
            with _explained(), open(partial, "wb") as output:
                seam("lines.write")
                _write(app, output, reached)
            seam("lines.publish")
            publish(partial, target)
        finally:
            remove(partial)
    note(f"Exported to {printable(target, 400)}. It holds command lines and flags: keep it as private as the ledger.")


def _write(app: App, output: BinaryIO, reached: Callable[[int], None] | None) -> None:
    store = app.ledger.store
    with store.reading():
        for line in export_lines(store, reached):
            output.write(line)
            output.write(b"\n")


def _to_stdout(app: App, reached: Callable[[int], None] | None) -> None:
    if sys.stdout is None:
        raise UsageError("standard output is closed: there is nowhere to write to", hint="Give a FILE.")
    try:
        with _explained():
            _write(app, sys.stdout.buffer, reached)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        drop_output()


@contextmanager
def _explained() -> Iterator[None]:
    """Say what the system refused; a reader that left early is none of its refusals."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError, ValueError):
            drop_output()
        raise GuildError(f"the export could not be written: {error.strerror}") from error
