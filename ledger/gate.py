"""The gate where writers queue before they ask the database for its write lock.

SQLite's own busy handler sleeps with back-off, so newcomers overtake: measured, some writers starve for seconds. The
kernel's `flock` queue is fair and takes the worst wait to a tenth, for about a tenth of the throughput.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import LedgerError


@contextmanager
def gate(path: str) -> Iterator[None]:
    """Hold the exclusive lock on the file at `path` (made when missing) for the duration.

    A second file than the database itself: locks on a database file belong to SQLite, and closing any other descriptor
    of it would drop them.

    Raises:
        LedgerError: the file cannot be made or locked.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LedgerError(
            f"cannot write in {os.path.dirname(path)!r}: {error.strerror}",
            hint="Check the permissions and the free space of the home, or choose another with -H.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
