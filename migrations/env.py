"""What Alembic runs for every upgrade: on the connection and inside the transaction of `ledger.migrate`.

There is no way to run it without one: backup, guards and verification around the upgrade belong to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alembic import context
from alembic.util import CommandError

from ledger.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise CommandError("the ledger is migrated by the program itself, not by the command `alembic`")
    context.configure(
        connection=cast("Connection", connection),
        target_metadata=metadata,
        render_as_batch=True,
        # Alembic's default for SQLite says False, because the driver's own way of beginning transactions
        # leaves DDL outside; `ledger.sql_engine` begins them explicitly.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
