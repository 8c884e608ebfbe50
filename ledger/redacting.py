"""Emptying bodies and headers that must not be kept: on record, in one transaction, and without breaking the chain.

Each keeps its hash, so that it can still be proved that something was there, when, and who removed it. The events that
say what was redacted, and those about the ledger itself, stay: verification rests on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.errors import LedgerError
from ledger.events.book import LedgerRedacted
from ledger.ids import LEDGER_STREAM, run_of
from ledger.log import Ledger
from ledger.registry import current_body
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.transaction import Committed, Header, NewEvent, Transaction

TELLING = ("run.staged", "run.started", "run.restarted", "run.imported")
"""Types of events whose bodies hold what was typed: flags and commands."""

DECIDING = ("run.status_changed", "run.protected", "run.deleted")
"""Types of events whose bodies say what may become of a run; emptied, they would lift a protection, say."""

HEADER_STREAM = "txn"
"""What stands for the stream where the header of a transaction is named."""


class Target(NamedTuple):
    """A body or a header to be emptied.

    Attributes:
        stream: of the event; `txn` for a header.
        version: of the event in its stream; for a header the number of its transaction in its origin.
        origin_id: who wrote it.
        at: position of the event; for a header `seq` of its transaction.
        name: what it is, for people.
        size: bytes that it has.
    """

    stream: str
    version: int
    origin_id: bytes
    at: int
    name: str
    size: int


def body_targets(events: Iterable[EventRow]) -> list[Target]:
    """Return the bodies of these events, those left out that are empty already.

    Raises:
        LedgerError: an event is about the ledger itself, or decides what may become of its run.
    """
    found = []
    for event in events:
        if run_of(event.stream) is None:
            raise LedgerError(
                f"event {event.position} ({event.type}) is about the ledger itself and cannot be redacted",
                hint="Nothing was changed.",
            )
        if event.type in DECIDING:
            raise LedgerError(
                f"event {event.position} ({event.type}) decides what may become of its run and cannot be redacted",
                hint="Nothing was changed. It holds nothing that was typed; the command line of its transaction is"
                " emptied with --txn.",
            )
        if event.body is not None:
            found.append(
                Target(event.stream, event.stream_version, event.origin_id, event.position, event.type, len(event.body))
            )
    return found


def header_targets(transactions: Iterable[TxnRow]) -> list[Target]:
    """Return the headers of these transactions, those left out that are empty already."""
    return [
        Target(HEADER_STREAM, txn.origin_seq, txn.origin_id, txn.seq, "header", len(txn.header))
        for txn in transactions
        if txn.header is not None
    ]


def redact(ledger: Ledger, header: Header, targets: Sequence[Target], reason: str) -> Committed:
    """Empty the targets and append an event for each of them, in one transaction.

    Old copies of the bytes may be left in the database's file: `wipe` of the store removes them.

    Raises:
        LedgerError: another command emptied one of them meanwhile, or the store failed; nothing was changed.
    """
    events = [
        NewEvent(LEDGER_STREAM, LedgerRedacted(target.stream, target.version, target.origin_id.hex(), reason))
        for target in targets
    ]
    bodies = [target.at for target in targets if target.stream != HEADER_STREAM]
    headers = [target.at for target in targets if target.stream == HEADER_STREAM]
    return ledger.append(Transaction(header, tuple(events)), check=lambda: ledger.store.empty(bodies, headers))


class Named(NamedTuple):
    """What the record of a redaction names: see `Target`."""

    stream: str
    version: int
    origin_id: bytes


def redaction_of(row: EventRow) -> Named:
    """Return what the record of a redaction names.

    Raises:
        LedgerError: the record cannot be read.
    """
    try:
        body = current_body(row.type, row.schema_version, row.body or b"")
        named = Named(str(body["stream"]), int(str(body["stream_version"])), bytes.fromhex(str(body["origin_id"])))
    except (KeyError, ValueError) as error:
        raise LedgerError(f"{row.type}: it names nothing: {error}") from error
    if not 0 < named.version < 2**63:
        raise LedgerError(f"{row.type}: it names nothing: there is no number {named.version:x}")
    return named


def empty_redacted(store: Store, after: int = 0) -> int:
    """Empty what is on record as redacted behind transaction `after`; return how many bodies and headers that were.

    History that is taken in may have been emptied where it was, and not here; the caller holds the write lock.
    """
    records = [row for row in store.stream_events([LEDGER_STREAM]) if row.type == LedgerRedacted.type]
    return empty_named(store, [redaction_of(row) for row in records if row.txn_seq > after and row.body is not None])


def empty_named(store: Store, names: Iterable[Named]) -> int:
    """Empty what has these names, what decides about a run left out; return how many bodies and headers that were.

    The caller holds the write lock.
    """
    bodies: list[int] = []
    headers: list[int] = []
    for named in names:
        if named.stream == HEADER_STREAM:
            txn = store.origin_txn(named.origin_id, named.version)
            headers += [txn.seq] if txn is not None and txn.header is not None else []
        elif run_of(named.stream) is not None:
            found = [e for e in store.stream_events([named.stream]) if e.body and e.type not in DECIDING]
            bodies += [e.position for e in found if (e.stream_version, e.origin_id) == named[1:]]
    store.empty(bodies, headers)
    return len(bodies) + len(headers)
