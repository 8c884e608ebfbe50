"""The conditions of a filter, and the runs that can meet them when an index finds these to be few.

When many runs match, the listing is read in its order and each run is tested: a page is soon full. When few match, that
would read all runs; then the few are taken from the index that knows them, and sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ledger.dataclass import replace
from projections.conditions import (
    Condition,
    Drive,
    commented,
    labelled,
    marked,
    one_of,
    tagged,
    unlabelled,
    with_hex_prefix,
    within,
)
from projections.distinct import LABELS, narrowed
from projections.escaping import as_stored
from projections.index import Index
from projections.rows import RunFilter
from projections.schema import PLACES, OpKey

_DIGEST_BYTES = 32
MOST = 4_000
"""Up to so many runs are found first and sorted then."""


class Candidates:
    """What limits the runs of a filter beyond place, operation and status.

    Attributes:
        conditions: all of them must hold.
        runs: numbers of runs, those that meet all conditions among them; None when there are too many to name.
        unknown: names in the expression, with their prefix, that no run has.
    """

    def __init__(self, index: Index, wanted: RunFilter, ops: Mapping[int, OpKey]) -> None:
        self._index = index
        self._found: dict[Drive, list[int] | None] = {}
        self.unknown: set[str] = set()
        self.conditions: Sequence[Condition] = tuple(self._conditions(wanted, ops))
        self.runs = self._fewest([drive for condition in self.conditions for drive in condition.drives])

    def _conditions(self, wanted: RunFilter, ops: Mapping[int, OpKey]) -> Iterator[Condition]:
        place = PLACES.index(wanted.place)
        if wanted.only is not None:
            yield one_of(wanted.only)
        if wanted.labels:
            labels = [as_stored(text) for text in wanted.labels]
            yield narrowed(self._index.db, LABELS, labelled(labels), labels)
        if wanted.unlabeled:
            yield unlabelled(place)
        if wanted.tags:
            yield tagged([as_stored(text) for text in wanted.tags])
        if wanted.marked is not None:
            yield marked(is_marked=wanted.marked)
        if wanted.comments:
            yield commented([as_stored(text) for text in wanted.comments])
        if wanted.started is not None:
            # The listing itself is an index by this time: nothing else reads fewer runs.
            yield replace(within("run.started", *wanted.started, place), drives=())
        if wanted.digest:
            yield with_hex_prefix("digest", wanted.digest, _DIGEST_BYTES)
        if wanted.expression:
            from projections.expression_sql import Surroundings, compile_expression

            around = Surroundings(self._index.db, ops, place, wanted.now, wanted.zone, self._fewest, self.unknown)
            yield compile_expression(wanted.expression, around)

    def _fewest(self, drives: Sequence[Drive]) -> list[int] | None:
        """Return the numbers of the runs that the drive with the fewest finds, None when each finds too many."""
        best = None
        for drive in drives:
            if drive not in self._found:
                statement = f"SELECT run FROM ({drive.statement}) LIMIT ?"  # noqa: S608 - a drive
                rows = self._index.db.execute(statement, (*drive.values, MOST + 1)).fetchall()
                self._found[drive] = None if len(rows) > MOST else sorted({row[0] for row in rows})
            runs = self._found[drive]
            if runs is not None and (best is None or len(runs) < len(best)):
                best = runs
        return best
