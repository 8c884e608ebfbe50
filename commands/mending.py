"""What `guild check --repair` does: what is safe, by the means that every command has, each of them repeatable.

Nothing is removed or moved that the ledger does not explain. A kill at any moment leaves what the next repair, or the
next command, goes on with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from artifacts.checking_leftovers import drop_lease, has_end
from artifacts.findings import Finding, Findings
from artifacts.places import Place, finish_purge, forget_purge, lock_places
from artifacts.source_writer import clear_stale
from commands.app import App
from commands.reaping import reap
from commands.settle import follow
from commands.terminal import warn
from ledger.errors import GuildError
from ledger.ids import RunId
from ledger.opening import clear_unfinished
from ledger.seams import seam
from projections.files import clear_leftovers
from projections.rebuild import rebuild
from projections.schema import PURGED
from projections.single import state_of

Mended = list[Finding]
"""Those of the findings that are no more."""


def mend(app: App, findings: Findings, *, ledger_is_whole: bool) -> Mended:
    """Mend what can be mended; returns what was, and warns of what was not.

    Args:
        app: the command's context.
        findings: what was found.
        ledger_is_whole: whether anything may be done that rests on the ledger.
    """
    done: Mended = []
    steps: tuple[tuple[str, Callable[[App, Sequence[Finding]], Iterator[Finding]]], ...] = (
        ("folders", _make_folders),
        ("index", _rebuild_index),
        ("reap", _record_ends),
        ("settle", _settle),
        ("forget", _forget),
        ("lease", _drop_leases),
        ("snapshots", _clear_snapshots),
        ("imports", _clear_imports),
        ("ledger-files", _clear_ledger_files),
        ("index-files", _clear_index_files),
    )
    for way, step in steps:
        found = list(findings.to_mend(way))
        if found and (ledger_is_whole or way == "folders"):
            seam(f"check.{way}")
            with _told(way):
                done.extend(step(app, found))
    if ledger_is_whole:
        with _told("settle"):
            follow(app)  # what a killed command, or repair, moved and did not confirm
    return done


@contextmanager
def _told(way: str) -> Iterator[None]:
    """Warn of what is in the way of one step, and go on with the next."""
    try:
        yield
    except GuildError as error:
        warn(f"not mended ({way}): {error.message}")
    except OSError as error:
        warn(f"not mended ({way}): {error.strerror or error}")


def _make_folders(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    app.home.ensure()
    yield from found


def _rebuild_index(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    app.close_index()
    rebuild(app.home.index_dir, app.ledger)
    yield from found


def _record_ends(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    reap(app)
    for finding in found:
        state = state_of(app.ledger, RunId(finding.run or ""))
        if state is None or state.status != "running":
            yield finding


def _settle(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    app.index.doubt(RunId(finding.run or "") for finding in found)
    settled = {result.run_id for result in follow(app) if result.refused is None}
    yield from (finding for finding in found if finding.run in settled)


def _forget(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    """Remove what is left in `purging/` of runs whose removal is on record."""
    with lock_places(app.home):
        for finding in found:
            run_id = RunId(finding.run or "")
            state = state_of(app.ledger, run_id)
            if state is None or state.place != PURGED:
                continue
            if os.path.lexists(app.home.purging_run_dir(run_id)):
                purged = finish_purge(app.home, run_id)
                if purged.refusal is not None:
                    warn(f"not mended ({Place.PURGING}/{run_id}): {purged.refusal.text}")
                    continue
            if forget_purge(app.home, run_id) is None:
                yield finding


def _drop_leases(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    for finding in found:
        run_id = RunId(finding.run or "")

        def is_needed(run_id: RunId = run_id) -> bool:
            state = state_of(app.ledger, run_id)
            return has_end(app.home, run_id) if state is None else state.status == "running"

        if drop_lease(app.home, run_id, is_needed):
            yield finding


def _clear_snapshots(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    clear_stale(app.home.sources_dir)
    yield from _gone(found)


def _clear_imports(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    from artifacts.importing import clear_leftovers as clear_imports
    from commands.archives import known_runs

    with lock_places(app.home):
        clear_imports(app.home, lambda run_ids: known_runs(app, run_ids))
    yield from _gone(found)


def _clear_ledger_files(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    clear_unfinished(app.home.ledger_path)
    yield from _gone(found)


def _clear_index_files(app: App, found: Sequence[Finding]) -> Iterator[Finding]:
    clear_leftovers(app.home.index_dir)
    yield from _gone(found)


def _gone(found: Sequence[Finding]) -> Iterator[Finding]:
    return (finding for finding in found if not os.path.lexists(finding.path or ""))
