"""`guild ledger backup`: a verified copy of the ledger, made while runs go on."""

from __future__ import annotations

import click

from commands.app import App
from commands.ledger_files import file_store, here
from commands.options import json_option
from commands.progress import progress
from commands.terminal import note, say
from ledger.backup import back_up
from ledger.errors import UsageError
from ledger.text import printable


@click.command("backup")
@click.argument("file", metavar="FILE", type=click.Path())
@json_option
@click.pass_obj
def backup(app: App, *, file: str, as_json: bool) -> None:
    """Copy the ledger into FILE, and verify the copy.

    Runs may go on and commands may be given meanwhile; the backup is the ledger as it was when the copying began. FILE
    must not be there yet. It is one SQLite file, readable by you alone; `restore-backup FILE` puts it back.

    Run directories are not part of it: the backup holds what was done, not what the runs wrote.

    \b
    Examples:
      guild ledger backup ~/backups/ledger-monday.db
      guild ledger backup /mnt/usb/ledger.db --json
    """
    if file == "-":
        raise UsageError(
            "a backup is a file, and cannot be written to standard output",
            hint="`guild ledger export` can.",
        )
    store = file_store(app, "backup")
    with progress("Copying", store.head().seq and 100) as reached:
        told = None if reached is None else lambda done, of: reached(100 * done // max(1, of))
        report = back_up(store, here(file), told)
    point = report.point
    seq = 0 if point is None else point.seq
    if as_json:
        import orjson

        data = {"file": here(file), "transactions": report.transactions, "events": report.events, "seq": seq}
        say(orjson.dumps({**data, "head_hash": report.head_hash}).decode("utf-8", "replace"))
        return
    say(f"Backed up {report.transactions} transactions, {report.events} events to {printable(here(file), 400)}.")
    say(f"head: {report.head_hash}")
    note("The copy was verified. Run directories are not part of it.")
