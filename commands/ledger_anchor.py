"""`guild ledger anchor`: the ledger's head hash, to be kept where nobody who can write the ledger can reach it."""

from __future__ import annotations

import click

from commands.app import App
from commands.ledger_files import refuse_no_ledger
from commands.options import json_option
from commands.terminal import say
from ledger.anchors import head_anchor
from ledger.events.book import LedgerAnchored
from ledger.ids import LEDGER_STREAM
from ledger.transaction import NewEvent, Transaction


@click.command("anchor")
@click.option("--record", is_flag=True, help="Record in the ledger that this hash was given out.")
@json_option
@click.pass_obj
def anchor(app: App, *, record: bool, as_json: bool) -> None:
    """Print the ledger's head, to keep elsewhere.

    It has the form SEQ:HASH. Mail it, print it, commit it to another repository. `guild ledger verify --anchor
    SEQ:HASH` then proves that the ledger still contains the history up to there: that nothing was cut off, and that
    it was not written anew.

    \b
    Examples:
      guild ledger anchor >> ~/notes/anchors
      guild ledger anchor --record --json
    """
    refuse_no_ledger(app)
    head = head_anchor(app.ledger.store)
    if record:
        event = LedgerAnchored(seq=head.seq or 0, hash=head.hash.hex())
        app.ledger.append(Transaction(app.header(), (NewEvent(LEDGER_STREAM, event),)))
    say(f'{{"seq": {head.seq}, "hash": "{head.hash.hex()}"}}' if as_json else str(head))
