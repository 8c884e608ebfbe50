"""What is asked of the index and what it answers: a filter, and a row of a listing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ledger.dataclass import dataclass
from ledger.ids import RunId
from projections.escaping import as_stored
from projections.schema import LIVE, OpKey

if TYPE_CHECKING:
    from datetime import tzinfo

COLUMNS = (
    "run.run, run.run_id, run.op, run.status, run.place, run.started, run.stopped, run.exit_status, run.label,"
    " run.marked, run.protected, run.version"
)
"""The columns of `run` that `Query.row` makes a `RunRow` of."""


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
        unlabeled: only runs without a label.
        tags: whole tags; any of them.
        marked: whether the run is marked.
        comments: substrings of one of its comments; any of them.
        started: from and to before, microseconds UTC, None for no bound.
        started_words: the same as somebody said it, such as `last 2 hours`; limits nothing.
        digest: the beginning of the digest of its sources, in lower case.
        expression: see `projections.expression`.
        now: microseconds UTC, for times such as `yesterday` in the expression.
        zone: where days begin, None for the system's local zone.
        only: numbers of runs in the index, exactly those; None for any.
    """

    place: str = LIVE
    project: str | None = None
    operations: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cwd: str = "/"
    keys: tuple[OpKey, ...] | None = None
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    marked: bool | None = None
    comments: tuple[str, ...] = ()
    started: tuple[int | None, int | None] | None = None
    started_words: str = ""
    digest: str = ""
    expression: str = ""
    now: int = 0
    zone: tzinfo | None = None
    only: tuple[int, ...] | None = None

    def has_conditions(self) -> bool:
        """Tell whether it asks for more than place, operation and status: for what no total is kept of."""
        return bool(
            self.labels or self.unlabeled or self.tags or self.marked is not None or self.comments or self.started
            or self.digest or self.expression or self.only is not None
        )  # fmt: skip


def displayed(op: OpKey, cwd: str) -> str:
    """Return an operation as people see it: `./model:op` in its project, `../p/model:op` beside it, `pkg/model:op`."""
    name = f"{op.model}:{op.operation}" if op.model else op.operation
    if op.project is None:
        return f"{op.package}/{name}" if op.package else name
    way = os.path.relpath(op.project, as_stored(cwd))
    return f"{way}/{name}" if way in (".", "..") or way.startswith("../") else f"./{way}/{name}"
