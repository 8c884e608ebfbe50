"""Ledger files as wholes: given a name, set aside, flushed; never opened here, which only SQLite may do."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime

from ledger.errors import LedgerError

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


def sync(path: str) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder_of(path: str) -> None:
    """Wait until the names in the folder of `path` are on the disk."""
    sync(os.path.dirname(path) or ".")


def make_private(path: str) -> None:
    """Make an empty file that only its owner can read, where nothing is yet.

    Raises:
        LedgerError: something is there, or the file cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise LedgerError(
            f"cannot make {path!r}: {error.strerror}", hint="Nothing was changed. Choose a place that can be written."
        ) from error


def make_mark(path: str) -> None:
    """Make an empty file, durably, unless it is there: what is begun and not finished is noted so.

    Raises:
        LedgerError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        sync_folder_of(path)
    except OSError as error:
        raise LedgerError(
            f"cannot make {path!r}: {error.strerror}", hint="Nothing was changed. Make the home writable."
        ) from error


def remove(path: str) -> None:
    """Remove a database that nobody uses, and what SQLite keeps beside it; what is not there is left at that."""
    for suffix in ("", *BESIDE, "-gate"):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def publish(partial: str, target: str) -> None:
    """Give a finished file its name, durably, and never over another file.

    Raises:
        LedgerError: something has that name.
        OSError: the system refused.
    """
    sync(partial)
    try:
        os.link(partial, target)
        os.unlink(partial)
    except OSError:  # it is there, or the file system has no links
        refuse_existing(target)
        os.rename(partial, target)
    sync_folder_of(target)


def refuse_existing(target: str) -> None:
    """Refuse a name that is taken, or whose folder is not there.

    Raises:
        LedgerError: it cannot be given to a new file.
    """
    if os.path.lexists(target):
        raise LedgerError(f"{target!r} is there already", hint="Nothing was changed. Give another name.")
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        raise LedgerError(f"there is no folder {folder!r}", hint="Make it first, or give another name.")


def partial_name(target: str) -> str:
    """Return the name under which a file is made before it gets its own."""
    return f"{target}.partial-{os.getpid()}"


def aside_name(path: str, word: str, time: int) -> str:
    """Return a name beside `path` that is not taken; the word and the time (microseconds UTC) say why it is there."""
    stamp = datetime.fromtimestamp(time // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = first = f"{path}.{word}-{stamp}"
    count = 1
    while os.path.lexists(name):
        count += 1
        name = f"{first}-{count}"
    return name
