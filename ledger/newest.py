"""The ledger from its end: transactions with their events, newest first, without collecting them."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.rows import EventRow, TxnRow
from ledger.store import Store


def newest_first(store: Store) -> Iterator[tuple[TxnRow, list[EventRow]]]:
    """Yield transactions with their events, newest first."""
    events = store.events(newest_first=True)
    waiting = next(events, None)
    for txn in store.transactions(newest_first=True):
        group = []
        while waiting is not None and waiting.txn_seq >= txn.seq:
            group.append(waiting)
            waiting = next(events, None)
        yield txn, group[::-1]
