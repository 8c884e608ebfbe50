"""A verifier of ledgers, written from docs/ledger-format.md alone: `verify_ledger.py LEDGER.db [SEQ:HASH]`.

It shares no code with guild. It checks invariants 1 to 10, 12 and 13 of the page and prints the head as SEQ:HASH, or
names the first broken place and exits with 3.
"""

import json
import sqlite3
import sys
from hashlib import sha256


def sized(value: list[object]) -> bytes:
    """Return canonical JSON after its length."""
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return len(data).to_bytes(8, "big") + data


def need(holds: object, where: str, what: str) -> None:
    """Stop at the first broken place."""
    if not holds:
        raise SystemExit(f"{where}: {what}")


def verify(db: sqlite3.Connection) -> tuple[bytes, int]:
    """Return hash and seq of the newest transaction of the ledger's own origin."""
    records = db.execute("SELECT body FROM event WHERE type = 'ledger.redacted' AND body IS NOT NULL")
    redacted = {(r["stream"], r["stream_version"], r["origin_id"]) for r in (json.loads(row[0]) for row in records)}
    meta = dict(db.execute("SELECT key, value FROM meta"))
    heads, versions, position = {}, {}, 0
    event = (events := db.execute("SELECT * FROM event ORDER BY position")).fetchone()
    for seq, row in enumerate(db.execute("SELECT * FROM txn ORDER BY seq"), 1):
        at, txn_id, origin, origin_seq, time, lamport, header_hash, header, prev_hash, hash_ = row
        need(at == seq, where := f"transaction {seq}", "is missing")
        genesis = sha256(b"guild-ledger/origin/1\n" + origin).digest()
        last_time, last_seq, last_hash, _, last_lamport = heads.get(origin, (0, 0, genesis, 0, 0))
        need((origin_seq, prev_hash) == (last_seq + 1, last_hash), where, "does not link to the one before it")
        need(time > last_time and lamport > last_lamport, where, "is not later than the one before it")
        redaction = ("txn", origin_seq, origin.hex())
        sound = redaction in redacted if header is None else sha256(header).digest() == header_hash
        need(sound, where, "its header was altered, or emptied without a record")
        parts = []
        while event is not None and event[1] == seq:
            position += 1
            place, _, owner, stream, version, type_, schema, body_hash, body = event
            need(place == position and owner == origin, f"event {position}", "is missing, or is another origin's")
            need(version == versions.get((stream, origin), 0) + 1, f"event {position}", "is out of order in its stream")
            versions[stream, origin] = version
            sound = (stream, version, origin.hex()) in redacted if body is None else sha256(body).digest() == body_hash
            need(sound, f"event {position}", "its body was altered, or emptied without a record")
            parts.append(sized([stream, version, type_, schema]) + body_hash)
            if position == 1:
                made = json.loads(body or b"{}")
                known = (made.get("ledger_id"), str(made.get("format")), origin.hex(), str(time))
                told = tuple(meta.get(key) for key in ("ledger_id", "format", "origin_id", "created_at"))
                need(type_ == "ledger.created" and told == known, "meta", "is not what the ledger was made with")
            event = events.fetchone()
        need(parts, where, "has no events")
        fixed = sized([1, origin.hex(), origin_seq, txn_id.hex(), time, lamport])
        parts[:0] = [b"guild-ledger/txn/1\n", prev_hash, fixed, header_hash, len(parts).to_bytes(8, "big")]
        need(sha256(b"".join(parts)).digest() == hash_, where, "its hash does not fit its content")
        heads[origin] = (time, origin_seq, hash_, seq, lamport)
    need(event is None, f"event {position + 1}", "belongs to no transaction")
    stored = set(db.execute("SELECT origin_id, head_seq, head_hash FROM origin"))
    need(stored == {(origin, *head[1:3]) for origin, head in heads.items()}, "origin", "its head is another one")
    return heads[bytes.fromhex(meta["origin_id"])][2:4]


if __name__ == "__main__":
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    try:
        head_hash, head_seq = verify(database)
        for anchor in sys.argv[2:]:
            held = database.execute("SELECT seq || ':' || lower(hex(hash)) FROM txn").fetchall()
            need((anchor,) in held, f"anchor {anchor}", "is not in this ledger")
        print(f"{head_seq}:{head_hash.hex()}")
    except (SystemExit, sqlite3.Error, LookupError, ValueError, TypeError, AttributeError) as error:
        print(f"BROKEN  {error}")
        sys.exit(3)
