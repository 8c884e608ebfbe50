"""`guild ledger rebuild`: throw the index away and fold the whole ledger into a new one."""

from __future__ import annotations

import click

from commands.app import App
from commands.ledger_files import refuse_no_ledger
from commands.options import json_option
from commands.progress import progress
from commands.terminal import say
from projections.errors import IndexDamagedError
from projections.files import current_file
from projections.index import agrees, connect
from projections.rebuild import rebuild


@click.command("rebuild")
@json_option
@click.pass_obj
def rebuild_index(app: App, *, as_json: bool) -> None:
    """Rebuild the index from the ledger.

    Every command does so by itself when it finds the index missing or damaged; this does it in any case.

    \b
    Examples:
      guild ledger rebuild
    """
    refuse_no_ledger(app)
    _keep_the_witness(app)
    with progress("Rebuilding", app.ledger.store.head().position) as reached:
        count = rebuild(app.home.index_dir, app.ledger, progress=reached)
    say(f'{{"events": {count}}}' if as_json else f"Rebuilt the index from {count} events.")


def _keep_the_witness(app: App) -> None:
    """Refuse where the index has read what the ledger does not hold: it is the only trace of what was lost.

    Raises:
        IntegrityError: the ledger lost or changed history.
    """
    path = current_file(app.home.index_dir)
    if path is None:
        return
    try:
        index = connect(path)
        try:
            checkpoint = index.checkpoint()  # before the ledger's end, which others may move on meanwhile
            agrees(checkpoint, app.ledger, app.ledger.store.head().seq)
        finally:
            index.close()
    except IndexDamagedError:
        return
