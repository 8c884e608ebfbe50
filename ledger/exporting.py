"""A ledger as JSON Lines: every row with its hashes, streamed, to be kept, looked at, or read in elsewhere.

The form is told in docs/ledger-format.md. Headers and bodies are the stored bytes as text, never decoded and encoded
again, so that whoever reads them in gets the bytes that were hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from orjson import dumps

from ledger.chain import event_part, sealed
from ledger.errors import IntegrityError
from ledger.rows import EventRow, TxnRow
from ledger.store import Store

EXPORT_VERSION = 1
"""Version of the lines' form."""


def export_lines(store: Store, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Yield the lines of an export, without their line breaks; the caller holds `store.reading()`.

    Every hash is computed anew on the way.

    Raises:
        IntegrityError: a row is not what was written; the lines before it are whole, but there is no last line.
    """
    yield first_line(store)
    events = map(EventRow._make, store.event_tuples())
    waiting = next(events, None)
    transactions = count = 0
    for txn in map(TxnRow._make, store.txn_tuples()):
        parts = []
        yield txn_line(txn)
        while waiting is not None and waiting.txn_seq == txn.seq:
            if waiting.body is not None and sha256(waiting.body).digest() != waiting.body_hash:
                raise _broken(f"event {waiting.position}")
            parts.append(event_part(waiting))
            yield event_line(waiting)
            waiting = next(events, None)
        if sealed(txn, parts) != txn.hash or (
            txn.header is not None and sha256(txn.header).digest() != txn.header_hash
        ):
            raise _broken(f"transaction {txn.seq}")
        transactions, count = transactions + 1, count + len(parts)
        if progress is not None:
            progress(count)
    if waiting is not None:
        raise _broken(f"event {waiting.position}")
    yield dumps({"end": {"transactions": transactions, "events": count}})


def first_line(store: Store) -> bytes:
    """Return the line that says what follows."""
    origins = [{"origin_id": origin.origin_id.hex(), "label": origin.label} for origin in store.origins()]
    return dumps({"guild_ledger_export": EXPORT_VERSION, **store.meta(), "origins": origins})


def txn_line(txn: TxnRow) -> bytes:
    """Return the line of a transaction; those of its events follow it."""
    return dumps(
        {"txn": {name: _shown(name, value, f"transaction {txn.seq}") for name, value in txn._asdict().items()}}
    )


def event_line(event: EventRow) -> bytes:
    """Return the line of an event. What its transaction says already is left out."""
    row = event._asdict()
    del row["txn_seq"], row["origin_id"]
    return dumps({"event": {name: _shown(name, value, f"event {event.position}") for name, value in row.items()}})


def _shown(name: str, value: object, where: str) -> object:
    """Return bytes as text: ids and hashes hexadecimal, JSON as it is."""
    if not isinstance(value, bytes):
        return value
    if name not in ("header", "body"):
        return value.hex()
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _broken(where) from error


def _broken(where: str) -> IntegrityError:
    return IntegrityError(
        f"the ledger is not whole, so it cannot be exported: {where} was altered",
        hint="`guild ledger verify` tells more; `guild ledger salvage` saves what is whole.",
    )
