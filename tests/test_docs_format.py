"""The page about the ledger's format is true: its example is recomputed, and a verifier written from it works."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ledger.chain import genesis
from ledger.events.book import LedgerCreated
from ledger.events.notes import RunLabeled
from ledger.events.start import RunStarted
from ledger.guards import sqlite_guards
from ledger.ids import LEDGER_STREAM, OriginId, RunId, TxnId, run_stream
from ledger.log import Ledger
from ledger.migrate import create_sqlite
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


def verified(path: str) -> str:
    """Return the head hash of a SQLite ledger, checked as the page says, without any code of the program.

    Raises:
        AssertionError: invariants 1 to 10, 12 or 13 do not hold.
    """
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return _verified(database)
    finally:
        database.close()


def _verified(database: sqlite3.Connection) -> str:
    heads: dict[bytes, tuple[int, bytes, int]] = {}
    versions: dict[tuple[str, bytes], int] = {}
    events = database.execute("SELECT * FROM event ORDER BY position").fetchall()
    assert [event[0] for event in events] == list(range(1, len(events) + 1))
    redacted = [json.loads(event[8]) for event in events if event[5] == "ledger.redacted"]
    done = last_lamport = 0
    for expected, row in enumerate(database.execute("SELECT * FROM txn ORDER BY seq"), 1):
        seq, txn_id, origin, origin_seq, recorded_at, lamport, header_hash, header, prev_hash, hash_ = row
        start = sha256(b"guild-ledger/origin/1\n" + origin).digest()
        before, previous, time = heads.get(origin, (0, start, 0))
        assert (seq, origin_seq, prev_hash) == (expected, before + 1, previous)
        assert recorded_at > time
        assert lamport > last_lamport
        if header is None:
            named = {"stream": "txn", "stream_version": origin_seq, "origin_id": origin.hex()}
            assert any(named.items() <= one.items() for one in redacted)
        else:
            assert sha256(header).digest() == header_hash
        fixed = as_json([1, origin.hex(), origin_seq, txn_id.hex(), recorded_at, lamport])
        parts = [b"guild-ledger/txn/1\n", prev_hash, number(len(fixed)), fixed, header_hash]
        own = [event for event in events[done:] if event[1] == seq]
        assert own == events[done : done + len(own)]
        assert own
        parts.append(number(len(own)))
        for _, _, written_by, stream, version, type_, schema, body_hash, body in own:
            assert written_by == origin
            named = {"stream": stream, "stream_version": version, "origin_id": origin.hex()}
            if body is None:
                assert any(named.items() <= one.items() for one in redacted)
            else:
                assert sha256(body).digest() == body_hash
            versions[stream, origin] = versions.get((stream, origin), 0) + 1
            assert version == versions[stream, origin]
            event = as_json([stream, version, type_, schema])
            parts += [number(len(event)), event, body_hash]
        assert sha256(b"".join(parts)).digest() == hash_
        done += len(own)
        last_lamport = lamport
        heads[origin] = (origin_seq, hash_, recorded_at)
    assert done == len(events)
    stored = database.execute("SELECT origin_id, head_seq, head_hash FROM origin").fetchall()
    assert {origin: (seq, hash_) for origin, seq, hash_ in stored} == {
        origin: head[:2] for origin, head in heads.items()
    }
    meta = dict(database.execute("SELECT key, value FROM meta"))
    made, origin, when = database.execute(
        "SELECT body, origin_id, recorded_at FROM event JOIN txn USING (origin_id) WHERE position = 1 AND seq = 1"
    ).fetchone()
    body = json.loads(made)
    assert meta == {
        "ledger_id": body["ledger_id"],
        "format": str(body["format"]),
        "origin_id": origin.hex(),
        "created_at": str(when),
    }
    return heads[origin][1].hex()


def as_json(value: list[object]) -> bytes:
    """Return canonical JSON of plain values."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_verifier_written_from_the_page_agrees_with_the_program(tmp_path: Path) -> None:
    """The page is enough to check a ledger that the program wrote."""
    path = str(tmp_path / "ledger.db")
    example_ledger(path).close()
    assert verified(path) == dict(shown()[-1])["hash"]


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
    with pytest.raises(AssertionError):
        verified(copy)


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
