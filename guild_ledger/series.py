"""Reads the series of a run from its `.guild/scalars.csv`, however large: for charts, and for notebooks.

What is read is thinned out on the way, so that memory does not grow with the file: of each bucket of neighbouring
points the lowest and the highest stay. A module that any Python can import: it needs only the standard library.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from guild_ledger.rows import FILE, LONGEST_KEY, MOST_STEP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    Point = tuple[int, int | None, float, float]

MOST_KEYS = 1_000
"""Later keys are left out."""

MOST_POINTS = 1_000
"""Of each series, unless another number is asked for."""

_BLOCK = 1024 * 1024
_LONGEST_LINE = 4 * LONGEST_KEY
_FIELDS = 4
_SHORTEST = 4


class Series:
    """The points of one key in the order in which they were reported.

    Attributes:
        key: its name.
        steps: where each belongs; None for what came without a step.
        times: when each was reported, in seconds since 1970 UTC.
        values: the numbers, NaN and infinities among them.
    """

    __slots__ = ("key", "steps", "times", "values")

    def __init__(
        self, key: str, steps: tuple[int | None, ...], times: tuple[float, ...], values: tuple[float, ...]
    ) -> None:
        self.key = key
        self.steps = steps
        self.times = times
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Series({self.key!r}, {len(self)} points)"


def read_series(run_dir: str, keys: Collection[str] | None = None, most_points: int = MOST_POINTS) -> dict[str, Series]:
    """Return the series of a run by key, in the order in which the keys were first reported.

    Lines that are no rows, and a last one that is not finished, are passed over. A file that is not there, or cannot be
    read, has no series.

    Args:
        run_dir: the directory of the run.
        keys: only these; None for all, of which there are at most MOST_KEYS.
        most_points: of each series. A longer one is thinned out: first, last, and the lowest and the highest of each
            bucket stay.
    """
    follower = SeriesFollower(run_dir, keys, most_points)
    follower.read()
    return follower.series()


class SeriesFollower:
    """Reads on where it stopped: for whoever looks at a run that goes on.

    Args:
        run_dir: the directory of the run.
        keys: as of `read_series`.
        most_points: as of `read_series`.
    """

    def __init__(self, run_dir: str, keys: Collection[str] | None = None, most_points: int = MOST_POINTS) -> None:
        self._path = os.path.join(run_dir, FILE)
        self._keys = None if keys is None else frozenset(keys)
        self._most = max(most_points, _SHORTEST)
        self._lines = LineFollower(self._path)
        self._found: dict[str, _Thinned] = {}

    def read(self) -> bool:
        """Read what is new; tell whether there was anything. A file that was replaced is read from its beginning."""
        found = False
        for lines in self._lines.read():
            if self._lines.is_new:
                self._found = {}
            self._take(lines)
            found = True
        return found

    def series(self) -> dict[str, Series]:
        """Return what was read so far, by key."""
        return {key: thinned.series(key) for key, thinned in self._found.items()}

    def _take(self, lines: list[str]) -> None:
        found, keys = self._found, self._keys
        for key, step, time, value in points(lines):
            thinned = found.get(key)
            if thinned is None:
                if len(found) >= MOST_KEYS or (keys is not None and key not in keys):
                    continue
                thinned = found[key] = _Thinned(self._most)
            thinned.add(step, time, value)


def points(lines: list[str]) -> Iterator[tuple[str, int | None, float, float]]:
    """Yield key, step, time in seconds and value of each line that is a row."""
    for line in lines:
        fields = line.split(",")
        if len(fields) != _FIELDS or '"' in line:
            fields = _unquoted(line)
            if len(fields) != _FIELDS:
                continue
        key, place, time, value = fields
        try:
            point = key, int(place) if place else None, float(time), float(value)
        except ValueError:
            continue
        if key and (point[1] is None or -MOST_STEP <= point[1] <= MOST_STEP):
            yield point


def _unquoted(line: str) -> list[str]:
    """Return the fields of a line of which the first may be quoted; none when it is malformed."""
    if not line.startswith('"'):
        return []
    key, end = "", 1
    while True:
        close = line.find('"', end)
        if close < 0:
            return []
        key += line[end:close]
        if line[close + 1 : close + 2] != '"':
            return [key, *line[close + 1 :].split(",")[1:]] if line[close + 1 : close + 2] == "," else []
        key += '"'
        end = close + 2


class LineFollower:
    """Reads the lines that a growing file has got, in blocks; never the unfinished one at its end.

    Attributes:
        is_new: whether the lines that were yielded last are the first of the file, or of one that has taken its place.
        offset: how much of the file was read, in bytes.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._rest = b""
        self._is_within = False
        self.is_new = False
        self.offset = 0

    def read(self, until: int | None = None) -> Iterator[list[str]]:
        """Yield the new lines, block by block, without their ends; nothing when the file cannot be read.

        Args:
            until: where to stop, in bytes; None for the end of the file.
        """
        try:
            # Not through a link, and never waiting for a pipe that the run may have put there.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self._path, flags)
        except OSError:
            return
        try:
            if self._stands(os.fstat(descriptor)):
                os.lseek(descriptor, self.offset, os.SEEK_SET)
                yield from self._blocks(descriptor, until)
        except OSError:
            return
        finally:
            os.close(descriptor)

    def skip(self, offset: int) -> None:
        """Go on behind what the caller has written itself."""
        self.offset, self._rest, self._is_within = offset, b"", False

    def _stands(self, status: os.stat_result) -> bool:
        """Tell whether there is something new to read; begin anew with another file, or one that was cut."""
        if not stat.S_ISREG(status.st_mode):
            return False
        file = status.st_dev, status.st_ino
        if (self._file is not None and file != self._file) or status.st_size < self.offset:
            self.skip(0)
        self._file = file
        return status.st_size > self.offset

    def _blocks(self, descriptor: int, until: int | None) -> Iterator[list[str]]:
        while block := os.read(descriptor, _BLOCK if until is None else max(0, min(_BLOCK, until - self.offset))):
            begun = self.offset == 0
            self.offset += len(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            if lines and self._is_within:
                # The end of a line that was too long.
                del lines[0]
                self._is_within = False
            if len(self._rest) > _LONGEST_LINE:
                self._rest, self._is_within = b"", True
            if lines or begun:
                self.is_new = begun
                yield b"\n".join(lines).decode("utf-8", "replace").split("\n")


class _Thinned:
    """Points of one key, at most so many of them."""

    __slots__ = ("_buckets", "_count", "_first", "_last", "_most", "_room", "_width")

    def __init__(self, most: int) -> None:
        self._most = most
        self._buckets: list[tuple[Point, Point]] = []
        self._count = 0
        self._width = 1
        self._room = 0
        self._first: Point | None = None
        self._last: Point | None = None

    def add(self, step: int | None, time: float, value: float) -> None:
        """Take one more point."""
        point = self._last = (self._count, step, time, value)
        self._count += 1
        if self._room:
            self._room -= 1
            low, high = self._buckets[-1]
            # Any number is better than NaN; of equal ones the first stays.
            is_number = value == value  # noqa: PLR0124 - NaN
            if is_number and not value >= low[3]:
                self._buckets[-1] = point, high if high[3] == high[3] else point
            elif value > high[3]:
                self._buckets[-1] = low, point
            return
        self._first = self._first or point
        self._buckets.append((point, point))
        self._room = self._width - 1
        # A bucket of one point shows one, all others two; and there are the first and the last.
        while len(self._buckets) > (self._most if self._width == 1 else (self._most - 2) // 2):
            self._merge()

    def _merge(self) -> None:
        """Make one bucket of each two neighbours."""
        old = self._buckets
        self._buckets = [_joined(one, other) for one, other in zip(old[::2], old[1::2], strict=False)]
        if len(old) % 2:
            self._buckets.append(old[-1])
            self._room += self._width
        self._width *= 2

    def series(self, key: str) -> Series:
        """Return the points that stayed."""
        kept = {point for bucket in self._buckets for point in bucket}
        kept |= {point for point in (self._first, self._last) if point is not None}
        chosen = sorted(kept, key=lambda point: point[0])
        _, steps, times, values = zip(*chosen, strict=True) if chosen else ((), (), (), ())
        return Series(key, steps, times, values)


def _joined(one: tuple[Point, Point], other: tuple[Point, Point]) -> tuple[Point, Point]:
    (low, high), (lower, higher) = one, other
    if low[3] != low[3]:
        return other
    return lower if lower[3] < low[3] else low, higher if higher[3] > high[3] else high
