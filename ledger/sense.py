"""Whether rows that somebody else wrote make sense: hashes prove that they are unchanged, not that they can be used.

What is asked here is what commands, indexes and later writers rest on. Once taken in, a row that breaks them cannot be
removed any more, so it must never get in.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.canonical import decode, encode
from ledger.errors import LedgerError
from ledger.ids import LEDGER_STREAM, is_run_id, run_of
from ledger.redacting import redaction_of
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.transaction import Header

GREATEST = 2**62
"""What is counted on from stays below: the next number must still fit into 64 bits."""

_MANY = 100
"""Brackets from which on it is worth while to ask how deep they nest."""


def first_nonsense(store: Store, after_seq: int = 0, after_position: int = 0) -> tuple[str, str] | None:
    """Return the first row that makes no sense, where it is and what is wrong; None when all do.

    Args:
        store: the ledger's rows; the caller holds one view of them.
        after_seq: only transactions behind this one.
        after_position: only events behind this one.
    """
    return next(_nonsense(store, after_seq, after_position), None)


def _nonsense(store: Store, after_seq: int, after_position: int) -> Iterator[tuple[str, str]]:
    for txn in store.txn_tuples(after_seq):
        if (wrong := _of_txn(store, TxnRow._make(txn))) is not None:
            yield f"transaction {txn[0]}", wrong
    for event in store.event_tuples(after_position):
        if (wrong := _of_event(EventRow._make(event))) is not None:
            yield f"event {event[0]}", wrong


def _of_txn(store: Store, txn: TxnRow) -> str | None:
    if max(txn.recorded_at, txn.lamport) >= GREATEST or txn.lamport < 1:
        return "its time is beyond what can be counted"
    try:
        undoes = Header.from_bytes(txn.header).undoes
        before = None if undoes is None else store.find_txn(bytes.fromhex(undoes))
    except (LedgerError, ValueError):
        return "its header is none"
    if before is not None and before.recorded_at >= txn.recorded_at:
        return "it takes back what was not there yet"
    return None


def _of_event(event: EventRow) -> str | None:
    if event.stream != LEDGER_STREAM and not is_run_id(run_of(event.stream) or ""):
        return "is about neither a run nor the ledger"
    if not (0 < event.stream_version < GREATEST and event.schema_version > 0):
        return "its version is beyond what can be counted"
    body = event.body
    try:
        if body is not None and body.count(b"[") + body.count(b"{") > _MANY:
            encode(decode(body))
        if body is not None and event.stream == LEDGER_STREAM and event.type == "ledger.redacted":
            redaction_of(event)
    except LedgerError as error:
        return error.message
    return None
