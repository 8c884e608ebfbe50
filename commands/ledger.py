"""`guild ledger`: the group of commands about the ledger itself."""

from __future__ import annotations

import click

from commands.lazy import LazyGroup

_COMMANDS = {
    "anchor": "commands.ledger_anchor:anchor",
    "backup": "commands.ledger_backup:backup",
    "export": "commands.ledger_export:export",
    "import": "commands.ledger_import:import_ledger",
    "merge": "commands.ledger_merge:merge_ledger",
    "rebuild": "commands.ledger_rebuild:rebuild_index",
    "redact": "commands.ledger_redact:redact_events",
    "restore-backup": "commands.ledger_restore:restore_backup",
    "salvage": "commands.ledger_salvage:salvage_ledger",
    "verify": "commands.ledger_verify:verify_ledger",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def ledger() -> None:
    """Check the ledger, keep copies of it, and bring it back from damage.

    \b
    Examples:
      guild ledger verify
      guild ledger backup ~/ledger-monday.db
      guild ledger rebuild
    """
