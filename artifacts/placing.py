"""Putting files into a run directory: whole or not at all, never over one another, never outside.

Each file is written under a name of its own and renamed when it is complete. Folders on the way are looked at before
they are used: one that is a link would carry what is written out of the run directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.seams import seam
from ledger.text import printable

RESERVED = ".guild"
"""The name at the top of a run directory under which nothing is placed."""

_CHUNK = 1 << 20
_CLONE = 0x40049409  # FICLONE of Linux: the copy shares the blocks of the original until one of them changes
_READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSUPPORTED = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADF, errno.EPERM}


class PlacingError(GuildError):
    """A file cannot be placed where it should go."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that was put into a run directory.

    Attributes:
        resource: name of the resource that it belongs to.
        path: relative to the run directory.
        origin: where it is from: a path, a URL, or a path in an archive.
        is_link: whether it is a link to the origin.
        bytes: its size; 0 for a link.
        sha256: of its content, when that was checked.
    """

    resource: str
    path: str
    origin: str
    is_link: bool
    bytes: int
    sha256: str | None = None


def safe_relative(path: str) -> str:
    """Return a path below the run directory in its shortest form; empty for the run directory itself.

    Raises:
        PlacingError: it is absolute, leads out of the run directory, or belongs to guild.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise PlacingError(f"'{printable(path)}' is not a path below the run directory")
    if parts[:1] == [RESERVED]:
        raise PlacingError(f"'{printable(path)}' is kept for what guild itself writes")
    return "/".join(parts)


class Claims:
    """Which paths are taken by which resource; folders may be shared, files not."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, str]] = {}
        self._folders: dict[str, str] = {}

    def add(self, path: str, resource: str, origin: str) -> bool:
        """Take `path`; False when the same file is there already, of whatever resource.

        Raises:
            PlacingError: another file has it, or it would have to be a file and a folder.
        """
        if path in self._files:
            other, there = self._files[path]
            if there == origin:
                return False
            raise _collision(path, resource, other)
        if path in self._folders:
            raise _collision(path, resource, self._folders[path])
        folder = os.path.dirname(path)
        while folder and folder not in self._folders:
            if folder in self._files:
                raise _collision(folder, resource, self._files[folder][0])
            self._folders[folder] = resource
            folder = os.path.dirname(folder)
        self._files[path] = (resource, origin)
        return True


def _collision(path: str, resource: str, other: str) -> PlacingError:
    whose = "twice" if resource == other else f"by {printable(other)} as well"
    return PlacingError(
        f"'{printable(path)}' is placed {whose}",
        hint="`target-path` or `rename` of one of them puts it elsewhere; `select` leaves it out.",
    )


class Placer:
    """Writes into one run directory.

    Args:
        run_dir: absolute path of a directory that is there.
        renew: whether a file that is there already gives way, as in the directory of a run that is started again.
    """

    def __init__(self, run_dir: str, *, renew: bool = False) -> None:
        self.run_dir = run_dir
        self.renew = renew
        self._real = {""}

    def folder(self, path: str) -> None:
        """Make the folder `path` and those it lies in; what is there may stay when it is a folder.

        Raises:
            PlacingError: something else is there.
            OSError: the system could not.
        """
        if path in self._real:
            return
        self.folder(os.path.dirname(path))
        full = os.path.join(self.run_dir, path)
        try:
            seam("placing.mkdir")
            os.mkdir(full)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                raise PlacingError(f"'{printable(path)}' is there already and is no folder") from None
        self._real.add(path)

    def copy(self, source: str, path: str, *, sha256: str | None = None) -> int:
        """Place a copy of the file `source` at `path`; return its size in bytes.

        Permission bits and times stay. Where the file system can, the copy shares the blocks of the original.

        Args:
            source: a regular file, or a link to one.
            path: relative to the run directory.
            sha256: digest that what was copied must have; None for any.

        Raises:
            PlacingError: something is there, `source` is no regular file, or its digest is another.
            OSError: the system could not.
        """
        reading = os.open(source, _READ_FLAGS)
        try:
            status = os.fstat(reading)
            if not stat.S_ISREG(status.st_mode):
                raise PlacingError(f"{source!r} is not a regular file")
            with self._new_file(path) as writing:
                _copy_content(reading, writing)
                if sha256 is not None:
                    _check_digest(writing, source, sha256)
                os.fchmod(writing, status.st_mode & 0o777)
                os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
            return status.st_size
        finally:
            os.close(reading)

    def write(self, data: bytes, path: str) -> None:
        """Place a file that holds `data` at `path`; raises as `copy`."""
        with self._new_file(path) as writing:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(writing, rest) :]
            os.fchmod(writing, 0o644)

    def move(self, source: str, path: str) -> None:
        """Place the file or link `source`, which lies on the same disk, at `path`; raises as `copy`."""
        os.rename(source, self._free(path))

    def link(self, target: str, path: str) -> None:
        """Place a symbolic link with the text `target` at `path`; raises as `copy`."""
        full = self._free(path)
        seam("placing.link")
        os.symlink(target, full)

    def _free(self, path: str) -> str:
        folder, name = os.path.split(path)
        self.folder(folder)
        full = os.path.join(self.run_dir, folder, name)
        if self.renew and os.path.lexists(full) and not stat.S_ISDIR(os.lstat(full).st_mode):
            seam("placing.renew")
            os.unlink(full)
        if os.path.lexists(full):
            raise PlacingError(f"'{printable(path)}' is there already")
        return full

    @contextmanager
    def _new_file(self, path: str) -> Iterator[int]:
        """Give a file to write to; it gets its name when all went well, else nothing of it stays."""
        full = self._free(path)
        partial = os.path.join(os.path.dirname(full), f".{os.urandom(8).hex()}.part")
        seam("placing.write")
        fd = os.open(partial, _WRITE_FLAGS, 0o600)
        try:
            try:
                yield fd
            finally:
                os.close(fd)
            seam("placing.rename")
            os.rename(partial, full)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise


def file_digest(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, _READ_FLAGS)
    try:
        return _digest(fd)
    finally:
        os.close(fd)


def check_digest(path: str, sha256: str) -> None:
    """Compare the SHA-256 of a file with the one that it must have.

    Raises:
        PlacingError: it is another.
        OSError: the file cannot be read.
    """
    fd = os.open(path, _READ_FLAGS)
    try:
        _check_digest(fd, path, sha256)
    finally:
        os.close(fd)


def _check_digest(fd: int, path: str, sha256: str) -> None:
    found = _digest(fd)
    if found != sha256.lower():
        raise PlacingError(
            f"{path!r} has another sha256 than it must have: expected {printable(sha256)}, found {found}",
            hint="Either the file was changed or damaged, or the model file says the wrong sha256.",
        )


def _digest(fd: int) -> str:
    import hashlib

    digest = hashlib.sha256()
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, _CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _copy_content(reading: int, writing: int) -> None:
    """Copy all of a file in the cheapest way that the file systems know."""
    import fcntl

    with suppress(OSError):
        fcntl.ioctl(writing, _CLONE, reading)
        return
    if not _copied_by_system(reading, writing):
        while chunk := os.read(reading, _CHUNK):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(writing, rest) :]


def _copied_by_system(reading: int, writing: int) -> bool:
    """Let the system copy; False, with nothing copied, when it does not know how."""
    copied = 0
    while hasattr(os, "copy_file_range"):
        try:
            count = os.copy_file_range(reading, writing, 1 << 30)
        except OSError as error:
            if copied or error.errno not in _UNSUPPORTED:
                raise
            return False
        if count == 0:
            # Of files that only seem empty, as those below /proc, the system copies nothing; reading gets them.
            return copied > 0
        copied += count
    return False
