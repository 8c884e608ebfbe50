"""The laws of undo and redo, over random histories: all the way back is the start, and forward again the end.

Read from the ledger alone; what a person sees of it is in `test_cli_undo`.
"""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import TransitionError
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunTagged
from ledger.events.start import RunRestarted, RunStaged
from ledger.ids import run_stream
from ledger.transaction import Transaction
from projections.rebuild import rebuild_in_memory
from projections.undo_choice import NothingToUndoError, choose_redo, choose_undo, plan
from projections.undoing import CannotUndoError
from tests.kit import HEADER, append, happens, make_ledger, run_id, started
from tests.undo_kit import redo, take_back, undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.base import Event
    from ledger.log import Ledger

RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
RUNS = 3
END = RunStatusChanged(status="completed", exit_status=0)
STAGED = RunStaged("/p", None, "m", "train", command=(), flags={})

changes = st.one_of(
    st.builds(RunLabeled, label=st.sampled_from((None, "a", "b"))),
    st.builds(
        RunTagged, added=st.sampled_from(((), ("t",), ("t", "u"))), removed=st.sampled_from(((), ("v",), ("w",)))
    ),
    st.builds(RunCommented, text=st.sampled_from(("one", "two"))),
    st.builds(RunMarked, marked=st.booleans()),
    st.builds(RunProtected, protected=st.booleans()),
    st.just(RunDeleted()),
    st.just(RunRestored()),
)
transactions = st.lists(st.tuples(st.integers(0, RUNS - 1), changes), min_size=1, max_size=4)


@contextmanager
def some_runs() -> Iterator[Ledger]:
    """Give a ledger with runs that have ended."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = make_ledger(Path(folder))
        with closing(ledger.store):
            for number in range(RUNS):
                append(ledger, started(number))
                append(ledger, happens(number, END))
            yield ledger


def seen(ledger: Ledger) -> list[tuple[object, ...]]:
    """Return what the index shows of all runs, apart from how much has happened to them."""
    with closing(rebuild_in_memory(ledger)) as index:
        columns = "run_id, op, status, place, started, stopped, exit_status, label, marked, protected, digest"
        questions = (
            f"SELECT {columns} FROM run ORDER BY run",
            "SELECT * FROM tag ORDER BY run, tag",
            "SELECT * FROM comment ORDER BY run, number",
            "SELECT * FROM total WHERE runs > 0 ORDER BY op, place, status",
        )
        return [tuple(index.db.execute(question).fetchall()) for question in questions]


def do(ledger: Ledger, *wanted: tuple[int, Event]) -> int | None:
    """Append a transaction; None when it is not allowed."""
    try:
        return append(ledger, *(happens(number, event) for number, event in wanted)).seq
    except TransitionError:
        return None


@RELAXED
@given(st.lists(transactions, max_size=10))
def test_undo_all_is_the_start_and_redo_all_the_end(wanted: list[list[tuple[int, Event]]]) -> None:
    """At every step on the way, back and forth, the runs are as they were there."""
    with some_runs() as ledger:
        states = [seen(ledger)]
        for transaction in wanted:
            if do(ledger, *transaction) is not None and seen(ledger) != states[-1]:
                states.append(seen(ledger))
        for state in states[-2::-1]:
            while seen(ledger) != state:
                undo(ledger)
        for state in states[1:]:
            redo(ledger)
            assert seen(ledger) == state
        for state in states[-2::-1]:
            while seen(ledger) != state:
                undo(ledger)


@RELAXED
@given(st.lists(transactions, min_size=1, max_size=8), st.data())
def test_undo_of_any_transaction_gives_back_what_it_changed_or_names_what_is_in_the_way(
    wanted: list[list[tuple[int, Event]]], data: st.DataObject
) -> None:
    """What is in the way is later and about the same run; with nothing later about its runs, it succeeds."""
    with some_runs() as ledger:
        seqs = [seq for transaction in wanted if (seq := do(ledger, *transaction)) is not None]
        if not seqs:
            return
        seq = data.draw(st.sampled_from(seqs))
        streams = {row.stream for row in ledger.store.txn_events(seq)}
        later = {
            row.txn_seq: row.stream for row in ledger.store.events() if row.txn_seq > seq and row.stream in streams
        }
        before = seen(ledger)
        try:
            made, done = take_back(ledger, seq)
        except NothingToUndoError:
            assert seen(ledger) == before
            return
        assert all(one.seq in later and run_stream(one.run_id) in streams for one in made.obstacles)
        assert (done is None) == bool(made.obstacles)
        if not later:
            assert done is not None
        if done is None:
            assert seen(ledger) == before
        else:
            redo(ledger)
            assert seen(ledger) == before


LATER: dict[str, tuple[Event, list[Event], int]] = {
    "label over label": (RunLabeled(label="a"), [RunLabeled(label="b")], 0),
    "restored after deleted": (RunDeleted(), [RunRestored()], 0),
    "purged after deleted": (RunDeleted(), [RunPurgeStarted()], 0),
    "purged after labelled": (RunLabeled(label="a"), [RunDeleted(), RunPurgeStarted()], 1),
    "deleted after unprotected": (RunProtected(protected=False), [RunDeleted()], 0),
    "tag over tag": (RunTagged(added=("t",)), [RunTagged(removed=("t",))], 0),
}


@pytest.mark.parametrize("name", LATER)
def test_what_was_built_on_a_change_is_named(name: str) -> None:
    """The later transaction that rests on it, and no other."""
    first, rest, culprit = LATER[name]
    with some_runs() as ledger:
        append(ledger, happens(0, RunProtected(protected=first == RunProtected(protected=False))))
        seq = append(ledger, happens(0, first)).seq
        append(ledger, happens(0, RunMarked(marked=True)), happens(1, RunLabeled(label="x")))
        seqs = [append(ledger, happens(0, event)).seq for event in rest]
        obstacles = plan(ledger.store, seq).obstacles
        assert [(one.seq, one.run_id) for one in obstacles] == [(seqs[culprit], run_id(0))]


def test_a_run_that_ran_again_after_it_was_restored_is_not_deleted_again() -> None:
    """Undo of the restoring is refused, whether it is still running or has ended; protection is respected as well."""
    with some_runs() as ledger:
        append(ledger, happens(0, RunDeleted()), happens(1, RunDeleted()))
        seq = append(ledger, happens(0, RunRestored()), happens(1, RunRestored())).seq
        again = append(ledger, happens(0, RunRestarted(command=(), flags={}))).seq
        guarded = append(ledger, happens(1, RunProtected(protected=True))).seq
        append(ledger, happens(0, END))
        assert [one.seq for one in plan(ledger.store, seq).obstacles] == [again, guarded]


def test_what_is_taken_back_is_in_nobodys_way() -> None:
    """A later change that was undone itself does not count; neither does its undo."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunLabeled(label="a"))).seq
        later = append(ledger, happens(0, RunLabeled(label="b"))).seq
        undo(ledger, later)
        undo(ledger, seq)
        assert [row[7] for row in seen(ledger)[0]] == [None] * RUNS  # type: ignore[index]  # rows of the first table


def test_undo_twice_says_what_took_it_back() -> None:
    """And undoing that does it again; the transaction can then be taken back anew."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunLabeled(label="a"))).seq
        _, done = take_back(ledger, seq)
        assert done is not None
        with pytest.raises(NothingToUndoError, match=f"taken back already, by transaction {done.seq}"):
            plan(ledger.store, seq)
        _, again = take_back(ledger, done.seq)
        assert again is not None
        assert plan(ledger.store, seq).target.seq == again.seq


def test_a_staging_is_taken_back_by_deleting_what_is_still_staged() -> None:
    """Runs of it that have started are in the way; before that, undo and redo are delete and restore."""
    with some_runs() as ledger:
        seq = append(ledger, happens(5, STAGED), happens(6, STAGED)).seq
        assert undo(ledger) == seq
        assert [row[3] for row in seen(ledger)[0]][-2:] == [1, 1]  # type: ignore[index]  # deleted
        redo(ledger)
        begun = append(ledger, started(5)).seq
        made = plan(ledger.store, seq)
        assert ([one.seq for one in made.obstacles], [one.run_id for one in made.steps]) == ([begun], [run_id(6)])


def test_what_was_restored_protected_is_deleted_protected() -> None:
    """As it was before the restore: protected in the trash, so that it cannot be purged there."""
    with some_runs() as ledger:
        append(ledger, happens(0, RunDeleted()), happens(0, RunProtected(protected=True)))
        before = seen(ledger)
        seq = append(ledger, happens(0, RunRestored())).seq
        assert undo(ledger) == seq
        assert seen(ledger) == before


def test_a_purge_that_is_done_at_once_stands_in_the_way() -> None:
    """Asked for and done in one transaction: what was said of the run before cannot be taken back."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunDeleted()), happens(0, RunLabeled(label="a"))).seq
        gone = append(ledger, happens(0, RunPurgeStarted()), happens(0, RunPurged(files=1, bytes=1))).seq
        assert {one.seq for one in plan(ledger.store, seq).obstacles} == {gone}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (RunPurgeStarted(), "removed for good"),
        (RunPurged(files=1, bytes=1), "removed for good"),
        (RunRestored(cause="no space"), "the file system refused"),
        (END, "how a run ended"),
    ],
)
def test_what_cannot_be_taken_back_says_why(event: Event, why: str) -> None:
    """A purge, an end, and what answers the file system."""
    with some_runs() as ledger:
        append(ledger, started(7))
        if event is not END:
            append(ledger, happens(7, END))
            append(ledger, happens(7, RunDeleted()))
        if isinstance(event, RunPurged):
            append(ledger, happens(7, RunPurgeStarted()))
        seq = append(ledger, happens(7, event)).seq
        with pytest.raises(CannotUndoError, match=why):
            plan(ledger.store, seq)


def test_what_happens_by_itself_is_passed_by_and_does_not_end_redo() -> None:
    """Starts, ends and answers of the file system are nobody's last change."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunLabeled(label="a"))).seq
        append(ledger, started(8))
        append(ledger, happens(8, END))
        assert choose_undo(ledger.store, HEADER.actor).plan.target.seq == seq
        undo(ledger)
        append(ledger, started(9))
        redo(ledger)
        append(ledger, happens(1, RunMarked(marked=True)))
        with pytest.raises(NothingToUndoError):
            choose_redo(ledger.store, HEADER.actor)


def test_everybody_walks_through_what_they_did_themselves() -> None:
    """Undo without a number takes back one's own newest change, redo one's own undo."""
    with some_runs() as ledger:
        mine = append(ledger, happens(0, RunLabeled(label="a"))).seq
        header = replace(HEADER, actor="eve")
        ledger.append(Transaction(header, (happens(1, RunLabeled(label="b")),)))
        assert choose_undo(ledger.store, HEADER.actor).plan.target.seq == mine
        undo(ledger)
        ledger.append(Transaction(header, (happens(1, RunLabeled(label="c")),)))
        redo(ledger)
        with pytest.raises(NothingToUndoError):
            choose_undo(ledger.store, "nobody")


def test_the_last_change_being_a_purge_is_said() -> None:
    """Nothing else is meant then; after another undo, or with a number, earlier changes can be taken back."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunLabeled(label="a"))).seq
        append(ledger, happens(1, RunDeleted()), happens(1, RunPurgeStarted()))
        append(ledger, happens(1, RunPurged(files=0, bytes=0)))
        with pytest.raises(CannotUndoError, match="the last change"):
            choose_undo(ledger.store, HEADER.actor)
        later = append(ledger, happens(2, RunLabeled(label="b"))).seq
        assert undo(ledger) == later
        assert choose_undo(ledger.store, HEADER.actor).plan.target.seq == seq


def test_a_move_that_the_file_system_refused_is_not_taken_back_again() -> None:
    """Undo of a deletion of two runs, one of which stayed where it was, restores the other."""
    with some_runs() as ledger:
        seq = append(ledger, happens(0, RunDeleted()), happens(1, RunDeleted())).seq
        append(ledger, happens(1, RunRestored(cause="no permission")))
        made = plan(ledger.store, seq)
        assert ([step.run_id for step in made.steps], made.obstacles) == ([run_id(0)], ())
