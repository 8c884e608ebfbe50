"""A look at what killed commands leave lying about: leases that nobody holds, half-made snapshots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from artifacts.findings import Finding
from artifacts.home import Home
from artifacts.lease import is_held, read_lease, try_take
from artifacts.source_writer import is_stale
from ledger.ids import RunId, is_run_id

_LOCKS = frozenset(("places.lock",))
_REMOVES = "`guild check --repair` removes it."


def free_leases(home: Home) -> Iterator[RunId]:
    """Yield the runs whose lease is there and held by nobody."""
    with suppress(OSError), os.scandir(home.leases_dir) as entries:
        for entry in entries:
            if is_run_id(entry.name) and is_held(entry.path) is False:
                yield RunId(entry.name)


def stale_lease(home: Home, run_id: RunId) -> Finding:
    """Return what is to be said of a lease that nobody holds, of a run that is not running."""
    return Finding(
        "leases", f"nobody holds the lease of run {run_id[:8]}, which is not running", _REMOVES,
        home.lease_path(run_id), run_id, is_problem=False, mend="lease",
    )  # fmt: skip


def kept_end(home: Home, run_id: RunId) -> Finding | None:
    """Return what is to be said of a lease that notes how a run ended which the ledger does not know; else None.

    A backup that lacks the run has taken the ledger's place while it was running: nothing else knows of that end.
    """
    if not has_end(home, run_id):
        return None
    return Finding(
        "leases", f"this says how run {run_id[:8]} ended, which the ledger does not know",
        "Put a ledger back that has the run (`guild ledger restore-backup`), or remove the file.",
        home.lease_path(run_id), run_id, is_problem=False,
    )  # fmt: skip


def has_end(home: Home, run_id: RunId) -> bool:
    """Tell whether a lease notes how its run ended."""
    record = read_lease(home.lease_path(run_id))
    return record is not None and record.ended_at is not None


def unrecorded_end(home: Home, run_id: RunId) -> Finding:
    """Return what is to be said of a run that looks running, and nobody looks after it."""
    return Finding(
        "leases", f"run {run_id[:8]} is over, and its end is not recorded", "Any command that lists runs records it.",
        home.lease_path(run_id), run_id, mend="reap",
    )  # fmt: skip


def drop_lease(home: Home, run_id: RunId, is_needed: Callable[[], bool]) -> bool:
    """Remove a lease that nobody holds, unless it is needed: the run is running after all; tell whether it is gone.

    That is asked while the lease is held: then nobody can start the run, and one that was lost keeps what it knows.

    Raises:
        GuildError: the file may not be opened or removed.
    """
    lease = try_take(home.lease_path(run_id))
    if lease is None:
        return not os.path.lexists(home.lease_path(run_id))
    keep = True
    try:
        keep = is_needed()
    finally:
        lease.release(remove=not keep)
    return not keep


def strangers_in_leases(home: Home) -> Iterator[Finding]:
    """Yield what is no lease, and lies among them."""
    with suppress(OSError):
        for name in sorted(os.listdir(home.leases_dir)):
            if name not in _LOCKS and not is_run_id(name):
                yield Finding(
                    "leases", "this is no lease", "Move it out of the home.", os.path.join(home.leases_dir, name),
                    is_problem=False,
                )  # fmt: skip


def stale_snapshots(home: Home) -> Iterator[Finding]:
    """Yield the folders that interrupted snapshots left more than a day ago."""
    with suppress(OSError):
        for name in sorted(os.listdir(home.sources_dir)):
            path = os.path.join(home.sources_dir, name)
            if is_stale(path, time.time()):
                yield Finding(
                    "leftovers", "this is left of a source snapshot that was interrupted", _REMOVES, path,
                    is_problem=False, mend="snapshots",
                )  # fmt: skip


def left_beside(paths: Iterator[str] | list[str], what: str, mend: str) -> Iterator[Finding]:
    """Yield a finding for each file that a killed command left."""
    for path in paths:
        yield Finding("leftovers", f"this is left of {what}", _REMOVES, path, is_problem=False, mend=mend)
