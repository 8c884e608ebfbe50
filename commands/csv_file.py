"""CSV in a file of its own: complete or not at all, and never over another one unless that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from ledger.errors import GuildError
from ledger.files import partial_name, publish, sync, sync_folder_of
from ledger.text import printable

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def checked_path(name: str, *, force: bool) -> str:
    """Return the absolute path of a file that is to be written, so that nothing is worked out in vain.

    Raises:
        GuildError: something has that name, or its folder is not there.
    """
    path = os.path.abspath(os.path.expanduser(name))
    shown = printable(name, 400)
    if os.path.isdir(path):
        raise GuildError(f"'{shown}' is a folder", hint="Give the name of a file.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise GuildError(f"'{shown}' is no file", hint="Leave the name out to write to standard output.")
    if os.path.lexists(path) and not force:
        raise GuildError(f"'{shown}' exists already", hint="Give another name, or --force to write over that file.")
    if not os.path.isdir(os.path.dirname(path)):
        folder = printable(os.path.dirname(path), 400)
        raise GuildError(f"there is no folder '{folder}'", hint="Make it, or give another name.")
    return path


def write_csv(path: str, records: Iterable[str], *, force: bool) -> int:
    """Write records, each without its line feed; return how many there were.

    Args:
        path: absolute.
        records: as `record` gives them.
        force: whether a file that is there already gives way.

    Raises:
        GuildError: it cannot be written; nothing is there then that was not there before.
    """
    partial = partial_name(path)
    try:
        with suppress(FileNotFoundError):
            os.unlink(partial)  # of a process with this number that was killed
        try:
            count = _written(partial, records)
            _give_name(partial, path, force=force)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial)
    except OSError as error:
        shown = printable(path, 400)
        raise GuildError(f"'{shown}' could not be written: {error.strerror}", hint="Nothing was written.") from error
    return count


def _written(path: str, records: Iterable[str]) -> int:
    count = 0
    with open(os.open(path, _FLAGS, 0o666), "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        for one in records:
            file.write(f"{one}\n")
            count += 1
    return count


def _give_name(partial: str, path: str, *, force: bool) -> None:
    if not force:
        publish(partial, path)
        return
    sync(partial)
    os.replace(partial, path)
    sync_folder_of(path)
