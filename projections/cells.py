"""What runs have in the columns of a table, read for a few hundred of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from ledger.dataclass import dataclass
from projections.details import comment_counts, digests_of, tags_of
from projections.index import Index
from projections.rows import RunRow, displayed
from projections.schema import LIVE


class Time(int):
    """Microseconds since 1970, UTC."""


Cell = bool | int | float | str | list[str] | None
"""What a run has in a column; durations in seconds."""

Reader = Callable[[RunRow], Cell]

CHUNK = 500
"""Runs that are read at a time."""

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """A few hundred runs, of which more is read than their rows.

    Attributes:
        index: the index.
        rows: the runs.
        cwd: directory that displayed operations are relative to.
        now: microseconds UTC, to measure runs that are running; None leaves them without a duration.
    """

    index: Index
    rows: Sequence[RunRow]
    cwd: str
    now: int | None = None

    def numbers(self) -> list[int]:
        """Return the numbers of the runs."""
        return [row.number for row in self.rows]


def attribute_reader(name: str, chunk: Chunk) -> Reader:
    """Return what tells an attribute, one of `ATTRIBUTES`, of the runs of a chunk."""
    if name in _READ:
        return _READ[name](chunk)
    if name == "operation":
        shown = cache(lambda op: displayed(op, chunk.cwd))  # of very few operations, each a walk along paths
        return lambda row: shown(row.op)
    if name == "duration":
        return lambda row: duration(row, chunk.now)
    return _PLAIN[name]


def duration(row: RunRow, now: int | None = None) -> float | None:
    """Return how long a run took, in seconds; of one that is running, until `now`, None for None."""
    stopped = now if row.stopped is None and row.status == "running" else row.stopped
    return None if stopped is None else max(0, stopped - row.started) / _MICROSECONDS


def _time(microseconds: int | None) -> Time | None:
    return None if microseconds is None else Time(microseconds)


def _looked_up(read: Callable[[Index, Sequence[int]], Mapping[int, Cell]], nothing: Cell) -> Callable[[Chunk], Reader]:
    """Return what makes the reader of something that other tables than that of runs hold."""

    def reader(chunk: Chunk) -> Reader:
        found = read(chunk.index, chunk.numbers())
        return lambda row: found.get(row.number, nothing)

    return reader


_READ: Mapping[str, Callable[[Chunk], Reader]] = {
    "tag": _looked_up(tags_of, []),
    "comment": _looked_up(comment_counts, 0),
    "digest": _looked_up(digests_of, None),
}
_PLAIN: Mapping[str, Reader] = {
    "id": lambda row: row.run_id,
    "status": lambda row: row.status,
    "started": lambda row: _time(row.started),
    "stopped": lambda row: _time(row.stopped),
    "label": lambda row: row.label,
    "exit_status": lambda row: row.exit_status,
    "marked": lambda row: bool(row.marked),
    "protected": lambda row: bool(row.protected),
    "deleted": lambda row: row.place != LIVE,
    "model": lambda row: row.op.model,
    "package": lambda row: row.op.package,
    "project": lambda row: row.op.project,
    "operation_name": lambda row: row.op.operation,
}

ATTRIBUTES = (*_PLAIN, "operation", "duration", *_READ)
"""Attributes that a column can show."""
