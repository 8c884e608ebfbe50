"""Building an index anew from the whole ledger: into an unpublished file, checked, then published."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.log import Ledger
from ledger.seams import seam
from projections.errors import IndexDamagedError, index_errors
from projections.files import current_file, publish, rebuilding
from projections.index import Checkpoint, Index, connect, fold_all, refuse_replaced, save_checkpoint
from projections.schema import INDEXES, TABLES

_CACHE_KIB = 32_768
"""Ids are random: with SQLite's usual 2 MiB the pages of their index would be written and read again many times."""

_ID_INDEX, _OTHER_INDEXES = INDEXES.strip().split("\n", 1)


def rebuild(
    folder: str, ledger: Ledger, *, unless_usable: bool = False, progress: Callable[[int], None] | None = None
) -> int | None:
    """Build the index in `folder` anew.

    Args:
        folder: the home's index folder.
        ledger: the truth.
        unless_usable: leave it when another process has made a usable one meanwhile.
        progress: told after each batch how many events have been folded.

    Returns:
        How many events were folded; None when nothing was to be done.

    Raises:
        IndexDamagedError: what was built does not pass the database's check.
        GuildError: the folder cannot be written, or the disk is full.
    """
    with rebuilding(folder) as built, index_errors():
        refuse_replaced(ledger)  # now that the lock is held, which who puts a backup back holds as well
        if unless_usable and _usable(folder, ledger):
            return None
        seam("rebuild.build")
        database = sqlite3.connect(built, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous=OFF")
            database.execute("PRAGMA journal_mode=OFF")
            database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            count = build(database, ledger, progress)
            _check(database)
            database.execute("PRAGMA journal_mode=WAL")
        finally:
            database.close()
        seam("rebuild.built")
        publish(folder, built)
        return count


def _usable(folder: str, ledger: Ledger) -> bool:
    path = current_file(folder)
    if path is None:
        return False
    try:
        index = connect(path)
        try:
            index.catch_up(ledger)
            _check(index.db)
        finally:
            index.close()
    except (IndexDamagedError, sqlite3.Error):
        return False
    return True


def rebuild_in_memory(ledger: Ledger) -> Index:
    """Return an index that lives only in this process: for read-only homes and for comparing."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    build(database, ledger, None)
    return Index(database, ":memory:")


def build(
    database: sqlite3.Connection,
    ledger: Ledger,
    progress: Callable[[int], None] | None,
    *,
    until: Checkpoint | None = None,
) -> int:
    """Create the tables in an empty database and fold the ledger into them; returns the number of events.

    With `until`, only what an index with that checkpoint has read.
    """
    database.executescript(TABLES + _ID_INDEX)
    with ledger.store.reading(), index_errors(), _without_cycle_collector():
        database.execute("BEGIN")
        count = fold_all(database, ledger, 0, progress, until=None if until is None else until.position)
        save_checkpoint(database, ledger, None if until is None else until.seq)
        database.execute("COMMIT")
    database.executescript(_OTHER_INDEXES)
    database.execute("PRAGMA analysis_limit=1000")  # without a limit every row of every index is read
    database.execute("PRAGMA optimize=0x10002")
    return count


@contextmanager
def _without_cycle_collector() -> Iterator[None]:
    """Switch the collector of reference cycles off: a fold makes none, and it costs a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check(database: sqlite3.Connection) -> None:
    found = database.execute("PRAGMA quick_check(1)").fetchone()
    if found is None or found[0] != "ok":
        raise IndexDamagedError(f"the database's own check found: {found[0] if found else 'nothing'}")
