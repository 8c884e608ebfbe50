"""Comparisons: what stands in which column, in which order, a page at a time, and the same as a search through all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunLabeled, RunScalarsRecorded, RunTagged
from ledger.events.start import RunRestarted, RunStarted
from projections import sorting
from projections.column_specs import ColumnError, ColumnSpec, parse_columns
from projections.comparing import first_difference, replay
from projections.comparison import Comparison, Line
from projections.comparison_columns import Column, asked, columns_of
from projections.comparison_defaults import Declared, core_columns, every_column, operation_columns
from projections.index import Index
from projections.query import Query, RunFilter
from projections.rebuild import rebuild_in_memory
from projections.schema import OpKey
from tests.kit import NOON, SECOND, append, happens, make_ledger, run_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.canonical import Value
    from ledger.events.base import Event
    from projections.cells import Cell

RUNS = 120
NAN, INF = math.nan, math.inf
VALUES = (0.5, NAN, INF, -INF, 3)
TRAIN, TEST = OpKey("/p", None, "m", "train"), OpKey("/p", None, "m", "test")
COLUMNS = (
    ".run, .operation, .started, .time, .status, .label, .tag, =lr, =same, =only, loss, min loss, max loss, first loss,"
    " mean loss, total loss, count loss, loss step, min loss step, max loss step, first loss step"
)


def _loss(number: int) -> dict[str, Value]:
    value = VALUES[number % 5]
    return {
        "first": [number, 1], "last": [value, number], "min": [value, 7], "max": [value, number % 3], "mean": value,
        "count": 2,
    }  # fmt: skip


def _events(number: int) -> Iterator[Event]:
    operation = ("train", "test")[number % 2]
    flags: dict[str, Value] = {
        "lr": number % 10 / 10,
        "same": "x",
        "alike": True,
        **({"only": [number]} if number % 2 else {}),
    }
    yield RunStarted("/p" if number % 3 else "/q", None, "m", operation, (), flags)
    if number % 4:
        yield RunScalarsRecorded({"loss": _loss(number)})
    if number % 10:
        yield RunStatusChanged("completed", 0, stopped=NOON + number * SECOND + number % 7 * 1000)
    if number % 6 == 0:
        yield RunLabeled(f"try {number % 4}")
    if number % 8 == 0:
        yield RunTagged(("a", "b"))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index of runs that have all kinds of values."""
    ledger = make_ledger(tmp_path_factory.mktemp("comparison"))
    append(ledger, *(happens(number, event) for number in range(RUNS) for event in _events(number)))
    index = rebuild_in_memory(ledger)
    yield index
    index.close()
    ledger.store.close()


def compared(index: Index, columns: str = COLUMNS, now: int | None = None, **limits: Any) -> Comparison:
    """Return a comparison of the runs that these limits let through."""
    query = Query(index, RunFilter(cwd="/p", **limits))
    return Comparison(query, columns_of(index.db, parse_columns(columns)), now=now)


def told(lines: list[Line], column: int = 0) -> list[Cell]:
    """Return what stands in one column."""
    return [line.cells[column] for line in lines]


def cells_of(comparison: Comparison, number: int) -> dict[str, Cell]:
    """Return what a run has in each column."""
    headers = [column.header for column in comparison.columns]
    line = next(line for line in comparison.lines() if line.row.run_id == run_id(number))
    return dict(zip(headers, line.cells, strict=True))


def test_a_run_has_in_each_column_what_the_ledger_says(index: Index) -> None:
    """First, last, least, greatest, mean, sum and count of a scalar, and the steps; flags as given; attributes."""
    assert cells_of(compared(index), 49) == {
        "run": run_id(49), "operation": "./m:test", "started": NOON + SECOND, "time": 48.0, "status": "completed",
        "label": None, "tag": [], "lr": 0.9, "same": "x", "only": "[49]", "loss": 3, "min loss": 3, "max loss": 3,
        "first loss": 49, "mean loss": 3, "total loss": 6, "count loss": 2, "loss step": 49, "min loss step": 7,
        "max loss step": 1, "first loss step": 1,
    }  # fmt: skip
    assert cells_of(compared(index, "loss, .tag, only, alike"), 8) == {
        "loss": None, "tag": ["a", "b"], "only": None, "alike": True
    }  # fmt: skip


def test_numbers_that_are_not_finite_stay_what_they_are(index: Index) -> None:
    """NaN is no text, infinity no null; a sum of what is no number is none."""
    found = compared(index, "loss, mean loss, total loss, first loss")
    assert [str(cell) for cell in cells_of(found, 1).values()] == ["nan", "nan", "nan", "1"]
    assert list(cells_of(found, 7).values()) == [INF, INF, INF, 7]
    assert list(cells_of(found, 3).values()) == [-INF, -INF, -INF, 3]


def test_a_run_that_is_running_is_measured_until_now(index: Index) -> None:
    """Without a moment to measure by it has no time."""
    assert cells_of(compared(index, ".time"), 10) == {"time": None}
    assert cells_of(compared(index, ".time", NOON + 61 * SECOND), 10) == {"time": 60.0}


@pytest.mark.parametrize(
    "limits", [{}, {"project": "/p"}, {"statuses": ("running",)}, {"only": tuple(range(1, 90, 2))}]
)
@pytest.mark.parametrize("spec", [str(one) for one in parse_columns(COLUMNS)])
def test_every_column_sorts_and_every_page_is_a_part_of_the_whole(
    index: Index, spec: str, limits: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers in order, then what is none, then runs without: each run once, wherever a page begins."""
    usual = [line.row for line in compared(index, **limits).lines()]
    for most in (4_000, 8):  # few runs are looked up, many read in the order of an index
        monkeypatch.setattr(sorting, "MOST_SORTED", most)
        made = compared(index, spec, **limits)
        for reverse in (False, True):
            found = made.sorted_by(made.columns[0], reverse=reverse)
            whole = list(found.lines())
            assert sorted(line.row.number for line in whole) == sorted(row.number for row in usual)
            assert found.numbers().tolist() == [line.row.number for line in whole]
            for offset in (0, 3, 50, len(whole)):
                assert str(found.page(offset, 9)) == str(whole[offset : offset + 9])
            numbers = [cell for cell in told(whole) if isinstance(cell, int | float) and cell == cell]  # noqa: PLR0124
            assert numbers == sorted(numbers, reverse=reverse)
            if made.columns[0].is_number():
                assert all(isinstance(cell, int | float) and cell == cell for cell in told(whole)[: len(numbers)])  # noqa: PLR0124


def test_only_so_many_lines_are_there_when_no_more_are_wanted(index: Index) -> None:
    """The first of the order count, whatever page is asked for."""
    found = Comparison(compared(index).query, compared(index, "=lr").columns, most=5)
    best = found.sorted_by(found.columns[0], reverse=True)
    assert (best.count(), told(best.page(0, 100)), best.page(5, 5)) == (5, [0.9] * 5, [])
    assert len(best.numbers()) == 5


def test_an_expression_narrows_a_comparison(index: Index) -> None:
    """What held of its runs still holds; it keeps its columns and order."""
    made = compared(index, "=lr", expression="lr > 0.5")
    found = made.sorted_by(made.columns[0]).where("lr < 0.8", NOON)
    assert set(told(list(found.lines()))) == {0.6, 0.7}
    assert found.count() == 24
    assert found.where("", NOON).count() == 24


def test_chosen_runs_are_exactly_those(index: Index) -> None:
    """By the numbers that the ledger's order gives runs, together with whatever else limits them."""
    usual = [line.row.number for line in compared(index).lines()]
    assert compared(index, only=(3, 5, 999)).numbers().tolist() == [number for number in usual if number in (3, 5)]
    assert compared(index, only=()).count() == 0
    assert compared(index, only=(1, 2, 3), project="/p").count() == 2


def test_columns_with_one_heading_are_one(index: Index) -> None:
    """It shows the first that a run has; a flag and a scalar of one name are told apart; nothing stands twice."""
    found = compared(index, "only as x, loss as x, loss, =lr, lr, min loss as lr")
    assert [column.header for column in found.columns] == ["x", "=lr", "lr"]
    assert cells_of(compared(index, "only as x, loss as x"), 2)["x"] == INF
    assert cells_of(compared(index, "only as x, loss as x"), 3)["x"] == "[3]"
    headers = [column.header for column in compared(index, "flag:loss, scalar:loss, .label, =label").columns]
    assert headers == ["=loss", "loss", "label", "=label"]


@pytest.mark.parametrize(
    "text",
    [
        COLUMNS, "only as x, loss as x", "flag:loss, scalar:loss, .label, =label", "min loss as best, .time as min",
        ".id, .duration, .sourcecode_digest, .op", "last later, min later, =never", "loss as '=lr', lr as \"a, 'b' c\"",
    ],
)  # fmt: skip
def test_a_column_can_be_asked_for_as_it_was_given(index: Index, text: str) -> None:
    """Alone or with the others it is the same again: what it shows, its heading, and an attribute by the same word."""
    columns = compared(index, text).columns
    assert compared(index, ", ".join(map(asked, columns))).columns == columns
    for column in columns:
        (alone,) = compared(index, asked(column)).columns
        assert alone.sources == column.sources


def test_a_column_is_asked_for_in_few_words(index: Index) -> None:
    """As somebody would write it who sees the table: a heading that is the usual one is not said."""
    text = ".run, .time, =lr, loss, min loss step, mean loss as m"
    assert ", ".join(map(asked, compared(index, text).columns)) == text


def test_what_is_no_column_is_pointed_at(index: Index) -> None:
    """With what may have been meant; with its kind said, a column may be empty."""
    for text, words in {"lr, los": "(did you mean 'loss'?)", ".labl": "(did you mean 'label'?)"}.items():
        with pytest.raises(ColumnError) as caught:
            compared(index, text)
        assert words in caught.value.message
        assert caught.value.column == text.find("los" if "los" in text else ".")
    assert told(compared(index, "=nothing, min nothing", only=(1,)).page(0, 1)) == [None]


def _specs(specs: list[ColumnSpec]) -> list[str]:
    return [str(spec) for spec in specs]


def test_the_usual_columns_are_those_that_the_runs_have(index: Index) -> None:
    """First what all runs have, then flags, then scalars, of the operations that match; none that would be empty."""
    assert _specs(core_columns()) == [".run", ".operation", ".started", ".time", ".status", ".label"]
    every = ["=alike", "=lr", "=only", "=same", "loss"]
    assert _specs(operation_columns(compared(index).query, {})) == every
    few = compared(index, operations=("train",)).query
    assert _specs(operation_columns(few, {})) == ["=alike", "=lr", "=same", "loss"]
    none = compared(index, only=(1,)).query  # which reported nothing
    assert _specs(operation_columns(none, {})) == ["=alike", "=lr", "=same"]
    assert _specs(every_column(compared(index).query))[-5:] == every


def test_operations_name_columns_of_their_own(index: Index) -> None:
    """Those come first, a scalar may be still to come, and what cannot be is left out; others show all they have."""
    named = Declared(tuple(parse_columns("min loss as best, later, .nonsense")))
    query = compared(index, project="/p").query
    assert _specs(operation_columns(query, {TRAIN: named, TEST: named})) == ["min loss", "later"] * 2
    both = operation_columns(query, {TEST: named, TRAIN: Declared(tuple(parse_columns("=lr")), scalars=True)})
    assert _specs(both) == ["min loss", "later", "=lr", "loss"]
    assert [column.header for column in columns_of(index.db, both)] == ["best", "later", "lr", "loss"]


def _differing(comparison: Comparison) -> list[Column]:
    """Return the same as `differing`, from all lines."""
    lines = list(comparison.lines())
    columns = enumerate(comparison.columns)
    return [column for at, column in columns if len({str(line.cells[at]) for line in lines}) > 1]


@pytest.mark.parametrize(
    "limits",
    [{}, {"project": "/p"}, {"operations": ("train",)}, {"only": (1, 3)}, {"only": (2,)}, {"only": ()},
     {"expression": "loss = inf"}],
)  # fmt: skip
def test_columns_that_differ_are_those_in_which_not_all_are_alike(index: Index, limits: dict[str, Any]) -> None:
    """The same as a look at every line gives; having nothing differs from having something."""
    others = ", .model, .project, .stopped, .exit_status, .marked, .deleted, .comment, .digest, .operation_name, =alike"
    found = compared(index, COLUMNS + others, **limits)
    assert list(found.differing()) == _differing(found)


def test_what_an_earlier_try_reported_is_not_compared(tmp_path: Path) -> None:
    """A run that is started again has reported nothing; a later summary takes the place of an earlier one."""
    ledger = make_ledger(tmp_path)
    append(ledger, happens(0, RunStarted("/p", None, "m", "train", (), {"lr": 1})))
    index = rebuild_in_memory(ledger)

    def after(*events: Event) -> list[Cell]:
        append(ledger, *(happens(0, event) for event in events))
        index.catch_up(ledger)
        return list(compared(index, "scalar:loss, mean loss, first loss step").page(0, 1)[0].cells)

    assert after(RunScalarsRecorded({"loss": _loss(0)})) == [0.5, 0.5, 1]
    assert after(RunScalarsRecorded({"loss": {**_loss(4), "mean": 8}, "acc": _loss(0)})) == [3, 8, 1]
    assert after(RunStatusChanged("error", 1), RunRestarted((), {"lr": 1})) == [None, None, None]
    with replay(ledger) as fresh:
        assert first_difference(index.db, fresh.db) is None
    index.close()
    ledger.store.close()


def test_a_page_is_read_in_the_order_of_an_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read through and sorted for it, but where no index has the order: means, counts, and the like."""
    monkeypatch.setattr(sorting, "MOST_SORTED", 8)
    said: list[str] = []
    for spec in ("=lr", "=same", "loss", "min loss", "loss step", ".label", ".time", ".status", ".operation"):
        made = compared(index, spec)
        index.db.set_trace_callback(said.append)
        assert len(made.sorted_by(made.columns[0]).page(0, 5)) == 5
        index.db.set_trace_callback(None)
    pages = [statement for statement in said if "ORDER BY" in statement]
    for statement in pages:
        steps = [row[3] for row in index.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], (statement, steps)
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps, (statement, steps)
    assert len(pages) >= 9
    mean = [
        row[3] for row in index.db.execute("EXPLAIN QUERY PLAN SELECT mean FROM summary WHERE name = 1 AND run = 1")
    ]
    assert mean == ["SEARCH summary USING PRIMARY KEY (name=? AND run=?)"]
