"""What was redacted in another ledger, found here: each event is told apart by its transaction's id, never by a number.

One side of a fork is called otherwise in some ledgers, so a name that a third machine wrote may mean another event
here. Transactions keep their ids whatever they are called, and the other ledger knows what it emptied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ledger.ids import run_of
from ledger.redacting import DECIDING, HEADER_STREAM, Named, redaction_of
from ledger.rows import EventRow
from ledger.store import Store


class Followed(NamedTuple):
    """A body or a header here that was emptied there.

    Attributes:
        named: what it is called here.
        at: position of the event; for a header `seq` of its transaction.
        is_full: whether it is still to be emptied.
    """

    named: Named
    at: int
    is_full: bool


def followed(store: Store, source: Store, records: Iterable[EventRow]) -> list[Followed]:
    """Return what records of the other ledger name, as far as it is emptied there and this ledger has it.

    What decides what may become of a run, and what is about the ledger itself, is left out: it is never emptied.

    Raises:
        LedgerError: a record names nothing.
    """
    names = dict.fromkeys(redaction_of(row) for row in records if row.body is not None)
    found = [(_header if name.stream == HEADER_STREAM else _body)(store, source, name) for name in names]
    return [one for one in found if one is not None]


def _header(store: Store, source: Store, name: Named) -> Followed | None:
    there = source.origin_txn(name.origin_id, name.version)
    here = None if there is None or there.header is not None else store.find_txn(there.txn_id)
    if here is None:
        return None
    return Followed(Named(HEADER_STREAM, here.origin_seq, here.origin_id), here.seq, here.header is not None)


def _body(store: Store, source: Store, name: Named) -> Followed | None:
    if run_of(name.stream) is None:
        return None
    rows = source.stream_events([name.stream])
    there = next((row for row in rows if (row.stream_version, row.origin_id) == name[1:]), None)
    if there is None or there.body is not None or there.type in DECIDING:
        return None
    txn = source.txn(there.txn_seq)
    mine = None if txn is None else store.find_txn(txn.txn_id)
    if mine is None:
        return None
    place = there.position - source.txn_events(there.txn_seq)[0].position
    events = store.txn_events(mine.seq)
    if place >= len(events) or events[place].body_hash != there.body_hash or events[place].type != there.type:
        return None
    here = events[place]
    return Followed(Named(here.stream, here.stream_version, here.origin_id), here.position, here.body is not None)
