"""Finds TensorBoard's event files anywhere in a run directory, and reads what they have got since the last look.

What a number is called. In the folder whose event file came first: its tag. In every other one: the folder's path from
where it parts from the first, a slash and the tag. So with files in `logs/train` and `logs/validation` there are `loss`
and `validation/loss`, whatever the folders above are called, and a name never changes while a run goes on. A file
without a record that can be read, whatever it is called, does not count.

Looking is cheap: a folder that has not changed costs one question to the system. Links are not followed.
"""

from __future__ import annotations

import os
import re
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from artifacts.event_records import EventRecords
    from artifacts.output_scalars import Found

MOST_FILES = 1_000
MOST_FOLDERS = 5_000
MOST_ENTRIES = 20_000
"""Of one folder; what lies behind them is not seen. All three keep a run that writes heaps of files from being slow."""

_MUCH = 4 * 1024 * 1024
"""Bytes of records after which whoever reads hears of it: a second's work or so."""

_NAME = "tfevents"
_OWN = ".guild"
_SECONDS_IN_NAME = re.compile(r"tfevents\.(\d{1,12})")
_SETTLED_SECONDS = 2.0
"""A folder that was changed since then is looked into again: two changes may have one time."""


class _Folder:
    """What is known of a folder: when it was changed, its subfolders, its event files."""

    __slots__ = ("changed", "files", "folders")

    def __init__(self, changed: int, folders: list[str], files: list[str]) -> None:
        self.changed = changed
        self.folders = folders
        self.files = files


class EventFolders:
    """Finds the event files below a folder, again and again.

    Args:
        run_dir: the folder.
    """

    def __init__(self, run_dir: str) -> None:
        self._top = run_dir
        self._known: dict[str, _Folder] = {}

    def sizes(self) -> dict[str, int]:
        """Return the size of each event file, by path, the earliest first."""
        found: dict[str, int] = {}
        seen: dict[str, _Folder] = {}
        waiting = [self._top]
        while waiting and len(seen) < MOST_FOLDERS:
            path = waiting.pop()
            folder = self._look(path)
            if folder is None:
                continue
            seen[path] = folder
            waiting += folder.folders
            for file in folder.files:
                size = _size(file)
                if size is not None and len(found) < MOST_FILES:
                    found[file] = size
        self._known = seen
        return dict(sorted(found.items(), key=lambda item: _age(item[0])))

    def _look(self, path: str) -> _Folder | None:
        known = self._known.get(path)
        try:
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode):
                return None
            if known is not None and known.changed == status.st_mtime_ns and _is_settled(status.st_mtime):
                return known
            return self._listed(path, status.st_mtime_ns)
        except OSError:
            return None

    def _listed(self, path: str, changed: int) -> _Folder:
        folders, files = [], []
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_ENTRIES:
                    break
                if _NAME in entry.name and entry.is_file(follow_symlinks=False):
                    files.append(entry.path)
                elif entry.is_dir(follow_symlinks=False) and not (entry.name == _OWN and path == self._top):
                    folders.append(entry.path)
        return _Folder(changed, folders, files)


def _is_settled(changed: float) -> bool:
    return abs(time.time() - changed) > _SETTLED_SECONDS


def _size(path: str) -> int | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _age(path: str) -> tuple[int, str]:
    """Return what event files are ordered by: the second in their name at which they were made, then their path."""
    match = _SECONDS_IN_NAME.search(os.path.basename(path))
    return int(match[1]) if match else 0, path


class EventFiles:
    """The numbers in all event files of a run.

    Args:
        run_dir: its directory.
        begin: how much of each file was there before the run, by path; that is not the run's.
    """

    def __init__(self, run_dir: str, begin: Mapping[str, int] | None = None) -> None:
        self._top = run_dir
        self._folders = EventFolders(run_dir)
        self._begin = begin or {}
        self._records: dict[str, EventRecords] = {}
        self._prefixes: dict[str, str] = {}
        self._first: str | None = None

    def read(self, *, piece: int = 10_000) -> Iterator[list[Found]]:
        """Yield what is new, in pieces of some `piece` numbers; an empty one after much in which there was none."""
        for path, size in self._folders.sizes().items():
            if size <= self._begin.get(path, 0):
                continue
            folder = os.path.dirname(path)
            found: list[Found] = []
            read = 0
            for data in self._of(path).read(size):
                # Asked for with the first record: a file without one, whatever its name is, gives no folder its rank.
                found += self._numbers(data, self._prefix(folder))
                read += len(data)
                if len(found) >= piece or read >= _MUCH:
                    yield found
                    found, read = [], 0
            if found:
                yield found

    def _of(self, path: str) -> EventRecords:
        if path not in self._records:
            from artifacts.event_records import EventRecords

            self._records[path] = EventRecords(path, self._begin.get(path, 0))
        return self._records[path]

    def _prefix(self, folder: str) -> str:
        if self._first is None:
            self._first = folder
        if folder not in self._prefixes:
            self._prefixes[folder] = prefix_of(folder, self._first, self._top)
        return self._prefixes[folder]

    def _numbers(self, data: bytes, prefix: str) -> Iterator[Found]:
        from artifacts.event_values import MalformedError, event_values

        try:
            for tag, step, time_us, value in event_values(data):
                yield key_of(prefix, tag), step, time_us, value
        except MalformedError:
            return


def prefix_of(folder: str, first: str, top: str) -> str:
    """Return what tags in a folder are called before their name, empty in the first folder.

    >>> prefix_of("/r/logs/validation", "/r/logs/train", "/r"), prefix_of("/r/logs", "/r/logs/train", "/r")
    ('validation/', 'logs/')
    """
    if folder == first:
        return ""
    shared = os.path.commonpath((folder, first))
    inner = os.path.relpath(folder, shared)
    if inner == os.curdir:
        inner = os.path.relpath(folder, top)  # above the first
    return f"{inner}/"


def key_of(prefix: str, tag: str) -> str:
    """Return the key of a tag: nothing in it ends a line, and it is not longer than a key may be."""
    from artifacts.series import LONGEST_KEY

    text = prefix + tag
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "_" for letter in text)
    return text[:LONGEST_KEY]
