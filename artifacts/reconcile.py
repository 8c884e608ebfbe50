"""Bringing run directories where the ledger says they belong: idempotent, one run at a time, repeated until it holds.

Event first, directory second: whatever moment the program died in, the next one rolls the file system forward. What the
system refuses comes back as a cause, and the caller appends the event that takes the change back, so that the ledger
never claims what is not so.
"""

from __future__ import annotations

from artifacts.home import Home
from artifacts.places import Moved, Outcome, Place, finish_purge, move, move_at_once, start_purge
from ledger.dataclass import dataclass
from ledger.ids import RunId


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one run's directory.

    Attributes:
        run_id: which run.
        place: where it was to be: `live`, `deleted` or `purging`.
        missing: there was no directory: it had been removed by hand.
        elsewhere: there was none because another home has it; set by the caller, who knows where the run was started.
        refused: why it is not there; None when it is.
        files: of a purge, how many files were removed.
        bytes: of a purge, their size.
    """

    run_id: RunId
    place: str
    missing: bool = False
    elsewhere: bool = False
    refused: str | None = None
    files: int = 0
    bytes: int = 0


def settle(home: Home, run_id: RunId, place: str, *, is_arriving: bool = False) -> Settled:
    """Bring one run directory where it belongs; the caller holds `lock_places` and calls `flush_places` afterwards.

    Args:
        home: whose run directory.
        run_id: which run.
        place: `live`, `deleted` or `purging`, as the index has it.
        is_arriving: whether something lies in the run's place among those that are being taken in.
    """
    if is_arriving:
        moved = move(home, run_id, Place.IMPORTING, Place.LIVE if place == "live" else Place.TRASH, flush=False)
        if not _fine(moved):
            return Settled(run_id, place, refused=_why(moved))
    if place == "purging":
        return _purge(home, run_id)
    source, target = (Place.TRASH, Place.LIVE) if place == "live" else (Place.LIVE, Place.TRASH)
    if move_at_once(home, run_id, source, target):
        return Settled(run_id, place)
    moved = move(home, run_id, source, target, flush=False)
    refused = None if _fine(moved) else _why(moved)
    return Settled(run_id, place, missing=moved.outcome is Outcome.MISSING, refused=refused)


def _purge(home: Home, run_id: RunId) -> Settled:
    moved = start_purge(home, run_id, flush=False)
    if not _fine(moved):
        return Settled(run_id, "purging", refused=_why(moved))
    purged = finish_purge(home, run_id, flush=False)
    return Settled(
        run_id,
        "purging",
        missing=moved.outcome is Outcome.MISSING,
        refused=None if purged.refusal is None else f"{purged.refusal.text} ({purged.refusal.errno_name})",
        files=purged.files,
        bytes=purged.bytes,
    )


def _fine(moved: Moved) -> bool:
    return moved.arrived or moved.outcome is Outcome.MISSING


def _why(moved: Moved) -> str:
    if moved.outcome is Outcome.BOTH:
        return "its directory is in two places, and neither was touched"
    if moved.refusal is None:
        return "the system refused"
    return f"{moved.refusal.text} ({moved.refusal.errno_name})"
