"""The gate where writers queue before they ask the database for its write lock.

SQLite's own busy handler sleeps with back-off, so newcomers overtake: measured, some writers starve for seconds. The
kernel's `flock` queue is fair and takes the worst wait to a tenth, for about a tenth of the throughput.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ledger.errors import LedgerBusyError, LedgerError

WAIT_SECONDS = 60.0


@contextmanager
def gate(path: str) -> Iterator[None]:
    """Hold the exclusive lock on the file at `path` (made when missing) for the duration.

    A second file than the database itself: locks on a database file belong to SQLite, and closing any other descriptor
    of it would drop them.

    Raises:
        LedgerBusyError: it was held for a minute, by a writer that was stopped, say.
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
        with _time_limit(path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _time_limit(path: str) -> Iterator[None]:
    """Give up waiting after `WAIT_SECONDS`, by an alarm: polling would take the kernel's fair queue away.

    Only the main thread can have an alarm; in others the wait has no end.
    """

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise LedgerBusyError(
            f"the ledger of {os.path.dirname(path)!r} is held by another program for more than a minute",
            hint="Nothing was changed. A stopped (not ended) guild command may hold it: end it, and try again.",
        )

    try:
        earlier = signal.signal(signal.SIGALRM, give_up)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, WAIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
