"""Appending to the ledger: numbers, links, times, retries and conflicts, and what a faulty store cannot hide."""

from __future__ import annotations

import os
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import decode
from ledger.chain import genesis
from ledger.errors import ConflictError, IntegrityError, LedgerError, TransitionError
from ledger.events.life import RunDeleted
from ledger.events.notes import RunLabeled, RunTagged
from ledger.ids import LEDGER_STREAM, run_stream
from ledger.log import Ledger
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Header, NewEvent, Transaction
from ledger.verify import verify
from tests.kit import HEADER, NOON, ORIGIN, SECOND, append, happens, run_id, started, txn_id
from tests.ledger_kit import (
    ENDED,
    Hand,
    clock_fixture,  # noqa: F401 - a fixture
    ledger_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledger.rows import EventRow, TxnRow

# --- Appending --------------------------------------------------------------------------------------------------------


def test_numbers_are_dense_and_links_hold(ledger: Ledger) -> None:
    """Transactions, events and the events of each stream are numbered 1, 2, 3, and each hash is the next one's link."""
    for number in range(3):
        append(ledger, started(number), happens(number, ENDED), happens(0, RunLabeled(label=str(number))))
    with pytest.raises(LedgerError):
        append(ledger, happens(9, ENDED))
    append(ledger, happens(1, RunLabeled(label="x")))
    rows, events = list(ledger.store.transactions()), list(ledger.store.events())
    assert [row.seq for row in rows] == [row.origin_seq for row in rows] == [row.lamport for row in rows]
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.position for row in events] == list(range(1, 12))
    assert rows[0].prev_hash == genesis(ORIGIN)
    assert all(after.prev_hash == before.hash for before, after in pairwise(rows))
    for number, count in ((0, 5), (1, 3), (2, 2)):
        versions = [row.stream_version for row in events if row.stream == run_stream(run_id(number))]
        assert versions == list(range(1, count + 1))


@pytest.mark.parametrize("step", [-3600 * SECOND, -1, 0, 1, SECOND])
def test_time_strictly_grows_whatever_the_clock_does(ledger: Ledger, clock: Hand, step: int) -> None:
    """Runs are listed by start time: a clock that is set back, or stands still, must not reorder them."""
    times = []
    for number in range(4):
        clock.now += step
        times.append(append(ledger, started(number)).recorded_at)
    assert times == sorted(set(times))
    assert times[0] > NOON
    if step > 0:
        assert times == [NOON + step * count for count in (1, 2, 3, 4)]
    clock.now = NOON + 24 * 3600 * SECOND
    assert append(ledger, started(4)).recorded_at == clock.now


def test_a_header_keeps_who_did_it_and_how(ledger: Ledger) -> None:
    """Everything of the header comes back, undecodable arguments included, and absent parts are not stored."""
    header = Header(
        actor="änn",
        host="box",
        argv=("guild", "run", "x=\udcff"),
        cwd="/tmp/\udc80",  # noqa: S108 - only a text
        program="guild-ledger 9",
        reason="tidying up",
        undoes="ab" * 16,
    )
    done = ledger.append(Transaction(header, (started(1),)))
    plain = append(ledger, started(2))
    stored, without = ledger.store.txn(done.seq), ledger.store.txn(plain.seq)
    assert stored is not None
    assert without is not None
    assert Header.from_bytes(stored.header) == header
    assert Header.from_bytes(without.header) == HEADER
    held = decode(without.header or b"")
    assert isinstance(held, dict)
    assert held.keys() == {"actor", "host", "argv", "cwd", "program"}
    assert Header.from_bytes(None).reason == "redacted"


def test_a_transaction_without_events_is_refused(ledger: Ledger) -> None:
    """It would say that something was done, and not what."""
    with pytest.raises(LedgerError, match="at least one event"):
        append(ledger)
    assert ledger.store.head().seq == 1


def test_a_retry_is_recognised_after_reopening(ledger: Ledger) -> None:
    """The same id is never written twice, even when by now it would be refused; the stored result comes back."""
    append(ledger, started(1), happens(1, ENDED))
    deletion = Transaction(HEADER, (happens(1, RunDeleted()),), expected={run_stream(run_id(1)): 2}, txn_id=txn_id(7))
    first = ledger.append(deletion)
    append(ledger, started(2))
    for check in (_never, None):
        with closing(SqliteStore(ledger.store.place)) as store:
            again = Ledger(store).append(deletion, check=check)
        assert (first.repeated, again.repeated) == (False, True)
        assert again == type(first)(first.seq, first.txn_id, first.recorded_at, first.hash, repeated=True)
    assert ledger.store.head().seq == 4


def test_a_retry_of_what_could_be_appended_again_is_recognised(ledger: Ledger) -> None:
    """Its events may follow themselves, and yet they are there once."""
    append(ledger, started(1))
    label = Transaction(HEADER, (happens(1, RunLabeled("good")),), txn_id=txn_id(7))
    first, again = ledger.append(label), ledger.append(label)
    assert (first.repeated, again.repeated, first.seq, again.seq) == (False, True, 3, 3)
    assert ledger.store.head().seq == 3
    append(ledger, started(2))
    assert verify(ledger.store).problems == []


def test_writers_queue_for_each_change_and_leave_no_file_open(ledger: Ledger) -> None:
    """A store keeps the gate open but not locked, and closes it with the rest."""
    append(ledger, started(1))
    with closing(SqliteStore(ledger.store.place)) as store:
        append(Ledger(store), started(2))
        append(ledger, started(3))
        append(Ledger(store), started(4))
        opened = store._gate._descriptor
        assert os.fstat(opened).st_ino == os.stat(f"{ledger.store.place}-gate").st_ino
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)
    assert verify(ledger.store).problems == []


def test_a_check_that_refuses_leaves_nothing_and_lets_go_of_the_lock(ledger: Ledger) -> None:
    """What a caller checks inside the lock stops the transaction, and the next one goes on."""
    with pytest.raises(RuntimeError, match="called"):
        ledger.append(Transaction(HEADER, (started(1),)), check=_never)
    assert append(ledger, started(1)).seq == 2


def _never() -> None:
    raise RuntimeError("the check was called")


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_conflict_says_what_happened_meanwhile(ledger: Ledger, expected: int) -> None:
    """The message names the run, what was seen, what is there now and what came last."""
    append(ledger, started(1), happens(1, RunTagged(added=("t",))))
    stale = Transaction(HEADER, (happens(1, RunLabeled(label="x")),), expected={run_stream(run_id(1)): expected})
    with pytest.raises(ConflictError) as caught:
        ledger.append(stale)
    for part in (f"run {run_id(1)[:8]}", "now 2 events", f"{expected} when it was looked at", "the last: tagged"):
        assert part in caught.value.message
    assert "Nothing was changed" in str(caught.value.hint)
    assert ledger.store.head().seq == 2


def test_a_conflict_comes_before_a_refusal(ledger: Ledger) -> None:
    """Who comes second learns that somebody was quicker, not that the action makes no sense."""
    append(ledger, started(1), happens(1, ENDED))
    deletion = {"events": (happens(1, RunDeleted()),), "expected": {run_stream(run_id(1)): 2}}
    ledger.append(Transaction(HEADER, **deletion))  # type: ignore[arg-type]  # as written above
    with pytest.raises(ConflictError, match="the last: deleted"):
        ledger.append(Transaction(HEADER, **deletion))  # type: ignore[arg-type]  # as written above
    with pytest.raises(TransitionError, match="already deleted"):
        append(ledger, happens(1, RunDeleted()))


def test_a_stream_may_be_expected_without_being_written(ledger: Ledger) -> None:
    """A command can depend on a run that it does not change, and on one that must not exist."""
    append(ledger, started(1))
    watching = {run_stream(run_id(1)): 1, run_stream(run_id(8)): 0, LEDGER_STREAM: 1}
    ledger.append(Transaction(HEADER, (started(2),), expected=watching))
    append(ledger, happens(1, ENDED))
    with pytest.raises(ConflictError, match="the last: status changed"):
        ledger.append(Transaction(HEADER, (started(3),), expected=watching))
    with pytest.raises(ConflictError, match="the last: nothing"):
        ledger.append(Transaction(HEADER, (started(3),), expected={run_stream(run_id(8)): 1}))
    with pytest.raises(ConflictError, match="stream 'ledger' changed"):
        ledger.append(Transaction(HEADER, (started(3),), expected={LEDGER_STREAM: 0}))


Rows = tuple["TxnRow", list["EventRow"]]


class FaultyStore(SqliteStore):
    """A store that keeps something else than what it was given."""

    fault: Callable[[TxnRow, list[EventRow]], Rows]

    def insert(self, txn: TxnRow, events: Iterable[EventRow]) -> None:
        """Keep what the fault makes of it."""
        super().insert(*self.fault(txn, list(events)))


def _of_txn(**values: object) -> Callable[[TxnRow, list[EventRow]], Rows]:
    return lambda txn, events: (txn._replace(**values), events)  # type: ignore[arg-type]  # as the row has them


def _of_event(**values: object) -> Callable[[TxnRow, list[EventRow]], Rows]:
    return lambda txn, events: (txn, [events[0]._replace(**values), *events[1:]])  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    "fault",
    [
        _of_event(body=b"{}"),
        _of_event(body=b""),
        _of_event(body=None),
        _of_event(body_hash=bytes(32)),
        _of_event(body=b"{}", body_hash=bytes(32)),
        _of_event(type="run.marked"),
        _of_event(schema_version=9),
        _of_event(stream="run/" + "0" * 32),
        _of_event(stream_version=9),
        _of_event(position=99),
        _of_txn(header=b"{}"),
        _of_txn(header=None),
        _of_txn(header_hash=bytes(32)),
        _of_txn(recorded_at=NOON + 5),
        _of_txn(lamport=99),
        _of_txn(origin_seq=99),
        _of_txn(txn_id=bytes(16)),
        _of_txn(prev_hash=bytes(32)),
        _of_txn(hash=bytes(32)),
        lambda txn, events: (txn, events[:-1]),
        lambda txn, events: (txn, events[:0]),
        lambda txn, events: (txn, [*events[:-1], events[-1]._replace(position=99)]),
        lambda txn, events: (txn, [row._replace(position=row.position + 1) for row in events]),
        lambda txn, events: (txn, [*events, events[0]._replace(position=90, stream_version=90)]),
    ],
)
def test_what_the_database_did_not_keep_is_not_committed(
    ledger: Ledger, fault: Callable[[TxnRow, list[EventRow]], Rows]
) -> None:
    """Rows are read back and hashed before the commit: one altered value on the way, and nothing is recorded."""
    before = list(ledger.store.events())
    with closing(FaultyStore(ledger.store.place)) as store:
        store.fault = fault
        with pytest.raises(IntegrityError, match="did not keep") as caught:
            append(Ledger(store), started(1), happens(1, ENDED))
        assert "Nothing was recorded" in str(caught.value.hint)
        store.fault = lambda txn, events: (txn, events)
        append(Ledger(store), started(2))
    assert list(ledger.store.events())[:-1] == before
    assert verify(ledger.store).problems == []


def test_processes_append_side_by_side(ledger: Ledger) -> None:
    """Several processes at once: nothing is lost, nothing is refused, and the chain holds."""
    path = ledger.store.place
    children = [_in_child(path, number) for number in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert (ledger.store.head().seq, ledger.store.head().position) == (41, 41)
    assert verify(ledger.store).problems == []


def _in_child(path: str, number: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        other = Ledger(SqliteStore(path))
        for count in range(10):
            append(other, started(100 * number + count))
        code = 0
    finally:
        os._exit(code)


# --- Without the right to write ---------------------------------------------------------------------------------------


def test_an_event_of_the_ledger_itself_has_no_life_to_check(ledger: Ledger) -> None:
    """The stream `ledger` takes any event, in any order."""
    from ledger.events.book import LedgerAnchored

    append(ledger, NewEvent(LEDGER_STREAM, LedgerAnchored(seq=1, hash="00")), started(1))
    assert ledger.store.head().position == 3
