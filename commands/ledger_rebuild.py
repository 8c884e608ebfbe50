"""`guild ledger rebuild`: throw the index away and fold the whole ledger into a new one."""

from __future__ import annotations

import click

from commands.app import App
from commands.options import json_option
from commands.progress import progress
from commands.terminal import say
from projections.rebuild import rebuild


@click.command("rebuild")
@json_option
@click.pass_obj
def rebuild_index(app: App, *, as_json: bool) -> None:
    """Rebuild the index from the ledger.

    Every command does so by itself when it finds the index missing or damaged; this does it in any case.
    """
    with progress("Rebuilding", app.ledger.store.head().position) as reached:
        count = rebuild(app.home.index_dir, app.ledger, progress=reached)
    say(f'{{"events": {count}}}' if as_json else f"Rebuilt the index from {count} events.")
