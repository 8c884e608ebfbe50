"""The lease of a run: proof that somebody supervises it, and the last word about how it ended.

The supervising process holds `leases/<run id>` with flock for the life of the run, and the kernel frees it at
any death, kill -9 included. The file is closed in the run's own process: a stray daemon of the script would
keep it held for ever.

Its content is one JSON object, padded with blanks to SIZE bytes. The full size is written when the lease is
taken and only ever overwritten in place, so that the ending of a run can be noted when the disk has filled up
meanwhile, and be read back when the supervisor dies before it could tell the ledger.

Always `flock`, never `lockf`, whose locks are lost when the process closes any descriptor of the same file.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress

from ledger.dataclass import dataclass, field, names, replace, values
from ledger.errors import GuildError

SIZE = 1024
# A probe holds the file for microseconds, so who finds it held looks again before believing it.
_TRIES = 5
_PAUSE_SECONDS = 0.01


class LeaseError(GuildError):
    """A lease could not be taken or written because the file system refuses."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the holder of a lease writes into it.

    Attributes:
        boot_id: life of the machine in which the supervisor runs.
        pid: the supervisor.
        start_ticks: its start time, so that a recycled pid is not taken for it.
        host: the supervisor's machine.
        child_pid: the run's process, 0 while there is none.
        child_ticks: its start time, 0 while there is none.
        exit_status: how the process ended (negative: the signal that killed it), None while it runs.
        ended_at: when, in microseconds UTC, None while it runs.
        stopped_by: name of the signal that asked to stop the run ('SIGINT'), None when nobody asked.
    """

    boot_id: str
    pid: int
    start_ticks: int
    host: str
    child_pid: int = 0
    child_ticks: int = 0
    exit_status: int | None = None
    ended_at: int | None = None
    stopped_by: str | None = None


@dataclass(slots=True)
class Lease:
    """A held lease. It stays held until `release`, or until this process ends in whatever way."""

    path: str
    _descriptor: int = field(repr=False)

    @classmethod
    def acquire(cls, path: str, record: LeaseRecord) -> Lease | None:
        """Take the lease at `path` (made when missing) and write `record`; None when it is held.

        Raises:
            LeaseError: the file cannot be made, locked or written.
        """
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            descriptor = _lock(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise _refused(path, error) from error
        if descriptor is None:
            return None
        lease = cls(path, descriptor)
        try:
            lease.write(record)
        except LeaseError:
            lease.release(remove=True)
            raise
        return lease

    def write(self, record: LeaseRecord) -> None:
        """Replace the content, in place.

        Raises:
            LeaseError: the record is larger than SIZE, or the write failed.
        """
        import orjson

        content = orjson.dumps(values(record))
        if len(content) > SIZE:
            raise LeaseError(f"the lease {self.path!r} cannot hold {len(content)} bytes", hint="Shorten the host name.")
        try:
            written = os.pwrite(self._descriptor, content.ljust(SIZE), 0)
        except OSError as error:
            raise _refused(self.path, error) from error
        if written != SIZE:
            raise _refused(self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def note(self, **told: int | str | None) -> None:
        """Change these fields of the record, by name; what cannot be written is left.

        The ledger still learns it; the lease is for the case that it does not.
        """
        record = self.read() or LeaseRecord("", os.getpid(), 0, "")
        with suppress(LeaseError):
            self.write(replace(record, **told))  # type: ignore[arg-type]  # fields by name

    def read(self) -> LeaseRecord | None:
        """Return what the file holds, None when that is no record."""
        try:
            return _parse(os.pread(self._descriptor, SIZE, 0))
        except OSError:
            return None

    def release(self, *, remove: bool) -> None:
        """Give the lease up; with `remove` delete the file first, so that nobody takes it in between."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            if remove and _is_at(descriptor, self.path):
                os.unlink(self.path)
        except OSError as error:
            raise _refused(self.path, error) from error
        finally:
            # Explicitly, because a process forked just now may still have a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def read_lease(path: str) -> LeaseRecord | None:
    """Return the record in the lease at `path` without locking it; None when there is none to be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _parse(os.pread(descriptor, SIZE, 0))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def is_held(path: str) -> bool | None:
    """Whether somebody holds the lease at `path`; None when there is no such file.

    Asks for a shared lock and drops it at once: any number of observers may look at the same time without
    taking each other for the holder. Where the system cannot answer, the lease counts as held, because to
    call a living run dead is the worse mistake.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def try_take(path: str) -> Lease | None:
    """Take an existing lease whose holder is gone, leaving its content as it is; None when held or missing.

    Raises:
        LeaseError: the file is there but may not be opened or locked.
    """
    try:
        descriptor = _lock(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error) from error
    return None if descriptor is None else Lease(path, descriptor)


def _lock(path: str, flags: int) -> int | None:
    import time

    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        descriptor = _open_and_lock(path, flags)
        if descriptor is not None:
            return descriptor
    return None


def _open_and_lock(path: str, flags: int) -> int | None:
    while True:
        descriptor = _above_standard(os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise
        # The former holder deleted the file between our open and our lock: this one has no name any more.
        os.close(descriptor)


def _above_standard(descriptor: int) -> int:
    """Move a descriptor out of the place of a closed standard stream, or somebody would print into the lease."""
    if descriptor > 2:  # noqa: PLR2004 - standard error
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), named)


def _parse(content: bytes) -> LeaseRecord | None:
    import orjson

    try:
        found = orjson.loads(content)
        record = LeaseRecord(**{name: found[name] for name in names(LeaseRecord)})
    except (ValueError, TypeError, KeyError):
        return None
    return record if _is_sound(record) else None


def _is_sound(record: LeaseRecord) -> bool:
    numbers = (record.pid, record.start_ticks, record.child_pid, record.child_ticks)
    texts = (record.boot_id, record.host)
    return (
        all(type(number) is int for number in numbers)
        and all(type(text) is str for text in texts)
        and all(type(number) in (int, type(None)) for number in (record.exit_status, record.ended_at))
        and type(record.stopped_by) in (str, type(None))
    )


def _refused(path: str, error: OSError) -> LeaseError:
    return LeaseError(
        f"the lease {path!r} cannot be taken or written: {error.strerror}",
        hint="Check the permissions and the free space of the home; it must lie on a file system with flock.",
    )
