"""What changed between two moments: exactly the runs that are not as they were, and of them exactly what is not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.log import Ledger
from projections import changes as changes_module
from projections.as_of import moment, replay, replay_on
from projections.changes import USUAL, Changed, Side, changes
from projections.query import RunFilter
from tests.kit import NOON, append, happens, make_ledger, run_id
from tests.run_model import RELAXED, Action, Run, actions, apply_all, event_of


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for the ledgers of all examples."""
    return tmp_path_factory.mktemp("ledgers")


def lived(folder: Path, wanted: list[list[Action]]) -> tuple[Ledger, list[dict[str, Run]]]:
    """Return a ledger in which what is allowed happened, and the model's runs by id after each transaction."""
    times = iter(range(NOON + 1_000_000, NOON + 10**9, 1_000_000))
    ledger = make_ledger(folder, clock=lambda: now)
    now, runs, was = 0, dict[int, Run](), [dict[str, Run]()]
    for transaction in wanted:
        now = next(times)
        if (then := apply_all(runs, transaction, now)) is not None:
            runs = then
            append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
            was.append({run_id(number): run for number, run in runs.items()})
    return ledger, was


def changed(ledger: Ledger, first: int, last: int, wanted: RunFilter | None = None) -> dict[str, Changed]:
    """Return what changed between two transactions, by the ids of runs."""
    ends = [moment(ledger, str(seq), NOON).end for seq in (first, last)]
    asked = wanted or RunFilter()
    with closing(replay(ledger, ends[0])) as early, closing(replay_on(ledger, early, ends[1])) as late:
        found = list(changes(Side(early, asked), Side(late, asked)))
    assert len({one.row.run_id for one in found}) == len(found)
    return {one.row.run_id: one for one in found}


def facts(run: Run) -> Mapping[str, object]:
    """Return some of what the model knows of a run."""
    return {
        "status": run.status, "place": run.place, "started": run.started, "stopped": run.stopped, "label": run.label,
        "exit_status": run.exit_status, "marked": run.marked, "protected": run.protected, "tags": sorted(run.tags),
        "comments": len(run.comments), "digest": run.digest,
    }  # fmt: skip


def said_of(run: Run) -> Run:
    """Return what can be seen of a run of the model: not how many events it took."""
    return replace(run, version=0, number=0, comments=tuple((0, text) for _, text in run.comments))


@settings(RELAXED, max_examples=60)
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=2, max_size=15), st.integers(1, 4), st.data())
def test_exactly_what_is_not_as_it_was_is_told(
    area: Path, wanted: list[list[Action]], size: int, data: st.DataObject
) -> None:
    """Of any two moments, and in pages of any size: the runs that differ in the model, with what they were and are."""
    with tempfile.TemporaryDirectory(dir=area) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes_module, "PAGE", size)
        ledger, was = lived(Path(folder), wanted)
        first = data.draw(st.integers(1, len(was)))
        last = data.draw(st.integers(first, len(was)))
        found = changed(ledger, first, last)
        ledger.store.close()
    early, late = was[first - 1], was[last - 1]
    differing = [one for one, run in late.items() if one not in early or said_of(run) != said_of(early[one])]
    assert sorted(found) == sorted(differing)
    for one, change in found.items():
        after = facts(late[one])
        assert change.after is not None
        if change.before is None:
            assert one not in early
            told = {key: value for key, value in after.items() if value is not None and value != USUAL.get(key)}
            assert told.items() <= change.after.items()
            continue
        before = facts(early[one])
        assert change.before.keys() == change.after.keys()
        for key, value in after.items():
            assert (key in change.after) == (value != before[key])
            assert change.after.get(key, value) == value
            assert change.before.get(key, before[key]) == before[key]


def test_a_filter_takes_the_runs_that_match_before_or_after(tmp_path: Path) -> None:
    """A run that lost its label and one that got it are both told, wherever they are; others are not."""
    began = [[Action(run, kind, 2) for kind in ("start", "finish", "mark")] for run in range(4)]  # without labels
    then = [
        [Action(0, "label", 0)], [Action(0, "clear", 0), Action(0, "delete", 0)], [Action(1, "label", 0)],
        [Action(2, "label", 1)], [Action(3, "delete", 0)],
    ]  # fmt: skip
    ledger, _ = lived(tmp_path, began + then)
    assert set(changed(ledger, 6, 10, RunFilter(labels=("one",)))) == {run_id(0), run_id(1)}
    assert set(changed(ledger, 6, 10)) == {run_id(number) for number in range(4)}
    assert changed(ledger, 6, 10, RunFilter(statuses=("completed",))) == {}
    ledger.store.close()
