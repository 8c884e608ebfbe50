"""`guild ledger restore-backup`: put a verified backup in the ledger's place, and let everything else follow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing

import click

from artifacts.lease import is_held
from commands.app import App
from commands.ledger_files import here, ledger_path, refuse_server
from commands.options import dry_run_option, yes_option
from commands.restored import Directories, compare, is_marked, mark, unmark
from commands.settle import follow
from commands.terminal import confirm, note, say, warn
from ledger.ids import RunId, is_run_id
from ledger.log import Ledger
from ledger.restoring import Staged, loss, refused, stage, swap
from ledger.sqlite_store import SqliteStore
from ledger.text import printable
from projections.files import forget_all, rebuilding
from projections.single import state_of
from projections.verified import forget_point

_MOST_NAMES = 5


@click.command("restore-backup")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Also when the ledger that is there holds history that FILE lacks.")
@dry_run_option
@yes_option
@click.pass_obj
def restore_backup(app: App, *, file: str, force: bool, dry_run: bool, yes: bool) -> None:
    """Put a backup in the place of the ledger.

    FILE is copied and verified before anything is touched. When the ledger that is there holds history that FILE lacks,
    or cannot be read, or runs are running that FILE does not have as running, nothing is done without --force. What was
    there is kept beside it, and its name is printed.

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
    staged = stage(here(file), path)
    try:
        lost = loss(path, staged)
        say(f"The backup holds {staged.report.transactions} transactions, {staged.report.events} events, and is whole.")
        say(f"head: {staged.report.head_hash}")
        running = _told_running(_unknown_running(app, staged))
        for text in filter(None, (lost, running)):
            warn(text)
        if dry_run:
            note("Nothing was changed (--dry-run).")
            return
        if (lost or running) and not force:
            raise refused(lost or running)
        if not yes and not confirm("Put it in the place of the ledger?"):
            return
        kept = _exchange(app, path, staged, forced=force)
    finally:
        staged.drop()
    say("The backup is now the ledger.")
    if kept is not None:
        say(f"What was there is kept as {printable(kept, 400)}.")
    found = compare(app)
    follow(app)
    _tell(found)


def _unknown_running(app: App, staged: Staged) -> list[RunId]:
    """Return the runs that are running and that the backup does not have as such: it could not take their end."""
    held = [RunId(name) for name in sorted(os.listdir(app.home.leases_dir)) if is_run_id(name)]
    held = [run_id for run_id in held if is_held(app.home.lease_path(run_id))]
    if not held:
        return []
    with closing(SqliteStore(staged.path, read_only=True)) as store:
        states = {run_id: state_of(Ledger(store), run_id) for run_id in held}
    return [run_id for run_id, state in states.items() if state is None or state.status != "running"]


def _told_running(run_ids: Sequence[RunId]) -> str:
    if not run_ids:
        return ""
    names = ", ".join(run_id[:8] for run_id in run_ids[:_MOST_NAMES])
    more = " and others" if len(run_ids) > _MOST_NAMES else ""
    return (
        f"{len(run_ids)} run(s) are running whose end the backup could not take, as it lacks their start: {names}{more}"
    )


def _exchange(app: App, path: str, staged: Staged, *, forced: bool) -> str | None:
    """Swap the files, with no index of the old ledger left; returns the name under which that one is kept."""
    with rebuilding(app.home.index_dir):  # so that nobody publishes an index of the old ledger meanwhile
        forget_all(app.home.index_dir)
        forget_point(app.home.index_dir)
        earlier = is_marked(app)
        mark(app)
        try:
            return swap(path, staged, forced=forced)
        except BaseException:
            if os.path.lexists(staged.path) and not earlier:  # it did not become the ledger
                unmark(app)
            raise


def _tell(found: Directories) -> None:
    if found.unknown:
        names = ", ".join(name[:8] for name in found.unknown[:_MOST_NAMES])
        more = " and others" if len(found.unknown) > _MOST_NAMES else ""
        note(f"{len(found.unknown)} run directories are of runs that this ledger does not know: {names}{more}.")
        note("They stay where they are.")
    if found.misplaced:
        note(f"{len(found.misplaced)} run directories were not where this ledger has them.")
