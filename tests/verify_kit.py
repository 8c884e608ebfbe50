"""What tests of verifying share: a ledger that was lived in, and hands that alter it behind its back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunLabeled
from ledger.format import TRIGGERS
from ledger.guards import sqlite_guards
from ledger.transaction import NewEvent
from tests.kit import append, happens, make_ledger, started

if TYPE_CHECKING:
    from collections.abc import Iterable


TABLES = ("meta", "origin", "txn", "event", "alembic_version")


def lived(folder: Path, *more: NewEvent) -> bytes:
    """Return the file of a ledger with five transactions and eight events, 1; 2 3; 4 5; 6 7; 8, and then `more`."""
    ledger = make_ledger(folder)
    append(ledger, started(1), happens(1, RunLabeled(label="a")))
    append(ledger, started(2), happens(1, RunStatusChanged(status="completed", exit_status=0)))
    append(ledger, started(3), happens(1, RunDeleted()))
    append(ledger, happens(2, RunLabeled(label="b")))
    for event in more:
        append(ledger, event)
    ledger.store.close()
    return Path(ledger.store.place).read_bytes()


@pytest.fixture(name="lived_in", scope="module")
def lived_in_fixture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the file of a ledger with five transactions and eight events."""
    return lived(tmp_path_factory.mktemp("lived"))


@pytest.fixture(name="path")
def path_fixture(lived_in: bytes, tmp_path: Path) -> Path:
    """Give a copy of that file."""
    path = tmp_path / "ledger.db"
    path.write_bytes(lived_in)
    return path


def tamper(
    path: Path,
    *statements: str,
    values: tuple[object, ...] | dict[str, int] = (),
    guards: Iterable[str] = TRIGGERS,
) -> None:
    """Change the file as somebody would who knows how: the guards taken away, and put up again afterwards."""
    texts = sqlite_guards()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN")
        for name in TRIGGERS:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement, values)
        for name in guards:
            raw.execute(texts[name])
        raw.execute("COMMIT")


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables; without the label of an origin, which is for people and in no hash."""
    columns = {"origin": "origin_id, head_seq, head_hash"}
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        return {
            table: raw.execute(f"SELECT {columns.get(table, '*')} FROM {table} ORDER BY 1").fetchall()
            for table in TABLES
        }
