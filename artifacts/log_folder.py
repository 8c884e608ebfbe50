"""A folder of links that TensorBoard looks at: for each run the event files that it wrote, or its series made into one.

TensorBoard is not given run directories themselves: it would walk through all checkpoints again and again, and through
whatever a link in them leads to. Each run has a folder here; the folders below have the same names as in the run and
hold links to the files that lie beside event files. What a run printed has no event file: its series become one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from artifacts.event_writing import Hyperparameter, flags_event, number_event, record, version_event
from artifacts.removal import remove_tree
from artifacts.run_files import OWN
from artifacts.series import Series, SeriesFollower
from ledger.dataclass import dataclass

MOST_ENTRIES = 20_000
"""Of a run directory; what lies behind them is not looked at."""

MOST_NUMBERS = 300_000
"""Of all runs that wrote no event files, each time that is looked; longer series are thinned out."""

MOST_OF_RUN = 50_000
LEAST_OF_RUN = 100

_EVENTS = "tfevents"
_OWN_FILE = "events.out.tfevents.0000000000.guild"
"""TensorBoard reads the files of a folder in the order of their names: this one comes first."""

_PLUGINS = "plugins"


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run that TensorBoard shows.

    Attributes:
        run_id: its id.
        name: what TensorBoard is to call it; no path.
        folder: its directory.
        is_over: whether nothing more comes.
        started: in seconds since 1970 UTC.
        flags: its hyperparameters.
    """

    run_id: str
    name: str
    folder: str
    is_over: bool
    started: float
    flags: Mapping[str, Hyperparameter]


class LogFolder:
    """Keeps the folder up to date.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._shown: dict[str, _Shown] = {}

    def update(self, runs: Sequence[LoggedRun]) -> None:
        """Show exactly these runs: new ones come, others go, those that go on get what is new.

        Raises:
            OSError: the folder cannot be written.
        """
        wanted = {run.run_id: run for run in runs}
        most = max(LEAST_OF_RUN, min(MOST_OF_RUN, MOST_NUMBERS // max(1, len(wanted))))
        for run_id in [run_id for run_id in self._shown if run_id not in wanted]:
            self._shown.pop(run_id).remove()
        for run_id, run in wanted.items():
            if run_id not in self._shown:
                self._shown[run_id] = _Shown(self._root, run)
            self._shown[run_id].update(run, most)

    def close(self) -> None:
        """Remove all of it."""
        with suppress(OSError):
            remove_tree(self._root)


class _Shown:
    """One run in the folder."""

    def __init__(self, root: str, run: LoggedRun) -> None:
        self._root = root
        self._folder = self._free(run)
        self._name = run.name
        self._last: dict[str, tuple[float, int]] = {}
        self._series: SeriesFollower | None = None
        self._is_complete = False
        os.mkdir(self._folder)
        self._append(version_event(run.started), flags_event(run.started, run.run_id, run.flags))

    def update(self, run: LoggedRun, most: int) -> None:
        if run.name != self._name:
            folder = self._free(run)
            os.rename(self._folder, folder)
            self._folder, self._name = folder, run.name
        if self._is_complete and run.is_over:
            return
        if not self._link(run.folder):
            self._append(*self._numbers(run, most))
        self._is_complete = run.is_over
        if run.is_over:
            self._series = None

    def _free(self, run: LoggedRun) -> str:
        """Return a folder for a run; of two runs with one name the second gets its id as well."""
        folder = os.path.join(self._root, run.name)
        return f"{folder} {run.run_id}" if os.path.lexists(folder) else folder

    def remove(self) -> None:
        remove_tree(self._folder)

    def _link(self, run_folder: str) -> bool:
        """Make the links that are missing; tell whether the run has event files of its own."""
        found = False
        for path in logged_files(run_folder):
            found = True
            link = os.path.join(self._folder, path)
            if os.path.basename(path) == _OWN_FILE or not self._make_folders(os.path.dirname(path)):
                continue
            if not os.path.lexists(link):
                os.symlink(os.path.join(run_folder, path), link)
        return found

    def _make_folders(self, path: str) -> bool:
        """Make the folders of a relative path, one in the other; what was linked as a file makes way.

        Nothing is made through a link: it leads into the directory of the run.
        """
        folder = self._folder
        for name in filter(None, path.split(os.sep)):
            folder = os.path.join(folder, name)
            if name == _OWN_FILE:
                return False
            if os.path.islink(folder):
                os.unlink(folder)
            with suppress(FileExistsError):
                os.mkdir(folder)
        return True

    def _numbers(self, run: LoggedRun, most: int) -> Iterator[bytes]:
        """Yield the events of the points that came since the last look, not many more than `most`."""
        if self._series is None:
            self._series = SeriesFollower(run.folder)
        if not self._series.read():
            return
        found = {key: list(self._new(key, series)) for key, series in self._series.series().items()}
        stride = 1 + sum(map(len, found.values())) // most
        for key, points in found.items():
            for step, time, value in (*points[:-1:stride], *points[-1:]):
                yield number_event(time, step, key, value)

    def _new(self, key: str, series: Series) -> Iterator[tuple[int, float, float]]:
        seen, number = self._last.get(key, (float("-inf"), -1))
        for step, time, value in zip(series.steps, series.times, series.values, strict=True):
            if time > seen:
                number = number + 1 if step is None else step
                yield number, time, value
        if series.times:
            self._last[key] = max(seen, series.times[-1]), number

    def _append(self, *events: bytes) -> None:
        with open(os.path.join(self._folder, _OWN_FILE), "ab") as file:
            file.writelines(map(record, events))


def logged_files(folder: str) -> Iterator[str]:
    """Yield the files of a run that TensorBoard may read, relative to its directory; no link is followed.

    Those are all regular files in a folder that has event files, and those below its folder `plugins`.
    """
    waiting, left = [("", False)], MOST_ENTRIES
    while waiting and left > 0:
        path, is_plugin = waiting.pop()
        files, folders = _entries(os.path.join(folder, path))
        left -= len(files) + len(folders)
        is_logged = is_plugin or any(_EVENTS in name for name in files)
        if is_logged:
            yield from (os.path.join(path, name) for name in files)
        waiting += [
            (os.path.join(path, name), is_plugin or (is_logged and name == _PLUGINS))
            for name in folders
            if path or name != OWN
        ]


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """Return the regular files and the folders in a folder, sorted; none of one that cannot be read."""
    files: list[str] = []
    folders: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISREG(mode):
                files.append(entry.name)
            elif stat.S_ISDIR(mode):
                folders.append(entry.name)
    return sorted(files), sorted(folders)
