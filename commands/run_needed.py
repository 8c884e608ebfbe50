"""`guild run --needed`: whether an equal run is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.app import App
from commands.reaping import reap
from ledger.ids import RunId, Stream, run_stream
from ledger.registry import current_body
from operations.planning import equal_flags
from projections.query import Query, RunFilter
from projections.schema import OpKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.canonical import Value
    from operations.catalog import Found
    from operations.run_plan import RunPlan

_GOOD = ("completed", "running")
_CHUNK = 500


def equal_runs(app: App, found: Found, plans: Sequence[RunPlan], *, is_step: bool = False) -> dict[RunId, RunId]:
    """Return for each plan that has one the latest live run of the same operation with the same flags.

    A run that failed, was stopped or is only staged does not count, and for a step none that is still running: the
    next step needs what it makes. All runs of the operation are looked at once, however many plans
    there are.
    """
    reap(app)
    project = None if found.package else found.project
    key = OpKey(project, found.package, found.model.name, found.operation.name)
    wanted = {plan.run_id: plan for plan in plans}
    equal: dict[RunId, RunId] = {}
    chunk: list[RunId] = []
    for row in Query(app.index, RunFilter(statuses=_GOOD[:1] if is_step else _GOOD, keys=(key,))).rows():
        chunk.append(row.run_id)
        if len(chunk) == _CHUNK:
            _compare(app, found, wanted, chunk, equal)
            chunk = []
        if not wanted:
            break
    _compare(app, found, wanted, chunk, equal)
    return equal


def _compare(
    app: App, found: Found, wanted: dict[RunId, RunPlan], chunk: Sequence[RunId], equal: dict[RunId, RunId]
) -> None:
    for run_id, flags in _flags_of(app, chunk).items():
        for own, plan in list(wanted.items()):
            if equal_flags(found.operation, plan.flags, flags):
                equal[own] = run_id
                del wanted[own]


def _flags_of(app: App, run_ids: Sequence[RunId]) -> dict[RunId, Mapping[str, Value]]:
    flags: dict[RunId, Mapping[str, Value]] = {}
    names = {run_stream(run_id): run_id for run_id in run_ids}
    for row in app.ledger.store.stream_events(list[str](names)):
        if row.type in ("run.staged", "run.started", "run.restarted", "run.imported") and row.body is not None:
            given = current_body(row.type, row.schema_version, row.body).get("flags")
            flags[names[Stream(row.stream)]] = given if isinstance(given, dict) else {}
    return flags
