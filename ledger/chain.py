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

from ledger.rows import EventRow, TxnRow

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
    fixed = dumps([HASH_VERSION, txn.origin_id.hex(), txn.origin_seq, txn.txn_id.hex(), txn.recorded_at, txn.lamport])
    parts = [_TXN_DOMAIN, txn.prev_hash, len(fixed).to_bytes(8, "big"), fixed, txn.header_hash]
    parts.append(len(events).to_bytes(8, "big"))
    for _, _, _, stream, stream_version, type_, schema_version, body_hash, _ in events:
        named = dumps((stream, stream_version, type_, schema_version))
        parts += (len(named).to_bytes(8, "big"), named, body_hash)
    return sha256(b"".join(parts)).digest()
