"""The page about the ledger's format is true: its example is recomputed, and a verifier written from it works."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from docs.executed import ROOT
from ledger.blank import create_sqlite
from ledger.chain import genesis
from ledger.events.book import LedgerCreated, LedgerRedacted
from ledger.events.notes import RunLabeled
from ledger.events.start import RunStarted
from ledger.guards import sqlite_guards
from ledger.ids import LEDGER_STREAM, OriginId, RunId, TxnId, run_stream
from ledger.log import Ledger
from ledger.registry import VERSIONS, event_classes
from ledger.rows import OriginRow
from ledger.sqlite_store import SqliteStore
from ledger.tables import metadata
from ledger.transaction import Header, NewEvent, Transaction
from tests.test_docs import read

if TYPE_CHECKING:
    from pathlib import Path

TEXT = read("docs/ledger-format.md")
EXAMPLE = TEXT[TEXT.index("## Worked example") :]
ORIGIN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
LEDGER_ID = "00112233445566778899aabbccddeeff"
MADE = 1_767_323_045_000_000


def blocks() -> list[str]:
    """Return the fenced blocks of the example."""
    return re.findall(r"^```\n(.*?)^```", EXAMPLE, re.MULTILINE | re.DOTALL)


def shown() -> list[list[tuple[str, str]]]:
    """Return the names and values that the page shows of each transaction."""
    pairs = [[tuple(line.split(" = ", 1)) for line in part.splitlines()] for part in blocks()[0].split("\n\n")]
    return [[(pair[0], pair[1]) for pair in part] for part in pairs]


def number(value: int) -> bytes:
    """Return an 8-byte number."""
    return value.to_bytes(8, "big")


def test_the_hashes_of_the_example_follow_from_its_bytes() -> None:
    """With nothing but SHA-256 and the rules on the page, every hash shown is the hash of what is shown."""
    previous = sha256(b"guild-ledger/origin/1\n" + bytes.fromhex(ORIGIN)).digest()
    for seq, pairs in enumerate(shown(), 1):
        one = dict(pairs)
        assert int(one["seq"]) == seq
        assert one["prev_hash"] == previous.hex()
        assert sha256(one["header"].encode()).hexdigest() == one["header_hash"]
        events = [value for name, value in pairs if name == "event"]
        bodies = [value for name, value in pairs if name == "body"]
        assert [sha256(body.encode()).hexdigest() for body in bodies] == [
            value for name, value in pairs if name == "body_hash"
        ]
        rest = [
            number(len(event)) + event.encode() + sha256(body.encode()).digest()
            for event, body in zip(events, bodies, strict=True)
        ]
        fixed = one["fixed"].encode()
        assert json.loads(fixed) == [
            1, ORIGIN, int(one["origin_seq"]), one["txn_id"], int(one["recorded_at"]), int(one["lamport"]),
        ]  # fmt: skip
        whole = [b"guild-ledger/txn/1\n", previous, number(len(fixed)), fixed, bytes.fromhex(one["header_hash"])]
        previous = sha256(b"".join([*whole, number(len(events)), *rest])).digest()
        assert one["hash"] == previous.hex()


def test_the_bytes_shown_in_hexadecimal_give_the_first_hash() -> None:
    """The page's byte string, taken as it stands, has the length told and the hash of the first transaction."""
    whole = bytes.fromhex("".join(line.partition("  ")[0] for line in blocks()[1].splitlines()))
    assert f"these {len(whole)} bytes" in EXAMPLE
    assert sha256(whole).hexdigest() == dict(shown()[0])["hash"]


def test_the_program_writes_the_example(tmp_path: Path) -> None:
    """The same identity, clock and events give the rows of the page, byte for byte."""
    store = example_ledger(str(tmp_path / "ledger.db"))
    written = []
    for txn in store.transactions():
        pairs = [
            ("seq", str(txn.seq)),
            ("txn_id", txn.txn_id.hex()),
            ("origin_seq", str(txn.origin_seq)),
            ("recorded_at", str(txn.recorded_at)),
            ("lamport", str(txn.lamport)),
            ("header", (txn.header or b"").decode()),
            ("header_hash", txn.header_hash.hex()),
            ("prev_hash", txn.prev_hash.hex()),
        ]
        for event in store.txn_events(txn.seq):
            pairs += [("body", (event.body or b"").decode()), ("body_hash", event.body_hash.hex())]
        written.append([*pairs, ("hash", txn.hash.hex())])
    store.close()
    assert written == [[pair for pair in part if pair[0] not in ("fixed", "event")] for part in shown()]


def example_ledger(path: str) -> SqliteStore:
    """Make the ledger of the page."""
    create_sqlite(path)
    store = SqliteStore(path)
    origin = OriginId(bytes.fromhex(ORIGIN))
    with store.writing():
        identity = {"ledger_id": LEDGER_ID, "origin_id": ORIGIN, "format": "1", "created_at": str(MADE)}
        for key, value in identity.items():
            store.insert_meta(key, value)
        store.insert_origin(OriginRow(origin, "laptop", 0, genesis(origin)))
    ledger = Ledger(store, clock=lambda: MADE)
    argv = ("guild", "run", "train", "lr=.nan", "-l", "first")
    header = Header("ada", "laptop", argv, "/home/ada/m", "guild-ledger 0.1.0")
    started = RunStarted(
        project="/home/ada/m",
        package=None,
        model="m",
        operation="train",
        command=("python3", "-m", "train"),
        flags={"lr": float("nan")},
    )
    stream = run_stream(RunId("9734f85e00112233445566778899aabb"))
    for pairs, events in zip(
        shown(),
        (
            (NewEvent(LEDGER_STREAM, LedgerCreated(LEDGER_ID, 1)),),
            (NewEvent(stream, started), NewEvent(stream, RunLabeled("first"))),
        ),
        strict=True,
    ):
        ledger.append(Transaction(header, events, txn_id=TxnId(bytes.fromhex(dict(pairs)["txn_id"]))))
    return store


def verified(path: str, *anchor: str) -> tuple[int, str]:
    """Return exit code and output of `examples/verify_ledger.py`, which shares no code with the program."""
    script = os.path.join(ROOT, "examples", "verify_ledger.py")
    argv = [sys.executable, "-I", script, path, *anchor]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_the_verifier_is_as_small_as_the_page_says() -> None:
    """Under 80 lines, and nothing but the standard library."""
    text = read("examples/verify_ledger.py")
    assert len(text.splitlines()) < 80
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) <= sys.stdlib_module_names


def test_a_verifier_written_from_the_page_agrees_with_the_program(tmp_path: Path) -> None:
    """The page is enough to check a ledger that the program wrote."""
    path = str(tmp_path / "ledger.db")
    example_ledger(path).close()
    head = f"2:{dict(shown()[-1])['hash']}"
    assert verified(path) == (0, head)
    assert verified(path, head) == (0, head)
    assert verified(path, f"2:{'0' * 64}") == (3, f"BROKEN  anchor 2:{'0' * 64}: is not in this ledger")


def test_a_verifier_written_from_the_page_agrees_about_a_redacted_ledger(tmp_path: Path) -> None:
    """What was emptied on record is whole; the chain goes on behind it."""
    path = str(tmp_path / "ledger.db")
    store = example_ledger(path)
    ledger = Ledger(store, clock=lambda: MADE)
    header = Header("ada", "laptop", ("guild", "ledger", "redact"), "/home/ada/m", "guild-ledger 0.1.0")
    named = [("run/9734f85e00112233445566778899aabb", 1), ("txn", 2)]
    records = [LedgerRedacted(stream, version, ORIGIN, "a password") for stream, version in named]
    ledger.append(Transaction(header, tuple(NewEvent(LEDGER_STREAM, record) for record in records)))
    store.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("UPDATE event SET body = NULL WHERE position = 2")
    database.execute("UPDATE txn SET header = NULL WHERE seq = 2")
    assert verified(path)[0] == 0
    database.execute("UPDATE txn SET header = NULL WHERE seq = 1")
    database.close()
    where = "BROKEN  transaction 1: its header was altered, or emptied without a record"
    assert verified(path) == (3, where)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET body = CAST(replace(body, 'first', 'worst') AS BLOB) WHERE position = 3",
        "UPDATE event SET body = NULL WHERE position = 3",
        "UPDATE event SET type = 'run.marked' WHERE position = 3",
        "UPDATE txn SET header = CAST(replace(header, 'ada', 'bob') AS BLOB) WHERE seq = 2",
        "UPDATE txn SET header = NULL WHERE seq = 2",
        "UPDATE txn SET recorded_at = recorded_at + 1 WHERE seq = 2",
        "UPDATE meta SET value = value + 1 WHERE key = 'created_at'",
        "UPDATE origin SET head_seq = 1",
        "DELETE FROM event WHERE position = 3",
        "DELETE FROM event WHERE txn_seq = 2",
    ],
)
def test_a_verifier_written_from_the_page_finds_what_was_changed(change: str, tmp_path: Path) -> None:
    """A row that was changed or removed by force breaks an invariant of the page."""
    path = str(tmp_path / "ledger.db")
    example_ledger(path).close()
    copy = str(tmp_path / "copy.db")
    shutil.copy(path, copy)
    database = sqlite3.connect(copy, isolation_level=None)
    for name in sqlite_guards():
        database.execute(f"DROP TRIGGER {name}")
    assert database.execute(change).rowcount > 0
    database.close()
    code, text = verified(copy)
    assert (code, text[:8]) == (3, "BROKEN  ")


def test_every_table_column_and_guard_is_described() -> None:
    """Each name in the database stands on the page."""
    for table in metadata.tables.values():
        assert f"\n### {table.name}\n" in TEXT
        section = TEXT.partition(f"\n### {table.name}\n")[2].partition("\n### ")[0]
        for column in table.columns:
            assert f"| `{column.name}` |" in section
    for name in sqlite_guards():
        assert f"`{name}`" in TEXT


def test_every_event_type_and_field_is_described() -> None:
    """Each event type stands on the page with each of its fields, and with the current version."""
    section = TEXT.partition("\n## Events\n")[2].partition("\n## Versions\n")[0]
    for name, cls in event_classes().items():
        assert f"`{name}`" in section
        for field in fields(cls):
            assert f"`{field.name}`" in section, f"{name}: {field.name}"
    second = {name for name, version in VERSIONS.items() if version == 2}
    assert second == {"run.started", "run.staged", "run.imported", "run.commented"}, (
        "the page says that these are of version 2, and all others of 1"
    )
    assert set(VERSIONS.values()) == {1, 2}
