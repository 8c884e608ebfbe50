"""What a ledger promises on every store, besides keeping rows: it is append-only, and the laws of the log hold."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ledger.errors import ConflictError, IntegrityError, LedgerError
from ledger.events.life import RunRestored
from ledger.events.notes import RunLabeled
from ledger.events.start import RunStarted
from ledger.format import TRIGGERS
from ledger.ids import RunId, TxnId, run_stream, system_clock
from ledger.log import Ledger
from ledger.opening import found_ledger
from ledger.store import Store
from ledger.transaction import Header, NewEvent, Transaction
from ledger.verify import verify
from tests.store_contract import Place, RefusedError, StoreContract, digest, event_row, filled, insert, txn_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.rows import EventRow, OriginRow, TxnRow

HEADER = Header(actor="ann", host="box", argv=("guild", "runs"), cwd="/home/ann", program="guild 1")
RUN = RunId("0123456789abcdef" * 2)


class LedgerContract(StoreContract):
    """The guards of the database and the laws of the log, and everything of the store contract."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE event SET type = 'run.deleted'",
            "UPDATE event SET body = body_hash",
            "UPDATE event SET body = NULL, stream_version = 7",
            "UPDATE event SET position = 7",
            "UPDATE txn SET recorded_at = 0",
            "UPDATE txn SET header = NULL, hash = prev_hash",
            "UPDATE origin SET head_seq = 0",
            "UPDATE origin SET head_seq = head_seq, label = 'x'",
            "UPDATE origin SET head_seq = head_seq + 1, origin_id = (SELECT txn_id FROM txn)",
            "DELETE FROM event",
            "DELETE FROM txn",
            "DELETE FROM origin",
        ],
    )
    def test_history_cannot_be_changed_past_the_program(self, place: Place, store: Store, statement: str) -> None:
        """The database itself refuses to change or delete, whoever asks."""
        insert(store, txn_row(1), [event_row(1, 1)])
        before = _everything(store)
        with pytest.raises(RefusedError, match="append-only"):
            place.raw(statement)
        assert _everything(store) == before

    @pytest.mark.parametrize(
        ("table", "columns"),
        [
            ("event", "1, txn_seq, origin_id, 'run/z', 9, 'forged', 1, body_hash, body"),
            ("event", "9, txn_seq, origin_id, stream, stream_version, 'forged', 1, body_hash, body"),
            ("txn", "1, origin_id, origin_id, 9, 0, 0, header_hash, header, prev_hash, hash"),
            ("txn", "9, txn_id, origin_id, 9, 0, 0, header_hash, header, prev_hash, hash"),
            ("txn", "9, origin_id, origin_id, origin_seq, 0, 0, header_hash, header, prev_hash, hash"),
            ("origin", "origin_id, 'forged', 0, head_hash"),
        ],
    )
    def test_history_cannot_be_replaced(self, place: Place, store: Store, table: str, columns: str) -> None:
        """Putting a row in the place of one with the same key is refused too, for every key."""
        insert(store, txn_row(1), [event_row(1, 1)])
        before = _everything(store)
        for statement in place.replacing(table, columns):
            with pytest.raises(RefusedError, match="append-only"):
                place.raw(statement)
            assert _everything(store) == before

    def test_a_secret_can_be_emptied_and_never_filled_again(self, place: Place, store: Store) -> None:
        """One body or header may become NULL with nothing else changed; putting anything there is refused."""
        filled(store, 2)
        place.raw("UPDATE event SET body = NULL WHERE position = 2")
        place.raw("UPDATE txn SET header = NULL WHERE seq = 2")
        assert [row.body is None for row in store.events()] == [False, True, False, False]
        assert store.txn(2) == txn_row(2, header=None)
        for statement in (
            "UPDATE event SET body = body_hash",
            "UPDATE event SET body = NULL WHERE position = 2",
        ):
            with pytest.raises(RefusedError, match="append-only"):
                place.raw(statement)

    def test_a_ledger_that_lost_its_own_origin_has_no_head(self, place: Place, store: Store) -> None:
        """Appending must not begin a second chain when the first one's head is gone."""
        place.raw(place.drop_guard("origin_no_delete"), "DELETE FROM origin")
        with pytest.raises(IntegrityError, match="origin"):
            store.head()

    @pytest.mark.parametrize("name", TRIGGERS)
    def test_a_guard_that_was_taken_away_is_named(self, place: Place, store: Store, name: str) -> None:
        """Verification can tell which guard is missing."""
        assert store.missing_guards() == []
        place.raw(place.drop_guard(name))
        assert store.missing_guards() == [name]

    def test_a_ledger_that_is_appended_to_verifies(self, place: Place) -> None:
        """Founding and appending through the log give a chain that holds."""
        with closing(place.open()) as store:
            ledger = founded(store)
            lived(ledger)
            report = verify(store)
            assert (report.problems, report.transactions, report.events) == ([], 5, 8)
            assert report.head_hash == store.head().hash.hex()

    def test_a_transaction_that_is_appended_twice_is_written_once(self, place: Place) -> None:
        """A retry after an unknown outcome returns what the first try stored."""
        with closing(place.open()) as store:
            ledger = founded(store)
            transaction = Transaction(HEADER, (started(),))
            first, second = ledger.append(transaction), ledger.append(transaction)
            assert (first.repeated, second.repeated) == (False, True)
            assert (second.seq, second.hash, second.recorded_at) == (first.seq, first.hash, first.recorded_at)
            assert store.head().seq == 2

    def test_a_stream_that_grew_meanwhile_is_a_conflict(self, place: Place) -> None:
        """Of two commands that both saw one event, the second is refused and leaves nothing."""
        with closing(place.open()) as store, closing(place.open()) as other:
            ledger = founded(store)
            ledger.append(Transaction(HEADER, (started(),)))
            stale = Transaction(HEADER, (labeled("late"),), expected={run_stream(RUN): 1})
            Ledger(other).append(Transaction(HEADER, (labeled("early"),), expected={run_stream(RUN): 1}))
            with pytest.raises(ConflictError):
                ledger.append(stale)
            assert (store.head().seq, verify(store).problems) == (3, [])

    def test_a_transaction_is_refused_as_a_whole(self, place: Place) -> None:
        """When the last event cannot follow, or the caller's check says no, nothing is there."""
        with closing(place.open()) as store:
            ledger = founded(store)
            impossible = (started(), NewEvent(run_stream(RUN), RunRestored()))
            with pytest.raises(LedgerError):
                ledger.append(Transaction(HEADER, impossible))
            with pytest.raises(ZeroDivisionError):
                ledger.append(Transaction(HEADER, (started(),)), check=_divide_by_zero)
            assert (store.head().seq, verify(store).problems) == (1, [])

    @pytest.mark.parametrize(
        "statements",
        [
            ("UPDATE event SET body = body_hash WHERE position = 2",),
            ("UPDATE event SET type = 'run.tagged' WHERE position = 2",),
            ("UPDATE event SET stream_version = 50 WHERE position = 2",),
            ("UPDATE event SET position = 50 WHERE position = 8",),
            ("UPDATE event SET body = NULL WHERE position = 3",),
            ("UPDATE txn SET recorded_at = recorded_at + 1 WHERE seq = 2",),
            ("UPDATE txn SET lamport = 50 WHERE seq = 5",),
            ("UPDATE txn SET header = header_hash WHERE seq = 3",),
            ("UPDATE origin SET head_seq = 4",),
            ("DELETE FROM event WHERE position = 8",),
            ("DELETE FROM event WHERE txn_seq = 5", "DELETE FROM txn WHERE seq = 5"),
        ],
    )
    def test_tampering_is_found(self, place: Place, statements: Iterable[str]) -> None:
        """Once the guards are out of the way any change of history shows in the chain."""
        with closing(place.open()) as store:
            lived(founded(store))
            place.raw(*map(place.drop_guard, TRIGGERS))
            untouched = {(problem.where, problem.what) for problem in verify(store).problems}
            assert len(untouched) == len(TRIGGERS)
            place.raw(*statements)
            found = {(problem.where, problem.what) for problem in verify(store).problems}
            assert found - untouched


def founded(store: Store) -> Ledger:
    """Make a new ledger in an empty store."""
    found_ledger(store, HEADER, system_clock)
    return Ledger(store)


def lived(ledger: Ledger) -> None:
    """Append four transactions, always the same ones, with seven events."""
    other = run_stream(RunId("f" * 32))
    begun = NewEvent(other, started().event)
    several = (
        (started(), labeled("a")),
        (begun, NewEvent(other, RunLabeled(label="b"))),
        (labeled("c"),),
        (labeled("d"), NewEvent(other, RunLabeled(label=None))),
    )
    for number, events in enumerate(several):
        ledger.append(Transaction(HEADER, events, txn_id=TxnId(digest(number)[:16])))


def started() -> NewEvent:
    """Return the event that begins the run `RUN`."""
    event = RunStarted(
        project="/home/ann/iris",
        package=None,
        model="iris",
        operation="train",
        command=("python",),
        flags={"lr": 0.1},
    )
    return NewEvent(run_stream(RUN), event)


def labeled(label: str) -> NewEvent:
    """Return the event that labels the run `RUN`."""
    return NewEvent(run_stream(RUN), RunLabeled(label=label))


def _divide_by_zero() -> None:
    _ = 1 // 0


def _everything(store: Store) -> tuple[list[TxnRow], list[EventRow], list[OriginRow]]:
    return list(store.transactions()), list(store.events()), store.origins()
