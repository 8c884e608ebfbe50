"""What may follow what in the life of a run: a table of every state and every event, each allowed or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import TransitionError
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import (
    RunCommented,
    RunCommentWithdrawn,
    RunLabeled,
    RunMarked,
    RunProtected,
    RunScalarsRecorded,
    RunTagged,
)
from ledger.events.start import RunDependenciesResolved, RunImported, RunRestarted, RunStaged, RunStarted
from ledger.lifecycle import ENDED, UNBORN, Life, advance
from ledger.registry import VERSIONS
from ledger.verify import verify
from tests.kit import append, happens, make_ledger, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.events.base import Event
    from ledger.log import Ledger


def _imported(status: str) -> RunImported:
    return RunImported(
        source="old",
        project="/p",
        package=None,
        model="m",
        operation="o",
        flags={},
        started=1,
        stopped=2,
        status=status,
        exit_status=0,
    )


STAGE = RunStaged(project="/p", package=None, model="m", operation="o", command=(), flags={})
START = RunStarted(project="/p", package=None, model="m", operation="o", command=(), flags={})
RESTART = RunRestarted(command=(), flags={})
IMPORT = _imported("error")
END = RunStatusChanged(status="completed", exit_status=0)
PROTECT, UNPROTECT = RunProtected(protected=True), RunProtected(protected=False)
DELETE, RESTORE, PURGE, PURGED = RunDeleted(), RunRestored(), RunPurgeStarted(), RunPurged(files=1, bytes=1)
REFUSED = RunDeleted(cause="File exists")
NOTES = (
    RunLabeled(label="x"),
    RunTagged(added=("t",)),
    RunCommented(text="c"),
    RunCommentWithdrawn(written=1, withdrawn=True),
    RunMarked(marked=True),
    RunScalarsRecorded(scalars={}),
    RunDependenciesResolved(dependencies=()),
)
EVENTS: dict[str, Event] = {
    "stage": STAGE,
    "start": START,
    "restart": RESTART,
    "import": IMPORT,
    "end": END,
    "delete": DELETE,
    "restore": RESTORE,
    "purge": PURGE,
    "purged": PURGED,
    "protect": PROTECT,
    "unprotect": UNPROTECT,
    **{event.type: event for event in NOTES},
}

STATES: dict[str, tuple[Life, tuple[Event, ...]]] = {
    "unborn": (UNBORN, ()),
    "staged": (Life("staged"), (STAGE,)),
    "running": (Life("running"), (START,)),
    "ended": (Life("completed"), (START, END)),
    "imported": (Life("error"), (IMPORT,)),
    "deleted": (Life("completed", "deleted"), (START, END, DELETE)),
    "purging": (Life("completed", "purging"), (START, END, DELETE, PURGE)),
    "purged": (Life("completed", "purged"), (START, END, DELETE, PURGE, PURGED)),
    "protected": (Life("completed", "live", protected=True), (START, END, PROTECT)),
    "running protected": (Life("running", "live", protected=True), (START, PROTECT)),
    "staged protected": (Life("staged", "live", protected=True), (STAGE, PROTECT)),
    "deleted protected": (Life("completed", "deleted", protected=True), (START, END, DELETE, PROTECT)),
    "staged deleted": (Life("staged", "deleted"), (STAGE, DELETE)),
    "staged purged": (Life("staged", "purged"), (STAGE, DELETE, PURGE, PURGED)),
}
"""Each state by name: as it is held, and events that lead there."""

NO_RUN, EXISTS, GONE = "does not exist", "exists already", "permanently deleted"
STAY = "stay"

_NEVER_BEGINS = {"stage": EXISTS, "start": EXISTS, "import": EXISTS}
_NOTED = {event.type: STAY for event in NOTES}
_ALIVE = {
    **_NEVER_BEGINS,
    **_NOTED,
    "restart": "has not ended",
    "restore": "is not deleted",
    "purge": "is not deleted",
    "purged": "is not being purged",
}
_IN_TRASH = {
    **_NEVER_BEGINS,
    **_NOTED,
    "restart": "is deleted",
    "end": "is not running",
    "delete": "already deleted",
    "purged": "is not being purged",
}

TABLE: dict[str, dict[str, str]] = {
    "unborn": {**dict.fromkeys(EVENTS, NO_RUN), "stage": "staged", "start": "running", "import": "imported"},
    "staged": {
        **_ALIVE, "start": "running", "end": "is not running", "delete": "staged deleted",
        "protect": "staged protected", "unprotect": STAY,
    },
    "running": {
        **_ALIVE, "end": "ended", "delete": "still running", "protect": "running protected", "unprotect": STAY,
    },
    "ended": {
        **_ALIVE, "restart": "running", "end": "is not running", "delete": "deleted", "protect": "protected",
        "unprotect": STAY,
    },
    "deleted": {
        **_IN_TRASH, "restore": "ended", "purge": "purging", "protect": "deleted protected", "unprotect": STAY,
    },
    "purging": {**dict.fromkeys(EVENTS, GONE), **_NEVER_BEGINS, "purged": "purged"},
    "purged": {**dict.fromkeys(EVENTS, GONE), **_NEVER_BEGINS},
    "protected": {
        **_ALIVE, "restart": "running protected", "end": "is not running", "delete": "is protected", "protect": STAY,
        "unprotect": "ended",
    },
    "running protected": {
        **_ALIVE, "end": "protected", "delete": "still running", "protect": STAY, "unprotect": "running",
    },
    "staged protected": {
        **_ALIVE, "start": "running protected", "end": "is not running", "delete": "is protected",
        "protect": STAY, "unprotect": "staged",
    },
    "deleted protected": {
        **_IN_TRASH, "restore": "protected", "purge": "is protected", "protect": STAY, "unprotect": "deleted",
    },
    "staged deleted": {
        **_IN_TRASH, "start": "is deleted", "restore": "staged", "purge": "staged purging", "unprotect": STAY,
        "protect": "staged deleted protected",
    },
    "staged purged": {**dict.fromkeys(EVENTS, GONE), **_NEVER_BEGINS, "start": GONE},
}  # fmt: skip
"""For each state and event the state that follows, or a part of the refusal."""

EXTRA = {
    "staged purging": Life("staged", "purging"),
    "staged deleted protected": Life("staged", "deleted", protected=True),
}
LIVES = {name: life for name, (life, _) in STATES.items()} | EXTRA
CASES = [(state, event) for state in TABLE for event in EVENTS]


def _advance(life: Life, event: Event) -> Life:
    return advance(life, event.type, event.to_body(), "01234567")


def test_the_table_is_whole() -> None:
    """Every event type of a run stands in the table, and every state has an answer to each."""
    assert {event.type for event in EVENTS.values()} == {name for name in VERSIONS if name.startswith("run.")}
    assert all(row.keys() == EVENTS.keys() for row in TABLE.values())
    assert TABLE.keys() | {"imported"} == STATES.keys()


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_folded_from_its_events(state: str) -> None:
    """The state of a run is what its own stream says, and nothing else."""
    life, events = STATES[state]
    now = UNBORN
    for event in events:
        now = advance(now, event.type, event.to_body(), "01234567")
    assert now == life


@pytest.mark.parametrize(("state", "event"), CASES)
def test_an_event_leads_on_or_is_refused(state: str, event: str) -> None:
    """What may follow is one table; a refusal names the run and why."""
    life, then = LIVES[state], TABLE[state][event]
    if then in LIVES or then == STAY:
        assert _advance(life, EVENTS[event]) == (life if then == STAY else LIVES[then])
    else:
        with pytest.raises(TransitionError, match=f"run 01234567 .*{then}"):
            _advance(life, EVENTS[event])


@pytest.mark.parametrize("status", ENDED)
def test_a_run_ends_with_a_final_status(status: str) -> None:
    """Completed, error or terminated, whether it ran here or was imported."""
    assert _advance(Life("running"), RunStatusChanged(status=status, exit_status=1)) == Life(status)
    assert _advance(UNBORN, _imported(status)) == Life(status)


@pytest.mark.parametrize("status", ["running", "staged", "pending", "", "Completed"])
def test_a_run_cannot_end_otherwise(status: str) -> None:
    """A status that nobody could ever end again, or read, is refused, imported or not."""
    with pytest.raises(TransitionError, match="no status that a run can end with"):
        _advance(Life("running"), RunStatusChanged(status=status, exit_status=1))
    with pytest.raises(TransitionError, match="no status that a run can end with"):
        _advance(UNBORN, _imported(status))


def test_a_restoring_that_was_refused_is_taken_back_of_a_protected_run_too() -> None:
    """Its directory is still in the trash: a deletion with a cause says so, whatever protects the run."""
    protected = Life("completed", protected=True)
    assert _advance(protected, REFUSED) == protected._replace(place="deleted")
    with pytest.raises(TransitionError, match="is still running"):
        _advance(Life("running", protected=True), REFUSED)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a new ledger."""
    made = make_ledger(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("state", TABLE)
def test_the_ledger_keeps_to_the_table(ledger: Ledger, state: str) -> None:
    """Whether the earlier events are stored or in the same transaction, the same ones may follow."""
    _, before = STATES[state]
    for number, (name, event) in enumerate(EVENTS.items()):
        allowed = TABLE[state][name] in LIVES or TABLE[state][name] == STAY
        stored, together = 2 * number, 2 * number + 1
        if before:
            append(ledger, *(happens(stored, earlier) for earlier in before))
        head = ledger.store.head()
        for run, events in ((stored, (event,)), (together, (*before, event))):
            if allowed:
                append(ledger, *(happens(run, one) for one in events))
            else:
                with pytest.raises(TransitionError):
                    append(ledger, *(happens(run, one) for one in events))
        assert ledger.store.head().seq == head.seq + (2 if allowed else 0)
    assert verify(ledger.store).problems == []


def test_each_event_of_a_transaction_is_checked_against_those_before_it(ledger: Ledger) -> None:
    """A whole life fits into one transaction, in order; two deletions of one run in one transaction do not."""
    append(ledger, *(happens(1, event) for event in STATES["purged"][1]))
    append(ledger, started(2), happens(2, END))
    with pytest.raises(TransitionError, match="already deleted"):
        append(ledger, happens(2, DELETE), started(3), happens(2, DELETE))
    append(ledger, happens(2, DELETE), happens(2, RESTORE), happens(2, DELETE))
    with pytest.raises(TransitionError, match="does not exist"):
        append(ledger, happens(3, END), started(3))
    assert ledger.store.head().seq == 4


def test_runs_of_one_transaction_do_not_mix(ledger: Ledger) -> None:
    """Each run has a state of its own, however their events alternate."""
    append(ledger, started(1), started(2), happens(1, END), happens(2, PROTECT), happens(1, DELETE))
    with pytest.raises(TransitionError, match="still running"):
        append(ledger, happens(1, RESTORE), happens(2, DELETE))
    append(ledger, happens(2, END), happens(1, RESTORE), happens(2, UNPROTECT), happens(2, DELETE))
    assert ledger.store.head().position == 10


@pytest.mark.parametrize(
    ("events", "redacted", "then", "refusal"),
    [
        ((START, END), 1, DELETE, None),
        ((START, END), 1, END, "is not running: it is terminated"),
        ((IMPORT,), 0, DELETE, None),
        ((START, END, PROTECT), 2, DELETE, None),
        ((START, END), 0, DELETE, None),
        ((START, END, PROTECT, REFUSED), 3, RESTORE, None),
    ],
)
def test_a_redacted_body_does_not_lock_its_run(
    ledger: Ledger, events: tuple[Event, ...], redacted: int, then: Event, refusal: str | None
) -> None:
    """A run whose status or protection was emptied counts as over and unprotected: it can still be deleted."""
    append(ledger, *(happens(1, event) for event in events))
    ledger.store._db.execute("UPDATE event SET body = NULL WHERE position = ?", (2 + redacted,))  # type: ignore[attr-defined]  # as a redaction does
    if refusal is None:
        append(ledger, happens(1, then))
    else:
        with pytest.raises(TransitionError, match=refusal):
            append(ledger, happens(1, then))


def test_a_life_is_a_value() -> None:
    """Advancing leaves the old state as it was."""
    life = Life("completed")
    _advance(life, DELETE)
    assert life == Life("completed") == life._replace()
