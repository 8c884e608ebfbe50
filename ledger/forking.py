"""Forks: a home was copied, and both copies wrote. The same origin then has two histories behind a common point.

The chain makes that certain, and it cannot be made one chain again. What can be done is to tell one side's history as
that of another origin. Its name is computed from what it is, so whoever does that, and whenever, gets the same chain.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from ledger.canonical import encode
from ledger.chain import digest, genesis, txn_hash
from ledger.events.book import LedgerRedacted
from ledger.redacting import HEADER_STREAM
from ledger.registry import current_body
from ledger.rows import EventRow, OriginRow, TxnRow
from ledger.sqlite_store import SqliteStore
from ledger.store import Store

_DOMAIN = b"guild-ledger/fork/1\n"


class Fork(NamedTuple):
    """Where two ledgers went different ways under the name of one origin.

    Attributes:
        origin_id: which origin.
        label: the host that it is called after.
        common: number of the last transaction that both have, 0 when there is none.
        time: when that was recorded, microseconds UTC; 0 when there is none.
        here: how many this ledger has behind it.
        there: how many the other one has.
        first_hash: hash of the first that only the other one has.
    """

    origin_id: bytes
    label: str
    common: int
    time: int
    here: int
    there: int
    first_hash: bytes


def fork_of(store: Store, source: SqliteStore, origin: OriginRow, known: int) -> Fork | None:
    """Return where two ledgers went different ways; None when one has but more than the other.

    Args:
        store: this ledger's rows.
        source: the other's.
        origin: an origin of the other.
        known: how many transactions of it this ledger has.
    """
    name = origin.origin_id

    end = min(known, origin.head_seq)
    common = last_common(end, lambda number: store.origin_txn(name, number), lambda it: source.origin_txn(name, it))
    if common == end:
        return None
    last, first = store.origin_txn(name, common), source.origin_txn(name, common + 1)
    time, hash_ = 0 if last is None else last.recorded_at, b"" if first is None else first.hash
    return Fork(name, origin.label, common, time, known - common, origin.head_seq - common, hash_)


def last_common(end: int, one: Callable[[int], TxnRow | None], other: Callable[[int], TxnRow | None]) -> int:
    """Return the last number up to which two chains are equal; 0 for none.

    Args:
        end: the last number that both have.
        one: gives the transaction at a number of the one.
        other: gives that of the other.
    """

    def is_same(number: int) -> bool:
        left, right = one(number), other(number)
        return left is not None and right is not None and left.hash == right.hash

    if not end or is_same(end):
        return end
    # Hashes are chained, so equal once is equal before.
    return bisect_left(range(1, end), True, key=lambda number: not is_same(number))


def forked_id(origin_id: bytes, first_hash: bytes) -> bytes:
    """Return the origin under which one side of a fork is told: the same wherever that is done."""
    return sha256(_DOMAIN + origin_id + first_hash).digest()[:16]


class Retelling:
    """One side of a fork, told as the history of an origin of its own.

    Id, time, header and bodies of its transactions stay as they are, and so do the hashes of these. Numbers begin anew,
    so the chain does. Only what names an event of this side by its origin and number, the record of a redaction, is
    told anew.
    """

    def __init__(self, store: Store, source: SqliteStore, new_id: bytes, common: int) -> None:
        """Begin or go on.

        Args:
            store: where it is told: has what was told before.
            source: the other ledger.
            new_id: the new origin.
            common: how many transactions of the old origin come before the fork.
        """
        self._store = store
        self._source = source
        self._new_id = new_id
        self._common = common

    def told(self, txn: TxnRow, events: list[EventRow]) -> tuple[TxnRow, list[EventRow]]:
        """Return the next transaction as the new origin has it."""
        number = txn.origin_seq - self._common
        before = self._store.origin_txn(self._new_id, number - 1)
        versions: dict[str, int] = {}
        rows = []
        for event in events:
            if event.stream not in versions:
                versions[event.stream] = self._store.last_version(event.stream, self._new_id)
            versions[event.stream] += 1
            row = event._replace(origin_id=self._new_id, stream_version=versions[event.stream])
            if event.type == LedgerRedacted.type and event.body is not None:
                row = self._renamed(txn.origin_id, row)
            rows.append(row)
        prev = genesis(self._new_id) if before is None else before.hash
        new = txn._replace(origin_id=self._new_id, origin_seq=number, prev_hash=prev)
        return new._replace(hash=txn_hash(new, rows)), rows

    def _renamed(self, old_id: bytes, row: EventRow) -> EventRow:
        """Return the record of a redaction with what it names as it is called now; what is older keeps its name."""
        body = current_body(row.type, row.schema_version, row.body or b"")
        if body["origin_id"] != old_id.hex():
            return row
        stream, version = str(body["stream"]), int(str(body["stream_version"]))
        before = self._common if stream == HEADER_STREAM else self._events_before(old_id, stream)
        if version <= before:
            return row
        new = encode({**body, "origin_id": self._new_id.hex(), "stream_version": version - before})
        return row._replace(body=new, body_hash=digest(new))

    def _events_before(self, origin_id: bytes, stream: str) -> int:
        """Return how many events an origin has in a stream up to the fork."""
        count = 0
        for event in self._source.stream_events([stream]):
            txn = self._source.txn(event.txn_seq)
            count += event.origin_id == origin_id and txn is not None and txn.origin_seq <= self._common
        return count
