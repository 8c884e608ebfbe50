"""Stopping running runs, on demand or before they are deleted: the whole process tree, with a time limit."""

from __future__ import annotations

import time
from collections.abc import Collection

from artifacts.lease import is_held, read_lease
from commands.app import App
from commands.change import Change
from commands.reaping import reap
from commands.terminal import confirm, note, warn
from ledger.dataclass import replace
from ledger.errors import ConflictError, GuildError
from ledger.ids import run_stream
from projections.query import RunRow, runs_by_id

GRACE_SECONDS = 15.0
"""A supervisor gives its process ten seconds, and needs a little more itself."""

REPORTS = frozenset(("run.scalars_recorded", "run.dependencies_resolved"))
"""Events that a run's own supervisor records while it runs: nobody has changed the run then."""

_ITS_OWN = REPORTS | {"run.status_changed"}


def stop_running(app: App, change: Change, yes: bool) -> Change | None:
    """Stop those of the plan's runs that are running, and return the plan with the runs as they then are.

    Returns None when the user does not want that.

    Raises:
        ConflictError: somebody else has changed one of the runs since it was planned; nothing was deleted.
        GuildError: a run cannot be stopped from here; nothing was deleted.
    """
    change = _as_they_are(app, change)
    running = [row for row in change.runs if row.status == "running"]
    if running:
        if not yes:
            warn("one or more runs are still running and will be stopped before being deleted.")
            if not confirm("Really delete these runs?"):
                return None
        for row in running:
            stop_run(app, row)
        change = _as_they_are(app, change)
    lost = [row.run_id for row in change.runs if row.status == "terminated" and row.exit_status is None]
    if lost:
        # They would go on writing into a deleted directory.
        from operations.leftovers import end_leftovers

        if count := end_leftovers(lost, GRACE_SECONDS):
            note(f"Ended {count} process(es) that had outlived their run's supervisor")
    return change


def _as_they_are(app: App, change: Change) -> Change:
    """Return the plan with those of its runs that were running as they now are: some may have ended meanwhile.

    Raises:
        ConflictError: somebody else has changed a run; of one that was running, more than its end is new.
    """
    if not any(row.status == "running" for row in change.runs):
        return change
    reap(app)
    app.index.catch_up(app.ledger)
    now = runs_by_id(app.index, [row.run_id for row in change.runs])
    for row in change.runs:
        is_running = row.status == "running"
        refuse_changed(app, now.get(row.run_id, row), row.version, _ITS_OWN if is_running else ())
    return replace(change, runs=[now.get(row.run_id, row) for row in change.runs])


def refuse_changed(app: App, now: RunRow, version: int, allowed: Collection[str]) -> None:
    """Refuse to go on with a run that was changed since it had a version.

    Args:
        app: the command's context.
        now: the run as it is.
        version: what it had when it was looked at.
        allowed: types of events that are no change.

    Raises:
        ConflictError: it was changed.
    """
    if now.version == version:
        return
    later = list(app.ledger.store.stream_events([run_stream(now.run_id)]))[max(0, version) : now.version]
    if now.version > version and all(event.type in allowed for event in later):
        return
    raise ConflictError(
        f"run {now.run_id[:8]} changed meanwhile (now {now.version} events, {version} when it was looked at)",
        hint="Look at it again, and repeat what you wanted.",
    )


def _has_ended(app: App, row: RunRow) -> bool:
    """Tell whether a run is over that was running when it was chosen."""
    reap(app)
    app.index.catch_up(app.ledger)
    now = runs_by_id(app.index, [row.run_id]).get(row.run_id)
    return now is None or now.status != "running"


def stop_run(app: App, row: RunRow) -> None:
    """Stop one run and wait until its supervisor has recorded the end and is gone."""
    from operations.process_info import boot_id
    from operations.process_tree import stop_tree

    path = app.home.lease_path(row.run_id)
    record = read_lease(path)
    name = row.run_id[:8]
    if record is None and _has_ended(app, row):
        return
    if record is None or record.boot_id != boot_id():
        raise GuildError(
            f"run {name} is running where it cannot be stopped from here", hint="Stop it on the machine it runs on."
        )
    note(f"Stopping {name} (pid {record.child_pid or record.pid})")
    child = (record.child_pid, record.child_ticks) if record.child_pid else None
    stop_tree(record.pid, record.start_ticks, GRACE_SECONDS, child=child)
    deadline = time.monotonic() + GRACE_SECONDS
    while is_held(path):
        if time.monotonic() > deadline:
            raise GuildError(f"run {name} did not stop", hint="Stop its process and try again.")
        time.sleep(0.02)
