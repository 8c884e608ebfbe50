"""What the commands about ledger files share: only a ledger of SQLite is a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from commands.app import App
from ledger.errors import GuildError, UsageError
from ledger.sqlite_store import SqliteStore

if TYPE_CHECKING:
    from ledger.store import Store


def refuse_server(command: str) -> None:
    """Refuse a command about the ledger's file when the ledger is in a server.

    Raises:
        GuildError: it is.
    """
    if _is_in_server():
        raise GuildError(
            f"`guild ledger {command}` works on a ledger that is a SQLite file; this one is in a server (GUILD_LEDGER)",
            hint="Use the server's own tools (pg_dump, pg_restore). `guild ledger export` works with both.",
        )


def _is_in_server() -> bool:
    url = os.environ.get("GUILD_LEDGER", "")
    return bool(url) and not url.startswith("sqlite")


def ledger_path(app: App) -> str:
    """Return where the ledger's file is, or would be."""
    url = os.environ.get("GUILD_LEDGER", "")
    if url.startswith("sqlite"):
        from ledger.sql_engine import ledger_url

        return str(ledger_url(url).database)
    return app.home.ledger_path


def refuse_no_ledger(app: App) -> None:
    """Refuse a home without a ledger, so that a wrong -H makes none and is not told to be in order.

    Where something shows that a ledger is gone, opening it says so.

    Raises:
        GuildError: there is none, and no trace of one.
    """
    from projections.files import has_any_index

    if _is_in_server():
        return
    if os.path.lexists(app.home.root) and not os.path.isdir(app.home.root):
        return  # opening it says what is there instead
    path = ledger_path(app)
    folders = (app.home.leases_dir, app.home.purging_dir, app.home.sources_dir)
    traces = has_any_index(app.home.index_dir) or any(os.path.isdir(name) and os.listdir(name) for name in folders)
    if not traces and not os.path.lexists(path) and not os.path.lexists(path + "-wal"):
        raise GuildError(
            f"there is no ledger in {os.path.dirname(path)!r}",
            hint="Nothing was made. Look at -H and GUILD_HOME: the first run there makes the ledger.",
        )


def refuse_read_only(store: Store) -> None:
    """Refuse a ledger that cannot be written to, before anything is shown or asked.

    Raises:
        LedgerError: it cannot.
    """
    if getattr(store, "read_only", False):
        with store.writing():
            pass


def file_store(app: App, command: str) -> SqliteStore:
    """Return the store of a ledger that is a file.

    Raises:
        GuildError: it is in a server.
    """
    refuse_server(command)
    refuse_no_ledger(app)
    store = app.ledger.store
    if not isinstance(store, SqliteStore):
        raise GuildError(f"`guild ledger {command}` works on a ledger that is a SQLite file")
    return store


def here(path: str) -> str:
    """Return a path from the command line, absolute.

    Raises:
        UsageError: it is empty, as an unset variable of a script is.
    """
    if not path:
        raise UsageError("the name of the file is empty", hint="Give the name of a file.")
    return os.path.abspath(path)
