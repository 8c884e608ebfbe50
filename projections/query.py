"""Questions to the index: which runs, in listing order, a page at a time; a page costs the page, not the table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from ledger.ids import RunId
from projections.errors import index_errors
from projections.escaping import as_stored
from projections.index import Index
from projections.schema import LIVE, PLACES, STATUSES, OpKey

PAGE = 2_000
_CHUNK = 500
_MOST_ARMS = 60
"""Above this many ordered scans to merge, one scan with a filter is cheaper to prepare."""

_COLUMNS = "run, run_id, op, status, place, started, stopped, exit_status, label, marked, protected, version"


class RunRow(NamedTuple):
    """What a listing shows of a run.

    Times are microseconds UTC; `version` counts the events of its stream; `number` is the run's in the index.
    """

    run_id: RunId
    op: OpKey
    status: str
    place: str
    started: int
    stopped: int | None
    exit_status: int | None
    label: str | None
    marked: int
    protected: int
    version: int
    number: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a command is about; what is empty or None does not limit.

    Attributes:
        place: `live` or `deleted`.
        project: only runs of model files in this absolute directory (local scope).
        operations: substrings of the displayed operation; any of them.
        statuses: any of them.
        labels: substrings of the label; any of them.
        cwd: directory that displayed operations are relative to.
        keys: exactly these operations; None for any.
    """

    place: str = LIVE
    project: str | None = None
    operations: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cwd: str = "/"
    keys: tuple[OpKey, ...] | None = None


def displayed(op: OpKey, cwd: str) -> str:
    """Return an operation as people see it: `./model:op` in its project, `../p/model:op` beside it, `pkg/model:op`."""
    name = f"{op.model}:{op.operation}" if op.model else op.operation
    if op.project is None:
        return f"{op.package}/{name}" if op.package else name
    way = os.path.relpath(op.project, as_stored(cwd))
    return f"{way}/{name}" if way in (".", "..") or way.startswith("../") else f"./{way}/{name}"


class Query:
    """A filter against one index: its operations are matched once, then pages, counts and ids are asked for."""

    def __init__(self, index: Index, wanted: RunFilter) -> None:
        self.index = index
        self.filter = wanted = replace(
            wanted,
            project=None if wanted.project is None else as_stored(wanted.project),
            operations=tuple(as_stored(text) for text in wanted.operations),
            labels=tuple(as_stored(text) for text in wanted.labels),
        )
        self.ops = _operations(index)
        self._place = PLACES.index(wanted.place)
        self._statuses = [STATUSES.index(status) for status in dict.fromkeys(wanted.statuses)]
        self._wanted_ops = {
            op
            for op, key in self.ops.items()
            if (wanted.project is None or key.project == wanted.project)
            and (not wanted.operations or self._matches(key))
            and (wanted.keys is None or key in wanted.keys)
        }

    def _matches(self, key: OpKey) -> bool:
        text = displayed(key, self.filter.cwd)
        return any(part in text for part in self.filter.operations)

    def count(self) -> int:
        """Return how many runs match; from the kept totals unless labels are asked for."""
        if self.filter.labels:
            return sum(1 for _ in self.rows())
        return sum(runs for *_, runs in self._cells())

    def wanted_ops(self) -> list[OpKey]:
        """Return the operations that have matching runs, labels left aside."""
        return [self.ops[op] for op in sorted({op for op, *_ in self._cells()})]

    def wanted_statuses(self) -> set[str]:
        """Return the statuses that matching runs have, labels left aside."""
        return {STATUSES[status] for _, status, _ in self._cells()}

    def _cells(self) -> list[tuple[int, int, int]]:
        """Return the kept totals (operation, status, runs) of what matches, labels left aside."""
        with index_errors():
            cells = self.index.db.execute(
                "SELECT op, status, runs FROM total WHERE place = ? AND runs > 0", (self._place,)
            ).fetchall()
        return [
            (op, status, runs)
            for op, status, runs in cells
            if op in self._wanted_ops and (not self._statuses or status in self._statuses)
        ]

    def rows(self, *, offset: int = 0, limit: int | None = None, after: RunRow | None = None) -> Iterator[RunRow]:
        """Yield matching runs, most recently started first, from place `offset` on, counted from behind `after`."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._page(offset, size, after)
            yield from page
            if len(page) < size:
                return
            offset, after = 0, page[-1]
            left = None if left is None else left - size

    def _page(self, offset: int, limit: int, after: RunRow | None) -> list[RunRow]:
        statement, values = self._statement(after)
        if statement is None:
            return []
        with index_errors():
            rows = self.index.db.execute(
                f"{statement} ORDER BY started DESC, run LIMIT ? OFFSET ?", (*values, limit, offset)
            ).fetchall()
            return [self.row(row) for row in rows]

    def row(self, row: tuple[Any, ...]) -> RunRow:
        """Return a row of `run`, its columns in the order of this module's statements, as it is shown."""
        run_id, op, status, place = row[1:5]
        if op not in self.ops:
            self.ops = _operations(self.index)  # another process has caught up with a run of a new one meanwhile
        return RunRow(RunId(run_id.hex()), self.ops[op], STATUSES[status], PLACES[place], *row[5:], row[0])  # type: ignore[call-arg]  # mypy counts no star

    def _statement(self, after: RunRow | None) -> tuple[str | None, list[object]]:
        """Return the SELECT (a merge of ordered index scans) and its values; None when nothing can match."""
        arms = self._arms()
        if not arms:
            return None, []
        tail, tail_values = self._tail(after)
        values: list[object] = []
        parts = []
        for condition, arm_values in arms:
            parts.append(f"SELECT {_COLUMNS} FROM run WHERE {condition}{tail}")  # noqa: S608 - constants and marks
            values += [*arm_values, *tail_values]
        return " UNION ALL ".join(parts), values

    def _arms(self) -> list[tuple[str, list[object]]]:
        if self.filter.project is None and not self.filter.operations and self.filter.keys is None:
            if not self._statuses:
                return [("place = ?", [self._place])]
            return [("place = ? AND status = ?", [self._place, status]) for status in self._statuses]
        cells = [(op, status) for op, status, _ in self._cells()]
        if len(cells) <= _MOST_ARMS:
            return [("op = ? AND place = ? AND status = ?", [op, self._place, status]) for op, status in cells]
        ops = sorted({op for op, _ in cells})
        statuses = sorted({status for _, status in cells})
        condition = f"place = ? AND op IN ({_marks(ops)}) AND status IN ({_marks(statuses)})"
        return [(condition, [self._place, *ops, *statuses])]

    def _tail(self, after: RunRow | None) -> tuple[str, list[object]]:
        """Return what every arm is limited by: labels, and the last row of the page before."""
        text, values = "", list[object]()
        if self.filter.labels:
            matches = " OR ".join("instr(label, ?)" for _ in self.filter.labels)
            text += f" AND run IN (SELECT run FROM run WHERE label IS NOT NULL AND ({matches}))"  # noqa: S608
            values += self.filter.labels
        if after is not None:
            text += " AND started <= ? AND (started < ? OR run > ?)"
            values += (after.started, after.started, after.number)
        return text, values

    def with_prefix(self, prefix: str, limit: int = 20, *, held: bool = False) -> list[RunRow]:
        """Return the runs whose id begins with `prefix`, at most `limit`.

        Of any place, scope or status, unless only those that the filter lets through (`held`) are asked for.
        """
        with index_errors():
            found = self.index.db.execute(
                f"SELECT {_COLUMNS} FROM run WHERE run_id BETWEEN ? AND ? ORDER BY run_id",  # noqa: S608
                (bytes.fromhex(prefix.ljust(32, "0")), bytes.fromhex(prefix.ljust(32, "f"))),
            )
            rows = map(self.row, found)
            return list(islice((row for row in rows if not held or self.holds(row)), limit))

    def holds(self, row: RunRow) -> bool:
        """Tell whether a run is among what the filter matches."""
        wanted = self.filter
        return (
            row.place == wanted.place
            and (wanted.project is None or row.op.project == wanted.project)
            and (not wanted.operations or self._matches(row.op))
            and (wanted.keys is None or row.op in wanted.keys)
            and (not wanted.statuses or row.status in wanted.statuses)
            and (not wanted.labels or (row.label is not None and any(part in row.label for part in wanted.labels)))
        )


def _operations(index: Index) -> dict[int, OpKey]:
    with index_errors():
        rows = index.db.execute("SELECT op, project, package, model, operation FROM op").fetchall()
    return {row[0]: OpKey._make(row[1:]) for row in rows}


def _marks(values: list[int]) -> str:
    return ",".join("?" * len(values))


def runs_by_id(index: Index, run_ids: Sequence[RunId]) -> dict[RunId, RunRow]:
    """Return what the index knows of these runs; one that it does not know is left out."""
    query = Query(index, RunFilter())
    found: dict[RunId, RunRow] = {}
    for start in range(0, len(run_ids), _CHUNK):
        chunk = [bytes.fromhex(run_id) for run_id in run_ids[start : start + _CHUNK]]
        statement = f"SELECT {_COLUMNS} FROM run WHERE run_id IN ({','.join('?' * len(chunk))})"  # noqa: S608 - marks
        with index_errors():
            rows = index.db.execute(statement, chunk).fetchall()
            found |= {row.run_id: row for row in map(query.row, rows)}
    return found


def running(index: Index) -> list[RunRow]:
    """Return the runs that the ledger has as running."""
    return list(Query(index, RunFilter(statuses=("running",))).rows())


def unconfirmed(index: Index) -> list[tuple[RunId, str]]:
    """Return the runs whose directory may not be where it belongs, each with its place."""
    with index_errors():
        rows = index.db.execute("SELECT run_id, place FROM unconfirmed JOIN run USING (run) ORDER BY run").fetchall()
    return [(RunId(run_id.hex()), PLACES[place]) for run_id, place in rows]
