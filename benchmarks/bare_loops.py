"""The least that a rebuild and a verification could do: the same rows read, the same tables written, no checks."""

from __future__ import annotations

import gc
import sqlite3
from hashlib import sha256
from typing import Any

import orjson

from projections.schema import INDEXES, LIVE, PLACES, STATUSES, TABLES

_EVENTS = (
    "SELECT t.recorded_at, e.stream, e.type, e.body FROM event e CROSS JOIN txn t ON t.seq = e.txn_seq"
    " ORDER BY e.position"
)
_INSERT = f"INSERT INTO run VALUES ({','.join('?' * 13)})"
_PLACE = PLACES.index(LIVE)


def read_and_hash(ledger: str) -> int:
    """Compute every hash that the format defines, and compare none; return the number of events."""
    database = sqlite3.connect(ledger)
    events = iter(database.execute("SELECT * FROM event ORDER BY position"))
    event = next(events, None)
    count = 0
    for seq, txn_id, origin, number, time, lamport, _, header, previous, _ in database.execute(
        "SELECT * FROM txn ORDER BY seq"
    ):
        fixed = orjson.dumps((1, origin.hex(), number, txn_id.hex(), time, lamport))
        parts = []
        while event is not None and event[1] == seq:
            name = orjson.dumps(event[3:7])
            parts.append(len(name).to_bytes(8, "big") + name + sha256(event[8]).digest())
            event = next(events, None)
        count += len(parts)
        start = b"guild-ledger/txn/1\n" + previous + len(fixed).to_bytes(8, "big") + fixed + sha256(header).digest()
        sha256(start + len(parts).to_bytes(8, "big") + b"".join(parts)).digest()
    database.close()
    return count


def fold_and_insert(ledger: str, target: str) -> int:
    """Fold all events into one dict, insert all rows, then make the indexes; return the number of events."""
    gc.disable()
    source = sqlite3.connect(ledger)
    database = sqlite3.connect(target, isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA journal_mode=OFF")
    database.executescript(TABLES)
    runs: dict[str, list[Any]] = {}
    ops: dict[tuple[Any, ...], int] = {}
    names: dict[str, int] = {}
    values: list[tuple[Any, ...]] = []
    count = 0
    for time, stream, type_, body in source.execute(_EVENTS):
        count += 1
        if type_ == "run.started":
            known = orjson.loads(body)
            key = (known["project"], known["package"], known["model"], known["operation"])
            op = ops.setdefault(key, len(ops) + 1)
            number = len(runs) + 1
            digest = bytes.fromhex(known["sources"]["digest"])
            start = [
                number,
                bytes.fromhex(stream[4:]),
                op,
                2,
                _PLACE,
                time,
                None,
                None,
                known["label"],
                0,
                0,
                digest,
                1,
            ]
            runs[stream] = start
            for flag, value in known["flags"].items():
                name = names.setdefault(f"flag:{flag}", len(names) + 1)
                values.append((number, name, None, value) if isinstance(value, str) else (number, name, value, None))
        elif type_ == "run.status_changed":
            known, row = orjson.loads(body), runs[stream]
            row[3], row[6], row[7] = STATUSES.index(known["status"]), known["stopped"] or time, known["exit_status"]
            row[12] += 1
        elif type_ == "run.labeled":
            row = runs[stream]
            row[8] = orjson.loads(body)["label"]
            row[12] += 1
    database.execute("BEGIN")
    database.executemany("INSERT INTO op VALUES (?,?,?,?,?)", [(op, *key) for key, op in ops.items()])
    database.executemany("INSERT INTO name VALUES (?,?)", [(name, text) for text, name in names.items()])
    database.executemany(_INSERT, runs.values())
    database.executemany("INSERT INTO value VALUES (?,?,?,?)", values)
    database.execute("COMMIT")
    database.executescript(INDEXES)
    database.close()
    source.close()
    return count
