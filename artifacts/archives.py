"""Unpacking archives that may be hostile: nothing leaves the folder, fills the disk or makes a device.

Every name is checked as text and every folder on the way as it is on disk, so that no link that the archive itself
brings along can lead the next member out. What counts is what is written, not what the archive says of itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from artifacts.links import stays_inside
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    from typing import IO

ZIP_ENDINGS = (".zip",)
TAR_ENDINGS = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz"),
    *(".tar.xz", ".txz"),
)
ARCHIVE_ENDINGS = ZIP_ENDINGS + TAR_ENDINGS

_CHUNK = 1 << 20
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HINT = "Unpack it yourself and name the folder, or say `unpack: no` to have the archive as it is."


class ArchiveError(GuildError):
    """An archive cannot be read, or holds something that is not unpacked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=_HINT)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may become.

    Attributes:
        members: how many files, folders and links it may hold.
        ratio: how many times its own size all of it may have.
        spare_bytes: size that is fine whatever the ratio.
        free_share: part of the free space of the disk that it may fill.
    """

    members: int = 2_000_000
    ratio: int = 250
    spare_bytes: int = 256 << 20
    free_share: float = 0.9


LIMITS = Limits()


def is_archive(name: str) -> bool:
    """Tell whether a file of this name is an archive that can be unpacked."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def unpack(archive: str, folder: str, *, wanted: Callable[[str], bool] | None = None, limits: Limits = LIMITS) -> None:
    """Unpack `archive` into `folder`, an empty folder; after an error it holds what came before.

    Permission bits and times of files are kept, owners, set-user-id bits and extended attributes are not.

    Args:
        archive: path of a file that `is_archive` by its name.
        folder: absolute path.
        wanted: says of the path of each member whether it is needed; None for all.
        limits: how much it may become.

    Raises:
        ArchiveError: it is damaged, encrypted or too large, or holds a path or link that leads out of the folder, or
            a device or pipe.
        OSError: the system could not write.
    """
    from artifacts.archive_readers import unpack_tar, unpack_zip

    unpacking = Unpacking(folder, wanted or _everything, budget(archive, folder, limits), limits.members)
    (unpack_zip if archive.lower().endswith(ZIP_ENDINGS) else unpack_tar)(archive, unpacking)


def _everything(_path: str) -> bool:
    return True


def budget(archive: str, folder: str, limits: Limits = LIMITS) -> int:
    """Return how many bytes may be written to the disk of `folder` for an archive."""
    disk = os.statvfs(folder)
    free = int(disk.f_bavail * disk.f_frsize * limits.free_share)
    return min(free, limits.spare_bytes + limits.ratio * os.stat(archive).st_size)


class Unpacking:
    """The folder that members are written to, and what may still be written."""

    def __init__(self, folder: str, wanted: Callable[[str], bool], budget: int, members: int) -> None:
        self._folder = folder
        self._wanted = wanted
        self._real = {""}
        self._budget = budget
        self._left = budget
        self._unread = budget
        self._members = members

    def admit(self, name: str) -> str | None:
        """Count a member; return its path below the folder, or None when it is not wanted.

        Raises:
            ArchiveError: the path leads out, or there are too many members.
        """
        self._members -= 1
        if self._members < 0:
            raise ArchiveError("it holds more files than an archive may")
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise ArchiveError(f"it holds '{printable(name)}', a path that leads out of its folder")
        path = "/".join(parts)
        return path if path and self._wanted(path) else None

    def read(self, count: int) -> None:
        """Count bytes that the archive holds without its compression, wanted or not.

        Raises:
            ArchiveError: they are more than it may hold.
        """
        self._unread -= count
        self._check()

    def begin_again(self) -> None:
        """Have what the archive holds counted anew, because it is read another time."""
        self._unread = self._budget

    def _check(self) -> None:
        if self._left < 0 or self._unread < 0:
            raise ArchiveError("unpacked it would be too large for its size or for the free space of the disk")

    def add_folder(self, path: str) -> None:
        """Make a folder and those it lies in.

        Raises:
            ArchiveError: something else is in its place.
        """
        if path in self._real:
            return
        self.add_folder(os.path.dirname(path))
        full = os.path.join(self._folder, path)
        try:
            os.mkdir(full, 0o777)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                raise ArchiveError(f"it holds '{printable(path)}' both as a folder and as something else") from None
        self._real.add(path)

    def add_file(self, path: str, content: IO[bytes], mode: int, modified: float | None) -> None:
        """Write a regular file; one of that name that came before is replaced."""
        full = self._free(path)
        fd = os.open(full, _WRITE_FLAGS, 0o600)
        try:
            while chunk := content.read(_CHUNK):
                self._left -= len(chunk)
                self._check()
                _write(fd, chunk)
            os.fchmod(fd, (mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR)
            _set_time(fd, modified)
        finally:
            os.close(fd)

    def add_link(self, path: str, target: str) -> None:
        """Make a symbolic link.

        Raises:
            ArchiveError: it leads out of the folder, or its way cannot be told from its text.
        """
        if not target or "\0" in target or not stays_inside(path, target):
            raise ArchiveError(f"it holds '{printable(path)}', a link out of its folder to '{printable(target)}'")
        os.symlink(target, self._free(path))

    def add_name(self, path: str, existing: str) -> bool:
        """Give a file that came before a second name; return whether there is such a file."""
        parts = [part for part in existing.split("/") if part not in {"", "."}]
        first = os.path.join(self._folder, *parts)
        inside = not existing.startswith("/") and ".." not in parts and os.path.dirname("/".join(parts)) in self._real
        if not inside or not os.path.isfile(first) or os.path.islink(first):
            return False
        if "/".join(parts) != path:
            os.link(first, self._free(path), follow_symlinks=False)
        return True

    def _free(self, path: str) -> str:
        """Return where `path` is written, with its folder made and an earlier file or link of that name gone."""
        self.add_folder(os.path.dirname(path))
        full = os.path.join(self._folder, path)
        try:
            os.unlink(full)
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):
            raise ArchiveError(f"it holds '{printable(path)}' both as a folder and as something else") from None
        return full


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _set_time(fd: int, modified: float | None) -> None:
    # Archives hold any number there, and a file system not every time.
    with suppress(OSError, OverflowError, ValueError):
        if modified is not None:
            os.utime(fd, (modified, modified))
