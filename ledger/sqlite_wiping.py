"""Taking what was emptied off the disk: redactions are rare, and every command would load what only they need."""

from __future__ import annotations

import sqlite3
import time

from ledger.errors import LedgerBusyError
from ledger.gate import gate
from ledger.sqlite_errors import translated
from ledger.sqlite_store import BUSY_MS

_BUSY_LOOK_MS = 100
"""How long one try to empty the log may hold up writers."""


def wipe(database: sqlite3.Connection, place: str, patience: float) -> None:
    """Write the file anew, and empty its log: pages that were split or freed may hold what is emptied.

    Readers are waited for outside the gate: they hold up no writer.

    Args:
        database: the ledger, outside of any transaction.
        place: its path.
        patience: seconds to wait for those that are reading; with 0 it is tried once.

    Raises:
        LedgerBusyError: others were reading all the time; it can be tried again.
    """
    end = time.monotonic() + patience
    with translated(place):
        if not patience:
            _empty_log(database, place, end)  # before the work is done in vain, which makes the log longer each time
        with gate(place + "-gate"):
            database.execute("PRAGMA secure_delete=ON")
            database.execute("VACUUM")
        _empty_log(database, place, end)


def _empty_log(database: sqlite3.Connection, place: str, end: float) -> None:
    database.execute(f"PRAGMA busy_timeout={_BUSY_LOOK_MS}")
    try:
        while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                raise LedgerBusyError(
                    f"{place!r} is being read by other commands, so its log still holds what was emptied",
                    hint="The redaction is recorded. The next command that changes something tries again.",
                )
            time.sleep(_BUSY_LOOK_MS / 1000)
    finally:
        database.execute(f"PRAGMA busy_timeout={BUSY_MS}")
