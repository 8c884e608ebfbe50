"""Damage inside the index and change while it is read: a listing loses nothing, repeats nothing, invents nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from commands.selecting import listed, open_query
from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunLabeled, RunTagged
from ledger.opening import open_existing
from projections import query as query_module
from projections.errors import IndexDamagedError
from projections.index import connect, open_index
from projections.query import Query, RunFilter, runs_by_id
from projections.rebuild import rebuild
from projections.selection import select
from tests.index_kit import (
    EVERYTHING,
    RUNS,
    Answers,
    ask,
    fail_on,
    home_fixture,  # noqa: F401 - a fixture
    index_file,
    lived_in_fixture,  # noqa: F401 - a fixture
    notices,
    opened_app,
    sound,
    truth_fixture,  # noqa: F401 - a fixture
)
from tests.kit import append, happens, run_id, started

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE run",
        "DROP TABLE op",
        "DROP TABLE total",
        "DROP TABLE checkpoint",
        "DELETE FROM checkpoint",
        "DELETE FROM op",
        "UPDATE run SET op = 99",
        "UPDATE run SET status = 99",
        "DROP INDEX run_by_protection; ALTER TABLE run DROP COLUMN protected",
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_rows_that_cannot_be_are_damage(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], statement: str, *, behind: bool
) -> None:
    """A sound database with impossible content is rebuilt, too, whether it is being read or caught up."""
    with closing(sqlite3.connect(index_file(home), isolation_level=None)) as database:
        database.executescript(statement)
    if behind:
        ledger = open_existing(str(home / "ledger.db"))
        append(ledger, *(happens(number, RunTagged(added=("t",))) for number in range(RUNS)))
        ledger.store.close()
    answers = ask(home)
    assert [count for count, _ in answers] == [count for count, _ in truth]
    assert [[row._replace(version=0) for row in rows] for _, rows in answers] == [
        [row._replace(version=0) for row in rows] for _, rows in truth
    ]
    assert notices(capsys) == 1
    assert sound(home)


def test_every_question_names_damage(home: Path) -> None:
    """Whatever is asked of an index with an impossible row, the answer is that it is damaged, so that it is rebuilt."""
    index = connect(str(index_file(home)))
    query = Query(index, EVERYTHING)
    index.db.execute("UPDATE run SET op = 99")
    for ask_it in (
        lambda: list(query.rows()),
        lambda: query.with_prefix(run_id(1)[:8]),
        lambda: runs_by_id(index, [run_id(1)]),
        lambda: select(query, ["0"]),
    ):
        with pytest.raises(IndexDamagedError):
            ask_it()
    index.close()


def _drop(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DROP TABLE run")


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page hold three rows."""
    monkeypatch.setattr(query_module, "PAGE", 3)


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize(("after", "limit"), [(0, None), (3, None), (4, None), (15, None), (4, 11), (9, 11), (10, 11)])
def test_a_listing_that_meets_damage_goes_on_where_it_broke_off(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], after: int, limit: int | None
) -> None:
    """No row is lost or shown twice, and one line says that the index was rebuilt."""
    expected = truth[0][1][:limit]
    app = opened_app(home)
    rows = listed(app, open_query(app, EVERYTHING), limit)
    shown = list(islice(rows, after))
    _drop(index_file(home))
    shown += rows
    app.close()
    assert shown == expected
    read = -(-after // 3) * 3
    assert notices(capsys) == (1 if read < len(expected) else 0)


@pytest.mark.usefixtures("short_pages")
def test_a_listing_that_meets_damage_while_others_write_loses_and_repeats_nothing(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new index knows of runs that started meanwhile; the listing still goes on after the last row shown."""
    app = opened_app(home)
    rows = listed(app, open_query(app, EVERYTHING), None)
    shown = [next(rows) for _ in range(4)]
    append(app.ledger, started(97), happens(97, RunStatusChanged(status="error", exit_status=1)))
    _drop(index_file(home))
    shown += rows
    app.close()
    assert shown == truth[0][1]
    assert notices(capsys) == 1


@pytest.mark.usefixtures("short_pages")
def test_a_listing_goes_on_while_others_write(home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that start and labels that change between two pages neither shift nor repeat a row."""
    app = opened_app(home)
    rows = listed(app, open_query(app, EVERYTHING), None)
    shown = [next(rows) for _ in range(4)]
    other = open_existing(str(home / "ledger.db"))
    append(other, started(92, "a new operation"), happens(92, RunStatusChanged(status="error", exit_status=1)))
    index = open_index(str(home / "index"), other, fail_on)
    shown += rows
    assert shown == truth[0][1]
    index.close()
    other.store.close()
    app.close()
    assert notices(capsys) == 0


def test_an_operation_that_is_new_meanwhile_is_no_damage(home: Path) -> None:
    """Another process may start a run of a new operation between the making of a query and its first page."""
    ledger = open_existing(str(home / "ledger.db"))
    mine, theirs = (open_index(str(home / "index"), ledger, fail_on) for _ in range(2))
    query = Query(mine, EVERYTHING)
    append(ledger, started(93, "a new operation", project="/elsewhere"))
    theirs.catch_up(ledger)
    assert next(query.rows()).op.operation == "a new operation"
    assert query.with_prefix(run_id(93))[0].op.project == "/elsewhere"
    for index in (mine, theirs):
        index.close()
    ledger.store.close()


def test_a_reader_keeps_its_file_while_another_rebuilds(home: Path, truth: Answers) -> None:
    """A rebuild waits for nobody: who has the old file open goes on reading it, and can still catch up."""
    ledger = open_existing(str(home / "ledger.db"))
    old = open_index(str(home / "index"), ledger, fail_on)
    assert rebuild(str(home / "index"), ledger) is not None
    assert list(Query(old, EVERYTHING).rows()) == truth[0][1]
    append(ledger, happens(2, RunLabeled(label="new")))
    old.catch_up(ledger)
    assert Query(old, RunFilter(labels=("new",))).count() == 1
    new = open_index(str(home / "index"), ledger, fail_on)
    assert Query(new, RunFilter(labels=("new",))).count() == 1
    for index in (old, new):
        index.close()
    ledger.store.close()
