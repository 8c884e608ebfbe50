"""Verifying a ledger: no value, row, guard or redaction can be altered without being found."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.chain import digest, genesis, txn_hash
from ledger.errors import GuildError
from ledger.events.book import LedgerRedacted
from ledger.events.notes import RunLabeled
from ledger.format import TRIGGERS
from ledger.guards import sqlite_guards
from ledger.ids import LEDGER_STREAM, Stream, run_stream
from ledger.opening import open_existing
from ledger.sqlite_store import SqliteStore
from ledger.transaction import NewEvent
from ledger.verify import MOST_PROBLEMS, Problem, verify
from tests.kit import ORIGIN, append, happens, make_ledger, run_id, started
from tests.verify_kit import (
    contents,
    lived_in_fixture,  # noqa: F401 - a fixture
    path_fixture,  # noqa: F401 - a fixture
    tamper,
)


def problems(path: Path) -> list[Problem]:
    """Open and verify the file; what is refused at opening is a problem there."""
    try:
        ledger = open_existing(str(path))
    except GuildError as error:
        return [Problem("opening", error.message)]
    with closing(ledger.store) as store:
        return verify(store).problems


def test_an_untouched_ledger_has_no_problems(path: Path) -> None:
    """The report counts what was read and names the head."""
    told: list[int] = []
    with closing(SqliteStore(str(path))) as store:
        report = verify(store, told.append)
        head = store.head().hash.hex()
    assert (report.problems, report.transactions, report.events, report.head_hash) == ([], 5, 8, head)


# --- Every column of every row ----------------------------------------------------------------------------------------


CELLS = [
    *((table, row, column) for table, rows in (("txn", 5), ("event", 8)) for row in range(1, rows + 1)
      for column in (
          ("seq", "txn_id", "origin_id", "origin_seq", "recorded_at", "lamport", "header_hash", "header", "prev_hash",
           "hash")
          if table == "txn"
          else ("position", "txn_seq", "origin_id", "stream", "stream_version", "type", "schema_version", "body_hash",
                "body")
      )),
    *(("origin", 1, column) for column in ("origin_id", "head_seq", "head_hash")),  # not its label, as the format says
    *(("meta", row, column) for row in range(1, 5) for column in ("key", "value")),
]  # fmt: skip


TXN_OF_EVENT = (0, 1, 2, 2, 3, 3, 4, 4, 5)
"""The transaction of each event, by its position."""


def _changed(value: object) -> list[object]:
    """Return other values of the same type: a little larger, a little smaller, and quite different ones."""
    if isinstance(value, int):
        return [value + 1000, value - 1, value + 1]
    if isinstance(value, bytes):
        return [bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 128])]
    text = str(value)
    return [text + "x", text[:-1], text.swapcase(), "0" + text[1:]]


def _places(table: str, row: int, column: str, new: object) -> set[str]:
    """Return where a problem with a value may be reported: at the row, or at the transaction that it is part of."""
    if table == "event":
        claimed = {f"transaction {new}"} if column == "txn_seq" else set()
        return {f"event {row}", f"transaction {TXN_OF_EVENT[row]}"} | claimed
    if table == "txn":
        return {f"transaction {row}"} | {f"event {at}" for at, seq in enumerate(TXN_OF_EVENT) if seq == row}
    return {"opening", "table meta"} if table == "meta" else {f"origin {ORIGIN.hex()[:8]}"}


@pytest.mark.parametrize(("table", "row", "column"), CELLS)
def test_an_altered_value_is_found_where_it_is(path: Path, lived_in: bytes, table: str, row: int, column: str) -> None:
    """Each column of each row, changed in several ways: the first problem names the row or its transaction."""
    key = {"txn": "seq", "event": "position", "origin": "origin_id", "meta": "key"}[table]
    before = contents(path)
    names = _columns(path, table)
    old = before[table][row - 1]
    changes = 0
    for new in _changed(old[names.index(column)]):
        path.write_bytes(lived_in)
        with suppress(sqlite3.IntegrityError):  # another row has that key, or a constraint says no: impossible as well
            tamper(path, f"UPDATE {table} SET {column} = ? WHERE {key} = ?", values=(new, old[names.index(key)]))
        if contents(path) == before:
            continue
        changes += 1
        found = problems(path)
        assert found, f"{table}.{column} {old[names.index(column)]!r} -> {new!r}"
        assert found[0].where in _places(table, row, column, new)
    assert changes


def _columns(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as raw:
        named = [name for name, *_ in raw.execute(f"SELECT * FROM {table}").description]
    return [name for name in named if name != "label"]


@pytest.mark.parametrize("statement", ["UPDATE alembic_version SET version_num = '000'", "DELETE FROM alembic_version"])
def test_an_altered_revision_is_found_at_opening(path: Path, statement: str) -> None:
    """Whatever revision the tables are said to have, only a known one is read."""
    tamper(path, statement)
    with pytest.raises(GuildError, match=r"no ledger|newer program"):
        open_existing(str(path))


# --- Whole rows -------------------------------------------------------------------------------------------------------


COPY = "INSERT INTO event SELECT {}, {}, origin_id, stream, {}, type, schema_version, body_hash, body FROM event"


ROWS = {
    "the last transaction": ("origin ", "DELETE FROM event WHERE txn_seq = 5", "DELETE FROM txn WHERE seq = 5"),
    "the last two transactions": ("origin ", "DELETE FROM event WHERE txn_seq > 3", "DELETE FROM txn WHERE seq > 3"),
    "a transaction in the middle": (
        "transaction 3", "DELETE FROM event WHERE txn_seq = 3", "DELETE FROM txn WHERE seq = 3",
    ),
    "the first transaction": (
        "transaction 1", "DELETE FROM event WHERE txn_seq = 1", "DELETE FROM txn WHERE seq = 1",
    ),
    "the rows of a transaction, numbers closed up": (
        "transaction 3",
        "DELETE FROM event WHERE txn_seq = 3", "DELETE FROM txn WHERE seq = 3",
        "UPDATE txn SET seq = seq - 1, origin_seq = origin_seq - 1 WHERE seq > 3",
        "UPDATE event SET txn_seq = txn_seq - 1, position = position - 2 WHERE txn_seq > 3",
    ),
    "the last event": ("transaction 5", "DELETE FROM event WHERE position = 8"),
    "an event in the middle": ("event 4", "DELETE FROM event WHERE position = 4"),
    "the second event of its transaction": ("transaction 3", "DELETE FROM event WHERE position = 5"),
    "the first event": ("transaction 1", "DELETE FROM event WHERE position = 1"),
    "all events": ("transaction 1", "DELETE FROM event"),
    "the last transaction, not its event": ("event 8", "DELETE FROM txn WHERE seq = 5"),
    "a transaction, not its events": ("transaction 3", "DELETE FROM txn WHERE seq = 3"),
    "everything": ("origin ", "DELETE FROM event", "DELETE FROM txn"),
    "the origin": ("origin ", "DELETE FROM origin"),
    "two transactions, exchanged": (
        "transaction 3",
        "UPDATE txn SET seq = 30 WHERE seq = 3", "UPDATE txn SET seq = 3 WHERE seq = 4",
        "UPDATE txn SET seq = 4 WHERE seq = 30",
    ),
    "two transactions, exchanged with their events": (
        "transaction 3",
        "UPDATE txn SET seq = 14 - seq WHERE seq IN (3, 4)", "UPDATE txn SET seq = seq - 7 WHERE seq > 9",
        "UPDATE event SET txn_seq = 7 - txn_seq, position = position + 20 WHERE position IN (4, 5, 6, 7)",
        "UPDATE event SET position = position - 18 WHERE position IN (24, 25)",
        "UPDATE event SET position = position - 22 WHERE position IN (26, 27)",
    ),
    "two events of a transaction, exchanged": (
        "transaction 2",
        "UPDATE event SET position = 30 WHERE position = 2", "UPDATE event SET position = 2 WHERE position = 3",
        "UPDATE event SET position = 3 WHERE position = 30",
    ),
    "the body of another event": (
        "event 3", "UPDATE event SET body = (SELECT body FROM event WHERE position = 8) WHERE position = 3",
    ),
    "the body of another event, with its hash": (
        "transaction 2",
        "UPDATE event SET (body, body_hash) = (SELECT body, body_hash FROM event WHERE position = 8) WHERE position=3",
    ),
    "a header with its hash": (
        "transaction 2", "UPDATE txn SET header = x'7b7d', header_hash = zeroblob(32) WHERE seq = 2",
    ),
    "an event too many at the end": ("event 9", COPY.format(9, 6, 90) + " WHERE position = 2"),
    "an event too many in the last transaction": ("transaction 5", COPY.format(9, 5, 90) + " WHERE position = 2"),
    "an event too many in the middle": (
        "transaction 3",
        "UPDATE event SET position = position + 100 WHERE position > 5",
        "UPDATE event SET position = position - 99 WHERE position > 100",
        COPY.format(6, 3, 90) + " WHERE position = 4",
    ),
    "a transaction too many": (
        "transaction 6",
        "INSERT INTO txn SELECT 6, zeroblob(16), origin_id, 6, 1 << 60, 6, hash, NULL, hash, hash FROM txn WHERE seq=5",
    ),
    "an origin that never wrote, with a head": (
        "origin 00000000", "INSERT INTO origin VALUES (zeroblob(16), 'x', 3, zeroblob(32))",
    ),
    "a body that is gone": ("event 4", "UPDATE event SET body = NULL WHERE position = 4"),
    "a header that is gone": ("transaction 3", "UPDATE txn SET header = NULL WHERE seq = 3"),
}  # fmt: skip
"""What was done to which rows, and where the first problem must be."""


@pytest.mark.parametrize("done", ROWS)
def test_rows_that_were_taken_added_or_moved_are_found(path: Path, done: str) -> None:
    """At the head, in the middle and at the tail, numbers closed up or not: the first problem is at the right place."""
    where, *statements = ROWS[done]
    tamper(path, *statements)
    found = problems(path)
    assert found
    assert found[0].where.startswith(where)
    assert len(found) <= MOST_PROBLEMS


def rehash(path: Path) -> None:
    """Compute all hashes anew, from body to head: what somebody does who knows the format."""
    with closing(SqliteStore(str(path))) as store:
        transactions, events = list(store.transactions()), list(store.events())
    previous, statements = genesis(ORIGIN), []
    for txn in transactions:
        own = [row._replace(body_hash=digest(row.body or b"")) for row in events if row.txn_seq == txn.seq]
        hash_ = txn_hash(txn._replace(prev_hash=previous), own)
        statements += [
            f"UPDATE event SET body_hash = x'{row.body_hash.hex()}' WHERE position = {row.position}" for row in own
        ]
        statements.append(
            f"UPDATE txn SET prev_hash = x'{previous.hex()}', hash = x'{hash_.hex()}' WHERE seq = {txn.seq}"
        )
        previous = hash_
    last = transactions[-1].origin_seq
    tamper(path, *statements, f"UPDATE origin SET head_seq = {last}, head_hash = x'{previous.hex()}'")


FORGED = {
    "a time that goes back": ("transaction 3", "UPDATE txn SET recorded_at = recorded_at - 9000000 WHERE seq = 3"),
    "a transaction without events": (
        "transaction 5", "DELETE FROM event WHERE position = 8",
    ),
    "a number left out in the origin": (
        "transaction 4", "UPDATE txn SET origin_seq = 6 WHERE seq = 5", "UPDATE txn SET origin_seq = 5 WHERE seq = 4",
    ),
    "a number left out in the ledger": (
        "transaction 4", "UPDATE event SET txn_seq = txn_seq + 1 WHERE txn_seq > 3",
        "UPDATE txn SET seq = 6 WHERE seq = 5", "UPDATE txn SET seq = 5 WHERE seq = 4",
    ),
    "a body that is no JSON": ("event 3", "UPDATE event SET body = x'7b' WHERE position = 3"),
    "a body of another type": ("event 3", "UPDATE event SET body = x'7b7d' WHERE position = 3"),
    "a type that nobody knows": ("event 3", "UPDATE event SET type = 'run.renamed' WHERE position = 3"),
    "a version that nobody knows": ("event 3", "UPDATE event SET schema_version = 2 WHERE position = 3"),
    "another beginning": ("transaction 1", "UPDATE event SET type = 'run.marked', body = x'7b7d' WHERE position = 1"),
}  # fmt: skip
"""What breaks a rule although every hash fits, and where."""


@pytest.mark.parametrize("done", FORGED)
def test_forged_rows_are_found_although_every_hash_fits(path: Path, done: str) -> None:
    """Hashes are not all: numbers, times and bodies must make sense as well."""
    where, *statements = FORGED[done]
    tamper(path, *statements)
    rehash(path)
    assert where in {problem.where for problem in problems(path)}
    assert not any("hash" in problem.what for problem in problems(path))


def test_a_history_that_was_forged_from_some_place_on_breaks_there(path: Path) -> None:
    """Whose hashes fit up to the end, but not the ones before: the first place is where the old and the new meet."""
    with closing(sqlite3.connect(path)) as raw:
        kept = raw.execute("SELECT prev_hash, hash FROM txn WHERE seq = 3").fetchone()
    tamper(path, "UPDATE event SET body = x'7b7d' WHERE position = 3")
    rehash(path)
    tamper(path, "UPDATE txn SET prev_hash = ?, hash = ? WHERE seq = 3", values=kept)
    found = problems(path)
    assert [problem.where for problem in found[:2]] == ["event 3", "transaction 3"]
    assert found[1].what == "does not link to the one before it"


def test_a_history_that_was_rewritten_whole_is_not_found_without_a_head_kept_elsewhere(path: Path) -> None:
    """What a chain cannot show: every rule is kept, so only another copy of the head hash tells."""
    with closing(SqliteStore(str(path))) as store:
        kept = verify(store).head_hash
    tamper(path, "UPDATE txn SET recorded_at = recorded_at + 1 WHERE seq > 1")
    rehash(path)
    with closing(SqliteStore(str(path))) as store:
        report = verify(store)
    assert report.problems == []
    assert report.head_hash != kept


def test_only_so_many_problems_are_listed(tmp_path: Path) -> None:
    """A ledger of which nothing is right does not fill the screen or the memory."""
    ledger = make_ledger(tmp_path)
    for number in range(30):
        append(ledger, started(number))
    ledger.store.close()
    tamper(tmp_path / "ledger.db", "UPDATE event SET body = x'7b7d'")
    found = problems(tmp_path / "ledger.db")
    assert [problem.where for problem in found] == [f"event {position}" for position in range(1, MOST_PROBLEMS + 1)]


# --- Guards -----------------------------------------------------------------------------------------------------------


def test_every_guard_is_watched() -> None:
    """No guard can be taken away without verification knowing its name."""
    assert set(TRIGGERS) == set(sqlite_guards())


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_missing_guard_is_found(path: Path, name: str) -> None:
    """Without it the next change of history would not be refused."""
    tamper(path, guards=[guard for guard in TRIGGERS if guard != name])
    assert [problem.where for problem in problems(path)] == [f"trigger {name}"]


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_guard_that_was_weakened_is_found(path: Path, name: str) -> None:
    """The right name is not enough: the text must be what this program wrote."""
    weak = sqlite_guards()[name].split("BEGIN SELECT")[0] + "BEGIN SELECT 1; END"
    tamper(path, weak, guards=set(TRIGGERS) - {name})
    assert [problem.where for problem in problems(path)] == [f"trigger {name}"]


# --- Redaction --------------------------------------------------------------------------------------------------------


def _redacted(stream: Stream, version: int, statement: str, path: Path) -> list[Problem]:
    ledger = open_existing(str(path))
    record = LedgerRedacted(stream=stream, stream_version=version, origin_id=ORIGIN.hex(), reason="a password")
    append(ledger, NewEvent(LEDGER_STREAM, record))
    ledger.store.close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(statement)
    return problems(path)


def test_a_body_that_was_redacted_on_record_is_no_problem(path: Path) -> None:
    """The chain holds without it; the same emptying of another event is found."""
    empty = "UPDATE event SET body = NULL WHERE position = {}"
    assert _redacted(run_stream(run_id(2)), 1, empty.format(4), path) == []
    assert [problem.where for problem in _redacted(run_stream(run_id(2)), 1, empty.format(8), path)] == ["event 8"]


def test_a_header_that_was_redacted_on_record_is_no_problem(path: Path) -> None:
    """A transaction is named as stream `txn` and its number in its origin."""
    empty = "UPDATE txn SET header = NULL WHERE seq = {}"
    assert _redacted(Stream("txn"), 3, empty.format(3), path) == []
    assert [problem.where for problem in _redacted(Stream("txn"), 3, empty.format(4), path)] == ["transaction 4"]


def test_a_body_that_this_program_cannot_read_is_found(path: Path) -> None:
    """Sound bytes of a shape that no program should have written are a problem, too."""
    with closing(SqliteStore(str(path))) as store:
        event = RunLabeled(label="x")
        ledger = open_existing(str(path))
        for body in ({"name": "x"}, {"label": "x", "of the future": 1}):
            odd = type("Odd", (RunLabeled,), {"to_body": lambda _, body=body: body})(label="x")
            append(ledger, happens(3, odd))
        append(ledger, happens(3, event))
        ledger.store.close()
        assert verify(store).problems == [Problem("event 9", "run.labeled: its body lacks label")]
