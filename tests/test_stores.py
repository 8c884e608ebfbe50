"""The store contract on each store, and what only one of them has to promise."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.blank import create_sqlite
from ledger.errors import IntegrityError, LedgerBusyError, LedgerError
from ledger.format import REVISION, TRIGGERS
from ledger.guards import postgres_guards, sqlite_guards
from ledger.log import Ledger
from ledger.migrate import prepare_database
from ledger.rows import EventRow, OriginRow, TxnRow
from ledger.sql_store import SqlStore
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.tables import event, origin, txn
from tests.ledger_contract import LedgerContract, lived
from tests.store_contract import Place, RefusedError, append_next, identify

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.postgres_server import PostgresServer

ROOT = Path(__file__).parent.parent
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'guild-ledger'"
FUNCTION = "guild_event_no_update()"
REMAKE = "DROP TRIGGER event_no_update ON event; CREATE TRIGGER event_no_update"


class SqlitePlace(Place):
    """A SQLite file, opened by one of the two stores that can."""

    def __init__(self, path: Path, *, through_sqlalchemy: bool) -> None:
        self.path = str(path)
        self.through_sqlalchemy = through_sqlalchemy

    def open(self) -> Store:
        """Open the file."""
        return SqlStore(f"sqlite:///{self.path}") if self.through_sqlalchemy else SqliteStore(self.path)

    def raw(self, *statements: str) -> None:
        """Use a plain connection, with SQLite's own defaults."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            try:
                for statement in statements:
                    connection.execute(statement)
            except sqlite3.Error as error:
                raise RefusedError(str(error)) from error

    def replacing(self, table: str, columns: str) -> list[str]:
        """Use both forms of SQLite that let a colliding row through."""
        row = f"INTO {table} SELECT {columns} FROM {table}"
        return [f"INSERT OR REPLACE {row}", f"INSERT OR IGNORE {row}", f"INSERT {row}"]

    def drop_guard(self, name: str) -> str:
        """Drop the trigger."""
        return f"DROP TRIGGER {name}"


class PostgresPlace(Place):
    """A database of a real server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self) -> Store:
        """Connect to the database."""
        return SqlStore(self.url)

    def raw(self, *statements: str) -> None:
        """Use a plain connection of the driver."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            try:
                connection.execute("; ".join(statements).encode())
            except psycopg.Error as error:
                raise RefusedError(str(error)) from error

    def clear(self) -> None:
        """Take away every row, and put up again what guards an earlier test took away."""
        with closing(SqlStore(self.url)) as store:
            missing = store.missing_guards()
        self.raw(
            # As a replica the server fires no triggers, so the guards let this pass; only superusers may ask.
            "SET session_replication_role = replica",
            *(f"DELETE FROM {table}" for table in ("event", "txn", "origin", "meta")),
            *(f"DROP TRIGGER IF EXISTS {name} ON {name.split('_')[0]}" for name in missing),
            *(postgres_guards()[name] for name in missing),
        )

    def replacing(self, table: str, columns: str) -> list[str]:
        """Use the form that would lose a row without a word, and the plain one."""
        row = f"INSERT INTO {table} SELECT {columns} FROM {table}"
        return [f"{row} ON CONFLICT DO NOTHING", row]

    def drop_guard(self, name: str) -> str:
        """Drop the trigger."""
        return f"DROP TRIGGER {name} ON {name.split('_', 1)[0]}"


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with the tables of a ledger, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "ledger.db"
    create_sqlite(str(path))
    return path


@pytest.fixture
def sqlite_path(blank: Path, tmp_path: Path) -> Path:
    """Give a new file with the tables of a ledger."""
    return Path(shutil.copy(blank, tmp_path / "ledger.db"))


@pytest.fixture(scope="module")
def shared_database(postgres_server: PostgresServer) -> PostgresPlace:
    """Give the tables of a ledger in a database of this file, made once because that takes long."""
    place = PostgresPlace(postgres_server.create_database())
    prepare_database(place.url)
    return place


@pytest.fixture
def postgres_place(shared_database: PostgresPlace) -> PostgresPlace:
    """Give the tables of a ledger without any row."""
    shared_database.clear()
    return shared_database


class TestSqliteStore(LedgerContract):
    """The embedded store."""

    @pytest.fixture
    def place(self, sqlite_path: Path) -> Place:
        """Give a new file."""
        return SqlitePlace(sqlite_path, through_sqlalchemy=False)


class TestSqlStoreOnSqlite(LedgerContract):
    """SQLAlchemy over a SQLite file."""

    @pytest.fixture
    def place(self, sqlite_path: Path) -> Place:
        """Give a new file."""
        return SqlitePlace(sqlite_path, through_sqlalchemy=True)

    def test_it_waits_for_the_write_lock_only_so_long(self, place: SqlitePlace, store: Store) -> None:
        """A program that holds the lock past the gate ends in a clear message, and nothing is written."""
        impatient = SqlStore(f"sqlite:///{place.path}", busy_seconds=0)
        with closing(sqlite3.connect(place.path, isolation_level=None)) as holder, closing(impatient):
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerBusyError):
                append_next(impatient)
        append_next(store)
        assert store.head().seq == 1

    def test_a_missing_file_stays_missing(self, tmp_path: Path) -> None:
        """Opening never makes an empty database where a ledger was expected."""
        with closing(SqlStore(f"sqlite:///{tmp_path / 'none.db'}")) as store, pytest.raises(LedgerError):
            store.meta()
        assert list(tmp_path.iterdir()) == []

    def test_a_file_without_tables_is_no_ledger(self, tmp_path: Path) -> None:
        """The message says so, in the terms of the ledger."""
        path = tmp_path / "other.db"
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE something (x)")
        with closing(SqlStore(f"sqlite:///{path}")) as store:
            assert store.revision() is None
            with pytest.raises(IntegrityError, match="no ledger"):
                store.meta()


class TestSqlStoreOnPostgres(LedgerContract):
    """SQLAlchemy over a PostgreSQL server."""

    @pytest.fixture
    def place(self, postgres_place: PostgresPlace) -> Place:
        """Give new tables."""
        return postgres_place

    @pytest.mark.parametrize("table", ["event", "txn", "origin"])
    def test_a_table_cannot_be_truncated(self, place: Place, store: Store, table: str) -> None:
        """TRUNCATE passes row triggers by, so it has a guard of its own."""
        append_next(store)
        for statement in (f"TRUNCATE {table} CASCADE", "TRUNCATE meta, origin, txn, event"):
            with pytest.raises(RefusedError, match="append-only"):
                place.raw(statement)
        assert (store.head().seq, len(store.origins())) == (1, 1)

    def test_a_conflict_cannot_be_turned_into_an_update(self, place: Place, store: Store) -> None:
        """ON CONFLICT DO UPDATE is a change of history as well."""
        append_next(store)
        with pytest.raises(RefusedError, match="append-only"):
            place.raw("INSERT INTO event SELECT * FROM event ON CONFLICT (position) DO UPDATE SET type = 'forged'")
        assert [row.type for row in store.events()] == ["run.tagged", "run.tagged"]

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE event DISABLE TRIGGER event_no_update",
            "ALTER TABLE event ENABLE REPLICA TRIGGER event_no_update",
            f"CREATE OR REPLACE FUNCTION {FUNCTION} RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            f"{REMAKE} BEFORE UPDATE OF type ON event FOR EACH ROW EXECUTE FUNCTION {FUNCTION}",
            f"{REMAKE} BEFORE UPDATE ON event FOR EACH ROW WHEN (NEW.position < 0) EXECUTE FUNCTION {FUNCTION}",
            f"{REMAKE} BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION {FUNCTION}",
        ],
    )
    def test_a_guard_that_no_longer_guards_is_named(self, place: Place, store: Store, statement: str) -> None:
        """A trigger by the right name is not enough: it must be enabled, always fire and do what it should."""
        place.raw(statement)
        assert store.missing_guards() == ["event_no_update"]

    def test_it_waits_for_the_write_lock_only_so_long(self, place: PostgresPlace, store: Store) -> None:
        """A program that holds the row ends in a clear message, and nothing is written."""
        with closing(SqlStore(place.url, busy_seconds=0)) as impatient, store.writing():
            with pytest.raises(LedgerBusyError, match="locked"):
                append_next(impatient)
            assert store.head().seq == 0

    def test_a_database_without_tables_is_no_ledger(self, postgres_url: str) -> None:
        """The message says so, in the terms of the ledger."""
        with closing(SqlStore(postgres_url)) as store:
            assert store.revision() is None
            with pytest.raises(IntegrityError, match="no ledger"):
                store.meta()

    def test_a_connection_that_is_cut_is_a_clear_error(self, place: Place, store: Store) -> None:
        """When a connection ends inside a transaction, nothing of it is kept and the store recovers."""

        def write_half() -> None:
            with store.writing():
                store.insert_meta("half", "done")
                place.raw(CUT)
                store.head()

        with pytest.raises(LedgerError, match="lost") as caught:
            write_half()
        assert caught.value.hint is not None
        assert "half" not in store.meta()
        append_next(store)
        assert store.head().seq == 1

    def test_a_connection_that_was_cut_while_idle_is_replaced(self, place: Place, store: Store) -> None:
        """A server may close a connection while the user thinks about a prompt; the next use goes on."""
        append_next(store)
        place.raw(CUT)
        append_next(store)
        assert store.head().seq == 2

    def test_a_server_that_trades_durability_for_speed_does_not_here(self, place: Place, store: Store) -> None:
        """What is reported as recorded is on the server's disk, whatever its default is."""
        place.raw("ALTER ROLE postgres SET synchronous_commit = off")
        try:
            with store.writing():
                assert _held(store).exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        finally:
            place.raw("ALTER ROLE postgres RESET synchronous_commit")


def _held(store: Store) -> Connection:
    assert isinstance(store, SqlStore)
    assert store._held is not None
    return store._held


@pytest.fixture
def all_places(sqlite_path: Path, postgres_place: PostgresPlace) -> list[Place]:
    """Give one new database of each kind."""
    again = shutil.copy(sqlite_path, sqlite_path.with_name("again.db"))
    return [
        SqlitePlace(sqlite_path, through_sqlalchemy=False),
        SqlitePlace(Path(again), through_sqlalchemy=True),
        postgres_place,
    ]


def test_all_stores_keep_the_same_rows(all_places: list[Place]) -> None:
    """The same transactions at the same times give the same bytes in every database."""
    kept = []
    for place in all_places:
        with closing(place.open()) as store:
            identify(store)
            lived(Ledger(store, clock=lambda: 1))
            kept.append((store.meta(), list(store.transactions()), list(store.events()), list(store.timed_events())))
    assert kept[0] == kept[1] == kept[2]
    assert [len(rows) for rows in kept[0]] == [2, 4, 7, 7]


def test_tables_and_rows_have_the_same_columns_in_the_same_order() -> None:
    """A row of a table becomes a row of the port by position alone."""
    assert tuple(column.name for column in txn.columns) == TxnRow._fields
    assert tuple(column.name for column in event.columns) == EventRow._fields
    assert tuple(column.name for column in origin.columns) == OriginRow._fields


def test_every_guard_is_defined_for_both_databases() -> None:
    """No name of `TRIGGERS` lacks its text."""
    assert set(TRIGGERS) <= set(sqlite_guards())
    assert set(sqlite_guards()) == set(postgres_guards())


def test_both_sqlite_stores_set_up_their_connections_alike(sqlite_path: Path) -> None:
    """Durability and safety do not depend on the way a file was opened."""
    expected = {
        "PRAGMA synchronous": 2, "PRAGMA fullfsync": 1, "PRAGMA checkpoint_fullfsync": 1, "PRAGMA foreign_keys": 1,
        "PRAGMA trusted_schema": 0, "PRAGMA recursive_triggers": 1, "PRAGMA busy_timeout": 60_000,
    }  # fmt: skip
    with closing(SqlStore(f"sqlite:///{sqlite_path}")) as store, store.reading():
        assert {name: _held(store).exec_driver_sql(name).scalar() for name in expected} == expected
    with closing(SqliteStore(str(sqlite_path))) as other:
        assert {name: other._db.execute(name).fetchone()[0] for name in expected} == expected


def test_the_revision_is_read_through_every_store(all_places: list[Place]) -> None:
    """The caller decides by it whether to migrate."""
    for place in all_places:
        with closing(place.open()) as store:
            assert isinstance(store, SqlStore | SqliteStore)
            assert store.revision() == REVISION


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/runs",
        "postgres://ann:s3cret@127.0.0.1:1/runs",
        "postgresql+psycopg://ann@127.0.0.1:1/runs?password=s3cret&connect_timeout=1",
        "postgresql://ann:s3cret@no-such-host.invalid/runs",
    ],
)
def test_a_server_that_is_not_there_is_a_clear_error_without_the_password(url: str) -> None:
    """The message names the place and what to check, and no password is in any text."""
    with closing(SqlStore(url)) as store:
        with pytest.raises(LedgerError, match="cannot be reached") as caught:
            store.meta()
        assert caught.value.hint is not None
        assert "runs" in store.place
        for shown in (store.place, caught.value.message, caught.value.hint):
            assert "s3cret" not in shown


@pytest.mark.parametrize("url", ["mysql://ann:s3cret@host/runs", "ann:s3cret", "sqlite://", "", "nothing+at://all"])
def test_an_address_that_keeps_no_ledger_is_refused(url: str) -> None:
    """Only SQLite files and PostgreSQL have guards, so nothing else is tried."""
    with pytest.raises(LedgerError) as caught:
        SqlStore(url)
    assert caught.value.hint is not None
    assert "s3cret" not in caught.value.message


def test_a_missing_driver_says_what_to_install(tmp_path: Path) -> None:
    """Without psycopg the message names the extra that brings it."""
    (tmp_path / "psycopg.py").write_text("raise ImportError('No module named psycopg')")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ledger.errors import LedgerError\n"
        "from ledger.sql_store import SqlStore\n"
        "try:\n    SqlStore('postgresql://ann@host/runs')\n"
        "except LedgerError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 'pip install "guild-ledger[postgres]"' in done.stdout


def test_the_embedded_store_needs_no_sqlalchemy() -> None:
    """Neither SQLAlchemy nor Alembic is imported with the store of most commands, nor with its guards."""
    script = (
        "import sys; import ledger.sqlite_store, ledger.guards\n"
        "print(sorted(name for name in ('sqlalchemy', 'alembic', 'psycopg') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
