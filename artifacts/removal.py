"""Measuring and removing whole trees, safely: links are never followed, mounted file systems never entered.

`shutil.rmtree` is not enough for what runs leave behind: it recurses, holds one descriptor per level, and
stops at folders without write permission. Here one descriptor walks down by name and up by `..`, so that
neither the depth nor the length of a path matters, and every step up is checked against where the walk came
from.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from contextlib import suppress

from ledger.dataclass import dataclass
from ledger.seams import seam

_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_RESCANS = 16


def measure_tree(path: str, *, unlock: bool = False) -> tuple[int, int]:
    """Return (files, bytes) of the tree at `path`; (0, 0) when there is nothing.

    Files are names of anything but folders; bytes are the sizes of regular files, each inode once however
    many names it has. What cannot be read is not counted.

    Args:
        path: a folder, or a single file or link, which counts as itself.
        unlock: give the user access to folders of theirs that forbid it; only for a tree about to be removed.
    """
    walk = _Measure(unlock=unlock)
    walk.run(path)
    return walk.files, walk.bytes


def remove_tree(path: str) -> None:
    """Remove the tree at `path`; nothing there is fine. Folders without write permission are opened up first.

    Everything that can go goes, even after an error.

    Raises:
        OSError: the first thing that could not be removed and why; EBUSY, with nothing removed, when a file
            system is mounted inside.
    """
    refuse_mounts(path)
    walk = _Remove(unlock=True)
    walk.run(path)
    if walk.error is not None:
        raise walk.error


@dataclass(slots=True)
class _Level:
    """A folder on the way from the top to where the walk is."""

    name: str
    identity: tuple[int, int]
    pending: list[str]


class _Walk(ABC):
    """Visits a tree depth first with one open descriptor."""

    def __init__(self, *, unlock: bool) -> None:
        self.unlock = unlock
        self.error: OSError | None = None

    @abstractmethod
    def leave(self, fd: int, name: str) -> bool:
        """Handle the folder `name` in `fd` after its contents; True asks to visit it once more."""

    @abstractmethod
    def other(self, fd: int, name: str) -> None:
        """Handle `name` in `fd`, which turned out to be no folder."""

    def note(self, error: OSError) -> None:
        """Remember the first error; later ones often only follow from it."""
        self.error = self.error or error

    def run(self, path: str) -> None:
        """Visit the tree at `path`."""
        parent, name = os.path.split(os.path.abspath(path))
        try:
            fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        trail = [_Level("", _identity(fd), [name])]
        try:
            while trail[-1].pending or len(trail) > 1:
                fd = self._down(fd, trail) if trail[-1].pending else self._up(fd, trail)
        finally:
            os.close(fd)

    def _down(self, fd: int, trail: list[_Level]) -> int:
        name = trail[-1].pending.pop()
        child = self._open(fd, name, device=trail[0].identity[0])
        if child is None:
            return fd
        level = _Level(name, _identity(child), [])
        try:
            self._visit(child, level.pending)
        except OSError as error:
            self.note(error)
        trail.append(level)
        os.close(fd)
        return child

    def _visit(self, fd: int, folders: list[str]) -> None:
        """Handle what lies directly in the folder `fd`, and add the names of its folders to `folders`."""
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    self._handle_other(fd, entry.name)

    def _up(self, fd: int, trail: list[_Level]) -> int:
        seam("removal.up")
        left = trail.pop()
        parent = os.open("..", _OPEN_FLAGS, dir_fd=fd)
        if _identity(parent) != trail[-1].identity:
            # Going on would continue in a folder that was never meant.
            os.close(parent)
            raise OSError(errno.ESTALE, "the folder was moved while it was being visited", left.name)
        os.close(fd)
        try:
            if self.leave(parent, left.name):
                trail[-1].pending.append(left.name)
        except OSError as error:
            self.note(error)
        return parent

    def _open(self, fd: int, name: str, *, device: int) -> int | None:
        """Open the folder `name` in `fd` for visiting, or handle it otherwise and return None."""
        try:
            child = self._open_folder(fd, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                self._handle_other(fd, name)
            else:
                self.note(error)
            return None
        if _identity(child)[0] != device:
            os.close(child)
            self.note(OSError(errno.EBUSY, "another file system is mounted here", name))
            return None
        return child

    def _open_folder(self, fd: int, name: str) -> int:
        seam("removal.open")
        try:
            child = os.open(name, _OPEN_FLAGS, dir_fd=fd)
        except PermissionError:
            if not self.unlock or not _is_own_folder(fd, name):
                raise
            seam("removal.chmod")
            os.chmod(name, 0o700, dir_fd=fd)
            child = os.open(name, _OPEN_FLAGS, dir_fd=fd)
        if self.unlock:
            _open_up(child)
        return child

    def _handle_other(self, fd: int, name: str) -> None:
        try:
            self.other(fd, name)
        except OSError as error:
            self.note(error)


class _Measure(_Walk):
    """Counts."""

    def __init__(self, *, unlock: bool) -> None:
        super().__init__(unlock=unlock)
        self.files = 0
        self.bytes = 0
        self._linked: set[tuple[int, int]] = set()

    def leave(self, fd: int, name: str) -> bool:  # noqa: ARG002 - nothing is left to count
        return False

    def other(self, fd: int, name: str) -> None:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        self.files += 1
        if stat.S_ISREG(status.st_mode) and self._is_first_name(status):
            self.bytes += status.st_size

    def _is_first_name(self, status: os.stat_result) -> bool:
        if status.st_nlink == 1:
            return True
        identity = (status.st_dev, status.st_ino)
        if identity in self._linked:
            return False
        self._linked.add(identity)
        return True


class _Remove(_Walk):
    """Removes."""

    def __init__(self, *, unlock: bool) -> None:
        super().__init__(unlock=unlock)
        self._rescans = 0

    def other(self, fd: int, name: str) -> None:
        seam("removal.unlink")
        with suppress(FileNotFoundError):  # another process removes the same tree, and that is as good
            os.unlink(name, dir_fd=fd)

    def leave(self, fd: int, name: str) -> bool:
        seam("removal.rmdir")
        try:
            os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            # Some file systems skip entries when others are removed during the listing, and a process that
            # survived its run may still be writing: look again, but not for ever.
            again = error.errno in {errno.ENOTEMPTY, errno.EEXIST} and self.error is None
            if not again or self._rescans >= _MAX_RESCANS:
                raise
            self._rescans += 1
            return True
        return False


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _is_own_folder(fd: int, name: str) -> bool:
    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _open_up(fd: int) -> None:
    """Let the user list and change a folder of theirs that its mode protects."""
    status = os.fstat(fd)
    if status.st_mode & 0o700 != 0o700 and status.st_uid == os.geteuid():  # noqa: PLR2004 - rwx for the owner
        seam("removal.chmod")
        os.fchmod(fd, 0o700)


def refuse_mounts(path: str) -> None:
    """Refuse to remove a tree that has a mount point inside: the removal would empty what is mounted.

    A walk stops at another device by itself, but a bind mount may be of the same one; only Linux's own list
    shows it.

    Raises:
        OSError: EBUSY, with the mount point as file name.
    """
    parent, name = os.path.split(os.path.abspath(path))
    inside = os.fsencode(os.path.join(os.path.realpath(parent), name))
    for point in _mount_points():
        if point == inside or point.startswith(inside + b"/"):
            raise OSError(errno.EBUSY, "a file system is mounted inside; unmount it first", os.fsdecode(point))


def _mount_points() -> list[bytes]:
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            points = [line.split(b" ")[4] for line in file]
    except OSError:
        return []
    for octal, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        points = [point.replace(octal, byte) for point in points]
    return points
