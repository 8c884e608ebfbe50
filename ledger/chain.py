r"""The hash chain: what proves that no stored transaction was changed, removed, added or moved.

One chain per origin. All integers below are eight bytes, big-endian; JSON is canonical (`ledger.canonical`).

    genesis  = sha256("guild-ledger/origin/1\n" + origin_id)
    fixed    = JSON [1, origin_id hex, origin_seq, txn_id hex, recorded_at, lamport]
    event    = JSON [stream, stream_version, type, schema_version]
    hash     = sha256("guild-ledger/txn/1\n" + prev_hash + len(fixed) + fixed + header_hash
                      + number of events + for each event: len(event) + event + body_hash)

Headers and bodies enter by their hashes, so that one can be emptied (a secret) and the chain still holds. `seq` and
`position` are not hashed: they are local to one ledger and dense, which is checked apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from orjson import dumps

from ledger.rows import EventRow, TxnRow, TxnTuple

_TXN_DOMAIN = b"guild-ledger/txn/1\n"
_ORIGIN_DOMAIN = b"guild-ledger/origin/1\n"
HASH_VERSION = 1


def genesis(origin_id: bytes) -> bytes:
    """Return the `prev_hash` of an origin's first transaction, so that chains of two origins cannot be swapped."""
    return sha256(_ORIGIN_DOMAIN + origin_id).digest()


def digest(data: bytes) -> bytes:
    """Return the hash by which a header or a body enters the chain."""
    return sha256(data).digest()


def txn_hash(txn: TxnRow, events: Sequence[EventRow]) -> bytes:
    """Return the hash of a transaction with its events, in order of position (`txn.hash` is not looked at)."""
    return sealed(txn, [event_part(event) for event in events])


def event_part(event: EventRow) -> bytes:
    """Return what an event adds to what is hashed of its transaction."""
    # Rows are taken apart at once, here and below: a verification does it a million times, and by name is slower.
    _, _, _, stream, stream_version, type_, schema_version, body_hash, _ = event
    named = dumps((stream, stream_version, type_, schema_version))
    return len(named).to_bytes(8, "big") + named + body_hash


def sealed(txn: TxnRow | TxnTuple, parts: Sequence[bytes]) -> bytes:
    """Return the hash of a transaction from what each of its events adds."""
    _, txn_id, origin_id, origin_seq, recorded_at, lamport, header_hash, _, prev_hash, _ = txn
    fixed = dumps((HASH_VERSION, origin_id.hex(), origin_seq, txn_id.hex(), recorded_at, lamport))
    size, count = len(fixed).to_bytes(8, "big"), len(parts).to_bytes(8, "big")
    return sha256(b"".join((_TXN_DOMAIN, prev_hash, size, fixed, header_hash, count, *parts))).digest()
