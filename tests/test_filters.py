"""Filters, sorting and grouping: answered from indexes, and the same as a search through all runs gives."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from ledger.errors import UsageError
from projections import candidates, sorting
from projections import query as query_module
from projections.index import Index
from projections.query import Query
from tests.filters_kit import (
    FILTERS,
    RUNS,
    index_fixture,  # noqa: F401 - a fixture
    numbers,
    wanted,
)
from tests.kit import SECOND, run_id

if TYPE_CHECKING:
    from collections.abc import Callable


def _plan(database: sqlite3.Connection, statement: str) -> list[str]:
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize(("limits", "holds"), FILTERS)
@pytest.mark.parametrize("most", [0, candidates.MOST])
def test_every_filter_answers_from_an_index(
    index: Index, limits: dict[str, object], holds: Callable[[int], object], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Pages, counts and single runs are right, and no statement reads all of `run` or `value` without an index."""
    monkeypatch.setattr(candidates, "MOST", most)
    said: list[str] = []
    index.db.set_trace_callback(said.append)
    query = Query(index, wanted(**limits))
    expected = sorted((number for number in range(RUNS) if holds(number)), key=lambda n: (-(n // 60), n))
    monkeypatch.setattr(query_module, "PAGE", 700)
    page = list(query.rows(limit=20))
    rows = list(query.rows())
    counted = query.count()
    index.db.set_trace_callback(None)
    assert numbers(rows) == expected
    assert (counted, page) == (len(expected), rows[:20])
    assert counted <= query.most()
    assert list(query.rows(offset=3, limit=5)) == rows[3:8]
    if rows:
        assert list(query.rows(after=rows[len(rows) // 2])) == rows[len(rows) // 2 + 1 :]
        assert query.with_prefix(rows[-1].run_id, held=True) == rows[-1:]
    for statement in said:
        for step in _plan(index.db, statement) if statement.startswith(("SELECT", "WITH")) else ():
            assert "SCAN" not in step or "INDEX" in step or step.split()[1] in ALLOWED, (statement, step)


ALLOWED = ("op", "name", "total", "comment", "commented", "CONSTANT", "tag", "tagged", "each")
"""Tables with one row for an operation, a name, a comment or a distinct text, not for a run."""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("text contains nothing", "SEARCH value USING COVERING INDEX value_by_text (name=? AND text>?)"),
        ("text contains dam", "SEARCH value USING COVERING INDEX value_by_text (name=? AND text=?)"),
        ("label contains '12'", "SEARCH run USING COVERING INDEX run_by_label (label=?)"),
        ("tag contains are", "SEARCH tag USING PRIMARY KEY (tag=?)"),
        ("exit_status is undefined", "SEARCH run USING COVERING INDEX run_by_exit (exit_status=?)"),
        ("stopped is undefined", "SEARCH run USING COVERING INDEX run_by_stopped (stopped=?)"),
        ("digest is undefined", "SEARCH run USING COVERING INDEX run_by_digest (digest=?)"),
        ("label is undefined", "SEARCH run USING COVERING INDEX run_by_label (label=? AND place=?)"),
        ("lr is undefined", "SEARCH value USING PRIMARY KEY (run=? AND name=?)"),
        ("tag is undefined", "SEARCH tag USING COVERING INDEX tag_by_run (run=?)"),
    ],
)
def test_what_contains_a_text_or_is_not_there_is_looked_up(index: Index, expression: str, found: str) -> None:
    """By the distinct texts that contain it, or where an index has what is missing; at least by each run's own key."""
    said: list[str] = []
    index.db.set_trace_callback(said.append)
    list(Query(index, wanted(expression=expression)).rows(limit=20))
    index.db.set_trace_callback(None)
    steps = [step for statement in said if statement[:4] in ("SELE", "WITH") for step in _plan(index.db, statement)]
    assert found in steps, steps


def _labels(number: int) -> str | None:
    return f"label {number % 30}" if number % 3 == 0 else None


def _lr(number: int) -> float | None:
    return number % 10 / 10 if number % 50 else None


SORTS: list[tuple[str, Callable[[int], object]]] = [
    ("label", _labels),
    ("stopped", lambda n: n % 977 if n % 10 else None),
    ("duration", lambda n: n % 977 - (n // 60 + 1) * SECOND if n % 10 else None),
    ("status", lambda n: "running" if n % 10 == 0 else "error" if n % 100 == 1 else "completed"),
    ("operation", lambda n: ("./" if n % 4 else "../q/") + ("train", "test", "prepare")[n % 3]),
    ("flag:lr", _lr),
    ("lr", _lr),
    ("text", lambda n: ("adam", "sgd")[n % 2] if n % 50 else None),
    ("loss", lambda n: n % 13 if n % 2 else None),
    ("min:loss", lambda n: -n if n % 2 else None),
    ("flag:nothing", lambda _: None),
    ("op", lambda n: ("./" if n % 4 else "../q/") + ("train", "test", "prepare")[n % 3]),
    ("model", lambda _: "m"),
    ("package", lambda _: None),
    ("project", lambda n: "/p" if n % 4 else "/q"),
    ("exit_status", lambda n: n % 100 if n % 10 else None),
    ("attr:digest", lambda n: n % 7 if n % 3 else None),
    ("id", run_id),
    ("tags", lambda n: "often" if n % 5 == 0 else None),
    ("comments", lambda n: 1 if n % 1_000 == 0 else None),
    ('scalar:"loss"', lambda n: n % 13 if n % 2 else None),
]


SORTED = [sort for sort, _ in SORTS]


@pytest.mark.parametrize(("sort", "key"), SORTS)
@pytest.mark.parametrize("limits", [{}, {"tags": ("often",)}, {"expression": "lr >= 0", "project": "/p"}])
def test_runs_are_sorted_by_what_they_have(
    index: Index, sort: str, key: Callable[[int], object], limits: dict[str, object]
) -> None:
    """Runs without a value come last both ways, and equal ones stand as in the usual list."""
    query = Query(index, wanted(**limits))
    usual = numbers(list(query.rows()))
    there = [number for number in usual if key(number) is not None]
    missing = [number for number in usual if key(number) is None]
    for reverse in (False, True):
        expected = sorted(there, key=key, reverse=reverse)  # type: ignore[arg-type]  # values of one kind
        rows = list(query.rows(sort=sort, reverse=reverse))
        assert numbers(rows) == [*expected, *missing]
        for offset in (7, len(rows) // 2, max(0, len(rows) - 4), len(rows), len(rows) + 3):
            assert list(query.rows(sort=sort, reverse=reverse, offset=offset, limit=9)) == rows[offset : offset + 9]
        assert list(query.rows(sort=sort, reverse=reverse, limit=0)) == []
        if rows:
            assert list(query.rows(sort=sort, reverse=reverse, after=rows[11], limit=3)) == rows[12:15]


@pytest.mark.parametrize(("sort", "every"), [("marked", 1_000), ("protected", 1_500)])
def test_marked_and_protected_runs_come_first(index: Index, sort: str, every: int) -> None:
    """The other way round they come last."""
    usual = numbers(list(Query(index, wanted()).rows()))
    first, rest = [n for n in usual if n % every == 0], [n for n in usual if n % every]
    assert numbers(list(Query(index, wanted()).rows(sort=sort))) == [*first, *rest]
    assert numbers(list(Query(index, wanted()).rows(sort=sort, reverse=True))) == [*rest, *first]


@pytest.mark.parametrize("sort", [*SORTED, "marked", "protected"])
@pytest.mark.parametrize("limits", [{}, {"project": "/p"}, {"statuses": ("completed",)}, {"tags": ("often",)}])
def test_a_sorted_list_reads_no_whole_table(
    index: Index, sort: str, limits: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every phase is read in the order of an index; nothing but the runs with comments is read through and sorted."""
    monkeypatch.setattr(candidates, "MOST", 200)
    monkeypatch.setattr(sorting, "MOST_SORTED", 200)
    said: list[str] = []
    index.db.set_trace_callback(said.append)
    list(Query(index, wanted(**limits)).rows(sort=sort))
    index.db.set_trace_callback(None)
    phases = [statement for statement in said if "ORDER BY" in statement]
    assert phases
    for statement in phases:
        for step in _plan(index.db, statement):
            assert "SCAN" not in step or "INDEX" in step or step.split()[1] in ALLOWED, (statement, step)
            assert step != "USE TEMP B-TREE FOR ORDER BY" or "FROM comment" in statement, statement


@pytest.mark.parametrize("limits", [{"project": "/q"}, {"statuses": ("error",)}, {"place": "deleted"}])
def test_few_runs_are_looked_up_and_sorted(index: Index, limits: dict[str, object]) -> None:
    """The order of an index of all runs would lead past all that are not asked for."""
    for sort in ("label", "lr", "tag", "duration", "marked", "exit_status"):
        said: list[str] = []
        index.db.set_trace_callback(said.append)
        query = Query(index, wanted(**limits))
        found = list(query.rows(sort=sort))
        index.db.set_trace_callback(None)
        assert len(found) == query.most()
        for statement in said:
            for step in _plan(index.db, statement) if "ORDER BY" in statement else ():
                assert "run_by_label" not in step
                assert "value_by" not in step


def test_the_usual_list_can_be_reversed(index: Index) -> None:
    """The oldest first; runs that started at once keep their order."""
    rows = list(Query(index, wanted()).rows(reverse=True))
    assert numbers(rows) == list(range(RUNS))


@pytest.mark.parametrize("limits", [{}, {"labels": ("label",)}, {"tags": ("rare",)}, {"expression": "lr >= 0"}])
@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("operation", lambda n: (("./" if n % 4 else "../q/") + "m:" + ("train", "test", "prepare")[n % 3],)),
        ("status", lambda n: ("running" if n % 10 == 0 else "error" if n % 100 == 1 else "completed",)),
        ("label", lambda n: (_labels(n),)),
        ("tag", lambda n: ("often", "rare") if n == 100 else ("often",) if n % 5 == 0 else (None,)),
        ("flag:lr", lambda n: (None if _lr(n) is None else str(_lr(n) or "0.0"),)),
        ("text", lambda n: (("adam", "sgd")[n % 2] if n % 50 else None,)),
        ("project", lambda n: ("/p" if n % 4 else "/q",)),
        ("package", lambda _: (None,)),
        ("exit-status", lambda n: (str(n % 100) if n % 10 else None,)),
        ("digest", lambda n: (f"{n % 7:02x}" * 32 if n % 3 else None,)),
        ("marked", lambda n: ("true" if n % 1_000 == 0 else "false",)),
        ("attr:protected", lambda n: ("true" if n % 1_500 == 0 else "false",)),
    ],
)
def test_runs_are_counted_by_kind(
    index: Index, limits: dict[str, object], by: str, key: Callable[[int], tuple[str | None, ...]]
) -> None:
    """The most frequent first, those without come as None, and a run counts with each of its tags."""
    query = Query(index, wanted(**limits))
    expected: dict[str | None, int] = {}
    for number in numbers(list(query.rows())):
        for kind in key(number):
            expected[kind] = expected.get(kind, 0) + 1
    found = query.counts(by)
    assert dict(found) == expected
    assert [count for _, count in found] == sorted(expected.values(), reverse=True)


def test_runs_are_counted_by_local_day(index: Index) -> None:
    """All of these started within two minutes."""
    assert [runs for _, runs in Query(index, wanted()).counts("day")] == [RUNS]


def test_what_is_no_column_is_an_error(index: Index) -> None:
    """With those that there are."""
    query = Query(index, wanted())
    with pytest.raises(UsageError, match="did you mean 'label'"):
        list(query.rows(sort="lable"))
    with pytest.raises(UsageError, match="cannot be grouped by 'lable'"):
        query.counts("lable")


def test_a_page_costs_the_page(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 20 of few and of many matching runs take SQLite far fewer steps than a search through all."""
    monkeypatch.setattr(candidates, "MOST", 200)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    index.db.set_progress_handler(count, 100)
    try:
        for expression, most in (
            ("rare = 51", 10),
            ("lr >= 0", 2_000),
            ("tag = often", 600),
            ("label contains 3", 900),
            ("text contains nothing", 10),
            ("label contains nothing", 20),
            ("exit_status is undefined", 150),
            ("lr is undefined", 250),
        ):
            steps = 0
            list(Query(index, wanted(expression=expression)).rows(limit=20))
            assert steps <= most, expression
    finally:
        index.db.set_progress_handler(None, 0)
