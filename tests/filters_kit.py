"""Some thousand runs that differ in all that runs are chosen by, and filters with what they must find."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunScalarsRecorded, RunTagged
from ledger.events.start import RunStarted
from projections.query import RunFilter, RunRow
from tests.kit import NOON, SECOND, index_of, run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.events.base import Event
    from projections.index import Index

RUNS = 6_000
"""More than are found first and sorted then."""

NOW = NOON + 10 * SECOND


def _events(number: int) -> Iterator[Event]:
    flags = {"lr": number % 10 / 10, "text": ("adam", "sgd")[number % 2], "rare": number} if number % 50 else {}
    sources = {"digest": f"{number % 7:02x}" * 32} if number % 3 else None
    operation = ("train", "test", "prepare")[number % 3]
    yield RunStarted("/p" if number % 4 else "/q", None, "m", operation, (), flags, sources=sources)
    if number % 10:
        yield RunStatusChanged(("completed", "error")[number % 100 == 1], number % 100, stopped=NOON + number % 977)
    if number % 3 == 0:
        yield RunLabeled(f"label {number % 30}")
    if number % 5 == 0:
        yield RunTagged(("often", "rare") if number == 100 else ("often",))
    if number % 1_500 == 0:
        yield RunProtected(protected=True)
    if number % 1_000 == 0:
        yield RunMarked(marked=True)
        yield RunCommented(f"about {number}")
    if number % 2:
        yield RunScalarsRecorded({"loss": {"last": [number % 13, number], "min": [-number, 1], "max": [9, 2]}})


@pytest.fixture(name="index", scope="module")
def index_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index of some thousand runs, sixty to a transaction."""
    with index_of(tmp_path_factory.mktemp("filters"), RUNS, _events, at_once=60) as index:
        yield index


NUMBERS = {run_id(number): number for number in range(RUNS)}


def numbers(rows: list[RunRow]) -> list[int]:
    """Return what the test calls these runs."""
    return [NUMBERS[row.run_id] for row in rows]


def wanted(**limits: object) -> RunFilter:
    """Return a filter at a fixed time."""
    return RunFilter(now=NOW, zone=UTC, cwd="/p", **limits)  # type: ignore[arg-type]  # fields of the filter


FILTERS: list[tuple[dict[str, object], Callable[[int], object]]] = [
    ({"unlabeled": True}, lambda n: n % 3),
    ({"labels": ("bel 3", "bel 12")}, lambda n: n % 30 in (3, 12)),
    ({"tags": ("often",)}, lambda n: n % 5 == 0),
    ({"tags": ("rare", "none")}, lambda n: n == 100),
    ({"marked": True}, lambda n: n % 1_000 == 0),
    ({"marked": False}, lambda n: n % 1_000),
    ({"comments": ("about 1", "3000")}, lambda n: n in (1_000, 3_000)),
    ({"started": (NOON + 5 * SECOND, NOON + 9 * SECOND)}, lambda n: 4 <= n // 60 < 8),
    ({"started": (NOON + 99 * SECOND, None)}, lambda n: n // 60 >= 98),
    ({"started": (None, None)}, lambda _: True),
    ({"digest": "0"}, lambda n: n % 3),
    ({"digest": "030"}, lambda n: n % 3 and n % 7 == 3),
    ({"digest": "ff"}, lambda _: False),
    ({"operations": ("m:train", "q/m:test")}, lambda n: n % 3 == 0 or (n % 3 == 1 and n % 4 == 0)),
    ({"statuses": ("error", "running")}, lambda n: n % 10 == 0 or n % 100 == 1),
    ({"labels": ("nothing",)}, lambda _: False),
    ({"expression": "text contains dam"}, lambda n: n % 50 and n % 2 == 0),
    ({"expression": "text contains nothing"}, lambda _: False),
    ({"expression": "not text contains dam"}, lambda n: n % 50 == 0 or n % 2),
    ({"expression": "label contains '12'"}, lambda n: n % 30 == 12),
    ({"expression": "tag contains are"}, lambda n: n == 100),
    ({"expression": "lr is undefined"}, lambda n: n % 50 == 0),
    ({"expression": "lr is not undefined"}, lambda n: n % 50),
    ({"expression": "loss is undefined and tag is undefined"}, lambda n: n % 2 == 0 and n % 5),
    ({"expression": "exit_status is undefined"}, lambda n: n % 10 == 0),
    ({"expression": "stopped is undefined and digest is undefined"}, lambda n: n % 30 == 0),
    ({"expression": "digest is not undefined"}, lambda n: n % 3),
    ({"expression": "started is undefined or id is undefined"}, lambda _: False),
    ({"expression": "lr > 0.5 and lr < 0.7"}, lambda n: n % 50 and n % 10 == 6),
    ({"expression": "lr >= 0"}, lambda n: n % 50),
    ({"expression": "rare in [51, 52, 5000]"}, lambda n: n in (51, 52)),
    ({"expression": "rare = 7 or tag = rare"}, lambda n: n in (7, 100)),
    ({"expression": "rare = 7 or text contains d"}, lambda n: n % 50),
    ({"expression": "loss = 3 and text = sgd"}, lambda n: n % 50 and n % 2 and n % 13 == 3),
    ({"expression": "min:loss < -5990"}, lambda n: n % 2 and n > 5_990),
    ({"expression": "exit_status = 77"}, lambda n: n % 100 == 77),
    ({"expression": "protected = true"}, lambda n: n % 1_500 == 0),
    ({"expression": "protected != true and marked = yes"}, lambda n: n % 1_000 == 0 and n % 1_500),
    ({"expression": "duration <= -50"}, lambda n: n % 10 and n // 60 >= 50),
    ({"expression": "duration is undefined"}, lambda n: n % 10 == 0),
    ({"expression": "duration in [-0.999990, -1e30]"}, lambda n: n // 60 == 0 and n % 10 and n % 977 == 10),
    ({"expression": "stopped = '2026-01-01 12:00:00.000003'"}, lambda n: n % 10 and n % 977 == 3),
    ({"expression": "op = train and not label is undefined"}, lambda n: n % 3 == 0),
    ({"expression": "comment contains about and project = /q"}, lambda n: n % 1_000 == 0),
    ({"expression": f"id = {run_id(77)}"}, lambda n: n == 77),
    ({"expression": "label >= 'label 7'"}, lambda n: n % 30 == 9),
    ({"expression": "label is undefined and marked = true"}, lambda n: n % 3 and n % 1_000 == 0),
    ({"tags": ("often",), "labels": ("bel 15",), "expression": "lr = 0.5"}, lambda n: n % 30 == 15),
    ({"tags": ("often",), "statuses": ("completed",), "operations": ("train",)}, lambda n: n % 15 == 0 and n % 10),
    ({"expression": "not lr > 0.3"}, lambda n: n % 50 == 0 or n % 10 <= 3),
    ({"expression": "not lr >= 0"}, lambda n: n % 50 == 0),
    ({"expression": "not rare < 5990"}, lambda n: n % 50 == 0 or n >= 5_990),
    ({"expression": "not rare >= 10 and lr is not undefined"}, lambda n: n % 50 and n < 10),
    ({"expression": "not text = adam"}, lambda n: n % 50 == 0 or n % 2),
    ({"expression": "not text = 7 and not lr = sgd"}, lambda _: True),
    ({"expression": "not rare in [51, 52]"}, lambda n: n not in (51, 52)),
    ({"expression": "not (lr > 0.1 and rare >= 9)"}, lambda n: not (n % 50 and n % 10 > 1 and n >= 9)),
    ({"expression": "not (lr >= 0 or loss >= 0)"}, lambda n: n % 50 == 0 and n % 2 == 0),
    ({"expression": "not not rare = 51"}, lambda n: n == 51),
    ({"expression": "not rare is undefined and not rare != 51"}, lambda n: n == 51),
    ({"expression": "flag:none is undefined and not flag:none = 3"}, lambda _: True),
    ({"expression": "not label = 'label 3'"}, lambda n: n % 30 != 3),
    ({"expression": "not label contains '3'"}, lambda n: n % 30 != 3),
    ({"expression": "not exit_status <= 98"}, lambda n: n % 10 == 0 or n % 100 == 99),
    ({"expression": "not stopped is undefined"}, lambda n: n % 10),
    ({"expression": "not status = completed"}, lambda n: n % 10 == 0 or n % 100 == 1),
    ({"expression": "not status in [completed, error]"}, lambda n: n % 10 == 0),
    ({"expression": "not marked = no"}, lambda n: n % 1_000 == 0),
    ({"expression": "not duration > -50"}, lambda n: n % 10 == 0 or n // 60 >= 50),
    ({"expression": "not stopped > '2026-01-01 12:00:00.000003'"}, lambda n: n % 10 == 0 or n % 977 <= 3),
    ({"expression": "not op != train"}, lambda n: n % 3 == 0),
    ({"expression": "not tag = often"}, lambda n: n % 5),
    ({"marked": True, "project": "/q"}, lambda n: n % 1_000 == 0),
    ({"unlabeled": True, "project": "/p", "statuses": ("running",)}, lambda n: n % 3 and n % 4 and n % 10 == 0),
]
