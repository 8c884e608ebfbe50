"""Finding runs that are over though nobody recorded it, before any command shows or selects runs.

Apart from the rest, and importing little: nearly always no run is running, and then this costs one question.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from commands.app import App
from ledger.errors import GuildError, LedgerError
from ledger.ids import RunId, run_stream
from ledger.seams import seam
from projections.query import running

if TYPE_CHECKING:
    from ledger.canonical import Value
    from ledger.events.base import Event


MOST_READ = 64 * 1024 * 1024
"""Bytes of series that a command reads before it does what it was called for: some seconds' work."""

ELSEWHERE = "another home"
"""What stands for the home of a run that another ledger started: no home has this name."""


def reap(app: App) -> None:
    """Record the end of runs whose supervisor is gone, so that no dead run looks running.

    A home that cannot be written to is left as it is: its runs are shown as they were last known.
    """
    rows = running(app.index)
    if not rows:
        return
    found = [event for row in rows if (event := _end_of(app, row.run_id))]
    if found:
        app.index.catch_up(app.ledger)


def _end_of(app: App, run_id: RunId) -> bool:
    """Record the end of one run when it is over, and what it had reported by then; tell whether it was."""
    from ledger.transaction import NewEvent, Transaction
    from operations.liveness import find_end

    evidence = evidence_of_start(app, run_id)
    if evidence.get("home") == ELSEWHERE:
        return False  # a lease of it that lies here came with a copy of a home
    try:
        end = find_end(
            app.home.lease_path(run_id),
            evidence,
            home=app.home.identity(),
        )
    except GuildError:
        return False  # a home that is read-only: what is known is shown
    if end is None:
        return False
    try:
        seam("reap.append")
        header = app.header(reason="the run was found to be over")
        events = (*_reported(app, run_id), end.event)
        app.ledger.append(Transaction(header, tuple(NewEvent(run_stream(run_id), event) for event in events)))
    except LedgerError:
        # Already recorded by somebody else, or a home that is read-only or full: the verdict can wait.
        end.release(remove=False)
        return False
    seam("reap.release")
    end.release(remove=True)
    return True


def _reported(app: App, run_id: RunId) -> list[Event]:
    """Return the event that sums up the series which the run has left, if it has left any.

    Its supervisor told the ledger from time to time; nobody has told it of the last numbers. Of a file that is too
    large to be read by the way what was told stays.
    """
    from artifacts.series import FILE

    if not os.path.exists(os.path.join(app.home.run_dir(run_id), FILE)):
        return []
    from artifacts.summaries import summaries_of
    from ledger.events.notes import RunScalarsRecorded

    found = summaries_of(app.home.run_dir(run_id), MOST_READ)
    return [RunScalarsRecorded(found)] if found else []


def evidence_of_start(app: App, run_id: RunId) -> Mapping[str, Value]:
    """Return what was recorded of the machine, the process and the home when a run was last started, or taken in.

    Of what was merged in no home is this one: not that of a copy either, which has the same name for itself.
    """
    return evidence_of_starts(app, [run_id])[run_id]


def evidence_of_starts(app: App, run_ids: Sequence[RunId]) -> dict[RunId, Mapping[str, Value]]:
    """Return for each run what `evidence_of_start` does; empty for one that was never started."""
    from ledger.registry import current_body

    found: dict[str, Value] = {}
    here = app.ledger.origin_id
    for row in app.ledger.store.stream_events(map(run_stream, run_ids)):
        if row.origin_id != here and row.type in ("run.started", "run.restarted", "run.imported"):
            found[row.stream] = {"home": ELSEWHERE}
        elif row.type in ("run.started", "run.restarted") and row.body is not None:
            found[row.stream] = current_body(row.type, row.schema_version, row.body).get("evidence")
        elif row.type == "run.imported" and row.body is not None:
            home = current_body(row.type, row.schema_version, row.body).get("home")
            found[row.stream] = {} if home is None else {"home": home}
    evidence = {run_id: found.get(run_stream(run_id)) for run_id in run_ids}
    return {run_id: value if isinstance(value, dict) else {} for run_id, value in evidence.items()}
