"""What a changing command does after its event: let index and run directories follow the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from commands.app import App
from commands.terminal import warn
from ledger.errors import GuildError
from ledger.ids import RunId, is_run_id, run_stream
from ledger.seams import seam
from ledger.transaction import NewEvent, Transaction
from projections.query import runs_by_id, unconfirmed
from projections.schema import PURGED

if TYPE_CHECKING:
    from artifacts.home import Home
    from artifacts.reconcile import Settled


def reconcile(app: App) -> list[Settled]:
    """Let the directories of all unconfirmed runs follow the ledger; returns what was done to each.

    Where each belongs is read again under the lock: of a delete and a restore at the same moment the later one counts.
    """
    if not unconfirmed(app.index):
        return []
    from artifacts.places import lock_places
    from artifacts.reconcile import settle

    seam("reconcile.lock")
    with lock_places(app.home):
        app.index.catch_up(app.ledger)
        seam("reconcile.settle")
        results = [settle(app.home, run_id, place) for run_id, place in unconfirmed(app.index)]
        _make_durable(app.home)
        seam("reconcile.record")
        _record(app, results)
        seam("reconcile.confirm")
        app.index.confirm((result.run_id, _place(result)) for result in results if not _is_unfinished(result))
        seam("reconcile.confirmed")
        _forget_purged(app)
    for result in results:
        _tell(result)
    return results


def _make_durable(home: Home) -> None:
    from artifacts.places import Place, flush_places

    refusal = flush_places(home, Place.LIVE, Place.TRASH, Place.PURGING)
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

    stream = run_stream(result.run_id)
    if result.place == "purging":
        return NewEvent(stream, RunPurged(result.files, result.bytes)) if result.refused is None else None
    if result.refused is None:
        return None
    undo = RunRestored if result.place == "deleted" else RunDeleted
    return NewEvent(stream, undo(cause=result.refused))


def _tell(result: Settled) -> None:
    name = f"run {result.run_id[:8]}"
    if result.refused is not None:
        kept = {"deleted": "was not deleted", "live": "was not restored", "purging": "is not purged completely yet"}
        warn(f"{name} {kept[result.place]}: {result.refused}")
    elif result.missing and result.place != "purging":
        warn(f"{name} has no directory: it was removed by hand. What the ledger knows of it is kept.")


def carry_out(
    app: App, events: Sequence[NewEvent], expected: dict[RunId, int], *, check: Callable[[], None] | None = None
) -> list[Settled]:
    """Append a command's events in one transaction, and let index and directories follow.

    Returns what became of each touched directory.

    Raises:
        ConflictError, TransitionError: somebody else changed one of the runs meanwhile; nothing was changed.
        GuildError: the ledger cannot be written; nothing was changed.
    """
    versions = {run_stream(run_id): version for run_id, version in expected.items()}
    app.ledger.append(Transaction(app.header(), tuple(events), expected=versions), check=check)
    app.index.catch_up(app.ledger)
    return reconcile(app)


def refused(results: Sequence[Settled], run_ids: Sequence[RunId]) -> GuildError | None:
    """Return the error to end with when the file system refused some of `run_ids`, else None."""
    wanted = set(run_ids)
    count = sum(1 for result in results if result.run_id in wanted and result.refused is not None)
    if not count:
        return None
    return GuildError(f"{count} of {len(wanted)} runs could not be moved", hint="The reasons stand above.")
