"""The past: the index as of a transaction is what the index was when that transaction was the last."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import GuildError, UsageError
from ledger.ids import TxnId
from ledger.log import Ledger
from ledger.transaction import Transaction
from projections import index as index_module
from projections.as_of import moment, replay, replay_on
from projections.comparing import first_difference
from projections.index import Index, open_index
from projections.query import Query, RunFilter, RunRow
from projections.time_ranges import TimeRangeError, moment_of
from tests.index_kit import fail_on
from tests.kit import HEADER, NOON, SECOND, append, happens, make_ledger, started
from tests.run_model import RELAXED, Action, Run, actions, apply_all, event_of

LISTINGS = (
    RunFilter(),
    RunFilter(place="deleted"),
    RunFilter(project="/p", cwd="/p", statuses=("running", "error")),
    RunFilter(labels=("t",)),
    RunFilter(tags=("t",)),
    RunFilter(expression="scalar:loss > 2"),
)
FEWER = settings(RELAXED, max_examples=40)
DAY = 86_400 * SECOND


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for the ledgers of all examples."""
    return tmp_path_factory.mktemp("ledgers")


def listings(index: Index) -> list[list[RunRow]]:
    """Return what an index lists, in several ways."""
    return [list(Query(index, wanted).rows()) for wanted in LISTINGS]


def copy_of(index: Index) -> Index:
    """Return a copy that stays as it is."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    index.db.backup(database)
    return Index(database, "copy")


def lived(folder: Path, wanted: list[list[Action]]) -> tuple[Ledger, list[Index]]:
    """Return a ledger in which what is allowed happened, and its live index as it was after each transaction."""
    ledger = make_ledger(folder)
    live = open_index(str(folder / "index"), ledger, fail_on)
    was, runs = [copy_of(live)], dict[int, Run]()
    for transaction in wanted:
        if (then := apply_all(runs, transaction, 0)) is not None:
            runs = then
            append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
            live.catch_up(ledger)
            was.append(copy_of(live))
    live.close()
    return ledger, was


@FEWER
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=1, max_size=12), st.integers(1, 7))
def test_the_past_is_what_the_present_was(area: Path, wanted: list[list[Action]], size: int) -> None:
    """As of every transaction: the same tables and the same listings as when it was the last, in any batches."""
    with tempfile.TemporaryDirectory(dir=area) as folder, pytest.MonkeyPatch.context() as patch:
        ledger, was = lived(Path(folder), wanted)
        patch.setattr(index_module, "BATCH", size)
        for seq, index in enumerate(was, 1):
            with closing(replay(ledger, moment(ledger, str(seq), NOON).end)) as past, closing(index):
                assert first_difference(past.db, index.db) is None
                assert listings(past) == listings(index)
        ledger.store.close()


@FEWER
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=4, max_size=15), st.data())
def test_a_past_can_be_carried_on_to_a_later_one(area: Path, wanted: list[list[Action]], data: st.DataObject) -> None:
    """From one moment to a later one is the same as from the beginning, and leaves the earlier one as it was."""
    with tempfile.TemporaryDirectory(dir=area) as folder:
        ledger, was = lived(Path(folder), wanted)
        first = data.draw(st.integers(1, len(was)))
        last = data.draw(st.integers(first, len(was)))
        with closing(replay(ledger, moment(ledger, str(first), NOON).end)) as early:
            with closing(replay_on(ledger, early, moment(ledger, str(last), NOON).end)) as late:
                assert first_difference(late.db, was[last - 1].db) is None
            assert first_difference(early.db, was[first - 1].db) is None
        for index in was:
            index.close()
        ledger.store.close()


@pytest.fixture(name="ledger")
def ledger_fixture(tmp_path: Path) -> Ledger:
    """Give a ledger of ten transactions, the first at noon, then one each hour."""
    times = iter(range(NOON + 3600 * SECOND, NOON + 2 * DAY, 3600 * SECOND))
    ledger = make_ledger(tmp_path, clock=lambda: next(times))
    for number in range(9):
        append(ledger, started(number))
    return ledger


def seq_of(ledger: Ledger, text: str, hours: float = 24) -> int:
    """Return the last transaction of a moment, said so many hours after noon."""
    return moment(ledger, text, NOON + int(hours * 3600 * SECOND)).end.seq


def iso(hours: int, **more: int) -> str:
    """Return a time so many hours after noon, in a zone that is named."""
    return (datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(hours=hours, **more)).isoformat()


def test_a_number_a_whole_id_and_the_beginning_of_one_name_the_same(ledger: Ledger) -> None:
    """A number is the transaction's; an id may be cut to six digits while no other begins so."""
    found = ledger.store.txn(4)
    assert found is not None
    name = found.txn_id.hex()
    others = [txn.txn_id.hex() for txn in ledger.store.transactions() if txn.seq != 4]
    short = next(name[:size] for size in range(6, 33) if not any(other.startswith(name[:size]) for other in others))
    assert [seq_of(ledger, text) for text in ("4", name, name.upper(), short)] == [4, 4, 4, 4]
    assert moment(ledger, "4", 0).now == NOON + 3 * 3600 * SECOND


@pytest.mark.parametrize(
    ("text", "seq"),
    [
        ("now", 10), ("today", 10), ("1 hour ago", 10), ("18 hours ago", 7), ("1080 minutes ago", 7),
        (iso(3), 4), (iso(3, seconds=-1), 3), (iso(3, minutes=59), 4), (iso(0), 1),
        ("2026-01-01T15:00Z", 4), ("2026-01-01 16:00:00+01:00", 4), ("2026-01", 10),
    ],
)  # fmt: skip
def test_a_time_means_all_up_to_and_including_it(ledger: Ledger, text: str, seq: int) -> None:
    """What was recorded at that very moment belongs to it, what came a second later does not."""
    assert seq_of(ledger, text) == seq


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "there is no transaction 0: the ledger holds 1 to 10"), ("11", "the ledger holds 1 to 10"),
        ("9" * 31, "the ledger holds 1 to 10"), ("20260101", "the ledger holds 1 to 10"),
        ("facade", "no transaction whose id begins with facade"), ("f" * 32, "no transaction whose id"),
        ("abcde", "'abcde' is no moment"), ("", "'' is no moment"), ("last 2 hours", "is no moment"),
        ("after 7-1", "is no moment"), ("2025", "the ledger holds 1 to 10"), ("2025-12", "before the ledger began"),
        (iso(0, seconds=-1), "before the ledger began"), ("300 years ago", "before the ledger began"),
        ("3000-01-01", "is still to come"), ("999999 years ago", "is no moment"), ("\udcff", "is no moment"),
    ],
)  # fmt: skip
def test_what_the_ledger_does_not_hold_is_refused(ledger: Ledger, text: str, said: str) -> None:
    """A number beyond its ends, an id of none, a time before it began or still to come: an error says what there is."""
    with pytest.raises(UsageError) as caught:
        seq_of(ledger, text)
    assert said in caught.value.message
    assert caught.value.hint


def test_the_beginning_of_several_ids_is_refused(tmp_path: Path) -> None:
    """Ids begin with the time: the first digits are those of every transaction of the same day."""
    ledger = make_ledger(tmp_path)
    for number in range(2):
        ledger.append(Transaction(HEADER, (started(number),), txn_id=TxnId(b"\xaa" * 15 + bytes([number]))))
    with pytest.raises(UsageError, match="the ids of 2 transactions begin with aaaaaa"):
        moment(ledger, "aaaaaa", NOON)
    assert moment(ledger, "aa" * 15 + "01", NOON).end.seq == 3


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("2026-01-01", NOON), ("now", NOON), ("12:00", NOON), ("11:59", NOON - 1),
        ("2 hours ago", NOON - 7200 * SECOND), ("yesterday", NOON - DAY // 2 - 1),
        ("2 days ago", NOON - 3 * DAY // 2 - 1),
        ("11:59:30", NOON - 29 * SECOND - 1), ("2025-12-31 10:00", NOON - DAY - 7140 * SECOND - 1),
    ],
)  # fmt: skip
def test_a_day_or_a_minute_ends_with_its_last_microsecond(text: str, then: int) -> None:
    """What is not over yet ends now; hours ago are counted to the microsecond."""
    assert moment_of(text, NOON, UTC) == then


def test_a_moment_that_is_still_to_come_is_refused() -> None:
    """One that has begun is none of them."""
    with pytest.raises(TimeRangeError, match="still to come"):
        moment_of("12:01", NOON, UTC)


def test_without_room_for_temporary_files_an_error_says_where_to_make_some(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of the past is not that of the home: nothing is rebuilt on its account."""

    def full(*_: object, **__: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("projections.rebuild.fold_all", full)
    with pytest.raises(GuildError, match="temporary file") as caught:
        replay(ledger, moment(ledger, "3", NOON).end)
    assert "SQLITE_TMPDIR" in str(caught.value.hint)
