"""Runs chosen by a scalar, for `guild select` and for operations that require another's files; and tags counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunScalarsRecorded, RunTagged
from ledger.events.start import RunStarted
from projections.best import best, no_such_scalar
from projections.counting import tag_counts
from projections.query import Query, RunFilter
from tests.cli_kit import Guild, make_project
from tests.kit import index_of, run_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.canonical import Value
    from ledger.events.base import Event
    from projections.index import Index

RUNS = 5_000
"""More than are looked up and sorted."""

PREPARING = """\
- model: m
  operations:
    prepare:
      main: prepare
      flags: {loss: 0.5}
    train:
      main: train
      requires: {operation: prepare, select: {min: loss}}
    longest:
      main: train
      requires: {operation: prepare, select: {max: loss}}
    strange:
      main: train
      requires: {operation: prepare, select: {max: los}}
    all:
      steps: [prepare loss=7, prepare loss=8, train]
"""
PREPARE = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--loss", type=float)
loss = parser.parse_args().loss
print("loss:", loss)
open("loss.txt", "w").write(str(loss))
"""


def _events(number: int) -> Iterator[Event]:
    yield RunStarted("/p", None, "m", ("train", "test")[number % 2], (), {"lr": number % 7})
    last: list[Value] = [float("nan") if number == 4_000 else number % 2_500, 1]
    if number % 10 == 0:
        yield RunScalarsRecorded({"loss": {"last": last, "min": [-number, 1], "max": [9, 2]}})
    if number % 1_000 == 0:
        yield RunTagged(("round", "zero") if number == 0 else ("round",))
    if number in (0, 2_490):
        yield RunStatusChanged(status="completed", exit_status=0)
        yield RunDeleted()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index of some thousand runs."""
    with index_of(tmp_path_factory.mktemp("chosen"), RUNS, _events, at_once=500) as index:
        yield index


@pytest.mark.parametrize(
    ("spec", "least", "wanted", "expected"),
    [
        ("loss", True, RunFilter(), 2_500),
        ("loss", False, RunFilter(), 4_990),
        ("loss", True, RunFilter(place="deleted"), 0),
        ("scalar:loss", False, RunFilter(operations=("train",)), 4_990),
        ("min:loss", True, RunFilter(), 4_990),
        ("max:loss", True, RunFilter(), 4_500),
        ("flag:lr", False, RunFilter(operations=("test",)), 4_507),
        ("loss", True, RunFilter(operations=("test",)), None),
        ("loss", True, RunFilter(expression=f"id = {run_id(4_000)}"), None),
        ("none", True, RunFilter(), None),
    ],
)
def test_the_best_run_is_that_of_the_index(
    index: Index, spec: str, least: bool, wanted: RunFilter, expected: int | None
) -> None:
    """Of equal ones the latest, of those the first that the ledger names; what is not a number is no best."""
    row = best(Query(index, wanted), spec, least=least)
    assert (None if row is None else row.run_id) == (None if expected is None else run_id(expected))


def test_the_best_run_is_found_without_reading_all(index: Index) -> None:
    """One row is read in the order of the index of values."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    query = Query(index, RunFilter())
    index.db.set_progress_handler(count, 100)
    try:
        for spec in ("loss", "min:loss"):
            best(query, spec, least=True)
    finally:
        index.db.set_progress_handler(None, 0)
    assert steps < 20


def test_an_unknown_scalar_is_told_with_the_nearest(index: Index) -> None:
    """A known one, that the runs in question do not have, without a guess."""
    query = Query(index, RunFilter())
    assert no_such_scalar(query, "los") == "no run has a scalar 'los' (did you mean 'loss'?)"
    assert no_such_scalar(query, "loss") == "no run has a scalar 'loss'"


def test_tags_are_counted_from_the_tags_alone(index: Index) -> None:
    """With those of matching runs only, and without looking at runs that have none."""
    said: list[str] = []
    index.db.set_trace_callback(said.append)
    assert tag_counts(Query(index, RunFilter())) == [("round", 4)]
    index.db.set_trace_callback(None)
    assert tag_counts(Query(index, RunFilter(place="deleted"))) == [("round", 1), ("zero", 1)]
    assert tag_counts(Query(index, RunFilter(operations=("none",)))) == []
    plan = index.db.execute(f"EXPLAIN QUERY PLAN {said[-1]}").fetchall()
    assert [row[3] for row in plan] == ["SCAN tag", "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"]


def test_an_operation_takes_the_files_of_the_best_run(tmp_path: Path) -> None:
    """`select: {min: SCALAR}` in a requirement means a completed run; one of the same steps comes before others."""
    train = "print('took', open('loss.txt').read())\n"
    guild = Guild(tmp_path / "home", make_project(tmp_path / "p", PREPARING, prepare=PREPARE, train=train))
    assert "there is no completed run of prepare" in guild.refused("run", "train", "-y")
    for loss in ("0.5", "0.25", "0.75"):
        guild.ok("run", "prepare", f"loss={loss}", "-y")
    assert "took 0.25" in guild.ok("run", "train", "-y")
    assert "took 0.75" in guild.ok("run", "longest", "-y")
    assert "took 7" in guild.ok("run", "all", "-y")
    error = guild.refused("run", "strange", "-y")
    assert "a run of 'm:prepare' cannot be chosen by los: no run has a scalar 'los' (did you mean 'loss'?)" in error
    assert "NAME=RUN_ID" in error


def test_tags_are_listed_with_how_many_have_them(tmp_path: Path) -> None:
    """In scope and of the runs that the filters leave; nothing for none."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "p"))
    assert guild.ok("tag", "--list") == ""
    assert guild.json("tag", "--list") == []
    for tags in (["--tag", "a b"], ["--tag", "a b", "--tag", "x"], []):
        guild.ok("run", "iris-svm:train", *tags, "-y")
    assert guild.ok("tag", "--list") == "2  a b\n1  x\n"
    assert guild.json("tag", "--list", "--tag", "x") == [{"tag": "a b", "runs": 1}, {"tag": "x", "runs": 1}]
    (tmp_path / "other").mkdir()
    other = guild.at(make_project(tmp_path / "other" / "p"))
    assert other.ok("tag", "--list") == ""
    assert other.ok("tag", "--list", "-a") == "2  a b\n1  x\n"
    for args in (["--list", "0"], ["--list", "--add", "y"], ["--list", "-c"], ["--list", "--dry-run"], ["--json"]):
        guild.refused("tag", *args, code=2)
