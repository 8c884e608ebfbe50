"""The files of one run directory: listed and opened without ever leaving it, whatever links and names are in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable

OWN = ".guild"
"""The folder at the top of a run directory that holds what guild itself writes."""

Refused = Callable[[str, OSError], None]
"""Called with the relative path of a folder that cannot be read, and why."""


class RunFilesError(GuildError):
    """A path names nothing in the run directory, or something outside."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """One entry of a run directory.

    Attributes:
        path: relative to the run directory.
        kind: `file`, `link`, `folder` (only one with nothing in it is listed) or `other` (a pipe, a socket).
        size: bytes of a file, else None.
    """

    path: str
    kind: str
    size: int | None


def inside(folder: str, path: str) -> str:
    """Return the real path of `path`, which is relative to the run directory `folder`; links inside are followed.

    Raises:
        RunFilesError: it is absolute, has a `..`, leads out of the run directory, or is not there.
    """
    shown = printable(path)
    top = os.path.realpath(folder)
    real = os.path.realpath(os.path.join(top, relative(path)))
    if real != top and not real.startswith(f"{top}/"):
        raise RunFilesError(
            f"'{shown}' is a link that leads out of the run directory, to '{printable(real)}'",
            hint="Use that path itself if you trust it.",
        )
    if not os.path.lexists(real):
        raise RunFilesError(f"the run has no file '{shown}'", hint="`guild ls` shows the files of a run.")
    return real


def relative(path: str) -> str:
    """Return a relative path in its shortest form; empty for the run directory itself."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise RunFilesError(
            f"'{printable(path)}' is not a path below the run directory", hint="Give a path as `guild ls` shows it."
        )
    return "/".join(parts)


def open_file(folder: str, path: str) -> int:
    """Return a descriptor to read a file of the run directory `folder` from; the caller closes it.

    Raises:
        RunFilesError: as `inside`, or it is no file, or cannot be read.
    """
    real, shown = inside(folder, path), printable(path)
    try:
        # Without waiting: opening a pipe would, for ever. Without following: a link may have come in between.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise RunFilesError(f"'{shown}' cannot be read: {error.strerror}", hint="Nothing was printed.") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    raise RunFilesError(f"'{shown}' is {what}", hint="`guild ls` shows the files of a run.")


def files_below(folder: str, path: str, *, hidden: bool, refused: Refused) -> Iterator[RunFile]:
    """Yield what is at and below `path` in the run directory `folder`, sorted by path; no link is followed.

    Args:
        folder: the run directory.
        path: relative to it; empty for all.
        hidden: whether guild's own folder is listed too.
        refused: told of folders that cannot be read.

    Raises:
        RunFilesError: as `inside`.
    """
    name = relative(path)
    parent, _, last = name.rpartition("/")
    full = os.path.join(inside(folder, parent), last)
    if os.path.islink(full):
        yield _entry(full, name)
        return
    full = inside(folder, path)
    if os.path.isdir(full):
        yield from _below(full, name, hidden=hidden or name.split("/")[0] == OWN, refused=refused)
    else:
        yield _entry(full, name)


def _below(top: str, name: str, *, hidden: bool, refused: Refused) -> Iterator[RunFile]:
    waiting = [(name, True)]
    while waiting:
        path, is_folder = waiting.pop()
        full = os.path.join(top, os.path.relpath(path, name or ".")) if path else top
        if not is_folder:
            yield _entry(full, path)
            continue
        try:
            found = _sorted(full)
        except OSError as error:
            refused(path, error)
            continue
        if not found and path != name:
            yield RunFile(path, "folder", None)
        entries = [(f"{path}/{entry}" if path else entry, folder) for entry, folder in found]
        waiting += [(entry, folder) for entry, folder in reversed(entries) if hidden or entry != OWN]


def _sorted(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder and whether each is one, in the order that all paths below will have."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    return sorted(found, key=lambda entry: f"{entry[0]}/" if entry[1] else entry[0])


def _entry(full: str, path: str) -> RunFile:
    try:
        status = os.lstat(full)
    except OSError:
        return RunFile(path, "other", None)  # gone while it was listed: a running run may do that
    if stat.S_ISREG(status.st_mode):
        return RunFile(path, "file", status.st_size)
    return RunFile(path, "link" if stat.S_ISLNK(status.st_mode) else "other", None)
