"""`guild ledger`: the group of commands about the ledger itself."""

from __future__ import annotations

import click

from commands.lazy import LazyGroup

_COMMANDS = {
    "anchor": "commands.ledger_anchor:anchor",
    "rebuild": "commands.ledger_rebuild:rebuild_index",
    "verify": "commands.ledger_verify:verify_ledger",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def ledger() -> None:
    """Check the ledger, and rebuild the index from it."""
