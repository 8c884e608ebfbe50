"""A new ledger's file: its tables are what the migrations make and `ledger.tables` describes, all or none of them."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Dialect, create_engine, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from ledger.blank import create_sqlite
from ledger.errors import LedgerError
from ledger.format import REVISION
from ledger.guards import sqlite_guards
from ledger.migrate import SCRIPTS, _transaction, _upgrade
from ledger.seams import install
from ledger.sqlite_store import SqliteStore
from ledger.tables import metadata
from tests.cli_kit import ROOT
from tests.migrations_kit import differences

CREATE_AND_DIE = """
import os, sys
from ledger.blank import create_sqlite
from ledger.seams import install
install(lambda name: os._exit(9))
create_sqlite(sys.argv[1])
"""


def one_line(sql: object) -> str:
    """Return SQL without its line breaks."""
    return " ".join(str(sql).split())


def described(dialect: Dialect) -> set[str]:
    """Return the statements that SQLAlchemy makes of `ledger.tables`."""
    tables = {one_line(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables}
    indexes = {index for table in metadata.sorted_tables for index in table.indexes}
    return tables | {one_line(CreateIndex(index).compile(dialect=dialect)) for index in indexes}


def migrate_from_nothing(path: str) -> None:
    """Make the tables of a new file by all migrations, one after the other."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    with _transaction(path) as connection:
        _upgrade(connection, REVISION, SCRIPTS)


def dumped(path: Path) -> dict[tuple[str, str], str]:
    """Return the statements that make what is in a database, by kind and name."""
    with closing(sqlite3.connect(path)) as plain:
        rows = plain.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema").fetchall()
    return {(type_, name): one_line(sql).replace("( ", "(").replace(" )", ")") for type_, name, sql in rows}


def test_a_new_file_has_what_the_migrations_make(tmp_path: Path) -> None:
    """The tables of a new file are written down a second time, because Alembic is slow to start."""
    written, migrated = tmp_path / "written.db", tmp_path / "migrated.db"
    create_sqlite(str(written))
    migrate_from_nothing(str(migrated))
    assert dumped(written) == dumped(migrated)
    assert {"alembic_version", "meta", "origin", "txn", "event"} == {
        name for kind, name in dumped(written) if kind == "table"
    }
    with closing(sqlite3.connect(written)) as plain, closing(sqlite3.connect(migrated)) as other:
        query = "SELECT * FROM alembic_version"
        assert plain.execute(query).fetchall() == other.execute(query).fetchall() == [(REVISION,)]


@pytest.mark.parametrize("make", [create_sqlite, migrate_from_nothing])
def test_a_new_file_has_the_described_tables_and_guards_and_no_others(
    tmp_path: Path, make: Callable[[str], None]
) -> None:
    """The migrations, written by hand and frozen, arrive where the table definitions and guard texts are."""
    path = tmp_path / "ledger.db"
    make(str(path))
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        assert differences(connection) == []
        rows = connection.execute(text("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")).all()
    stored = {one_line(sql) for type_, name, sql in rows if type_ != "trigger" and name != "alembic_version"}
    assert stored == described(engine.dialect)
    assert {name: sql for type_, name, sql in rows if type_ == "trigger"} == sqlite_guards()


def test_a_new_file_is_private_empty_and_in_wal_mode(tmp_path: Path) -> None:
    """What is made is one closed file that only its owner may read, with the program's mark in its header."""
    path = tmp_path / "ledger.db"
    create_sqlite(str(path))
    assert os.listdir(tmp_path) == ["ledger.db"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert plain.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"GULD"
    with closing(SqliteStore(str(path))) as store:
        assert (store.revision(), store.missing_guards(), store.check_file()) == (REVISION, [], [])
        assert (store.meta(), store.origins(), list(store.transactions())) == ({}, [], [])


def test_nothing_is_made_where_something_is(tmp_path: Path) -> None:
    """An existing file stays byte for byte what it was; a folder that is not there is a clear error."""
    path = tmp_path / "ledger.db"
    path.write_bytes(b"precious")
    for taken in (path, tmp_path, tmp_path / "no" / "ledger.db"):
        with pytest.raises(LedgerError, match="cannot make"):
            create_sqlite(str(taken))
    assert path.read_bytes() == b"precious"


def test_making_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """When it breaks off there is no file with tables that nobody has finished."""

    def fail(_name: str) -> None:
        raise ZeroDivisionError

    install(fail)
    with pytest.raises(ZeroDivisionError):
        create_sqlite(str(tmp_path / "ledger.db"))
    assert os.listdir(tmp_path) == []


def test_making_that_is_killed_leaves_no_table(tmp_path: Path) -> None:
    """A kill before the end leaves a file without any table, not with some of them."""
    path = tmp_path / "ledger.db"
    done = subprocess.run([sys.executable, "-c", CREATE_AND_DIE, path], cwd=ROOT, check=False)
    assert done.returncode == 9
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
