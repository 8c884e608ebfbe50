"""`guild runs import`: the runs of an archive, taken into this home."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import click

from artifacts.importing import bring_in, bring_in_sources, clear_leftovers, take_back, unpacking_place
from artifacts.places import lock_places
from artifacts.run_archive import SOURCES, ArchivedRun, Manifest
from artifacts.run_archive_reading import manifest_of, refuse_too_much, unpack_runs
from artifacts.run_archive_values import RunArchiveError
from artifacts.source_manifest import snapshot_dir
from commands.app import App
from commands.archives import archive_path, known_runs, past_events, source_digest
from commands.change import NothingToDoError
from commands.options import dry_run_option, yes_option
from commands.settle import follow
from commands.table import preview
from commands.terminal import confirm, note, say, width
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.events.start import RunImported
from ledger.ids import RunId, run_of, run_stream
from ledger.text import printable, size
from ledger.transaction import NewEvent, Transaction
from projections.imported import SenselessError, as_row, retold
from projections.query import RunRow, runs_by_id
from projections.schema import LIVE

if TYPE_CHECKING:
    from artifacts.home import Home
    from ledger.events.base import Event

_FEW = 5
_SHORT = 8


@dataclass(frozen=True, slots=True)
class Import:
    """A plan: which runs of an archive are taken in, and what the ledger will say of them.

    Attributes:
        archive: its path.
        manifest: its list.
        runs: those that are not here yet.
        events: what is appended for each of them.
    """

    archive: str
    manifest: Manifest
    runs: tuple[ArchivedRun, ...]
    events: tuple[tuple[Event, ...], ...]

    def rows(self) -> list[RunRow]:
        """Return how the runs will be listed."""
        begun = [cast("RunImported", events[0]) for events in self.events]
        return [as_row(run.run_id, event) for run, event in zip(self.runs, begun, strict=True)]

    def digests(self, home: Home) -> list[str]:
        """Return which source snapshots of the archive these runs used, and this home does not have."""
        named = set(map(source_digest, self.runs))
        held = [snapshot.digest for snapshot in self.manifest.sources if snapshot.digest in named]
        return [digest for digest in held if not os.path.isdir(snapshot_dir(home, digest))]


@click.command("import")
@click.argument("archive", metavar="ARCHIVE", type=click.Path())
@click.argument("specs", metavar="[ID]...", nargs=-1)
@yes_option
@dry_run_option
@click.pass_obj
def import_runs(app: App, archive: str, specs: tuple[str, ...], *, yes: bool, dry_run: bool) -> None:
    """Take the runs in the file ARCHIVE into this home: all of them when no ID is given.

    ARCHIVE was made by `guild runs export`. An ID is that of a run in it, or as much of its beginning as no other run
    in it has. Runs that are here already are left as they are. Runs that were purged here are not taken in again.

    \b
    Examples:
      guild runs import best.tar.gz
      guild runs import best.tar.gz --dry-run      show the runs in it
      guild runs import best.tar.gz 9734f85e -y
    """
    plan = _plan(app, archive, specs)
    if dry_run or not yes:
        _show(app, plan)
    if dry_run:
        note("Nothing was changed (--dry-run).")
        return
    if yes or confirm("Import these runs?"):
        _carry_out(app, plan)


def _plan(app: App, archive: str, specs: Sequence[str]) -> Import:
    path = archive_path(archive)
    try:
        manifest = manifest_of(path)
    except OSError as error:
        raise GuildError(
            f"'{printable(archive)}' cannot be read: {error.strerror or error}", hint="Nothing was imported."
        ) from error
    runs = _not_here(app, _chosen(manifest, specs))
    refuse_too_much(path, manifest, app.home.root)
    source = f"{os.path.basename(path)}, from ledger {manifest.ledger_id}"
    try:
        home = app.home.identity()
        events = tuple(retold(run.run_id, past_events(run), source, home) for run in runs)
    except (RunArchiveError, SenselessError) as error:
        raise RunArchiveError(f"'{printable(archive)}' is refused: {error.message}") from error
    return Import(path, manifest, tuple(runs), events)


def _chosen(manifest: Manifest, specs: Sequence[str]) -> list[ArchivedRun]:
    if not specs:
        return list(manifest.runs)
    found: dict[RunId, ArchivedRun] = {}
    for spec in specs:
        matching = [run for run in manifest.runs if spec and run.run_id.startswith(spec)]
        if len(matching) != 1:
            raise GuildError(
                f"'{printable(spec, 80)}' is the beginning of {len(matching) or 'no'} run ID in the archive"
                if len(matching) < 2  # noqa: PLR2004 - several
                else f"'{printable(spec, 80)}' is the beginning of {len(matching)} run IDs in the archive",
                hint="`guild runs import ARCHIVE --dry-run` shows the runs in it.",
            )
        found[matching[0].run_id] = matching[0]
    return list(found.values())


def _not_here(app: App, runs: Sequence[ArchivedRun]) -> list[ArchivedRun]:
    """Return the runs that this ledger does not have; the others are named.

    Raises:
        GuildError: one of them was purged here, or nothing is left.
    """
    types: dict[str, set[str]] = {}
    for event in app.ledger.store.stream_events([run_stream(run.run_id) for run in runs]):
        types.setdefault(str(run_of(event.stream)), set()).add(event.type)
    purged = [run for run in runs if "run.purge_started" in types.get(run.run_id, ())]
    if purged:
        others = [run.run_id[:_SHORT] for run in runs if run not in purged and run.run_id not in types]
        raise GuildError(
            f"{_named(purged)} {'was' if len(purged) == 1 else 'were'} permanently deleted here, which is final",
            hint=f"Nothing was imported. Name the others: guild runs import ARCHIVE {' '.join(others[:_FEW])}"
            f"{' ...' if len(others) > _FEW else ''}"
            if others
            else "Nothing was imported. `guild log` shows when it was done, and by whom.",
        )
    here = [run for run in runs if run.run_id in types]
    if here:
        note(f"{_named(here)} {'is' if len(here) == 1 else 'are'} here already")
    left = [run for run in runs if run.run_id not in types]
    if not left:
        raise NothingToDoError("Nothing to import.", hint="All these runs are here already: `guild runs --all`.")
    return left


def _named(runs: Sequence[ArchivedRun]) -> str:
    names = ", ".join(run.run_id[:_SHORT] for run in runs[:_FEW])
    more = f" and {len(runs) - _FEW} more" if len(runs) > _FEW else ""
    return f"run {names}" if len(runs) == 1 else f"runs {names}{more}"


def _show(app: App, plan: Import) -> None:
    say("You are about to import the following runs:")
    for line in preview(plan.rows(), app.cwd, width()):
        say(line)
    say(f"  {len(plan.runs)} run(s), {size(sum(run.size for run in plan.runs))}")


def _carry_out(app: App, plan: Import) -> None:
    """Unpack apart, verify, record all runs in one transaction, and let their directories follow."""
    app.home.ensure()
    follow(app)  # as every command that changes runs: what an earlier one could not finish is mended
    run_ids = [run.run_id for run in plan.runs]
    try:
        with lock_places(app.home):
            clear_leftovers(app.home, lambda runs: known_runs(app, runs))
        with unpacking_place(app.home) as folder:
            digests = plan.digests(app.home)
            unpack_runs(plan.archive, plan.manifest, run_ids, folder, digests)
            _keep_histories(plan, folder)
            bring_in_sources(app.home, os.path.join(folder, SOURCES), digests)
            with lock_places(app.home):
                _record(app, plan, folder, run_ids)
    except OSError as error:
        raise GuildError(
            f"the runs could not be unpacked: {error.strerror or error}", hint="Nothing was imported."
        ) from error
    follow(app)
    _tell(app, run_ids)


def _record(app: App, plan: Import, folder: str, run_ids: Sequence[RunId]) -> None:
    if known_runs(app, run_ids):
        raise GuildError("some of these runs were imported meanwhile", hint="Nothing was changed. Repeat the command.")
    events = [
        NewEvent(run_stream(run.run_id), event)
        for run, events in zip(plan.runs, plan.events, strict=True)
        for event in events
    ]
    done = False
    try:
        bring_in(app.home, folder, run_ids)
        expected = dict.fromkeys(map(run_stream, run_ids), 0)
        app.ledger.append(Transaction(app.header(), tuple(events), expected=expected))
        done = True
    finally:
        if not done and not known_runs(app, run_ids):
            take_back(app.home, run_ids)


def _keep_histories(plan: Import, folder: str) -> None:
    from artifacts.run_history import keep_history

    for run in plan.runs:
        keep_history(os.path.join(folder, run.run_id), plan.manifest.ledger_id, run.events)


def _tell(app: App, run_ids: Sequence[RunId]) -> None:
    now = runs_by_id(app.index, run_ids)
    done = sum(1 for run_id in run_ids if now[run_id].place == LIVE)
    if done:
        say(f"Imported {done} run(s)")
        shown = " ".join(run_id[:_SHORT] for run_id in run_ids) if len(run_ids) <= _FEW else "[RUN]..."
        note(f"To undo: guild runs rm --all {shown}")
    if done < len(run_ids):
        raise GuildError(
            f"{len(run_ids) - done} of {len(run_ids)} runs could not be moved", hint="The reasons stand above."
        )
