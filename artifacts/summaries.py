"""What the ledger learns of a series: first, last, lowest, highest, mean and how many; never the numbers themselves."""

from __future__ import annotations

import os

from artifacts.series import FILE, MOST_KEYS, LineFollower, points
from ledger.canonical import Value


class Summary:
    """What is kept of one key's values: none of them but first, last and extremes."""

    __slots__ = ("count", "first", "highest", "last", "lowest", "total")

    def __init__(self, value: float, step: int | None) -> None:
        self.first = self.last = self.lowest = self.highest = (value, step)
        self.total = value
        self.count = 1

    def add(self, value: float, step: int | None) -> None:
        """Take one more value; the first of equal extremes stays, and any number is better than NaN."""
        self.last = (value, step)
        self.count += 1
        self.total += value
        lowest, highest = self.lowest[0], self.highest[0]
        if value < lowest or lowest != lowest:  # noqa: PLR0124 - NaN
            self.lowest = self.last
        if value > highest or highest != highest:  # noqa: PLR0124 - NaN
            self.highest = self.last

    def to_body(self) -> dict[str, Value]:
        """Return the form that `RunScalarsRecorded` documents."""
        return {
            "first": self.first,
            "last": self.last,
            "min": self.lowest,
            "max": self.highest,
            "mean": self.total / self.count,
            "count": self.count,
        }


class Summaries:
    """Summaries by key, of at most MOST_KEYS keys; it knows which of them were not told yet."""

    def __init__(self) -> None:
        self._found: dict[str, Summary] = {}
        self._changed: set[str] = set()

    def add(self, key: str, step: int | None, value: float) -> None:
        """Take a point; of a key too many it is left out."""
        summary = self._found.get(key)
        if summary is not None:
            summary.add(value, step)
        elif len(self._found) < MOST_KEYS:
            self._found[key] = Summary(value, step)
        else:
            return
        self._changed.add(key)

    def changed(self) -> dict[str, Value]:
        """Return what has changed since `told`, in the form that `RunScalarsRecorded` documents."""
        return {key: summary.to_body() for key, summary in self._found.items() if key in self._changed}

    def told(self) -> None:
        """Take note that the ledger has what `changed` returned."""
        self._changed.clear()


def summaries_of(run_dir: str, most: int | None = None) -> dict[str, Value]:
    """Return the summaries of the series in a run directory, read from beginning to end; empty when it has none.

    Args:
        run_dir: the directory.
        most: bytes; a larger file is not read, for a summary of its beginning would be wrong. None for any size.
    """
    found, path = Summaries(), os.path.join(run_dir, FILE)
    try:
        size = os.lstat(path).st_size
    except OSError:
        return {}
    if most is not None and size > most:
        return {}
    for lines in LineFollower(path).read(None if most is None else size):
        for key, step, _, value in points(lines):
            found.add(key, step, value)
    return found.changed()
