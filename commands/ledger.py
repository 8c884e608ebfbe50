"""`guild ledger`: the group of commands about the ledger itself."""

from __future__ import annotations

import click

from commands.lazy import LazyGroup

_COMMANDS = {
    "rebuild": "commands.ledger_rebuild:rebuild_index",
    "verify": "commands.ledger_verify:verify_ledger",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def ledger() -> None:
    """Check the ledger, and rebuild the index from it.

    \b
    Examples:
      guild ledger verify
      guild ledger rebuild
    """
