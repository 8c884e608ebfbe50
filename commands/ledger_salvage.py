"""`guild ledger salvage`: a whole ledger out of a damaged one, as far as its hash chain proves it."""

from __future__ import annotations

import click

from commands.app import App
from commands.ledger_files import here
from commands.options import json_option
from commands.progress import progress
from commands.terminal import note, say
from ledger.errors import IntegrityError
from ledger.salvage import Salvaged, salvage
from ledger.text import printable


@click.command("salvage")
@click.argument("bad", metavar="BAD", type=click.Path(exists=True, dir_okay=False))
@click.argument("out", metavar="OUT", type=click.Path())
@json_option
@click.pass_obj
def salvage_ledger(app: App, *, bad: str, out: str, as_json: bool) -> None:
    """Save what a damaged ledger still proves.

    OUT becomes a ledger of every row of the file BAD that the hash chain proves. BAD is only read, its bytes and
    those of BAD-wal, page by page: SQLite need not be able to open it. Bodies and command lines whose bytes are
    damaged are emptied, and that is recorded; their events stay. Transactions behind a break that are whole in
    themselves, but that nothing links to what was kept, go to OUT.rest.jsonl.

    Exits with 3 when something was lost. `guild ledger restore-backup OUT` puts the result in the ledger's place.

    \b
    Examples:
      guild ledger salvage ~/.guild/ledger.db ~/saved.db
      guild ledger restore-backup ~/saved.db --force
    """
    with progress("Reading", 100) as reached:
        told = None if reached is None else lambda done, of: reached(100 * done // max(1, of))
        found = salvage(here(bad), here(out), app.header(), told)
    _say(found, here(out), as_json=as_json)
    if found.first_break or found.emptied or found.lost:
        what = found.first_break or f"{found.emptied} bodies or headers were damaged"
        raise IntegrityError(
            f"not everything could be saved; {what}",
            hint="Compare with a backup before you use it: `guild ledger restore-backup --dry-run FILE`.",
        )


def _say(found: Salvaged, out: str, *, as_json: bool) -> None:
    if as_json:
        import orjson

        data = {
            "transactions": found.transactions,
            "events": found.events,
            "emptied": found.emptied,
            "first_break": found.first_break or None,
            "lost": found.lost,
            "rest": found.rest,
            "head_hash": found.head_hash,
        }
        say(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
        return
    say(f"Saved {found.transactions} transactions, {found.events} events to {printable(out, 400)}.")
    say(f"head: {found.head_hash}")
    if found.emptied:
        say(f"emptied: {found.emptied} bodies or headers whose bytes were damaged")
    if found.first_break:
        say(f"first break: {found.first_break}")
        say(f"lost: {found.lost} transactions, {found.rest} of which are whole in themselves")
    if found.rest_file is not None:
        note(f"Those are kept in {printable(found.rest_file, 400)}.")
