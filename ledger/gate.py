"""The gate where writers queue before they ask the database for its write lock.

SQLite's own busy handler sleeps with back-off, so newcomers overtake: measured, some writers starve for seconds. The
kernel's `flock` queue is fair and takes the worst wait to a tenth, for about a tenth of the throughput.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger.errors import LedgerBusyError, LedgerError

if TYPE_CHECKING:
    from types import FrameType

WAIT_SECONDS = 60.0


class gate:  # noqa: N801 - used as a statement
    """Hold the exclusive lock on the file at `path` (made when missing) for the duration.

    A second file than the database itself: locks on a database file belong to SQLite, and closing any other descriptor
    of it would drop them. A class, as `ledger.sqlite_errors.translated` is one: every append goes through it.

    Args:
        path: the file.
        stays: whether it stays open in between, until `close`: a writer that comes again need not look for it.

    Raises:
        LedgerBusyError: it was held for a minute, by a writer that was stopped, say.
        LedgerError: the file cannot be made or locked.
    """

    __slots__ = ("_descriptor", "_path", "_stays")

    def __init__(self, path: str, *, stays: bool = False) -> None:
        self._path = path
        self._stays = stays
        self._descriptor = -1

    def __enter__(self) -> None:
        """Wait for the lock."""
        if self._descriptor < 0:
            self._open()
        try:
            wait_for_lock(self._descriptor, self._path)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        """Give it up."""
        if self._stays:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        else:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LedgerError(
                f"cannot write in {os.path.dirname(self._path)!r}: {error.strerror}",
                hint="Check the permissions and the free space of the home, or choose another with -H.",
            ) from error


def is_locked(path: str) -> bool:
    """Tell whether another process holds the exclusive lock on a file; what is not there or not to be read is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def wait_for_lock(descriptor: int, path: str, seconds: float = WAIT_SECONDS) -> None:
    """Take the exclusive lock on an open file, waiting for its holder no longer than that.

    Raises:
        LedgerBusyError: it was held all the time.
        OSError: the file cannot be locked.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with _time_limit(path, seconds):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def _time_limit(path: str, seconds: float) -> Iterator[None]:
    """Give up waiting after some seconds, by an alarm: polling would take the kernel's fair queue away.

    Only the main thread can have an alarm; in others the wait has no end.
    """
    import signal

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise LedgerBusyError(
            f"{path!r} is held by another guild command for more than {seconds:g} seconds",
            hint="It may be stopped (Ctrl-Z), or busy with very many files: end it or wait, and try again.",
        )

    try:
        earlier = signal.signal(signal.SIGALRM, give_up)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
