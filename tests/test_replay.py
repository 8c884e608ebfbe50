"""The law of replay: from zero, in batches of any size, by any number of processes, the index is the same."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.rows import TimedEvent
from projections import index as index_module
from projections.apply import Projector
from projections.comparing import first_difference
from projections.rebuild import rebuild_in_memory
from projections.schema import INDEXES, TABLES
from tests.kit import append, happens, make_ledger
from tests.run_model import RELAXED, Action, Run, actions, apply_all, event_of


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for the ledgers of all examples, below pytest's, where what an interrupted one leaves goes too."""
    return tmp_path_factory.mktemp("ledgers")


def history(area: Path, wanted: list[list[Action]]) -> list[TimedEvent]:
    """Return the stored events of a ledger in which those of the transactions happened that are allowed."""
    runs: dict[int, Run] = {}
    with tempfile.TemporaryDirectory(dir=area) as folder:
        ledger = make_ledger(Path(folder))
        for transaction in wanted:
            if (then := apply_all(runs, transaction, 0)) is not None:
                runs = then
                append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
        events = list(ledger.store.timed_events())
        ledger.store.close()
    return events


def dump(batches: list[list[TimedEvent]], *, processes: list[bool]) -> list[str]:
    """Return an index as text after its events came in these batches, some of them to a new process."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(TABLES + INDEXES)
        projector = Projector(database)
        for batch, fresh in zip(batches, processes, strict=True):
            if fresh:
                projector = Projector(database)
            projector.apply(batch)
            projector.apply([])
        return list(database.iterdump())


@RELAXED
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=1, max_size=25), st.data())
@example([[Action(0, "stage", 0)], [Action(1, "start", 1), Action(0, "start", 2)]], None)
def test_any_split_into_batches_gives_the_same_index(
    area: Path, wanted: list[list[Action]], data: st.DataObject | None
) -> None:
    """However events are cut into catch-ups, also within a transaction, and by however many processes."""
    events = history(area, wanted)
    cuts = [True] * len(events)
    fresh = list(cuts)
    if data is not None:
        cuts = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    batches: list[list[TimedEvent]] = [[]]
    for event, cut in zip(events, cuts, strict=True):
        if cut:
            batches.append([])
        batches[-1].append(event)
    if data is not None:
        fresh = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    whole = dump([events], processes=[True])
    assert dump(batches, processes=[*fresh, True][: len(batches)]) == whole


@RELAXED
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=5, max_size=30), st.integers(1, 5))
def test_the_size_of_a_batch_changes_nothing(area: Path, wanted: list[list[Action]], size: int) -> None:
    """A rebuild in batches of any size gives what a rebuild in one gives."""
    runs: dict[int, Run] = {}
    with tempfile.TemporaryDirectory(dir=area) as folder, pytest.MonkeyPatch.context() as patch:
        ledger = make_ledger(Path(folder))
        for transaction in wanted:
            if (then := apply_all(runs, transaction, 0)) is not None:
                runs = then
                append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
        whole = rebuild_in_memory(ledger)
        patch.setattr(index_module, "BATCH", size)
        parts = rebuild_in_memory(ledger)
        assert first_difference(parts.db, whole.db) is None
        whole.close()
        parts.close()
        ledger.store.close()
