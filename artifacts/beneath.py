"""Opening what lies below a directory, so that nothing that is done to it meanwhile can lead anywhere else.

For files that are served to a browser. `artifacts.run_files` looks at the whole path first and opens it then, which is
right for a user's own command; between the two a run that is still going can put a link in the way. Here every folder
is opened by itself, never through a link, and the next name is looked up in it; a link is read and followed by hand.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from artifacts.run_files import OWN, RunFilesError
from ledger.text import printable

_LONGEST = 4_096
_MOST_LINKS = 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not waiting: opening a pipe would, for ever


@contextmanager
def folder_below(folder: str, path: str, *, own: bool = False) -> Iterator[int]:
    """Give a descriptor of a folder below `folder`, closed afterwards.

    Args:
        folder: an absolute path, which may lead through links itself.
        path: relative to it; empty for itself.
        own: whether guild's own folder at the top is there, too.

    Raises:
        RunFilesError: it is not there, no folder, or cannot be read, or the path leads out.
    """
    descriptor = _opened(folder, path, own=own)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise RunFilesError(f"'{printable(path)}' is no folder")
        yield descriptor
    finally:
        os.close(descriptor)


def open_below(folder: str, path: str, *, own: bool = False) -> int:
    """Return a descriptor to read a regular file below `folder` from; the caller closes it.

    Args:
        folder: as of `folder_below`.
        path: relative to it.
        own: as of `folder_below`.

    Raises:
        RunFilesError: it is not there, no regular file, or cannot be read, or the path leads out.
    """
    descriptor = _opened(folder, path, own=own)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise RunFilesError(f"'{printable(path)}' is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}")


def _opened(folder: str, path: str, *, own: bool) -> int:
    _check(path)
    walk = _Walk(folder, path, own=own)
    try:
        return walk.end()
    except FileNotFoundError:
        raise RunFilesError(f"there is no '{printable(path)}'") from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise RunFilesError(f"'{printable(path)}' cannot be read: {what}") from error
    finally:
        walk.close()


def _check(path: str) -> None:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path or len(os.fsencode(path)) > _LONGEST:
        raise RunFilesError(f"'{printable(path)}' is not a path below the run directory")


class _Walk:
    """The way from a folder to something below it: the folders on it stay open, so that `..` is the one before."""

    def __init__(self, folder: str, path: str, *, own: bool) -> None:
        self._top = folder
        self._path = path
        self._own = own
        self._names = deque(path.split("/"))
        self._links = 0
        self._folders: list[int] = []

    def close(self) -> None:
        """Close what is still open."""
        while self._folders:
            os.close(self._folders.pop())

    def end(self) -> int:
        """Go to the end and return a descriptor of what is there."""
        self._folders.append(os.open(self._top, _FOLDER))
        while self._names:
            name = self._names.popleft()
            if name in ("", "."):
                continue
            if name == "..":
                self._back()
                continue
            found = self._step(name)
            if found is not None:
                return found
        return self._folders.pop()

    def _step(self, name: str) -> int | None:
        """Go on by one name; return a descriptor when that is the end."""
        here = self._folders[-1]
        if len(self._folders) == 1 and name == OWN and not self._own:
            raise FileNotFoundError
        mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._follow(os.readlink(name, dir_fd=here))
        elif stat.S_ISDIR(mode):
            self._folders.append(os.open(name, _FOLDER, dir_fd=here))
        elif not stat.S_ISREG(mode):
            raise ValueError("it is a pipe, a socket or a device")
        elif any(self._names):
            raise NotADirectoryError
        else:
            return os.open(name, _FILE, dir_fd=here)
        return None

    def _follow(self, target: str) -> None:
        """Put where a link leads in the place of its name."""
        self._links += 1
        if self._links > _MOST_LINKS:
            raise ValueError("there are too many links")
        if target.startswith("/"):
            target = self._from_top(target)
        self._names.extendleft(reversed(target.split("/")))

    def _from_top(self, target: str) -> str:
        """Go back to the top, and return how an absolute link goes on from there."""
        tops = (self._top, os.path.realpath(self._top))
        top = next((top for top in tops if f"{target}/".startswith(f"{top}/")), None)
        if top is None:
            raise self._leads_out()
        while len(self._folders) > 1:
            os.close(self._folders.pop())
        return target[len(top) :]

    def _back(self) -> None:
        if len(self._folders) == 1:
            raise self._leads_out()
        os.close(self._folders.pop())

    def _leads_out(self) -> RunFilesError:
        return RunFilesError(f"'{printable(self._path)}' is a link that leads out of the run directory")
