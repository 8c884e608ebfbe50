"""What a changing command does after its event: let index and run directories follow the ledger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from commands.app import App
from commands.reaping import evidence_of_starts
from commands.terminal import warn
from ledger.dataclass import replace
from ledger.errors import LedgerBusyError, NoSpaceError
from ledger.ids import RunId, is_run_id, run_stream
from ledger.seams import seam
from ledger.transaction import NewEvent, Transaction
from projections.errors import IndexDamagedError
from projections.query import runs_by_id
from projections.schema import PURGED
from projections.unconfirmed import has_unconfirmed, unconfirmed

if TYPE_CHECKING:
    from artifacts.home import Home
    from artifacts.places import Place
    from artifacts.reconcile import Settled

_MOST_WARNINGS = 5


def follow(app: App) -> list[Settled]:
    """Let index and run directories follow the ledger; an index that proves damaged on the way is rebuilt first."""
    _finish_wipe(app)
    try:
        app.index.catch_up(app.ledger)
        _finish_exchange(app)
        return _reconcile(app)
    except IndexDamagedError as error:
        app.rebuild_index(error.message)
        _finish_exchange(app)
        return _reconcile(app)


def _finish_wipe(app: App) -> None:
    """Do what a redaction left undone because it died."""
    if os.path.lexists(os.path.join(app.home.root, "ledger.db-unwiped")):
        from commands.wiping import wipe

        try:
            wipe(app, patience=0)
        except (LedgerBusyError, NoSpaceError) as error:
            # What this command is about has nothing to do with it, and is recorded already.
            warn(f"an earlier redaction is recorded but not wiped from the disk yet: {error.message}")


def _finish_exchange(app: App) -> None:
    """Do what the return of a backup left undone because it died."""
    if os.path.lexists(os.path.join(app.home.root, "ledger.db-exchanged")):
        from commands.restored import compare

        compare(app)


def _reconcile(app: App) -> list[Settled]:
    """Let the directories of all unconfirmed runs follow the ledger; returns what was done to each.

    Where each belongs is read again under the lock: of a delete and a restore at the same moment the later one counts.
    """
    if not has_unconfirmed(app.index):
        return []
    from artifacts.places import lock_places

    seam("reconcile.lock")
    with lock_places(app.home):
        app.index.catch_up(app.ledger)
        seam("reconcile.settle")
        results = _settled(app)
        seam("reconcile.record")
        _record(app, results)
        seam("reconcile.confirm")
        app.index.confirm((result.run_id, _place(result)) for result in results if not _is_unfinished(result))
        seam("reconcile.confirmed")
        _forget_purged(app)
    _tell(results)
    return results


def _settled(app: App) -> list[Settled]:
    """Settle all unconfirmed runs, and make the moves durable."""
    from artifacts.places import Place, arriving
    from artifacts.reconcile import settle

    coming = arriving(app.home)
    results = [
        settle(app.home, run_id, place, is_arriving=run_id in coming) for run_id, place in unconfirmed(app.index)
    ]
    is_purging = any(result.place == "purging" for result in results)
    _make_durable(
        app.home,
        *(Place.LIVE, Place.TRASH),
        *((Place.PURGING,) if is_purging else ()),
        *((Place.IMPORTING,) if coming else ()),
    )
    return _explained(app, results)


def _explained(app: App, results: list[Settled]) -> list[Settled]:
    """Say of runs without a directory whether they were ever started, and in which of the homes of this ledger."""
    missing = [result.run_id for result in results if result.missing]
    if not missing:
        return results
    evidence, own = evidence_of_starts(app, missing), app.home.identity()
    return [
        replace(result, missing=bool(found), elsewhere=found.get("home", own) != own)
        if (found := evidence.get(result.run_id)) is not None
        else result
        for result in results
    ]


def _make_durable(home: Home, *places: Place) -> None:
    from artifacts.places import flush_places

    refusal = flush_places(home, *places)
    if refusal is not None:
        warn(f"moves of run directories may not survive a power loss: {refusal.text}")


def _record(app: App, results: Sequence[Settled]) -> None:
    """Append what the file system answered."""
    events = [event for result in results if (event := _answer(result)) is not None]
    if events:
        app.ledger.append(Transaction(app.header(), tuple(events)))
        app.index.catch_up(app.ledger)


def _is_unfinished(result: Settled) -> bool:
    return result.place == "purging" and result.refused is not None


def _place(result: Settled) -> str:
    """Return where the run belongs after the answer was recorded: a refused move was taken back."""
    if result.refused is None:
        return result.place
    return "live" if result.place == "deleted" else "deleted"


def _forget_purged(app: App) -> None:
    """Drop the sizes kept for removals that are on record, those too that a killed command could not drop."""
    from artifacts.places import forget_purge, unfinished_purges

    with suppress(OSError):
        left = [RunId(name) for name in unfinished_purges(app.home) if is_run_id(name)]
        for run_id, row in runs_by_id(app.index, left).items() if left else ():
            if row.place == PURGED:
                forget_purge(app.home, run_id)


def _answer(result: Settled) -> NewEvent | None:
    """Return the event that a settled directory calls for: a purge is done, or a refused change is taken back."""
    from ledger.events.life import RunDeleted, RunPurged, RunRestored

    if result.elsewhere:
        return None  # the home that has the directory will answer
    stream = run_stream(result.run_id)
    if result.place == "purging":
        return NewEvent(stream, RunPurged(result.files, result.bytes)) if result.refused is None else None
    if result.refused is None:
        return None
    undo = RunRestored if result.place == "deleted" else RunDeleted
    return NewEvent(stream, undo(cause=result.refused))


def _tell(results: Sequence[Settled]) -> None:
    """Warn of what was refused or missing: a line for each, or one for all when there are many."""
    kept = {"deleted": "was not deleted", "live": "was not restored", "purging": "is not purged completely yet"}
    told = [f"run {r.run_id[:8]} {kept[r.place]}: {r.refused}" for r in results if r.refused is not None]
    missing = [r for r in results if r.missing and not r.elsewhere and r.refused is None and r.place != "purging"]
    told += [f"run {r.run_id[:8]} has no directory: it was removed by hand" for r in missing]
    for text in told[:_MOST_WARNINGS]:
        warn(text)
    if len(told) > _MOST_WARNINGS:
        warn(f"and {len(told) - _MOST_WARNINGS} more like these")
