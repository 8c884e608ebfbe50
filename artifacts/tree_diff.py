"""What differs between the files of two runs: which are new, gone or other, by size and content; no link is followed.

Contents are compared piece by piece, but not without end: of two large data sets of the same size only the beginning is
read, and the answer is that they were not compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from artifacts.line_diff import MOST_BYTES, NOTHING, Text, text_of
from artifacts.run_files import Refused, RunFile, files_below, open_file
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable

MOST_OF_FILE = 256 * 1024 * 1024
"""Bytes of each of two files of the same size that are compared."""

MOST_OF_ALL = 2 * 1024 * 1024 * 1024
"""Bytes that are compared of all files together."""

ADDED, REMOVED, CHANGED, UNKNOWN = "added", "removed", "changed", "not compared"
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path at which two run directories differ.

    Attributes:
        path: relative to the run directory.
        change: `added`, `removed`, `changed`, or `not compared` (of the same size, but too large or unreadable).
        before: what is there in the first; None for nothing.
        after: what is there in the second.
    """

    path: str
    change: str
    before: RunFile | None
    after: RunFile | None


class Trees:
    """Two run directories, None for one that is not there; `refused` is told of folders that cannot be read."""

    def __init__(self, before: str | None, after: str | None, refused: Refused) -> None:
        self._folders = before, after
        self._refused = refused
        self._left = MOST_OF_ALL

    def changes(self, path: str = "") -> Iterator[FileChange]:
        """Yield where they differ at and below a path, in the order of the paths.

        Raises:
            RunFilesError: the path leads out of a run directory.
        """
        before, after = ({one.path: one for one in self._below(folder, path)} for folder in self._folders)
        for name in sorted({**before, **after}):
            one, other = before.get(name), after.get(name)
            if one is None or other is None:
                yield FileChange(name, ADDED if one is None else REMOVED, one, other)
            elif (change := self._change(one, other)) is not None:
                yield FileChange(name, change, one, other)

    def has(self, path: str) -> bool:
        """Tell whether there is anything at a path in one of them."""
        return any(True for folder in self._folders for _ in self._below(folder, path))

    def _below(self, folder: str | None, path: str) -> Iterator[RunFile]:
        if folder is None or not os.path.isdir(folder):
            return
        if path and not os.path.lexists(os.path.join(folder, path)) and ".." not in path.split("/"):
            return
        yield from files_below(folder, path, hidden=False, refused=self._refused)

    def _change(self, one: RunFile, other: RunFile) -> str | None:
        if (one.kind, one.size) != (other.kind, other.size):
            return CHANGED
        first, second = (os.path.join(folder or "", one.path) for folder in self._folders)
        if one.kind == "link":
            return CHANGED if _target(first) != _target(second) else None
        if one.kind != "file":
            return None
        is_same = self._is_same(one.path, one.size or 0)
        return UNKNOWN if is_same is None else None if is_same else CHANGED

    def _is_same(self, path: str, size: int) -> bool | None:
        """Tell whether two files of the same size hold the same; None when that was not found out."""
        before, after = self._folders
        descriptors: list[int] = []
        try:
            descriptors += [open_file(before or "", path)]
            descriptors += [open_file(after or "", path)]
            if os.path.samestat(*map(os.fstat, descriptors)):
                return True
            return self._compared(descriptors, size)
        except (GuildError, OSError):
            return None
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _compared(self, descriptors: list[int], size: int) -> bool | None:
        left = min(size, MOST_OF_FILE, self._left)
        is_whole = left == size
        self._left -= left
        while left > 0:
            one, other = (_read(descriptor, min(_PIECE, left)) for descriptor in descriptors)
            if one != other:
                return False
            if not one:
                return True  # both became shorter meanwhile
            left -= len(one)
        return True if is_whole else None

    def texts(self, path: str) -> tuple[Text, Text]:
        """Return both files at a path as texts, one that is not there as an empty one; links are their targets.

        Raises:
            GuildError: one cannot be read.
        """
        before, after = (self._text(folder, path) for folder in self._folders)
        return before, after

    def _text(self, folder: str | None, path: str) -> Text:
        full = os.path.join(folder or "", path)
        if folder is None or not os.path.lexists(full):
            return NOTHING
        if os.path.islink(full):
            return text_of(b"-> " + os.fsencode(_target(full)) + b"\n")
        return read_text(folder, path)


def read_text(folder: str, path: str) -> Text:
    """Return the beginning of a file of a run directory as a text.

    Raises:
        GuildError: it cannot be read.
    """
    descriptor = open_file(folder, path)
    try:
        data = _read(descriptor, MOST_BYTES + 1)
    except OSError as error:
        raise GuildError(f"'{printable(path)}' cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return text_of(data[:MOST_BYTES], is_cut=len(data) > MOST_BYTES)


def _read(descriptor: int, count: int) -> bytes:
    """Read so many bytes, fewer only at the end."""
    pieces: list[bytes] = []
    while count > 0 and (piece := os.read(descriptor, count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
