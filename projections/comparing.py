"""Whether an index is what a fresh replay of the ledger gives: no fold was forgotten, no row altered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest

from ledger.log import Ledger
from projections.errors import index_errors
from projections.index import Checkpoint, Index
from projections.rebuild import build
from projections.schema import COMPARED


def damage(database: sqlite3.Connection) -> str | None:
    """Return the first thing that SQLite's own check finds wrong: pages, and each index entry against its row."""
    found = database.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == ("ok",) else f"the database's own check found: {found[0] if found else 'nothing'}"


def difference(index: Index, ledger: Ledger, progress: Callable[[int], None] | None = None) -> str | None:
    """Return the first difference between an index and a fresh replay, or None when they are equal.

    Rows alone are not enough: a rotten page of one of the index's own B-trees hides rows from a listing, so SQLite's
    check of every entry against its row comes first.

    Raises:
        IndexDamagedError: the index cannot be read.
    """
    # One view of the index from its checkpoint to its last row: others may append and catch up meanwhile.
    with index.reading():
        until = index.checkpoint()
        found = damage(index.db)
        if found is not None:
            return found
        with replay(ledger, progress, until=until) as fresh:
            return first_difference(index.db, fresh.db)


@contextmanager
def replay(
    ledger: Ledger, progress: Callable[[int], None] | None = None, *, until: Checkpoint | None = None
) -> Iterator[Index]:
    """Give what a fresh replay of the ledger makes, up to a checkpoint: an index that owes nothing to the one on disk.

    It lies in a temporary database of SQLite's, which spills to disk: memory does not grow with the runs.
    """
    fresh = Index(sqlite3.connect("", isolation_level=None), "a fresh replay")
    try:
        build(fresh.db, ledger, progress, until=until)
        yield fresh
    finally:
        fresh.close()


def first_difference(held: sqlite3.Connection, fresh: sqlite3.Connection) -> str | None:
    """Return the first row in which two index databases differ, or None."""
    for table in COMPARED:
        with index_errors():
            one, other = _rows(held, table), _rows(fresh, table)
            for number, (left, right) in enumerate(zip_longest(one, other)):
                if left != right:
                    return f"table {table}, row {number}: the index has {left!r}, the ledger gives {right!r}"
    return None


def _rows(database: sqlite3.Connection, table: str) -> sqlite3.Cursor:
    return database.execute(f"SELECT * FROM {table} ORDER BY {COMPARED[table]}")  # noqa: S608 - constants
