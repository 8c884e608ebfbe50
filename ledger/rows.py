"""The ledger's rows as the stores read and write them, apart from the stores so that none depends on another.

Annotations are evaluated here: those kept as texts are compiled one by one when a named tuple is made, at every start.
"""

from typing import NamedTuple


class TxnRow(NamedTuple):
    """One row of `txn`: one command, atomic, with who did it.

    `recorded_at` is in microseconds UTC; `header` is None once it has been redacted (its hash stays).
    """

    seq: int
    txn_id: bytes
    origin_id: bytes
    origin_seq: int
    recorded_at: int
    lamport: int
    header_hash: bytes
    header: bytes | None
    prev_hash: bytes
    hash: bytes


class EventRow(NamedTuple):
    """One row of `event`; `body` is None once it has been redacted (its hash stays)."""

    position: int
    txn_seq: int
    origin_id: bytes
    stream: str
    stream_version: int
    type: str
    schema_version: int
    body_hash: bytes
    body: bytes | None


TxnTuple = tuple[int, bytes, bytes, int, int, int, bytes, bytes | None, bytes, bytes]
"""A `TxnRow` without its names: what a reader of a million rows takes."""

EventTuple = tuple[int, int, bytes, str, int, str, int, bytes, bytes | None]
"""An `EventRow` without its names."""


class OriginRow(NamedTuple):
    """One row of `origin`: a ledger that ever wrote here, and the head of its chain."""

    origin_id: bytes
    label: str
    head_seq: int
    head_hash: bytes


class Head(NamedTuple):
    """The end of a ledger: what the next transaction is numbered and chained from.

    `seq` and `position` are those of the newest row, `recorded_at` and `lamport` the greatest of any origin (all are 0
    in an empty ledger); `origin_seq` and `hash` are those of this ledger's own origin.
    """

    seq: int
    position: int
    recorded_at: int
    lamport: int
    origin_seq: int
    hash: bytes


class TimedEvent(NamedTuple):
    """An event with the time of its transaction: what a projection folds."""

    position: int
    txn_seq: int
    recorded_at: int
    stream: str
    type: str
    schema_version: int
    body: bytes | None
