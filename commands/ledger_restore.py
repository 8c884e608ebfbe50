"""`guild ledger restore-backup`: put a verified backup in the ledger's place, and let everything else follow."""

from __future__ import annotations

import os
from typing import NamedTuple

import click

from commands.app import App
from commands.ledger_files import here, ledger_path, refuse_server
from commands.options import dry_run_option, yes_option
from commands.settle import follow
from commands.terminal import confirm, note, say, warn
from ledger.ids import RunId, is_run_id
from ledger.restoring import drop_staged, loss, refused, stage, swap
from ledger.text import printable
from projections.files import forget_all, rebuilding
from projections.query import doubt, runs_by_id
from projections.schema import DELETED, LIVE, PURGED, PURGING
from projections.verified import forget_point

_MOST_NAMES = 5
_FOLDERS = {LIVE: "runs", DELETED: "trash", PURGING: "purging"}


class Directories(NamedTuple):
    """Run directories, compared with what a restored ledger says.

    Attributes:
        unknown: directories of runs that the ledger does not know.
        misplaced: runs whose directory is not where the ledger has it.
    """

    unknown: list[str]
    misplaced: list[RunId]


@click.command("restore-backup")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Also when the ledger that is there holds history that FILE lacks.")
@dry_run_option
@yes_option
@click.pass_obj
def restore_backup(app: App, *, file: str, force: bool, dry_run: bool, yes: bool) -> None:
    """Put a backup in the place of the ledger.

    FILE is copied and verified before anything is touched. When the ledger that is there holds history that FILE lacks,
    or cannot be read, nothing is done without --force. What was there is kept beside it, and its name is printed.

    Afterwards run directories are brought where the restored ledger has them. Directories of runs that it does not know
    stay where they are.

    \b
    Examples:
      guild ledger restore-backup ~/backups/ledger-monday.db
      guild ledger restore-backup --dry-run ~/backups/ledger-monday.db
    """
    refuse_server("restore-backup")
    path = ledger_path(app)
    app.home.ensure()
    report = stage(here(file), path)
    try:
        lost = loss(path)
        say(f"The backup holds {report.transactions} transactions, {report.events} events, and is whole.")
        say(f"head: {report.head_hash}")
        if lost.text:
            warn(lost.text)
        if dry_run:
            note("Nothing was changed (--dry-run).")
            return
        if lost.text and not force:
            raise refused(lost)
        if not yes and not confirm("Put it in the place of the ledger?"):
            return
        with rebuilding(app.home.index_dir):  # so that nobody publishes an index of the old ledger meanwhile
            forget_all(app.home.index_dir)
            forget_point(app.home.index_dir)
            kept = swap(path, forced=force)
    finally:
        drop_staged(path)
    say("The backup is now the ledger.")
    if kept is not None:
        say(f"What was there is kept as {printable(kept, 400)}.")
    _tell(_followed(app))


def _followed(app: App) -> Directories:
    """Let the directories of the runs follow the restored ledger; return what is not as it should be."""
    found = _directories(app)
    doubt(app.index, found.misplaced)
    follow(app)
    return found


def _directories(app: App) -> Directories:
    places: dict[str, list[str]] = {}
    for place, folder in _FOLDERS.items():
        for name in os.listdir(os.path.join(app.home.root, folder)):
            if is_run_id(name):
                places.setdefault(name, []).append(place)
    known = runs_by_id(app.index, [RunId(name) for name in places]) if places else {}
    unknown = sorted(name for name in places if RunId(name) not in known)
    misplaced = [
        run_id for run_id, row in known.items() if row.place not in (*places[run_id], PURGED) or len(places[run_id]) > 1
    ]
    return Directories(unknown, misplaced)


def _tell(found: Directories) -> None:
    if found.unknown:
        names = ", ".join(name[:8] for name in found.unknown[:_MOST_NAMES])
        more = " and others" if len(found.unknown) > _MOST_NAMES else ""
        note(f"{len(found.unknown)} run directories are of runs that this ledger does not know: {names}{more}.")
        note("They stay where they are.")
    if found.misplaced:
        note(f"{len(found.misplaced)} run directories were not where this ledger has them.")
