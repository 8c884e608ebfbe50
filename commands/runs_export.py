"""`guild runs export`: runs with their events and files, in one file to take elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from artifacts.run_archive import ArchivedRun, ArchivedSnapshot, Manifest
from artifacts.run_archive_collecting import collected, collected_snapshot
from artifacts.run_archive_writing import exists_already, is_zip_name, write_archive
from artifacts.source_manifest import snapshot_files_dir
from commands.app import App
from commands.archives import ENDINGS, archive_path, source_digest, with_events
from commands.change import NothingToDoError
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, run_words
from commands.selecting import run_filter, selected, tell_moved
from commands.table import preview
from commands.terminal import note, say, warn, width
from guild_ledger import __version__
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId
from ledger.lifecycle import ENDED
from ledger.text import printable, size
from projections.query import RunRow

_MOST_TOLD = 10


@click.command("export", epilog=SELECTION_HELP)
@click.argument("archive", metavar="ARCHIVE", type=click.Path())
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("--force", is_flag=True, help="Write over ARCHIVE if it is there already.")
@limiting
@dry_run_option
@click.pass_obj
def export_runs(app: App, archive: str, specs: tuple[str, ...], limits: Limits, *, force: bool, dry_run: bool) -> None:
    """Write runs to the file ARCHIVE: all that match when no RUN is given.

    It holds what the ledger knows of each run, what its directory holds, and the source code that it used. Its name
    ends with .tar.gz or .zip. `guild runs import` takes the runs into another home. Runs that have not ended, special
    files and links that lead out of a run directory are left out, and named.

    \b
    Examples:
      guild runs export best.tar.gz 0
      guild runs export marked.zip --all --marked
      guild runs export all.tar.gz --all --dry-run      how many runs, and how large
    """
    path = _checked(archive_path(archive), archive, force=force)
    runs = _ended(selected(app, run_filter(app, limits), specs))
    tell_moved(app)
    found = tuple(_collected(app, row, app.home.run_dir(row.run_id), is_zip=is_zip_name(path)) for row in runs)
    if dry_run:
        for line in preview(runs, app.cwd, width()):
            say(line)
        say(f"  {len(runs)} run(s), {size(sum(run.size for run in found))} in {_files(found)}")
        _tell_left_out(found)
        note("Nothing was written (--dry-run).")
        return
    ledger_id = app.ledger.store.meta()["ledger_id"]
    sources = _snapshots(app, found, is_zip=is_zip_name(path))
    manifest = Manifest(ledger_id, f"guild-ledger {__version__}", found, sources)
    try:
        written = write_archive(
            path, manifest, lambda run: app.home.run_dir(RunId(run)), lambda one: snapshot_files_dir(app.home, one),
            force=force,
        )  # fmt: skip
    except OSError as error:
        raise GuildError(
            f"'{printable(archive)}' could not be written: {error.strerror or error}", hint="Nothing was written."
        ) from error
    _tell_left_out(found)
    say(f"Exported {len(runs)} run(s), {_files(found)}, to {printable(archive)} ({size(written)})")


def _checked(path: str, archive: str, *, force: bool) -> str:
    if not path.lower().endswith(ENDINGS):
        raise UsageError(
            f"the name '{printable(archive)}' does not say which kind of archive it is to be",
            hint=f"Let it end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.",
        )
    if os.path.isdir(path):
        raise GuildError(f"'{printable(archive)}' is a folder", hint="Give the name of a file.")
    if os.path.lexists(path) and not force:
        raise exists_already(archive)
    if not os.path.isdir(os.path.dirname(path)):
        raise GuildError(
            f"there is no folder '{printable(os.path.dirname(path))}'", hint="Make it, or give another name."
        )
    return path


def _ended(rows: Sequence[RunRow]) -> list[RunRow]:
    """Return the runs that have ended; the others have no files yet, or not all of them."""
    others = [row for row in rows if row.status not in ENDED]
    for row in others[:_MOST_TOLD]:
        warn(f"run {row.run_id[:8]} is left out: it is {row.status}")
    if len(others) > _MOST_TOLD:
        warn(f"and {len(others) - _MOST_TOLD} more that have not ended")
    found = [row for row in rows if row.status in ENDED]
    if not found:
        raise NothingToDoError("Nothing to export.", hint="`guild runs` lists the runs that there are.")
    return found


def _collected(app: App, row: RunRow, folder: str, *, is_zip: bool) -> ArchivedRun:
    run = with_events(app, row)
    if not os.path.isdir(folder) or os.path.islink(folder):
        warn(f"run {row.run_id[:8]} has no directory in this home: only what the ledger knows of it is exported")
        return run
    return collected(run, folder, is_zip=is_zip)


def _snapshots(app: App, runs: Sequence[ArchivedRun], *, is_zip: bool) -> tuple[ArchivedSnapshot, ...]:
    """Return the source code that these runs used, each snapshot once; what cannot come along is named."""
    found, missing = [], 0
    for digest in dict.fromkeys(filter(None, map(source_digest, runs))):
        try:
            found.append(collected_snapshot(app.home, digest, is_zip=is_zip))
        except GuildError as error:
            missing += 1
            if missing <= _MOST_TOLD:
                warn(f"source snapshot {printable(digest[:8])} is left out: {error.message}")
    if missing > _MOST_TOLD:
        warn(f"and {missing - _MOST_TOLD} more source snapshots that are left out")
    return tuple(found)


def _files(runs: Sequence[ArchivedRun]) -> str:
    count = sum(len(run.files) + len(run.links) for run in runs)
    return f"{count} file(s)"


def _tell_left_out(runs: Sequence[ArchivedRun]) -> None:
    found = [(run, path, why) for run in runs for path, why in run.left_out]
    for run, path, why in found[:_MOST_TOLD]:
        warn(f"left out of run {run.run_id[:8]}: '{printable(path)}' ({why})")
    if len(found) > _MOST_TOLD:
        warn(f"and {len(found) - _MOST_TOLD} more that are left out: the archive's list names them all")
