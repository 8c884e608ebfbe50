"""Upgrading tables, and making those in a server: Alembic, with the care that the only copy of the truth needs.

An upgrade is one transaction, its guards and its proof included: the guards come down, the migrations run,
the guards go up, the whole ledger is verified, and only then comes COMMIT. A crash or a doubt at any point
leaves what was there; of a SQLite file a backup has been made before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text

from ledger.blank import APPLICATION_ID, set_wal
from ledger.errors import IntegrityError, LedgerError, LedgerTooNewError
from ledger.files import aside_name, remove, sync, sync_folder_of
from ledger.format import REVISION
from ledger.guards import postgres_guards, sqlite_guards
from ledger.ids import Clock, system_clock
from ledger.seams import seam
from ledger.sql_engine import BUSY_SECONDS, engine_for, ledger_url
from ledger.sql_errors import shown
from ledger.sql_errors import translated as sql_translated
from ledger.sql_store import SqlStore
from ledger.sqlite_errors import translated
from ledger.sqlite_store import PRAGMAS, SqliteStore
from ledger.verify import verify

# Beside this package, in a checkout as in a wheel; never imported by its name, which other projects have too.
SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "migrations")
"""The folder of Alembic's `env.py` and `versions`."""

_LOCK_KEY = APPLICATION_ID
# Alembic alters a SQLite table by copying and dropping it; its rows must not drag those of others along.
_PRAGMAS = (*PRAGMAS, "PRAGMA foreign_keys=OFF")


def upgrade_sqlite(
    path: str, revision: str, *, target: str = REVISION, scripts: str = SCRIPTS, clock: Clock = system_clock
) -> str:
    """Upgrade the ledger at `path`, after a backup; call it behind the ledger's gate.

    Args:
        path: an existing ledger.
        revision: the revision that it has.
        target: the revision that it shall have.
        scripts: the folder of the migrations.
        clock: source of the time in the backup's name.

    Returns:
        The path of the backup: `<path>.backup-<revision>-<UTC time>`, itself a complete ledger.

    Raises:
        LedgerTooNewError: its revision is not among the migrations.
        IntegrityError: it would not verify afterwards; nothing was changed.
        LedgerError: it cannot be backed up or upgraded; nothing was changed.
    """
    with _transaction(path) as connection:
        if SqlStore(_url(path), connection=connection).revision() != revision:
            raise LedgerError(f"{path!r} is being upgraded by another program", hint="Try again.")
        # Made while the write lock is held, so that it is what the upgrade starts from.
        backup = _back_up(path, revision, clock())
        seam("migrate.upgrade")
        _upgrade(connection, target, scripts)
        _prove(SqlStore(_url(path), connection=connection))
        seam("migrate.commit")
    return backup


def prepare_database(url: str | URL, *, target: str = REVISION, scripts: str = SCRIPTS) -> bool:
    """Make the tables in an empty server database, or upgrade those that are there.

    Of several processes at once one does it and the others wait. No backup is made: that is for the
    server's tools.

    Args:
        url: of a PostgreSQL database.
        target: the revision that it shall have.
        scripts: the folder of the migrations.

    Returns:
        Whether anything was made or upgraded.

    Raises:
        LedgerTooNewError: its revision is not among the migrations.
        IntegrityError: it would not verify afterwards; nothing was changed.
        LedgerError: it cannot be reached, made or upgraded; nothing was changed.
    """
    parsed = ledger_url(url)
    if parsed.get_backend_name() == "sqlite":
        raise LedgerError(f"{shown(parsed)} is a file, no database of a server")
    with (
        sql_translated(shown(parsed)),
        engine_for(parsed).connect() as plain,
        plain.execution_options(isolation_level="READ COMMITTED") as connection,
        connection.begin(),
    ):
        connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{BUSY_SECONDS}s"})
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        store = SqlStore(parsed, connection=connection)
        if store.revision() == target:
            return False
        _upgrade(connection, target, scripts)
        _prove(store)
        return True


def _url(path: str) -> URL:
    return URL.create("sqlite", database=path)


@contextmanager
def _transaction(path: str) -> Iterator[Connection]:
    """Hold the write lock of a SQLite file in one transaction."""
    engine = engine_for(_url(path), pragmas=_PRAGMAS)
    with sql_translated(path), engine.connect() as plain:
        connection = plain.execution_options(begin_mode="IMMEDIATE")
        with connection.begin():
            yield connection


def _upgrade(connection: Connection, target: str, scripts: str) -> None:
    """Migrate to `target` inside the connection's transaction, with the guards of this program afterwards."""
    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    store = SqlStore(connection.engine.url, connection=connection)
    try:
        _refuse_unknown(store, config)
        _take_down_guards(connection)
        command.upgrade(config, target)
        _put_up_guards(connection)
    except CommandError as error:
        raise LedgerError(f"{store.place!r} cannot be upgraded: {error}") from error
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first() if _is_sqlite(connection) else None
    if lost is not None:
        raise IntegrityError(
            f"the upgrade of {store.place!r} lost rows of table {lost[2]}", hint="Nothing was changed."
        )


def _refuse_unknown(store: SqlStore, config: Config) -> None:
    stored = store.revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if stored is not None and stored not in known:
        raise LedgerTooNewError(
            f"{store.place!r} was written by a newer program (revision {stored})",
            hint="Update guild-ledger. Nothing was changed.",
        )


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _take_down_guards(connection: Connection) -> None:
    """Drop the guards of whatever program made them: a migration has to move rows, and may rename tables."""
    if _is_sqlite(connection):
        statement = "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger'"
    else:
        statement = (
            "SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger t"
            " WHERE NOT t.tgisinternal AND t.tgrelid IN"
            " (to_regclass('meta'), to_regclass('origin'), to_regclass('txn'), to_regclass('event'))"
        )
    for name, table in connection.execute(text(statement)).all():
        if not str(name).startswith(f"{table}_no_"):
            continue  # somebody's own trigger, for example one that notifies
        connection.exec_driver_sql(
            f"DROP TRIGGER {name}" if _is_sqlite(connection) else f"DROP TRIGGER {name} ON {table}"
        )


def _put_up_guards(connection: Connection) -> None:
    guards = sqlite_guards() if _is_sqlite(connection) else postgres_guards()
    for statements in guards.values():
        # Without parameters psycopg takes several statements in one text, and leaves percent signs alone.
        connection.exec_driver_sql(statements, execution_options={"no_parameters": True})


def _prove(store: SqlStore) -> None:
    """Verify the upgraded ledger before it is committed; one that is being made has nothing to verify."""
    if not store.meta():
        return
    problems = verify(store).problems
    if problems:
        first = f"{problems[0].where} {problems[0].what}"
        raise IntegrityError(
            f"{store.place!r} does not verify after its upgrade, so it was not upgraded: {first}",
            hint="Nothing was changed. Verify it with the version that wrote it, or bring back a backup.",
        )


def _back_up(path: str, revision: str, time: int) -> str:
    """Copy the ledger next to itself, durably, never over another file; return the copy's path."""
    backup = aside_name(path, f"backup-{revision}", time)
    unfinished = f"{path}.backup-unfinished"
    remove(unfinished)
    try:
        _copy(path, unfinished, revision)
        seam("migrate.backup")
        os.rename(unfinished, backup)
        sync_folder_of(path)
    except OSError as error:
        raise LedgerError(
            f"cannot back up {path!r}: {error.strerror}",
            hint="Nothing was changed. Free some space, and try again.",
        ) from error
    finally:
        remove(unfinished)
    return backup


def _copy(path: str, copy: str, revision: str) -> None:
    # VACUUM INTO takes an empty file; made here, it is private from the start.
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            connection.execute("VACUUM INTO ?", (copy,))
        finally:
            connection.close()
    set_wal(copy)
    store = SqliteStore(copy, read_only=True)
    try:
        found = store.check_file()
        if found or store.revision() != revision:
            raise LedgerError(
                f"the backup of {path!r} is not good: {found or 'incomplete'}", hint="Nothing was changed."
            )
    finally:
        store.close()
    sync(copy)
