"""`guild ledger import`: the same ledger again, out of an export."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import BinaryIO

import click

from commands.app import App
from commands.ledger_files import ledger_path, refuse_server
from commands.terminal import note, say
from commands.wiping import emptying, wipe
from ledger.errors import GuildError, IntegrityError, UsageError
from ledger.importing import Export, Imported, import_more, import_new
from ledger.sqlite_store import SqliteStore
from projections.files import has_any_index


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.pass_obj
def import_ledger(app: App, *, file: str) -> None:
    """Read an export of a ledger in.

    FILE may be - for standard input. A home without a ledger gets the same one, hash for hash. A home that has one
    takes only the continuation of its own history. Everything is verified before it counts; a file that is not
    whole changes nothing.

    Run directories are not part of an export: copy the folders `runs` and `trash` of the home to have them too.

    \b
    Examples:
      guild ledger import history.jsonl
      guild -H ~/copy ledger import history.jsonl
      zstd -dc history.jsonl.zst | guild -H ~/copy ledger import -
    """
    refuse_server("import")
    if file == "-" and sys.stdin is None:
        raise UsageError("standard input is closed: there is nothing to read", hint="Give a FILE.")
    path = ledger_path(app)
    app.home.ensure()
    if file == "-":
        done = _import_spooled(app, path, sys.stdin.buffer)
    else:
        with open(file, "rb") as source:
            done = _import(app, path, Export(source))
    say(f"Imported {done.transactions} transactions, {done.events} events; {done.known} were there already.")
    if done.emptied:
        note(f"{done.emptied} bodies and headers were emptied, because the imported history says so.")
        wipe(app)


def _import_spooled(app: App, path: str, source: BinaryIO) -> Imported:
    """Read all of it before the ledger is locked: whatever feeds it may take its time, and runs must not wait."""
    import shutil
    import tempfile

    with tempfile.TemporaryFile(dir=app.home.root) as spool:
        shutil.copyfileobj(source, spool)
        spool.seek(0)
        return _import(app, path, Export(spool))


def _import(app: App, path: str, export: Export) -> Imported:
    if os.path.lexists(path):
        return _continued(app, export)
    if os.path.lexists(path + "-wal") or has_any_index(app.home.index_dir):
        raise IntegrityError(
            f"{path!r} is gone, but the home still holds what belongs to it",
            hint="Nothing was changed. Import into another home, or put the ledger back from a backup.",
        )
    return import_new(path, export)


def _continued(app: App, export: Export) -> Imported:
    store = app.take_ledger().store
    if not isinstance(store, SqliteStore):
        raise GuildError("an export is imported into a ledger that is a SQLite file")
    with closing(store):
        return emptying(app, lambda: import_more(store, export), lambda done: done.emptied)
