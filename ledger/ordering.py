"""The order in which events count: that of their times, whichever ledger they were first written in.

Within one origin that is the order of `seq`. What a merge takes in comes behind what is there already, though it was
recorded earlier: whoever folds events goes by this order, so that ledgers which were merged in any order say the same.
A writer makes each time later than all it knows, so nothing ever comes before what it rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ledger.rows import EventRow, TimedEvent, TxnRow

if TYPE_CHECKING:
    from ledger.store import Store


def in_time(rows: list[EventRow], txn: Callable[[int], TxnRow | None]) -> list[EventRow]:
    """Return events in the order in which they count.

    Args:
        rows: all of one or several streams.
        txn: looks a transaction up by its `seq`.
    """
    rows.sort()
    if len({row.origin_id for row in rows}) < 2:  # noqa: PLR2004 - several
        return rows
    found = {seq: txn(seq) for seq in {row.txn_seq for row in rows}}
    times = {seq: 0 if one is None else one.recorded_at for seq, one in found.items()}
    return sorted(rows, key=lambda row: (times[row.txn_seq], row.origin_id, row.position))


def all_in_time(store: Store, after: int = 0, until: int | None = None) -> Iterator[TimedEvent]:
    """Yield the events with `position > after`, up to `until`, in the order in which they count.

    Each origin is read for itself and the readings are merged: nothing is collected.
    """
    origins = store.origins()
    if len(origins) < 2:  # noqa: PLR2004 - several
        return _until(store.timed_events(after), until)
    from heapq import merge

    # Of two that have the same time, the one of the earlier reading comes first: that of the smaller origin.
    readings = [_until(store.timed_events(after, origin.origin_id), until) for origin in origins]
    return merge(*readings, key=lambda event: event.recorded_at)


def _until(events: Iterator[TimedEvent], until: int | None) -> Iterator[TimedEvent]:
    from itertools import takewhile

    return events if until is None else takewhile(lambda event: event.position <= until, events)
