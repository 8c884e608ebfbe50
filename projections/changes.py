"""What changed of runs between two moments: two indexes of the past, compared run by run.

An earlier index is a part of a later one, with the same numbers of runs and names, and a run that has as many events
in both is the same in both. So one walk through the runs finds what changed, a page at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ledger.dataclass import replace
from projections.details import comment_counts, digests_of, tags_of, value
from projections.errors import index_errors
from projections.index import Index
from projections.query import Query, numbers
from projections.rows import COLUMNS, RunFilter, RunRow, displayed
from projections.schema import LIVE

Value = bool | int | float | str | list[str] | None
Facts = Mapping[str, Value]

PAGE = 500
USUAL: Facts = {"place": LIVE, "marked": False, "protected": False, "tags": [], "comments": 0}
"""How a run is as long as nothing is said: of one that was not there before, this is no change."""


class Side(NamedTuple):
    """One of the two moments.

    Attributes:
        past: the index as of then.
        wanted: which runs are asked for; of any place.
    """

    past: Index
    wanted: RunFilter


class Changed(NamedTuple):
    """One run that is not as it was.

    Attributes:
        row: the run, as the later index has it.
        before: the attributes that changed, as they were; None when the run was not there yet.
        after: the same attributes as they became; None when, looked at backwards, the run is no longer there.
    """

    row: RunRow
    before: Facts | None
    after: Facts | None


def changes(early: Side, late: Side) -> Iterator[Changed]:
    """Yield the runs that changed from the earlier moment to the later one and are asked for in one of them.

    The run that the ledger named last comes first. Attributes are `operation`, `status`, `place`, `started`, `stopped`
    (microseconds UTC), `exit_status`, `label`, `marked`, `protected`, `digest`, `tags`, `comments` (how many), and what
    the index calls flags and scalars, as `flag:lr` and `scalar:loss`.
    """
    first, last = _Reader(early), _Reader(late)
    for rows in last.pages():
        was = first.rows([row.number for row in rows])
        changed = [row for row in rows if row.number not in was or was[row.number].version != row.version]
        wanted = [row for row in changed if last.holds(row) or (row.number in was and first.holds(was[row.number]))]
        after = last.facts(wanted)
        before = first.facts([was[row.number] for row in wanted if row.number in was])
        for row in wanted:
            found = _changed(row, before.get(row.number), after[row.number])
            if found.after:
                yield found


def _changed(row: RunRow, before: Facts | None, after: Facts) -> Changed:
    if before is None:
        said = {key: one for key, one in after.items() if one is not None and one != USUAL.get(key)}
        return Changed(row, None, said)
    keys = [key for key in dict.fromkeys((*after, *before)) if _differ(before.get(key), after.get(key))]
    return Changed(row, {key: before.get(key) for key in keys}, {key: after.get(key) for key in keys})


def _differ(one: Value, other: Value) -> bool:
    return (type(one), one) != (type(other), other)  # 1 equals True and 1.0, but is another flag


class _Reader:
    """Reads one of the two indexes."""

    def __init__(self, side: Side) -> None:
        self._index, self._wanted = side
        self._all = Query(self._index, RunFilter())
        self._held: dict[str, Query] = {}

    def pages(self) -> Iterator[list[RunRow]]:
        """Yield all runs of any place, the one that the ledger named last first."""
        before = 2**62
        while rows := self._select("run.run < ? ORDER BY run.run DESC LIMIT ?", (before, PAGE)):
            yield rows
            before = rows[-1].number

    def rows(self, runs: Sequence[int]) -> dict[int, RunRow]:
        """Return runs by their numbers; one that was not there is left out."""
        return {row.number: row for row in self._select(f"run.run IN ({numbers(runs)})", ())}

    def _select(self, condition: str, values: tuple[int, ...]) -> list[RunRow]:
        with index_errors():
            found = self._index.db.execute(f"SELECT {COLUMNS} FROM run WHERE {condition}", values)  # noqa: S608 - ours
            return [self._all.row(row) for row in found.fetchall()]

    def holds(self, row: RunRow) -> bool:
        """Tell whether a run is asked for, wherever it is."""
        if row.place not in self._held:
            self._held[row.place] = Query(self._index, replace(self._wanted, place=row.place))
        return self._held[row.place].holds(row)

    def facts(self, rows: Sequence[RunRow]) -> dict[int, dict[str, Value]]:
        """Return what is known of runs, by their numbers."""
        runs = [row.number for row in rows]
        tags, comments = tags_of(self._index, runs), comment_counts(self._index, runs)
        digests = digests_of(self._index, runs)
        found: dict[int, dict[str, Value]] = {
            row.number: {
                "operation": displayed(row.op, self._wanted.cwd),
                "status": row.status,
                "place": row.place,
                "started": row.started,
                "stopped": row.stopped,
                "exit_status": row.exit_status,
                "label": row.label,
                "marked": bool(row.marked),
                "protected": bool(row.protected),
                "digest": digests.get(row.number),
                "tags": list(tags.get(row.number, ())),
                "comments": comments.get(row.number, 0),
            }
            for row in rows
        }
        statement = (
            "SELECT run, name.text, number, value.text FROM value JOIN name USING (name)"  # noqa: S608 - numbers
            f" WHERE run IN ({numbers(runs)}) ORDER BY run, name.text"
        )
        with index_errors():
            for run, name, number, text in self._index.db.execute(statement):
                found[run][name] = value((number, text))
        return found
