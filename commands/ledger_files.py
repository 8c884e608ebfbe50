"""What the commands about ledger files share: only a ledger of SQLite is a file."""

from __future__ import annotations

import os

from commands.app import App
from ledger.errors import GuildError
from ledger.sqlite_store import SqliteStore


def refuse_server(command: str) -> None:
    """Refuse a command about the ledger's file when the ledger is in a server.

    Raises:
        GuildError: it is.
    """
    url = os.environ.get("GUILD_LEDGER", "")
    if url and not url.startswith("sqlite"):
        raise GuildError(
            f"`guild ledger {command}` works on a ledger that is a SQLite file; this one is in a server (GUILD_LEDGER)",
            hint="Use the server's own tools (pg_dump, pg_restore). `guild ledger export` works with both.",
        )


def ledger_path(app: App) -> str:
    """Return where the ledger's file is, or would be."""
    url = os.environ.get("GUILD_LEDGER", "")
    if url.startswith("sqlite"):
        from ledger.sql_engine import ledger_url

        return str(ledger_url(url).database)
    return app.home.ledger_path


def file_store(app: App, command: str) -> SqliteStore:
    """Return the store of a ledger that is a file.

    Raises:
        GuildError: it is in a server.
    """
    refuse_server(command)
    store = app.ledger.store
    if not isinstance(store, SqliteStore):
        raise GuildError(f"`guild ledger {command}` works on a ledger that is a SQLite file")
    return store


def here(path: str) -> str:
    """Return a path from the command line, absolute."""
    return os.path.abspath(path)
