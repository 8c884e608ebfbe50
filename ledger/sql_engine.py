"""How a database is connected to through SQLAlchemy: which URLs, which driver, which settings, which pool.

Apart from `ledger.sql_store`, because `ledger.migrate` connects in the same way with other settings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from ledger.errors import LedgerError
from ledger.sql_errors import driver_missing, shown
from ledger.sqlite_store import MINIMUM_SQLITE, PRAGMAS
from ledger.sqlite_uri import sqlite_uri

BUSY_SECONDS = 60
"""How long a writer waits for the write lock."""

NO_POOL: Mapping[str, Any] = {"poolclass": NullPool}
"""Every connection is closed after use."""

ONE_KEPT: Mapping[str, Any] = {
    "poolclass": QueuePool,
    "pool_size": 1,
    "max_overflow": -1,  # a listing that is being read must not stop anything else from being read
    "pool_pre_ping": True,
}
"""One idle connection is kept, and tried before it is used again."""

_CONNECT_SECONDS = 10
_FORMS = "Give sqlite:////folder/ledger.db or postgresql://user@host/database."


def ledger_url(address: str | URL) -> URL:
    """Return the URL of a ledger's database, with the driver that this program uses.

    Raises:
        LedgerError: it is no URL, or one of a database that can keep no ledger.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        # The text itself is not repeated: it may hold a password.
        raise LedgerError("the ledger's address is no database URL", hint=_FORMS) from error
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return url
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise LedgerError(f"{shown(url)} cannot keep a ledger: neither a SQLite file nor PostgreSQL", hint=_FORMS)


def engine_for(
    url: URL,
    *,
    pragmas: Sequence[str] = PRAGMAS,
    busy_seconds: int = BUSY_SECONDS,
    pool: Mapping[str, Any] = NO_POOL,
) -> Engine:
    """Return an engine whose transactions on SQLite begin as the execution option `begin_mode` says.

    Args:
        url: as `ledger_url` returns it.
        pragmas: run on every new connection of SQLite.
        busy_seconds: how long SQLite waits for a lock.
        pool: what SQLAlchemy is told of the engine's pool of connections.

    Raises:
        LedgerError: the driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, pragmas, busy_seconds, pool)
    options = {"fallback_application_name": "guild-ledger", "client_encoding": "utf8"}
    if "connect_timeout" not in url.query:
        options["connect_timeout"] = str(_CONNECT_SECONDS)
    try:
        # Looking up the type hstore, which no ledger has, would cost a question to the server at every start.
        return create_engine(url, connect_args=options, use_native_hstore=False, **pool)
    except ImportError as error:
        raise driver_missing(shown(url), error) from error


def _sqlite_engine(url: URL, pragmas: Sequence[str], busy_seconds: int, pool: Mapping[str, Any]) -> Engine:
    path = str(url.database)

    def connect() -> sqlite3.Connection:
        connection = _open_file(path, busy_seconds)
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    engine = create_engine(url, creator=connect, **pool)
    event.listen(engine, "begin", _begin)
    return engine


def _open_file(path: str, busy_seconds: int) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        raise LedgerError(
            f"SQLite {sqlite3.sqlite_version} is too old, 3.37 is needed", hint="Use a newer Python build."
        )
    # mode=rw: a missing file must stay missing, not become an empty database.
    uri = sqlite_uri(path, "mode=rw")
    return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def _begin(connection: Connection) -> None:
    """Begin explicitly: left to itself the driver begins late, and not at all before DDL or SELECT."""
    mode = connection.get_execution_options().get("begin_mode", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
