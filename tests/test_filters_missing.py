"""What runs do not have: found by how many runs of an operation have it, not by a look at each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunScalarsRecorded
from ledger.events.start import RunRestarted, RunStarted
from projections.index import Index, open_index
from projections.query import Query
from tests.filters_kit import numbers, wanted
from tests.kit import append, happens, make_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import Value


def test_what_all_runs_of_an_operation_have_is_missing_in_none_of_them(tmp_path: Path) -> None:
    """No run is looked at for that, and the operations that lack it are looked at alone; also after a new start."""
    ledger = make_ledger(tmp_path)
    start: dict[str, dict[str, Value]] = {"train": {"lr": 0.1}, "test": {"k": 1}}
    for number in range(40):
        operation = "test" if number % 20 == 0 else "train"
        append(ledger, happens(number, RunStarted("/p", None, "m", operation, (), start[operation])))
        append(ledger, happens(number, RunScalarsRecorded({"loss": {"last": [1, number]}})))
        append(ledger, happens(number, RunStatusChanged("completed", 0)))
    index = open_index(str(tmp_path / "index"), ledger, print)
    assert _drives(index, "lr is undefined") == [20, 0]
    assert _drives(index, "not lr > 0") == [20, 0]
    assert _drives(index, "loss is undefined") == []
    assert _drives(index, "not loss = 1 or not lr <= 1") == [20, 0]
    append(ledger, happens(7, RunRestarted((), {"k": 2})))
    append(ledger, happens(20, RunRestarted((), {"k": 2, "lr": 0.5})))
    append(ledger, happens(21, RunScalarsRecorded({"loss": {"last": [2, 1]}, "acc": {"last": [1, 1]}})))
    index.catch_up(ledger)
    assert _drives(index, "lr is undefined and op = test") == [0]
    assert _drives(index, "lr is undefined") == [7, 0]
    assert _drives(index, "not scalar:loss >= 0") == [20, 7]
    counted = "SELECT op, name, count(*) FROM value JOIN run USING (run) GROUP BY op, name ORDER BY 1, 2"
    known = "SELECT op, name, runs FROM used WHERE runs > 0 ORDER BY 1, 2"
    assert index.db.execute(counted).fetchall() == index.db.execute(known).fetchall()
    index.close()
    ledger.store.close()


def _drives(index: Index, expression: str) -> list[int]:
    """Return the runs that match, the latest first; they were named, not searched for."""
    query = Query(index, wanted(expression=expression))
    assert query._candidates is not None
    assert query._candidates.runs is not None
    return numbers(list(query.rows()))
