"""Salvage brings back what the chain of a damaged ledger proves, never touches the damaged file, and invents nothing.

`python -m tests.test_salvage` flips a bit of every byte; the test takes a sample.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledger.errors import IntegrityError, LedgerError
from ledger.events.book import LedgerRedacted
from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunLabeled
from ledger.ids import LEDGER_STREAM, run_stream
from ledger.opening import open_existing
from ledger.rows import EventRow, TxnRow
from ledger.salvage import Salvaged, salvage
from ledger.sqlite_store import SqliteStore
from ledger.transaction import NewEvent
from ledger.verify import verify
from tests.cli_kit import Guild, copied, damage
from tests.kit import HEADER, ORIGIN, append, happens, make_ledger, run_id, started
from tests.test_verify_bytes import small_ledger

EVERY = 149
"""One byte in this many is flipped; it has no factor in common with the eight bits that take turns."""

Rows = tuple[list[TxnRow], list[EventRow]]


def rows_of(path: Path) -> Rows:
    """Return the rows of a ledger."""
    with closing(SqliteStore(str(path), read_only=True)) as store:
        return list(store.transactions()), list(store.events())


def saved(bad: Path) -> tuple[Salvaged, Rows]:
    """Salvage a file; return what was told and the rows that were saved, those of the salvage itself left out."""
    out = bad.parent / "out.db"
    before = bad.read_bytes()
    try:
        report = salvage(str(bad), str(out), HEADER)
        with closing(SqliteStore(str(out))) as store:
            assert verify(store).problems == []
        transactions, events = rows_of(out)
    finally:
        for path in bad.parent.glob("out.db*"):
            path.unlink()
    assert bad.read_bytes() == before, "the damaged file is never touched"
    return report, (transactions[: report.transactions], events[: report.events])


def check_true(report: Salvaged, rows: Rows, whole: Rows) -> None:
    """Check that every row saved is one that was written, those before the first break all of them."""
    transactions, events = rows
    for found, written in zip(transactions, whole[0], strict=False):
        assert found in (written, written._replace(header=None))
    for event, stored in zip(events, whole[1], strict=False):
        assert event in (stored, stored._replace(body=None))
    assert report.first_break or len(transactions) == len(whole[0])
    assert (
        sum(event.body is None for event in events) + sum(txn.header is None for txn in transactions) == report.emptied
    )


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a ledger of many pages: 42 transactions, 82 events, one body larger than a page."""
    ledger = make_ledger(tmp_path_factory.mktemp("lived"))
    for number in range(40):
        append(ledger, started(number), happens(number, RunStatusChanged(status="completed", exit_status=0)))
    append(ledger, happens(1, RunLabeled(label="long" * 3000)))
    ledger.store.close()
    return Path(ledger.store.place)


@pytest.fixture
def bad(lived_in: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    path = tmp_path / "bad.db"
    shutil.copy(lived_in, path)
    return path


def test_a_whole_ledger_is_saved_whole(bad: Path, lived_in: Path) -> None:
    """Every row is the one that was written, and nothing is appended."""
    report, rows = saved(bad)
    assert rows == rows_of(lived_in)
    assert (report.first_break, report.lost, report.emptied, report.rest) == ("", 0, 0, 0)


def test_rows_that_only_the_log_holds_are_saved(bad: Path, tmp_path: Path) -> None:
    """Of the log what was committed counts, and nothing else: no transaction is there that nobody was told of."""
    ledger = open_existing(str(bad))
    append(ledger, happens(2, RunLabeled(label="in the log")))
    with sqlite3.connect(bad, isolation_level=None) as other:
        other.execute("PRAGMA cache_size=1")
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO origin VALUES (zeroblob(16), 'never', 0, zeroblob(32))")
        copy = tmp_path / "copy" / "bad.db"
        copy.parent.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{bad}{suffix}", f"{copy}{suffix}")
        other.execute("ROLLBACK")
    other.close()
    ledger.store.close()
    report, rows = saved(copy)
    assert rows == rows_of(bad)
    assert report.first_break == ""


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_gives_back_what_is_left_of_it(bad: Path, lived_in: Path, share: float) -> None:
    """At least what stands in whole pages before the end, as far as its chain is whole."""
    data = bad.read_bytes()
    left = data[: int(len(data) * share)]
    bad.write_bytes(left)
    if rows_of(lived_in)[0][0].hash not in left:
        with pytest.raises(IntegrityError, match="the first transaction is not there"):
            saved(bad)
        return
    report, rows = saved(bad)
    check_true(report, rows, rows_of(lived_in))
    assert report.transactions > 1


@pytest.mark.parametrize("table", ["event", "txn", "origin", "meta"])
def test_a_dropped_table_comes_back(bad: Path, lived_in: Path, table: str) -> None:
    """SQLite forgets where its pages are; most of what they hold is still there."""
    with closing(sqlite3.connect(bad, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("PRAGMA secure_delete=OFF")  # some builds of SQLite overwrite what they free: then it is gone
        for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute(f"DROP TABLE {table}")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    report, rows = saved(bad)
    check_true(report, rows, rows_of(lived_in))
    assert report.transactions > 30


def test_the_first_page_may_be_gone(bad: Path, lived_in: Path) -> None:
    """No schema, no size of pages, no list of tables: rows are known by their shape."""
    data = bytearray(bad.read_bytes())
    data[:4096] = bytes(4096)
    bad.write_bytes(data)
    report, rows = saved(bad)
    assert rows == rows_of(lived_in)
    assert report.lost == 0


def test_what_lies_behind_a_break_is_kept_beside(bad: Path) -> None:
    """Transactions that are whole, but hang in the air, are no history; they are not thrown away either."""
    damage(bad, ["DELETE FROM event WHERE txn_seq = 20", "DELETE FROM txn WHERE seq = 20"])
    with closing(sqlite3.connect(bad, isolation_level=None)) as raw:
        raw.execute("VACUUM")
    out = bad.parent / "out.db"
    report = salvage(str(bad), str(out), HEADER)
    assert (report.transactions, report.first_break) == (19, "transaction 20: is not there any more")
    assert (report.lost, report.rest) == (23, 22)
    lines = Path(f"{out}.rest.jsonl").read_text().splitlines()
    assert len([line for line in lines if line.startswith('{"txn"')]) == 22


def test_a_damaged_number_is_one_loss_and_not_hundreds(bad: Path) -> None:
    """The number of a damaged row may be any; it says nothing of how many transactions there were."""
    damage(bad, ["UPDATE txn SET seq = 900 WHERE seq = 42"])
    with closing(sqlite3.connect(bad, isolation_level=None)) as raw:
        raw.execute("VACUUM")
    report, _ = saved(bad)
    assert (report.transactions, report.lost) == (41, 1)


def test_the_rest_has_its_name_only_when_the_ledger_has_its_own(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends in the middle leaves no name taken, so it can be given again."""
    damage(bad, ["DELETE FROM event WHERE txn_seq = 20", "DELETE FROM txn WHERE seq = 20"])
    with closing(sqlite3.connect(bad, isolation_level=None)) as raw:
        raw.execute("VACUUM")
    out = bad.parent / "out.db"
    with monkeypatch.context() as patch:
        patch.setattr("ledger.salvage.seam", lambda name: None if name != "salvage.publish" else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            salvage(str(bad), str(out), HEADER)
    assert [path.name for path in bad.parent.iterdir()] == ["bad.db"]
    report = salvage(str(bad), str(out), HEADER)
    assert (report.rest, report.rest_file) == (22, f"{out}.rest.jsonl")


def test_a_damaged_body_is_emptied_on_record_and_the_chain_goes_on(bad: Path, lived_in: Path) -> None:
    """All rows before and behind come back: what was lost is one body."""
    data = bytearray(bad.read_bytes())
    at = data.index(b'"exit_status":0')
    data[at + 2] ^= 1
    bad.write_bytes(data)
    report, rows = saved(bad)
    check_true(report, rows, rows_of(lived_in))
    assert (report.emptied, report.first_break, report.transactions) == (1, "", 42)


def test_what_was_redacted_does_not_come_back(tmp_path: Path) -> None:
    """Old copies of a page may still hold the secret; what is saved does not."""
    ledger = make_ledger(tmp_path)
    append(ledger, started(1), happens(1, RunLabeled(label="SECRET" * 10)))
    record = LedgerRedacted(run_stream(run_id(1)), 2, ORIGIN.hex(), "a password")
    append(ledger, NewEvent(LEDGER_STREAM, record))
    ledger.store.close()
    assert b"SECRET" in (tmp_path / "ledger.db").read_bytes()
    out = tmp_path / "out.db"
    assert salvage(str(tmp_path / "ledger.db"), str(out), HEADER).first_break == ""
    assert b"SECRET" not in out.read_bytes()
    assert rows_of(out)[1][2].body is None


@pytest.mark.parametrize("content", [b"", b"no ledger at all", bytes(100_000), b"\xff" * 10_000])
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing is made of nothing."""
    (tmp_path / "bad.db").write_bytes(content)
    with pytest.raises(IntegrityError, match="nothing can be saved"):
        salvage(str(tmp_path / "bad.db"), str(tmp_path / "out.db"), HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.db"]


def test_nothing_is_overwritten(bad: Path) -> None:
    """Neither the damaged file itself nor any other."""
    with pytest.raises(LedgerError, match="is there already"):
        salvage(str(bad), str(bad), HEADER)


def losses(path: Path, offsets: range) -> list[str]:
    """Flip one bit of each of these bytes in turn; return where salvage gave back something else than was written."""
    whole, content = rows_of(path), path.read_bytes()
    wrong = []
    for offset in offsets:
        data = bytearray(content)
        data[offset] ^= 1 << (offset % 8)
        path.write_bytes(data)
        try:
            report, rows = saved(path)
            check_true(report, rows, whole)
        except IntegrityError as error:
            if "nothing can be saved" not in error.message:
                wrong.append(f"byte {offset}: {error.message}")
        except AssertionError as error:
            wrong.append(f"byte {offset}: {error}")
    path.write_bytes(content)
    return wrong


def test_any_flipped_byte_costs_no_row_before_it_and_brings_no_false_one(tmp_path: Path) -> None:
    """Whatever was hit, what is saved was written, verifies, and is all that the chain proves."""
    path = small_ledger(tmp_path)
    assert losses(path, range(0, path.stat().st_size, EVERY)) == []


def test_the_command_tells_what_was_lost_and_its_result_takes_the_ledgers_place(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """From outside: salvage, look, put it in place; exit code 3 says that something is missing."""
    guild: Guild = copied(tmp_path_factory, tmp_path)
    path, out = guild.home / "ledger.db", tmp_path / "out.db"
    listed = guild.ok("runs", "-a")
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)
    path.write_bytes(data)
    assert guild("runs").code == 3
    assert guild.ok("ledger", "salvage", str(path), str(out)).startswith("Saved 13 transactions, 13 events to ")
    guild.ok("ledger", "restore-backup", str(out), "-y", "--force")
    assert guild.ok("runs", "-a") == listed
    assert guild("ledger", "verify").code == 0
    damage(path, ["DELETE FROM event WHERE txn_seq > 7", "DELETE FROM txn WHERE seq = 8"])
    result = guild("ledger", "salvage", str(path), str(tmp_path / "more.db"), "--json")
    assert result.code in (0, 3)
    assert '"transactions": ' in result.out


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        small = small_ledger(Path(temporary))
        print(losses(small, range(int(sys.argv[1]) if sys.argv[1:] else 0, small.stat().st_size)))
