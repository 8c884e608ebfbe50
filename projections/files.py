"""Which file is the index: `index/<fingerprint>.<generation>.db`, the highest generation.

A rebuilt index gets a name that was never used before, and the old files are unlinked. So a rebuild waits for nobody,
a command that still reads the old file goes on reading what it opened, and no database is ever renamed over another
that some process has open (measured: the stale WAL then hides the new content).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import GuildError
from ledger.gate import is_locked, wait_for_lock
from ledger.seams import seam
from projections.schema import fingerprint

_WAIT_SECONDS = 600.0
"""How long to wait for another rebuild: it takes a while with millions of events."""


def current_file(folder: str) -> str | None:
    """Return the path of the newest index of this program version, or None."""
    found = _generations(folder)
    return os.path.join(folder, f"{fingerprint()}.{max(found)}.db") if found else None


def has_any_index(folder: str) -> bool:
    """Tell whether an index of any version is there: a witness that the home had a ledger."""
    try:
        return any(name.endswith(".db") and not name.startswith(".") for name in os.listdir(folder))
    except OSError:
        return False


def leftovers(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of what killed rebuilds of this version left, and of what other versions have there.

    While a rebuild is at work nothing of it is left over.
    """
    own, theirs = _superfluous(folder)
    return ([] if own and is_locked(os.path.join(folder, "rebuild.lock")) else own), theirs


def _superfluous(folder: str) -> tuple[list[str], list[str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return [], []
    current = os.path.basename(current_file(folder) or "")
    own = [name for name in names if name.startswith((".building.db", fingerprint() + "."))]
    own = [name for name in own if not (current and name.startswith(current))]
    theirs = [name for name in names if name.endswith(".db") and not name.startswith((".", fingerprint() + "."))]
    return own, theirs


def clear_leftovers(folder: str) -> None:
    """Remove what killed rebuilds of this version left.

    Raises:
        GuildError: the folder cannot be written.
    """
    with rebuilding(folder):
        for name in _superfluous(folder)[0]:
            remove_database(os.path.join(folder, name))


def _generations(folder: str) -> list[int]:
    start = fingerprint() + "."
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    middles = [name[len(start) : -3] for name in names if name.startswith(start) and name.endswith(".db")]
    return [int(middle) for middle in middles if middle.isdecimal()]


def publish(folder: str, built: str) -> str:
    """Give a finished, closed index file its name, durably, and remove the older ones of this program version.

    Only inside `rebuilding`. Returns the path.
    """
    from ledger.files import sync

    old = _generations(folder)
    path = os.path.join(folder, f"{fingerprint()}.{max(old, default=0) + 1}.db")
    sync(built)
    # Somebody may have removed an index but not the log that a killed command left beside it.
    remove_database(path)
    seam("rebuild.publish")
    os.rename(built, path)
    sync(folder)
    seam("rebuild.published")
    for generation in old:
        seam("rebuild.remove")
        remove_database(os.path.join(folder, f"{fingerprint()}.{generation}.db"))
    return path


def remove_database(path: str) -> None:
    """Remove a database file and what SQLite keeps beside it; what is not there, or is a folder, is left at that."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        try:
            os.unlink(path + suffix)
        except (FileNotFoundError, IsADirectoryError):
            continue


def forget_all(folder: str) -> None:
    """Remove the indexes of all program versions, and what listings were shown; only inside `rebuilding`.

    What they hold comes from a ledger that is there no more, or from events that were emptied.
    """
    for name in os.listdir(folder):
        if name.endswith(".db") and not name.startswith("."):
            remove_database(os.path.join(folder, name))
        elif name == "listings":
            import shutil

            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


@contextmanager
def rebuilding(folder: str) -> Iterator[str]:
    """Hold the rebuild lock; yields the path of the file to build, which is removed when it was not published.

    Raises:
        GuildError: the folder cannot be written.
    """
    built = os.path.join(folder, ".building.db")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(folder, "rebuild.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise GuildError(
            f"cannot write in {folder!r}: {error.strerror}", hint="Check the home's permissions."
        ) from error
    try:
        wait_for_lock(lock, os.path.join(folder, "rebuild.lock"), _WAIT_SECONDS)
        remove_database(built)  # left by a rebuild that was killed
        yield built
    finally:
        remove_database(built)
        os.close(lock)
