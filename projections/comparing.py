"""Whether an index is what a fresh replay of the ledger gives: no fold was forgotten, no row altered."""

from __future__ import annotations

import sqlite3
from itertools import zip_longest

from ledger.log import Ledger
from projections.errors import index_errors
from projections.index import Index
from projections.rebuild import build
from projections.schema import COMPARED


def difference(index: Index, ledger: Ledger) -> str | None:
    """Return the first difference between an index and a fresh replay, or None when they are equal.

    The replay goes to a temporary database of SQLite's, which spills to disk: memory does not grow with the runs.

    Raises:
        IndexDamagedError: the index cannot be read.
    """
    fresh = sqlite3.connect("", isolation_level=None)
    try:
        # One view of the index from its checkpoint to its last row: others may append and catch up meanwhile.
        with index.reading():
            build(fresh, ledger, None, until=index.checkpoint())
            return first_difference(index.db, fresh)
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
