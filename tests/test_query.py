"""Questions to the index: filters, listing order, pages and counts are those of a naive search through all runs."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunStatusChanged
from ledger.events.notes import RunLabeled
from ledger.events.start import RunImported, RunStaged, RunStarted
from ledger.ids import RunId
from projections import query as query_module
from projections.index import Index, open_index
from projections.query import Query, RunFilter, RunRow, displayed, running, runs_by_id
from projections.schema import PLACES, OpKey
from projections.unconfirmed import unconfirmed
from tests.kit import NOON, append, happens, make_ledger, run_id, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.events.base import Event
    from ledger.log import Ledger

RUNS = 240
FINAL = ("completed", "error", "terminated")
STATUSES = ("running", "staged", *FINAL)
LABELS = (None, "good", "very good", "größer", "a%b_c", "it's", "", "tab\tnul\x00end", "GOOD")
PROJECTS = ("/p", "/p/q", "/p/.hidden", "/other", "/größe", None, None)
NAMES = ("train", "pretrain", "test", "prepare", "m", "x:y")
WORDS = ("train", "pre", "./", "../", "/p", "q/m", ":t", "pkg", "é", "zzz", "", "Train", "m:m", "%", ".hidden", "röß")
CWDS = ("/p", "/", "/p/q", "/other/deep", "/größe")


def _run(number: int) -> tuple[Event, ...]:
    """Return the events of a run; over all numbers every mixture of operation, status, label and place appears."""
    project = PROJECTS[number % 7]
    package = ("pkg", None)[number // 7 % 2] if project is None else None
    what = (project, package, "m", NAMES[number % 6])
    label = LABELS[number % 9]
    status = FINAL[number // 5 % 3]
    if number % 10 == 9:
        return (RunStaged(*what, command=(), flags={}, label=label),)
    if number % 10 == 8:
        at = NOON - 1000 * (number // 10 % 3)
        return (RunImported("s", *what, {}, at, None, status, None, label),)
    begun: tuple[Event, ...] = (RunStarted(*what, command=(), flags={}, label=label),)
    if number % 10 == 7:
        return begun
    ended = (*begun, RunStatusChanged(status=status, exit_status=number % 3))
    last = (RunDeleted(), RunPurgeStarted(), RunPurged(files=0, bytes=0))
    return (*ended, *last[: max(0, number % 13 - 9)])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index of many runs; those of one transaction started at the same time."""
    folder = tmp_path_factory.mktemp("many")
    ledger = make_ledger(folder)
    for first in range(0, RUNS, 6):
        events = [happens(number, event) for number in range(first, first + 6) for event in _run(number)]
        append(ledger, *events)
    index = open_index(str(folder / "index"), ledger, print)
    yield index
    index.close()
    ledger.store.close()


@pytest.fixture(scope="module")
def everything(index: Index) -> list[RunRow]:
    """Give all rows, as they stand in the table, in listing order."""
    rows = [row for place in PLACES for row in Query(index, RunFilter(place=place)).rows()]
    assert len(rows) == RUNS
    return sorted(rows, key=lambda row: (-row.started, row.number))


def naive(rows: list[RunRow], wanted: RunFilter) -> list[RunRow]:
    """Return the rows that a filter lets through: kinds are all needed, of one kind any will do."""
    return [
        row
        for row in rows
        if row.place == wanted.place
        and (wanted.project is None or row.op.project == wanted.project)
        and (not wanted.operations or any(word in displayed(row.op, wanted.cwd) for word in wanted.operations))
        and (not wanted.statuses or row.status in wanted.statuses)
        and (not wanted.labels or (row.label is not None and any(word in row.label for word in wanted.labels)))
    ]


def _some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3).map(tuple)


filters = st.builds(
    RunFilter,
    place=st.sampled_from(PLACES),
    project=st.sampled_from([None, None, "/p", "/größe", "/nowhere"]),
    operations=_some(WORDS),
    statuses=_some(STATUSES),
    labels=_some(("good", "very", "ß", "%", "_", "'", "", "\x00", "nul\x00e", "none such")),
    cwd=st.sampled_from(CWDS),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(filters, st.tuples(st.sampled_from([1, 2, 3, 7, 50, 2000]), st.sampled_from([0, 1, 3, 60])), st.integers(0, 30))
@example(RunFilter(operations=("",)), (2000, 60), 0)
@example(RunFilter(labels=("",)), (7, 60), 1)
@example(RunFilter(statuses=("error", "error")), (3, 60), 0)
def test_the_fast_way_gives_what_the_naive_one_gives(
    index: Index, everything: list[RunRow], wanted: RunFilter, sizes: tuple[int, int], offset: int
) -> None:
    """Whatever the filter, the size of a page, and whether scans are merged or one is filtered."""
    page, arms = sizes
    expected = naive(everything, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_module, "PAGE", page)
        patch.setattr(query_module, "_MOST_ARMS", arms)
        query = Query(index, wanted)
        assert list(query.rows()) == expected
        assert query.count() == len(expected)
        for limit in (None, 0, 1, page, page + 1):
            end = None if limit is None else offset + limit
            assert list(query.rows(offset=offset, limit=limit)) == expected[offset:end]
        assert list(query.rows(limit=4)) == expected[:4]
        assert [row for row in everything if query.holds(row)] == expected
        if not wanted.labels:
            assert query.wanted_statuses() == {row.status for row in expected}
            assert set(query.wanted_ops()) == {row.op for row in expected}
            assert len(query.wanted_ops()) == len(set(query.wanted_ops()))
        if expected and offset < len(expected):
            assert list(query.rows(after=expected[offset])) == expected[offset + 1 :]


@pytest.mark.parametrize("arms", [60, 0])
def test_above_the_limit_of_merged_scans_the_rows_are_the_same(
    index: Index, everything: list[RunRow], monkeypatch: pytest.MonkeyPatch, arms: int
) -> None:
    """Here there really are more operations and statuses than scans are merged for."""
    wanted = RunFilter(operations=(":",))
    cells = {(row.op, row.status) for row in naive(everything, wanted)}
    assert len(cells) > 60
    monkeypatch.setattr(query_module, "_MOST_ARMS", arms)
    assert list(Query(index, wanted).rows()) == naive(everything, wanted)
    monkeypatch.setattr(query_module, "_MOST_ARMS", len(cells))
    assert list(Query(index, wanted).rows()) == naive(everything, wanted)


def test_operations_by_the_hundred_are_no_limit(ledger: Ledger, fresh: Index) -> None:
    """More of them than the parts that a statement may have; the listing is still in order."""
    append(ledger, *(started(number, f"op {number}", project="/p") for number in range(520)))
    append(ledger, started(520, "op 0", project="/p"))
    fresh.catch_up(ledger)
    query = Query(fresh, RunFilter(project="/p", cwd="/p"))
    assert _numbers(query, 521) == [520, *range(520)]
    assert (query.count(), len(query.wanted_ops())) == (521, 520)


DISPLAYED = [
    (OpKey("/p", None, "m", "train"), "/p", "./m:train"),
    (OpKey("/p/q", None, "m", "train"), "/p", "./q/m:train"),
    (OpKey("/p/q/r", None, "m", "train"), "/p", "./q/r/m:train"),
    (OpKey("/p", None, "m", "train"), "/p/q", "../m:train"),
    (OpKey("/p", None, "m", "train"), "/p/q/r", "../../m:train"),
    (OpKey("/p", None, "m", "train"), "/other", "../p/m:train"),
    (OpKey("/p", None, "m", "train"), "/", "./p/m:train"),
    (OpKey("/", None, "m", "train"), "/p", "../m:train"),
    (OpKey("/p/.hidden", None, "m", "train"), "/p", "./.hidden/m:train"),
    (OpKey("/p/..data", None, "m", "train"), "/p", "./..data/m:train"),
    (OpKey("/größe", None, "m", "größer"), "/größe", "./m:größer"),
    (OpKey(None, "pkg", "m", "train"), "/p", "pkg/m:train"),
    (OpKey(None, None, "m", "train"), "/p", "m:train"),
    (OpKey(None, None, "", ""), "/p", ""),
]


@pytest.mark.parametrize(("op", "cwd", "text"), DISPLAYED)
def test_an_operation_is_displayed_relative_to_the_working_directory(op: OpKey, cwd: str, text: str) -> None:
    """As a path that could be typed there: always with `./` or `../`, unless it is a package's."""
    assert displayed(op, cwd) == text


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a new ledger."""
    made = make_ledger(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def fresh(ledger: Ledger, tmp_path: Path) -> Iterator[Index]:
    """Give its index."""
    index = open_index(str(tmp_path / "index"), ledger, print)
    yield index
    index.close()


def _numbers(query: Query, most: int = 20) -> list[int]:
    names = {run_id(number): number for number in range(most)}
    return [names[row.run_id] for row in query.rows()]


@pytest.mark.parametrize(
    ("words", "cwd", "found"),
    [
        (("train",), "/a", [3, 1, 0]),
        (("Train",), "/a", []),
        (("./m",), "/a", [1, 0]),
        (("./m",), "/b", [2]),
        (("./m",), "/", []),
        (("a/m",), "/", [1, 0]),
        (("a/m",), "/a", []),
        (("../b",), "/a", [2]),
        (("pkg",), "/a", [3]),
        (("pkg/", "test"), "/a", [3, 2]),
        ((":train",), "/a", [3, 0]),
    ],
)
def test_an_operation_is_matched_as_it_is_displayed(
    ledger: Ledger, fresh: Index, words: tuple[str, ...], cwd: str, found: list[int]
) -> None:
    """The same words find other runs in another working directory; letters count as they are."""
    append(ledger, started(0, project="/a"))
    append(ledger, started(1, "pretrain", project="/a"))
    append(ledger, started(2, "test", project="/b"))
    append(ledger, started(3, project=None))
    fresh.catch_up(ledger)
    query = Query(fresh, RunFilter(operations=words, cwd=cwd))
    assert (_numbers(query), query.count()) == (found, len(found))


def test_scope_takes_the_runs_of_exactly_one_project(ledger: Ledger, fresh: Index) -> None:
    """Neither those of folders below or beside it, nor those of packages."""
    for number, project in enumerate(("/a", "/a/b", "/ab", None, "/a/")):
        append(ledger, started(number, project=project))
    fresh.catch_up(ledger)
    assert _numbers(Query(fresh, RunFilter(project="/a", cwd="/a"))) == [0]
    assert _numbers(Query(fresh, RunFilter(project="/", cwd="/"))) == []


def test_statuses_and_labels_are_any_of_them_and_kinds_are_all_of_them(ledger: Ledger, fresh: Index) -> None:
    """A run without a label is never among those of a label, and is no error."""
    for number, (label, status) in enumerate(product((None, "red", "dark red", "blue"), ("error", "completed"))):
        append(ledger, started(number, label=label), happens(number, RunStatusChanged(status=status, exit_status=0)))
    append(ledger, started(8, label="red"))
    fresh.catch_up(ledger)
    for statuses, labels, found in (
        (("error",), ("red",), [4, 2]),
        (("error", "running"), ("red",), [8, 4, 2]),
        (("completed",), ("dark", "blue"), [7, 5]),
        ((), ("e",), [8, 7, 6, 5, 4, 3, 2]),
        (("terminated",), (), []),
        (("error",), (), [6, 4, 2, 0]),
    ):
        query = Query(fresh, RunFilter(statuses=statuses, labels=labels))
        assert (_numbers(query), query.count()) == (found, len(found))


def test_a_label_that_was_cleared_or_changed_is_no_longer_found(ledger: Ledger, fresh: Index) -> None:
    """The last word counts."""
    append(ledger, started(1, label="red"), started(2, label="red"))
    append(ledger, happens(1, RunLabeled(label=None)), happens(2, RunLabeled(label="blue")))
    fresh.catch_up(ledger)
    assert Query(fresh, RunFilter(labels=("red",))).count() == 0
    assert _numbers(Query(fresh, RunFilter(labels=("blue",)))) == [2]


def test_names_that_are_no_text_are_found_by_the_bytes_they_have(ledger: Ledger, fresh: Index) -> None:
    """Paths and labels with undecodable bytes are listed, in scope and matched like any other."""
    append(ledger, started(1, "tr\udcffain", project="/p\udcff", label="l\udc80"))
    fresh.catch_up(ledger)
    for wanted in (
        RunFilter(project="/p\udcff", cwd="/p\udcff"),
        RunFilter(operations=("./m:tr\udcff",), cwd="/p\udcff"),
        RunFilter(labels=("\udc80",)),
    ):
        assert _numbers(Query(fresh, wanted)) == [1]
    assert Query(fresh, RunFilter(project="/p")).count() == 0


def test_the_most_recently_started_run_is_first_whatever_happened_later(ledger: Ledger, fresh: Index) -> None:
    """Events after the start move no run, and a staged run counts from its start."""
    append(ledger, happens(0, RunStaged("/p", None, "m", "train", command=(), flags={})))
    append(ledger, started(1))
    append(ledger, started(2), started(3))
    append(ledger, happens(1, RunStatusChanged(status="error", exit_status=1)), happens(2, RunLabeled(label="x")))
    fresh.catch_up(ledger)
    assert _numbers(Query(fresh, RunFilter())) == [2, 3, 1, 0]
    append(ledger, happens(0, RunStarted("/p", None, "m", "train", command=(), flags={})))
    fresh.catch_up(ledger)
    assert _numbers(Query(fresh, RunFilter())) == [0, 2, 3, 1]
    assert [row.run_id for row in running(fresh)] == [run_id(number) for number in (0, 2, 3)]


def test_runs_are_found_by_id_wherever_they_are(index: Index, everything: list[RunRow]) -> None:
    """Of any place and scope; what is not known is left out."""
    rows = {row.run_id: row for row in everything}
    assert runs_by_id(index, [*rows, RunId("0" * 32)]) == rows


def test_unconfirmed_runs_are_those_whose_directory_must_follow(ledger: Ledger, fresh: Index) -> None:
    """Deletion and purge ask for a move; confirming the place where it belongs, or the purge's end, settles it."""
    for number in (1, 2, 3):
        append(ledger, started(number), happens(number, RunStatusChanged(status="error", exit_status=1)))
    append(ledger, happens(1, RunDeleted()), happens(2, RunDeleted()), happens(3, RunDeleted()))
    append(ledger, happens(3, RunPurgeStarted()))
    fresh.catch_up(ledger)
    assert unconfirmed(fresh) == [(run_id(1), "deleted"), (run_id(2), "deleted"), (run_id(3), "purging")]
    fresh.confirm([(run_id(1), "live"), (run_id(2), "deleted"), (RunId("0" * 32), "deleted")])
    append(ledger, happens(3, RunPurged(files=1, bytes=1)))
    fresh.catch_up(ledger)
    assert unconfirmed(fresh) == [(run_id(1), "deleted")]
