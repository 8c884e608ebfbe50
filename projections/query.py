"""Questions to the index: which runs, in listing order, a page at a time; a page costs the page, not the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from ledger.dataclass import replace
from ledger.ids import RunId
from projections.errors import index_errors
from projections.escaping import as_stored
from projections.index import Index
from projections.rows import COLUMNS, RunFilter, RunRow, displayed
from projections.schema import PLACES, STATUSES, OpKey

if TYPE_CHECKING:
    import sqlite3
    from array import array

    from projections.candidates import Candidates
    from projections.counting import Counts

__all__ = ["Query", "RunFilter", "RunRow", "displayed", "running", "runs_by_id"]

PAGE = 2_000
_CHUNK = 500
_MOST_ARMS = 60
"""Above this many ordered scans to merge, one scan with a filter is cheaper to prepare."""

_MOST_VALUES = 10_000
"""SQLite binds no more than 32,766 values in a statement."""

_STARTED = "started"


class Query:
    """A filter against one index: its operations are matched once, then pages, counts and ids are asked for."""

    def __init__(self, index: Index, wanted: RunFilter) -> None:
        self.index = index
        self.filter = wanted = replace(
            wanted,
            project=None if wanted.project is None else as_stored(wanted.project),
            operations=tuple(as_stored(text) for text in wanted.operations),
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
        self._candidates = self._found_candidates() if wanted.has_conditions() else None

    def _found_candidates(self) -> Candidates:
        from projections.candidates import Candidates

        with index_errors():
            return Candidates(self.index, self.filter, self.ops)

    def unknown_names(self) -> list[str]:
        """Return the names in the filter's expression, with their prefix, that no run has: they match nothing."""
        return [] if self._candidates is None else sorted(self._candidates.unknown)

    def _matches(self, key: OpKey) -> bool:
        text = displayed(key, self.filter.cwd)
        return any(part in text for part in self.filter.operations)

    def count(self) -> int:
        """Return how many runs match: from the kept totals, or one by one when the filter has other conditions."""
        if self._candidates is None:
            return self.most()
        where, values = self.where()
        with index_errors():
            statement = f"SELECT count(*) FROM {self.source()} WHERE {where}"  # noqa: S608 - conditions
            return int(self.index.db.execute(statement, values).fetchone()[0])

    def most(self) -> int:
        """Return how many runs match at most: known at once, from the kept totals and the runs that were named."""
        named = self._named()
        total = sum(runs for *_, runs in self._totals())
        return total if named is None else min(total, len(named))

    def counts(self, by: str) -> Counts:
        """Return how many matching runs there are of each kind: see `projections.counting`.

        Raises:
            UsageError: runs cannot be grouped by that.
        """
        from projections.counting import counts

        return counts(self, by)

    def wanted_ops(self) -> list[OpKey]:
        """Return the operations that have matching runs, conditions beyond operation and status left aside."""
        return [self.ops[op] for op in sorted({op for op, *_ in self._totals()})]

    def wanted_statuses(self) -> set[str]:
        """Return the statuses that matching runs have, conditions beyond operation and status left aside."""
        return {STATUSES[status] for _, status, _ in self._totals()}

    def cells(self) -> list[tuple[int, int, int]]:
        """Return how many matching runs there are of each operation and status, by their numbers in the index."""
        if self._candidates is None:
            return self._totals()
        where, values = self.where()
        with index_errors():
            statement = f"SELECT op, status, count(*) FROM {self.source()} WHERE {where} GROUP BY op, status"  # noqa: S608
            return self.index.db.execute(statement, values).fetchall()

    def _totals(self) -> list[tuple[int, int, int]]:
        with index_errors():
            cells = self.index.db.execute(
                "SELECT op, status, runs FROM total WHERE place = ? AND runs > 0", (self._place,)
            ).fetchall()
        return [
            (op, status, runs)
            for op, status, runs in cells
            if op in self._wanted_ops and (not self._statuses or status in self._statuses)
        ]

    def where(self) -> tuple[str, list[object]]:
        """Return what is true of the rows of `run` that match, as SQL, and its values."""
        parts, values = ["run.place = ?"], [self._place]
        if self._is_of_operations():
            parts.append(f"run.op IN ({numbers(sorted(self._wanted_ops))})")
        if self._statuses:
            parts.append(f"run.status IN ({numbers(self._statuses)})")
        named = self._named()
        if named is not None:
            parts.append(f"run.run IN ({numbers(named)})")
        text, more = self._conditions()
        return " AND ".join(parts) + text, [*values, *more]

    def source(self) -> str:
        """Return the table of runs, as `where` is best asked of it."""
        return "run" if self._named() is None else "run NOT INDEXED"

    def _named(self) -> list[int] | None:
        return None if self._candidates is None else self._candidates.runs

    def _is_of_operations(self) -> bool:
        wanted = self.filter
        return wanted.project is not None or bool(wanted.operations) or wanted.keys is not None

    def _conditions(self) -> tuple[str, list[object]]:
        conditions = () if self._candidates is None else self._candidates.conditions
        text = "".join(f" AND {condition.test}" for condition in conditions)
        return text, [value for condition in conditions for value in condition.values]

    def rows(
        self,
        *,
        offset: int = 0,
        limit: int | None = None,
        after: RunRow | None = None,
        sort: str = _STARTED,
        reverse: bool = False,
    ) -> Iterator[RunRow]:
        """Yield matching runs from place `offset` on, counted from behind `after`.

        Args:
            offset: how many to pass by.
            limit: how many at most; None for all.
            after: the run that those wanted follow.
            sort: see `projections.sorting`; the most recently started first unless told otherwise.
            reverse: the other way round.

        Raises:
            UsageError: runs cannot be sorted by that.
        """
        if sort == _STARTED and not reverse:
            return self._newest_first(offset, limit, after)
        if after is None:
            return self._sorted(sort, offset, limit, reverse=reverse)
        # There is no index to go on in: passed by are those that were shown.
        rows = self._sorted(sort, 0, None, reverse=reverse)
        for row in rows:
            if row.run_id == after.run_id:
                break
        return islice(rows, offset, None if limit is None else offset + limit)

    def _newest_first(self, offset: int, limit: int | None, after: RunRow | None) -> Iterator[RunRow]:
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._page(offset, size, after)
            yield from page
            if len(page) < size:
                return
            offset, after = 0, page[-1]
            left = None if left is None else left - size

    def numbers(self, *, sort: str = _STARTED, reverse: bool = False) -> array[int]:
        """Return the numbers of all matching runs, in order: so little of each that a million are soon read.

        Args:
            sort: as for `rows`.
            reverse: the other way round.

        Raises:
            UsageError: runs cannot be sorted by that.
        """
        from array import array

        found: array[int] = array("q")
        if sort == _STARTED and not reverse:
            statement, values = self._statement(None, "run.run, run.started")
            parts = [] if statement is None else [(f"{statement} ORDER BY started DESC, run", tuple(values))]
        else:
            parts = [
                (f"SELECT run.run {there} ORDER BY {order}", bound)
                for there, bound, order in self._phases(sort, reverse=reverse, whole=True)
            ]
        for statement, bound in parts:
            with index_errors():
                found.extend([row[0] for row in self.index.db.execute(statement, bound)])
        return found

    def rows_numbered(self, wanted: Sequence[int]) -> list[RunRow]:
        """Return the runs with these numbers, a few hundred at most, in no order; one that there is not is left out."""
        with index_errors():
            statement = f"SELECT {COLUMNS} FROM run WHERE run.run IN ({numbers(wanted)})"  # noqa: S608 - numbers
            return [self.row(row) for row in self.index.db.execute(statement)]

    def _phases(
        self, sort: str, *, reverse: bool, whole: bool = False
    ) -> Iterator[tuple[str, tuple[object, ...], str]]:
        """Yield the phases of a sorted listing: from where, what is bound in that, and in which order."""
        from projections.sorting import Shape, phases

        wanted = {op for op, *_ in self._totals()}
        ops = {op: self.ops[op] for op in sorted(wanted)}
        shape = Shape(self.index.db, ops, self.filter.cwd, self._few(), whole)
        where, values = self.where()
        for phase in phases(sort, shape, reverse=reverse):
            yield f"FROM {phase.source} WHERE {phase.where} AND {where}", (*phase.values, *values), phase.order

    def _sorted(self, sort: str, offset: int, limit: int | None, *, reverse: bool) -> Iterator[RunRow]:
        left = limit
        for there, bound, order in self._phases(sort, reverse=reverse):
            if left == 0:
                return
            with index_errors():
                found = self.index.db.execute(
                    f"SELECT {COLUMNS} {there} ORDER BY {order} LIMIT ? OFFSET ?",
                    (*bound, -1 if left is None else left, offset),
                )
            count = 0
            while page := self._fetched(found):
                yield from page
                count += len(page)
            left = None if left is None else left - count
            # What is passed by in the next phase depends on how much there was in this one.
            offset = 0 if count or not offset else max(0, offset - self._how_many(there, bound))

    def _how_many(self, there: str, values: Sequence[object]) -> int:
        with index_errors():
            return int(self.index.db.execute(f"SELECT count(*) {there}", values).fetchone()[0])

    def _few(self) -> str | None:
        """Return where the matching runs are looked up when they are few in comparison with all; else None."""
        from projections.sorting import MOST_SORTED

        if self._named() is not None:
            return self.source()
        if self.most() > MOST_SORTED:
            return None
        index = "run_by_op" if self._is_of_operations() else "run_by_status" if self._statuses else "run_listing"
        return f"run INDEXED BY {index}"

    def _fetched(self, found: sqlite3.Cursor) -> list[RunRow]:
        with index_errors():
            return [self.row(row) for row in found.fetchmany(PAGE)]

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

    def _statement(self, after: RunRow | None, columns: str = COLUMNS) -> tuple[str | None, list[object]]:
        """Return the SELECT (a merge of ordered index scans) and its values; None when nothing can match."""
        tail, tail_values = self._conditions()
        if after is not None:
            tail += " AND run.started <= ? AND (run.started < ? OR run.run > ?)"
            tail_values += (after.started, after.started, after.number)
        values: list[object] = []
        parts = []
        for condition, arm_values in self._arms(len(tail_values)):
            parts.append(f"SELECT {columns} FROM {self.source()} WHERE {condition}{tail}")  # noqa: S608 - conditions
            values += [*arm_values, *tail_values]
        return " UNION ALL ".join(parts) if parts else None, values

    def _arms(self, tail: int) -> list[tuple[str, list[object]]]:
        named = self._named()
        if named is not None:
            return [self._scan(f"run.run IN ({numbers(named)})")] if named else []
        if not self._is_of_operations():
            if not self._statuses:
                return [("place = ?", [self._place])]
            return [("place = ? AND status = ?", [self._place, status]) for status in self._statuses]
        cells = [(op, status) for op, status, _ in self._totals()]
        if len(cells) <= _MOST_ARMS and len(cells) * tail <= _MOST_VALUES:
            return [("op = ? AND place = ? AND status = ?", [op, self._place, status]) for op, status in cells]
        return [self._scan("1")] if cells else []

    def _scan(self, condition: str) -> tuple[str, list[object]]:
        """Return one scan of all operations and statuses that are wanted."""
        cells = self._totals()
        ops = numbers(sorted({op for op, *_ in cells}))
        statuses = numbers(sorted({status for _, status, _ in cells}))
        return f"{condition} AND run.place = ? AND run.op IN ({ops}) AND run.status IN ({statuses})", [self._place]

    def with_prefix(self, prefix: str, limit: int = 20, *, held: bool = False) -> list[RunRow]:
        """Return the runs whose id begins with `prefix`, at most `limit`.

        Of any place, scope or status, unless only those that the filter lets through (`held`) are asked for.
        """
        with index_errors():
            found = self.index.db.execute(
                f"SELECT {COLUMNS} FROM run WHERE run_id BETWEEN ? AND ? ORDER BY run_id",  # noqa: S608
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
            and self._meets_conditions(row)
        )

    def _meets_conditions(self, row: RunRow) -> bool:
        text, values = self._conditions()
        if not text:
            return True
        with index_errors():
            statement = f"SELECT 1 FROM run WHERE run.run = ?{text}"  # noqa: S608 - conditions
            return self.index.db.execute(statement, (row.number, *values)).fetchone() is not None


def numbers(values: Sequence[int]) -> str:
    """Return whole numbers as SQL lists them; for none one that nothing has, as SQLite reads all for an empty list."""
    return ",".join(map(str, values)) or "-1"


def _operations(index: Index) -> dict[int, OpKey]:
    with index_errors():
        rows = index.db.execute("SELECT op, project, package, model, operation FROM op").fetchall()
    return {row[0]: OpKey._make(row[1:]) for row in rows}


def runs_by_id(index: Index, run_ids: Sequence[RunId]) -> dict[RunId, RunRow]:
    """Return what the index knows of these runs; one that it does not know is left out."""
    query = Query(index, RunFilter())
    found: dict[RunId, RunRow] = {}
    for start in range(0, len(run_ids), _CHUNK):
        chunk = [bytes.fromhex(run_id) for run_id in run_ids[start : start + _CHUNK]]
        statement = f"SELECT {COLUMNS} FROM run WHERE run_id IN ({','.join('?' * len(chunk))})"  # noqa: S608 - marks
        with index_errors():
            rows = index.db.execute(statement, chunk).fetchall()
            found |= {row.run_id: row for row in map(query.row, rows)}
    return found


def running(index: Index) -> list[RunRow]:
    """Return the runs that the ledger has as running."""
    return list(Query(index, RunFilter(statuses=("running",))).rows())
