"""Two walks over two halves prove what one walk proves, wherever the halves meet and whatever is wrong."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.beside import walk_all
from ledger.events.notes import RunLabeled
from ledger.sqlite_store import SqliteStore
from ledger.verify import verify
from ledger.walk import Span, walk
from tests.kit import append, happens, make_ledger, started
from tests.verify_kit import (
    lived,
    path_fixture,  # noqa: F401 - a fixture
    tamper,
)

ALTERATIONS = {
    "a body": "UPDATE event SET body = CAST(body || ' ' AS BLOB) WHERE position = :event",
    "a body's hash": "UPDATE event SET body_hash = zeroblob(32) WHERE position = :event",
    "a stream": "UPDATE event SET stream = stream || '0' WHERE position = :event",
    "an event's transaction": "UPDATE event SET txn_seq = txn_seq % 6 + 1 WHERE position = :event",
    "an event that is gone": "DELETE FROM event WHERE position = :event",
    "a header": "UPDATE txn SET header = X'00' WHERE seq = :txn",
    "a link": "UPDATE txn SET prev_hash = zeroblob(32) WHERE seq = :txn",
    "a hash": "UPDATE txn SET hash = zeroblob(32) WHERE seq = :txn",
    "a number": "UPDATE txn SET origin_seq = origin_seq + 100 WHERE seq = :txn",
    "a time": "UPDATE txn SET recorded_at = 1 WHERE seq = :txn",
    "a transaction that is gone": "DELETE FROM txn WHERE seq = :txn",
}


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the file of a ledger with six transactions and nine events: 1; 2 3; 4 5; 6 7; 8; 9."""
    return lived(tmp_path_factory.mktemp("lived"), happens(3, RunLabeled(label="c")))


def alter(path: Path, statement: str, values: dict[str, int]) -> None:
    """Change the file as `tamper` does; what a constraint refuses is left as it was."""
    with suppress(sqlite3.IntegrityError):
        tamper(path, statement, values=values)


@pytest.mark.parametrize("last", [1, 2, 3, 4, 5])
def test_two_walks_find_what_one_finds(path: Path, last: int) -> None:
    """Wherever a whole ledger is divided, the parts fit together and count what the whole counts."""
    with closing(SqliteStore(str(path))) as store, store.reading():
        position = store.txn_events(last)[-1].position
        first = walk(store, span=Span(last_seq=last, last_position=position))
        rest = walk(store, span=Span(last, position, 6, 9))
        assert first.transactions == last
        assert rest.transactions == 6 - last
        assert first.then(rest) == walk(store)


def test_halves_of_two_ledgers_do_not_fit(path: Path, tmp_path: Path) -> None:
    """What the second half takes for granted where it begins is compared with where the first half ended."""
    (tmp_path / "other").mkdir()
    other = make_ledger(tmp_path / "other")
    for number in range(1, 4):
        append(other, started(number), happens(number, RunLabeled(label="other")))
    with closing(SqliteStore(str(path))) as store, closing(other.store):
        first = walk(other.store, span=Span(last_seq=3, last_position=5))
        rest = walk(store, span=Span(3, 5, 6, 9))
        assert (first.problems, rest.problems) == ([], [])
        assert first.then(rest) is None


def test_another_process_walks_the_second_half(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is the same with one process, with two, and where the other one cannot be started."""
    with closing(SqliteStore(str(path))) as store:
        told: list[int] = []
        report = verify(store, told.append)
        assert verify(store, told.append, split_from=1) == report
        with store.reading():
            assert walk_all(store, None, 1) == walk(store)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert verify(store, split_from=1) == report
    assert (report.problems, report.transactions, report.events) == ([], 6, 9)


@pytest.mark.parametrize("what", ALTERATIONS)
@pytest.mark.parametrize("txn", [3, 4, 6])
def test_what_is_wrong_is_told_alike_by_one_process_and_by_two(path: Path, what: str, txn: int) -> None:
    """Before the place where the halves meet, just behind it and at the end: the same problems in the same order."""
    alter(path, ALTERATIONS[what], {"txn": txn, "event": {3: 4, 4: 6, 6: 9}[txn]})
    with closing(SqliteStore(str(path))) as store:
        report = verify(store)
        assert report.problems
        assert verify(store, split_from=1) == report
