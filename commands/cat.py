"""`guild cat`: the bytes of a file of a run, or of what the run printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from artifacts.output import OUTPUT
from artifacts.run_files import OWN, open_file
from commands.app import App
from commands.options import SELECTION_HELP, Limits, archive_option, limiting, run_words
from commands.run_folder import deleted_option, folder_of, one_run
from commands.terminal import say_bytes
from ledger.errors import GuildError, UsageError

_PIECE = 65_536
_LOOKED_AT = 8_192
_MOST_WORDS = 2


@click.command("cat", epilog=SELECTION_HELP)
@click.argument("words", metavar="[RUN] PATH", nargs=-1, shell_complete=run_words)
@click.option("--output", is_flag=True, help="What the run printed; no PATH is given then.")
@click.option("-f", "--force", is_flag=True, help="Print it to a terminal even if it is no text.")
@deleted_option
@limiting
@archive_option
@click.pass_obj
def cat(app: App, words: tuple[str, ...], limits: Limits, *, output: bool, force: bool, deleted: bool) -> None:
    """Print a file of a run, byte for byte: of the latest run when no RUN is given.

    PATH is relative to the run directory, as `guild ls` shows it, and cannot lead out of it.

    \b
    Examples:
      guild cat 0 metrics.csv
      guild cat -l best model.pkl >model.pkl
      guild cat 3 --output
      guild cat 0 metrics.csv --archive best.tar.gz
    """
    spec, path = _asked(words, output=output)
    row = one_run(app, spec, limits, deleted=deleted)
    if app.archived is not None:
        from commands.archived import opened_file

        with opened_file(app.archived, row.run_id, path) as unpacked:
            _copy(unpacked, force=force)
        return
    folder = folder_of(app, row)
    app.close()  # a long reader would keep the ledger's log from being folded in
    descriptor = open_file(folder, path)
    try:
        _copy(descriptor, force=force)
    finally:
        os.close(descriptor)


def _asked(words: Sequence[str], *, output: bool) -> tuple[str | None, str]:
    """Return the run and the path that are meant."""
    if output:
        if len(words) > 1:
            raise UsageError("--output takes a RUN and no PATH", hint="Example: guild cat 0 --output.")
        return (words[0] if words else None), os.path.join(OWN, OUTPUT)
    if not words or not words[-1]:
        raise UsageError("specify a path", hint="Example: guild cat 0 metrics.csv. `guild ls` shows the files.")
    if len(words) > _MOST_WORDS:
        raise UsageError("only one RUN and one PATH can be given", hint="Example: guild cat 0 metrics.csv.")
    return (words[0] if len(words) == _MOST_WORDS else None), words[-1]


def _copy(descriptor: int, *, force: bool) -> None:
    """Copy a file to stdout.

    Raises:
        GuildError: it is no text and would go to a terminal, or it cannot be read or written.
    """
    first = True
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    while piece := _read(descriptor):
        if first and not force and is_terminal and not _is_text(piece[:_LOOKED_AT]):
            raise GuildError(
                "the file is no text and would garble the terminal", hint="Send it into a file, or use --force."
            )
        first = False
        if not say_bytes(piece):
            return  # the reader has left (`guild cat 0 log | head`)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        raise GuildError(f"the file cannot be read: {error.strerror}") from error


def _is_text(data: bytes) -> bool:
    """Tell whether bytes are the beginning of UTF-8 text; a last character may be cut in two."""
    from codecs import getincrementaldecoder

    try:
        getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return b"\0" not in data
