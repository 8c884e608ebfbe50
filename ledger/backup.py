"""Backups of a SQLite ledger: made while others write, verified, and never over another file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

from ledger.errors import IntegrityError
from ledger.files import make_private, partial_name, publish, refuse_existing, remove
from ledger.seams import seam
from ledger.sqlite_errors import translated
from ledger.sqlite_store import SqliteStore
from ledger.verify import Report, verify


def back_up(store: SqliteStore, target: str, progress: Callable[[int, int], None] | None = None) -> Report:
    """Copy the ledger as it is at this moment into a new file, and verify the copy.

    Args:
        store: the ledger; others may go on writing to it.
        target: where the backup shall be; nothing may be there. It is one plain file, private to its owner.
        progress: told how many pages have been copied, and of how many.

    Returns:
        What verification found: nothing wrong.

    Raises:
        IntegrityError: the copy is not whole, so neither is the ledger; nothing is left.
        LedgerError: the file cannot be made.
    """
    refuse_existing(target)
    partial = partial_name(target)
    remove(partial)
    make_private(partial)
    try:
        seam("backup.copy")
        _copy(store, partial, progress)
        report = _verified(partial, f"{store.place!r} is not whole, so no backup was made")
        seam("backup.publish")
        publish(partial, target)
        seam("backup.published")
        return report
    finally:
        remove(partial)


def _copy(store: SqliteStore, target: str, progress: Callable[[int, int], None] | None) -> None:
    told = None if progress is None else lambda _status, left, total: progress(total - left, total)
    with translated(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # the finished file is flushed as a whole
        store.copy_into(copy, told)
        # Without a log it is one file, which can be put on any medium and read there.
        copy.execute("PRAGMA journal_mode=DELETE")


def _verified(path: str, refusal: str) -> Report:
    """Return the report about a ledger file that nobody else uses.

    Raises:
        IntegrityError: it is not whole.
    """
    with closing(SqliteStore(path, read_only=True)) as store:
        report = verify(store)
    if report.problems:
        first = report.problems[0]
        raise IntegrityError(
            f"{refusal}: {first.where}: {first.what}",
            hint="Nothing was changed. `guild ledger verify` tells more; `guild ledger salvage` saves what is whole.",
        )
    return report


def refuse_log(path: str) -> None:
    """Let pass only a file that holds all there is of a ledger.

    Raises:
        IntegrityError: it has a log beside it.
    """
    if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
        raise IntegrityError(
            f"{path!r} has a write-ahead log beside it: it is no backup, but a ledger in use",
            hint="Make a backup of it with `guild -H HOME ledger backup FILE`.",
        )


def verified_file(path: str) -> Report:
    """Return what verification says of a backup, which must be whole.

    Raises:
        IntegrityError: it is not.
        LedgerError: it cannot be read.
    """
    from ledger.opening import check_format, check_revision

    with closing(SqliteStore(path, read_only=True)) as store:
        check_revision(store.revision(), path)
        check_format(store)
    return _verified(path, f"{path!r} is not whole")
