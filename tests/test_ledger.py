"""The log on the embedded store: numbering, time, retries, conflicts, proof before commit; and opening it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import decode
from ledger.chain import genesis
from ledger.errors import (
    ConflictError,
    GuildError,
    IntegrityError,
    LedgerError,
    LedgerTooNewError,
    TransitionError,
)
from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunLabeled, RunTagged
from ledger.format import FORMAT, REVISION
from ledger.ids import LEDGER_STREAM, run_stream
from ledger.log import Ledger
from ledger.opening import open_sqlite
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Header, NewEvent, Transaction
from ledger.verify import verify
from tests.kit import (
    HEADER,
    LEDGER_ID,
    NOON,
    ORIGIN,
    SECOND,
    Ticking,
    append,
    as_nobody,
    blank_ledger,
    happens,
    make_ledger,
    public_folder,
    run_id,
    started,
    txn_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ledger.rows import EventRow, TxnRow

ENDED = RunStatusChanged(status="completed", exit_status=0)


class Hand:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Return the time that was set."""
        return self.now


@pytest.fixture
def clock() -> Hand:
    """Give a clock that stands still until it is set."""
    return Hand()


@pytest.fixture
def ledger(tmp_path: Path, clock: Hand) -> Iterator[Ledger]:
    """Give a new ledger."""
    made = make_ledger(tmp_path, clock)
    yield made
    made.store.close()


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
    with closing(SqliteStore(ledger.store.place)) as store:
        again = Ledger(store).append(deletion, check=_never)
    assert (first.repeated, again.repeated) == (False, True)
    assert again == type(first)(first.seq, first.txn_id, first.recorded_at, first.hash, repeated=True)
    assert ledger.store.head().seq == 4


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


# --- Opening ----------------------------------------------------------------------------------------------------------


def test_the_first_opening_makes_a_private_complete_ledger(tmp_path: Path) -> None:
    """It has its identity, one transaction that says who made it, nothing else beside it, and verifies."""
    path = tmp_path / "ledger.db"
    with closing(open_sqlite(str(path), HEADER, clock=Ticking()).store) as store:
        meta = store.meta()
        first = store.txn(1)
        event = store.txn_events(1)[0]
        assert verify(store).problems == []
    assert meta.keys() == {"ledger_id", "origin_id", "format", "created_at"}
    assert meta["format"] == str(FORMAT)
    assert first is not None
    assert Header.from_bytes(first.header) == HEADER
    assert (event.type, event.stream) == ("ledger.created", "ledger")
    assert decode(event.body or b"") == {"ledger_id": meta["ledger_id"], "format": FORMAT}
    assert first.recorded_at == int(meta["created_at"])
    assert {entry.name for entry in tmp_path.iterdir()} == {"ledger.db", "ledger.db-gate"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_ledgers_have_nothing_in_common(tmp_path: Path) -> None:
    """Each has an id and an origin of its own; opening again makes nothing anew."""
    seen = []
    for name in ("a", "b", "a"):
        with closing(open_sqlite(str(tmp_path / name), HEADER).store) as store:
            seen.append(store.meta())
            assert store.head().seq == 1
    assert seen[0] == seen[2]
    assert not set(seen[0].values()) & set(seen[1].values()) - {str(FORMAT)}


def test_an_old_ledger_is_opened_as_it_is(tmp_path: Path) -> None:
    """What was written stays, and writing goes on where it ended."""
    made = make_ledger(tmp_path)
    append(made, started(1))
    made.store.close()
    opened = open_sqlite(made.store.place, HEADER)
    assert (opened.ledger_id, opened.origin_id) == (LEDGER_ID, ORIGIN)
    append(opened, happens(1, ENDED))
    assert (opened.store.head().seq, verify(opened.store).problems) == (3, [])
    opened.store.close()


def _refused(path: Path, kind: type[GuildError], says: str) -> GuildError:
    """Open what must be refused, twice, and return the error: the second time it must be the same."""
    errors = []
    for _ in range(2):
        with pytest.raises(kind, match=says) as caught:
            open_sqlite(str(path), HEADER)
        errors.append(caught.value)
    assert errors[0].message == errors[1].message
    assert errors[0].hint
    return errors[0]


def _altered(folder: Path, *statements: str) -> Path:
    path = folder / "ledger.db"
    path.write_bytes(blank_ledger())
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)
    return path


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", f"newer program.*revision 9999.*knows {REVISION}"),
        ("UPDATE meta SET value = '2' WHERE key = 'format'", "has format 2; this program knows 1"),
        ("UPDATE meta SET value = '1.5' WHERE key = 'format'", "has format 1.5"),
    ],
)
def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path, statement: str, says: str) -> None:
    """The message says what to update; nothing of the file changes."""
    path = _altered(tmp_path, statement)
    before = path.read_bytes()
    error = _refused(path, LedgerTooNewError, says)
    assert error.exit_code == 1
    assert "Update guild-ledger" in str(error.hint)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "DELETE FROM meta WHERE key = 'format'",
        "DELETE FROM meta WHERE key = 'origin_id'",
        "UPDATE meta SET value = 'no digits' WHERE key = 'origin_id'",
        "UPDATE meta SET value = 'ABC' WHERE key = 'ledger_id'",
        "DROP TABLE meta",
    ],
)
def test_a_file_that_lost_its_identity_is_no_ledger(tmp_path: Path, statement: str) -> None:
    """It is an integrity error, and nothing is made in the place of what is missing."""
    path = _altered(tmp_path, statement)
    before = path.read_bytes()
    assert _refused(path, IntegrityError, "no ledger|damaged").exit_code == 3
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"not a database\n" * 500, bytes(5000), blank_ledger()[:100]])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Garbage and an empty file are damage, never a reason to begin anew."""
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    assert _refused(path, IntegrityError, "no ledger").exit_code == 3
    assert path.read_bytes() == content


def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A sound SQLite file that is no ledger stays as it is."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE something (x)")
    before = path.read_bytes()
    _refused(path, IntegrityError, "no ledger")
    assert path.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """The message says that it is a folder; what is in it stays."""
    (tmp_path / "ledger.db").mkdir()
    (tmp_path / "ledger.db" / "kept").touch()
    _refused(tmp_path / "ledger.db", IntegrityError, "is a folder, no ledger")
    assert (tmp_path / "ledger.db" / "kept").exists()


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    """The disk that a linked ledger is on may only be unplugged: nothing is made at its end."""
    (tmp_path / "ledger.db").symlink_to(tmp_path / "elsewhere" / "ledger.db")
    _refused(tmp_path / "ledger.db", LedgerError, "cannot open")
    assert not (tmp_path / "elsewhere").exists()


def test_a_ledger_that_is_gone_is_not_made_anew_while_something_remembers_it(tmp_path: Path) -> None:
    """With an index still there the ledger was lost; the message says how to begin anew on purpose."""
    with pytest.raises(IntegrityError, match="is gone") as caught:
        open_sqlite(str(tmp_path / "ledger.db"), HEADER, witnesses=lambda: True)
    assert "begin anew on purpose" in str(caught.value.hint)
    assert {entry.name for entry in tmp_path.iterdir()} <= {"ledger.db-gate"}


def test_every_truncation_is_found(tmp_path: Path) -> None:
    """Cut off anywhere, the file is refused or does not verify, and it is left as it was."""
    made = make_ledger(tmp_path)
    for number in range(3):
        append(made, started(number))
    made.store.close()
    path = tmp_path / "ledger.db"
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 1531), len(whole) - 4096, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert _broken(path), f"cut off after {length} of {len(whole)} bytes"
        assert path.read_bytes() == whole[:length]


def _broken(path: Path) -> bool:
    """Tell whether opening or verifying finds something; anything but the ledger's own errors is a failure."""
    try:
        ledger = open_sqlite(str(path), HEADER)
    except GuildError:
        return True
    try:
        return verify(ledger.store).problems != []
    except GuildError:
        return True
    finally:
        ledger.store.close()


# --- Without the right to write ---------------------------------------------------------------------------------------


def test_a_read_only_home_is_read_and_not_written(tmp_path: Path) -> None:
    """Everything can be read and verified; an append says that the place is read-only."""
    del tmp_path
    with public_folder() as home:
        made = make_ledger(home)
        append(made, started(1))
        made.store.close()
        (home / "ledger.db").chmod(0o444)
        home.chmod(0o555)
        assert as_nobody(lambda: _read_only(home)) == "2 transactions, sound; LedgerError: is read-only"
        home.chmod(0o755)
        assert {entry.name for entry in home.iterdir()} <= {"ledger.db", "ledger.db-gate"}


def _read_only(home: Path) -> str:
    ledger = open_sqlite(str(home / "ledger.db"), HEADER)
    report = verify(ledger.store)
    state = "broken" if report.problems else "sound"
    try:
        append(ledger, started(2))
    except LedgerError as error:
        return f"{report.transactions} transactions, {state}; LedgerError: {error.message.split(' ', 1)[1]}"
    return "written"


def test_a_read_only_home_with_unfinished_business_says_so(tmp_path: Path) -> None:
    """Rows that are only in the WAL would be missed in silence: they are asked for instead."""
    del tmp_path
    with public_folder() as home:
        made = make_ledger(home)
        append(made, started(1))  # not closed: its rows are still in the WAL
        for entry in home.iterdir():
            entry.chmod(0o444)
        home.chmod(0o555)
        assert "unfinished business" in as_nobody(lambda: _read_only(home))
        home.chmod(0o755)
        made.store.close()


def test_a_home_in_which_nothing_can_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """Neither the folder's owner nor its rights are guessed at."""
    del tmp_path
    with public_folder() as home:
        home.chmod(0o555)
        told = as_nobody(lambda: str(open_sqlite(str(home / "ledger.db"), HEADER)))
        assert told.startswith("LedgerError: cannot write in")
        home.chmod(0o755)
        assert list(home.iterdir()) == []


def test_a_ledger_that_may_not_be_read_is_a_clear_error(tmp_path: Path) -> None:
    """Somebody else's private ledger."""
    del tmp_path
    with public_folder() as home:
        make_ledger(home).store.close()
        (home / "ledger.db").chmod(0o000)
        assert as_nobody(lambda: str(open_sqlite(str(home / "ledger.db"), HEADER))).startswith("LedgerError: cannot")


def test_an_event_of_the_ledger_itself_has_no_life_to_check(ledger: Ledger) -> None:
    """The stream `ledger` takes any event, in any order."""
    from ledger.events.book import LedgerAnchored

    append(ledger, NewEvent(LEDGER_STREAM, LedgerAnchored(seq=1, hash="00")), started(1))
    assert ledger.store.head().position == 3
