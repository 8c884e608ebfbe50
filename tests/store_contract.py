"""What every store must do, whatever database is below it: an abstract class that each store's tests inherit.

A subclass gives the fixture `place`, a new database with the ledger's tables and no row in them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256

import pytest

from ledger.chain import genesis
from ledger.errors import LedgerError
from ledger.rows import EventRow, Head, OriginRow, TimedEvent, TxnRow
from ledger.store import Store

OWN, OTHER = bytes(range(16)), bytes(range(16, 32))


class RefusedError(Exception):
    """The database refused a statement."""


class Place(ABC):
    """A database for one test."""

    @abstractmethod
    def open(self) -> Store:
        """Return a new store on the database; the test closes it."""

    @abstractmethod
    def raw(self, *statements: str) -> None:
        """Run and commit statements past the store, as another program would.

        Raises:
            RefusedError: the database refused it.
        """

    @abstractmethod
    def replacing(self, table: str, columns: str) -> list[str]:
        """Return statements that insert a colliding row: `columns`, made from the one row of `table`."""

    @abstractmethod
    def drop_guard(self, name: str) -> str:
        """Return the statement that takes a guard away."""


def digest(number: int) -> bytes:
    """Return 32 bytes that are different for each number."""
    return sha256(str(number).encode()).digest()


def txn_row(seq: int, *, origin_id: bytes = OWN, header: bytes | None = b"{}") -> TxnRow:
    """Return a transaction row whose every value tells which one it is."""
    return TxnRow(
        seq=seq,
        txn_id=digest(seq)[:16],
        origin_id=origin_id,
        origin_seq=seq,
        recorded_at=1_700_000_000_000_000 + seq,
        lamport=seq + 100,
        header_hash=digest(seq + 1000),
        header=header,
        prev_hash=digest(seq - 1),
        hash=digest(seq),
    )


def event_row(position: int, txn_seq: int, stream: str = "run/x", version: int | None = None) -> EventRow:
    """Return an event row whose every value tells which one it is."""
    return EventRow(
        position=position,
        txn_seq=txn_seq,
        origin_id=OWN,
        stream=stream,
        stream_version=position if version is None else version,
        type="run.tagged",
        schema_version=1,
        body_hash=digest(position + 2000),
        body=b'{"number":%d}' % position,
    )


def identify(store: Store) -> None:
    """Write the identity of a ledger with the origin `OWN`."""
    with store.writing():
        store.insert_meta("origin_id", OWN.hex())
        store.insert_meta("ledger_id", "ab" * 16)
        store.insert_origin(OriginRow(OWN, "box", 0, genesis(OWN)))


def insert(store: Store, txn: TxnRow, events: Sequence[EventRow]) -> None:
    """Insert one transaction in a transaction of its own."""
    with store.writing():
        store.insert(txn, events)


def append_next(store: Store) -> None:
    """Append a transaction with two events after the head, as the log does, only without hashing."""
    with store.writing():
        head = store.head()
        txn = txn_row(head.seq + 1)
        store.insert(txn, [event_row(head.position + 1, txn.seq), event_row(head.position + 2, txn.seq)])


def filled(store: Store, transactions: int) -> None:
    """Insert transactions with two events each."""
    with store.writing():
        for seq in range(1, transactions + 1):
            store.insert(txn_row(seq), [event_row(2 * seq - 1, seq), event_row(2 * seq, seq)])


class StoreContract:
    """The port's promises on rows; each subclass has a fixture `place` that gives a new database of its kind."""

    @pytest.fixture
    def store(self, place: Place) -> Iterator[Store]:
        """Give a store with an identity, its own origin and no transaction."""
        with closing(place.open()) as store:
            identify(store)
            yield store

    def test_an_empty_ledger_ends_at_its_genesis(self, store: Store) -> None:
        """The first transaction is chained from the origin's genesis and numbered one."""
        assert store.head() == Head(0, 0, 0, 0, 0, genesis(OWN))

    def test_an_empty_ledger_reads_as_nothing(self, store: Store) -> None:
        """Reading where there is nothing gives None and empty sequences, not errors."""
        assert (store.txn(1), store.find_txn(bytes(16)), store.txn_events(1)) == (None, None, [])
        assert (store.stream_events(["run/x"]), store.stream_events([])) == ([], [])
        assert [*store.transactions(), *store.events(), *store.timed_events()] == []

    def test_the_identity_is_kept(self, place: Place, store: Store) -> None:
        """What was inserted into `meta` and `origin` is read by every later opening."""
        with closing(place.open()) as again:
            assert again.meta() == store.meta() == {"origin_id": OWN.hex(), "ledger_id": "ab" * 16}
            assert again.origins() == [OriginRow(OWN, "box", 0, genesis(OWN))]

    def test_rows_come_back_as_they_were_inserted(self, store: Store) -> None:
        """Every reading method returns the same rows, as the row types of the port, bytes as bytes."""
        txn, events = txn_row(1), [event_row(1, 1, "run/a"), event_row(2, 1, "run/b")]
        insert(store, txn, events)
        for found in (store.txn(1), store.find_txn(txn.txn_id), *store.transactions()):
            assert found == txn
            assert _types(found) == _types(txn)
        for several in (store.txn_events(1), store.stream_events(["run/b", "run/a"]), list(store.events())):
            assert several == events
            assert [_types(row) for row in several] == [_types(row) for row in events]

    def test_a_timed_event_has_the_time_of_its_transaction(self, store: Store) -> None:
        """A projection gets each event with when it was recorded, after a position, in order."""
        filled(store, 3)
        timed = list(store.timed_events(after=2))
        assert [row.position for row in timed] == [3, 4, 5, 6]
        expected = event_row(3, 2)
        assert timed[0] == TimedEvent(
            3,
            2,
            txn_row(2).recorded_at,
            expected.stream,
            expected.type,
            expected.schema_version,
            expected.body,
        )
        assert _types(timed[0]) == (TimedEvent, [int, int, int, str, str, int, bytes])

    @pytest.mark.parametrize(
        "body", [None, b"", bytes(range(256)), b"x" * 1_000_000], ids=["none", "empty", "all", "big"]
    )
    def test_any_bytes_are_kept(self, store: Store, body: bytes | None) -> None:
        """Headers and bodies are bytes, not text, and may have been redacted elsewhere."""
        insert(store, txn_row(1, header=body), [event_row(1, 1)._replace(body=body)])
        assert store.txn(1) == txn_row(1, header=body)
        assert [row.body for row in store.events()] == [body]

    def test_text_is_kept_whatever_its_letters(self, place: Place, store: Store) -> None:
        """Names of streams and hosts are Unicode."""
        with store.writing():
            store.insert_origin(OriginRow(OTHER, "Rechner-ü-机", 0, genesis(OTHER)))
        insert(store, txn_row(1), [event_row(1, 1, "run/ñ-试验-\U0001f9ea")])
        with closing(place.open()) as again:
            assert [row.label for row in again.origins()] == ["box", "Rechner-ü-机"]
            assert [row.position for row in again.stream_events(["run/ñ-试验-\U0001f9ea"])] == [1]

    def test_listings_begin_after_a_place_and_run_both_ways(self, store: Store) -> None:
        """`after` is exclusive and `newest_first` only turns the order round."""
        filled(store, 5)
        assert [row.seq for row in store.transactions(after=3)] == [4, 5]
        assert [row.seq for row in store.transactions(after=3, newest_first=True)] == [5, 4]
        assert [row.position for row in store.events(after=7)] == [8, 9, 10]
        assert [row.position for row in store.events(after=7, newest_first=True)] == [10, 9, 8]

    def test_transactions_are_found_by_the_types_of_their_events(self, store: Store) -> None:
        """Newest first, each once however many of its events match; unknown types find nothing."""
        for seq in (1, 2, 3):
            rows = [event_row(2 * seq - 1, seq)._replace(type="run.a"), event_row(2 * seq, seq)._replace(type="run.b")]
            insert(store, txn_row(seq), rows if seq != 2 else rows[:1])
        with store.reading():
            found = [
                list(store.seqs_of_types(frozenset(types))) for types in (["run.a"], ["run.b"], ["run.a", "run.b"])
            ]
            assert list(store.seqs_of_types(frozenset(["run.c"]))) == []
        assert found == [[3, 2, 1], [3, 1], [3, 2, 1]]

    def test_long_listings_are_whole_and_can_be_read_side_by_side(self, store: Store) -> None:
        """A listing longer than a page loses nothing, even while another one and single rows are read."""
        insert(store, txn_row(1), [event_row(position, 1) for position in range(1, 2301)])
        with store.reading():
            timed = store.timed_events()
            for event in store.events():
                assert next(timed).position == event.position
                if event.position % 1000 == 0:
                    assert store.txn(1) == txn_row(1)
            assert (next(timed, None), event.position) == (None, 2300)

    def test_a_listing_may_be_left_half_read(self, store: Store) -> None:
        """The first rows of a long listing can be taken and the rest dropped."""
        insert(store, txn_row(1), [event_row(position, 1) for position in range(1, 2301)])
        assert next(store.events(newest_first=True)).position == 2300
        listing = store.events()
        assert next(listing).position == 1
        append_next(store)
        assert store.head().seq == 2

    def test_events_of_many_streams_come_in_order_of_position(self, store: Store) -> None:
        """More streams than a statement takes parameters are read in one order, each event once."""
        names = [f"run/{number:04}" for number in range(1200)]
        insert(store, txn_row(1), [event_row(n + 1, 1, name, 1) for n, name in enumerate(reversed(names))])
        insert(store, txn_row(2), [event_row(n + 1201, 2, name, 2) for n, name in enumerate(names)])
        found = store.stream_events([*names[1:], *names[1:]])
        assert [row.position for row in found] == [p for p in range(1, 2401) if p not in (1200, 1201)]

    def test_streams_are_found_by_the_beginning_of_their_name(self, store: Store) -> None:
        """Those of runs whose id begins so, each once, in order, no more than asked for."""
        ids = ["97a0", "97af", "97", "98", "9", "a7", "f7ff"]
        names = [f"run/{digits:0<32}" for digits in ids]
        rows = [event_row(number, 1, name) for number, name in enumerate(names, 1)]
        rows += [event_row(len(names) + 1, 1, names[0], 2), event_row(len(names) + 2, 1, "ledger")]
        insert(store, txn_row(1), rows)
        assert store.streams("run/97", 9) == sorted(names[:3])
        assert store.streams("run/97", 2) == sorted(names[:3])[:2]
        assert store.streams("run/", 99) == sorted(names)
        assert (store.streams("run/f7ff0", 9), store.streams("run/b", 9)) == (names[-1:], [])

    def test_the_head_is_the_newest_row_of_any_origin_and_the_own_chain(self, store: Store) -> None:
        """Numbers and times go on from the newest row, the chain from the own last transaction."""
        insert(store, txn_row(1), [event_row(1, 1)])
        with store.writing():
            store.insert_origin(OriginRow(OTHER, "elsewhere", 0, genesis(OTHER)))
            store.insert(txn_row(2, origin_id=OTHER), [event_row(2, 2)._replace(origin_id=OTHER)])
        newest = txn_row(2)
        assert store.head() == Head(2, 2, newest.recorded_at, newest.lamport, 1, txn_row(1).hash)
        assert [(row.origin_id, row.head_seq, row.head_hash) for row in store.origins()] == [
            (OWN, 1, txn_row(1).hash),
            (OTHER, 2, newest.hash),
        ]

    @pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), LedgerError("no")])
    def test_an_error_while_writing_leaves_nothing(self, store: Store, error: BaseException) -> None:
        """What was inserted before an error inside `writing` is taken back, and writing can go on."""

        def write_half() -> None:
            with store.writing():
                store.insert(txn_row(1), [event_row(1, 1)])
                store.insert_meta("half", "done")
                assert (store.head().seq, store.meta()["half"]) == (1, "done")
                raise error

        with pytest.raises(type(error)):
            write_half()
        assert store.head() == Head(0, 0, 0, 0, 0, genesis(OWN))
        assert "half" not in store.meta()
        append_next(store)
        assert store.head().seq == 1

    def test_nothing_is_written_without_the_write_lock(self, store: Store) -> None:
        """An insertion outside `writing` is refused: it would be neither atomic nor in order."""
        with pytest.raises(LedgerError):
            store.insert(txn_row(1), [event_row(1, 1)])
        with pytest.raises(LedgerError):
            store.insert_origin(OriginRow(OTHER, "elsewhere", 0, genesis(OTHER)))
        with pytest.raises(LedgerError):
            store.insert_meta("key", "value")
        with pytest.raises(LedgerError), store.reading():
            store.insert(txn_row(1), [event_row(1, 1)])
        assert (store.head().seq, len(store.origins())) == (0, 1)

    @pytest.mark.parametrize(
        ("txn", "event"),
        [
            (txn_row(1)._replace(txn_id=bytes(16), origin_seq=9), event_row(9, 1)),
            (txn_row(9)._replace(txn_id=txn_row(1).txn_id), event_row(9, 9)),
            (txn_row(9)._replace(origin_seq=1), event_row(9, 9)),
            (txn_row(9), event_row(1, 9, version=9)),
            (txn_row(9), event_row(9, 9, version=1)),
        ],
        ids=["seq", "txn_id", "origin_seq", "position", "stream_version"],
    )
    def test_what_is_there_is_not_written_twice(self, store: Store, txn: TxnRow, event: EventRow) -> None:
        """A row that repeats a key of another is refused, and the other stays as it was."""
        insert(store, txn_row(1), [event_row(1, 1)])
        with pytest.raises(LedgerError):
            insert(store, txn, [event])
        assert (list(store.transactions()), list(store.events())) == ([txn_row(1)], [event_row(1, 1)])

    @pytest.mark.parametrize(
        ("txn", "event"),
        [
            (txn_row(1)._replace(hash=bytes(31)), event_row(1, 1)),
            (txn_row(1)._replace(txn_id=bytes(17)), event_row(1, 1)),
            (txn_row(1)._replace(origin_seq=0), event_row(1, 1)),
            (txn_row(1)._replace(origin_id=OTHER), event_row(1, 1)),
            (txn_row(1), event_row(1, 2)),
            (txn_row(1), event_row(1, 1, version=0)),
            (txn_row(1), event_row(1, 1)._replace(body_hash=b"")),
        ],
        ids=["hash", "txn_id", "origin_seq", "unknown origin", "unknown txn", "stream_version", "body_hash"],
    )
    def test_a_row_that_cannot_be_right_is_refused(self, store: Store, txn: TxnRow, event: EventRow) -> None:
        """Lengths, lower limits and references are checked by the database as well."""
        with pytest.raises(LedgerError):
            insert(store, txn, [event])
        assert store.head().seq == 0

    def test_what_is_read_together_is_of_one_moment(self, place: Place, store: Store) -> None:
        """Inside `reading` a transaction that another program commits meanwhile is not seen."""
        append_next(store)
        with closing(place.open()) as other, store.reading():
            assert store.head().seq == 1
            append_next(other)
            assert (store.head().seq, len(list(store.events())), store.txn(2)) == (1, 2, None)
        assert (store.head().seq, len(list(store.events()))) == (2, 4)

    def test_writers_take_turns(self, place: Place, store: Store) -> None:
        """Each writer sees everything that the ones before it committed: numbers stay dense."""

        def write() -> None:
            with closing(place.open()) as own:
                for _ in range(5):
                    append_next(own)

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [row.seq for row in store.transactions()] == list(range(1, 21))
        assert [(row.position, row.txn_seq) for row in store.events()] == [(p, (p + 1) // 2) for p in range(1, 41)]

    def test_plain_tuples_are_the_rows(self, store: Store) -> None:
        """What verification reads, because it is quicker, is what everybody else reads."""
        filled(store, 3)
        for after in (0, 1, 2, 9):
            with store.reading():
                transactions, events = list(store.txn_tuples(after)), list(store.event_tuples(after))
            assert transactions == list(store.transactions(after))
            assert events == list(store.events(after))
            assert {type(row) for row in (*transactions, *events)} <= {tuple}

    def test_bodies_and_headers_are_emptied_together_and_once(self, store: Store) -> None:
        """Only with the write lock; what else a row says stays; and a second time the guards refuse it."""
        filled(store, 2)
        before = list(store.events()), list(store.transactions())
        with pytest.raises(LedgerError):
            store.empty([1], [])
        with store.writing():
            store.empty([2, 3], [1])
        after = list(store.events()), list(store.transactions())
        assert after[0] == [row._replace(body=None) if row.position in (2, 3) else row for row in before[0]]
        assert after[1] == [row._replace(header=None) if row.seq == 1 else row for row in before[1]]
        store.wipe()
        with pytest.raises(LedgerError), store.writing():
            store.empty([1, 2], [])
        assert (list(store.events()), list(store.transactions())) == after

    def test_a_sound_database_has_nothing_to_report(self, store: Store) -> None:
        """The engine's own check finds nothing in a ledger that was only written to."""
        filled(store, 10)
        assert store.check_file() == []

    def test_a_transaction_inside_another_is_refused(self, store: Store) -> None:
        """The inner one could neither be atomic nor be rolled back."""
        with store.writing(), pytest.raises(LedgerError, match="inside"), store.writing():
            pass
        with store.reading(), pytest.raises(LedgerError, match="inside"), store.writing():
            pass


def _types(row: Sequence[object] | None) -> tuple[type, list[type]]:
    assert row is not None
    return type(row), [type(value) for value in row]
