"""The audit log as a page shows it: a page of transactions, newest first, each with what it did and who undid it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from artifacts.home import check_run_id
from commands.app import App
from commands.change_words import summary
from commands.log_filter import LogFilter, Pair, event_type
from ledger.canonical import Value
from ledger.errors import GuildError
from ledger.ids import RunId, run_of, run_stream
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.text import utc_time
from ledger.transaction import Header
from projections.undo_choice import brief_of, original_of
from projections.undoing import refuse_what_stays
from view.web.site import LogAsked

_MOST_RUNS = 20
"""Runs of a transaction that are named."""

_MOST_LOOKED_AT = 20_000
"""Transactions that are passed by in search of those asked for, before the page is told to ask for more."""


def log_page(app: App, asked: LogAsked) -> Mapping[str, Value]:
    """Return a page of transactions, and where the next one begins."""
    store = app.ledger.store
    run_id = check_run_id(asked.run) if asked.run else None
    wanted = LogFilter(run_id, asked.actor or None, None, frozenset(map(event_type, asked.types)))
    found: list[dict[str, Value]] = []
    last = asked.before
    with store.reading():
        pairs = _pairs(store, run_id, asked.before)
        for txn, events in islice(pairs, _MOST_LOOKED_AT):
            last = txn.seq
            if wanted.lets(txn, events):
                found.append(_object(store, txn, events))
            if len(found) == asked.limit:
                break
        more = next(pairs, None) is not None
    return {"transactions": found, "more": more, "before": last if more else None}


def _pairs(store: Store, run_id: RunId | None, before: int | None) -> Iterator[Pair]:
    """Yield transactions with their events, newest first; each is looked up, so that a page costs the page."""
    end = store.head().seq + 1 if before is None else before
    seqs: Sequence[int] = range(end - 1, 0, -1)
    if run_id is not None:
        of_run = {event.txn_seq for event in store.stream_events([run_stream(run_id)])}
        seqs = sorted((seq for seq in of_run if seq < end), reverse=True)
    for seq in seqs:
        if txn := store.txn(seq):
            yield txn, store.txn_events(seq)


def _object(store: Store, txn: TxnRow, events: Sequence[EventRow]) -> dict[str, Value]:
    header = Header.from_bytes(txn.header)
    runs = list(dict.fromkeys(run_id for event in events if (run_id := run_of(event.stream))))
    brief = brief_of(txn)
    undone_by = _undone_by(store, txn, events)
    return {
        "seq": txn.seq,
        "id": txn.txn_id.hex(),
        "time": utc_time(txn.recorded_at),
        "actor": header.actor,
        "host": header.host,
        "command": list(header.argv),
        "reason": header.reason,
        "summary": summary(events),
        "types": list(dict.fromkeys(event.type for event in events)),
        "runs": list(runs[:_MOST_RUNS]),
        "count": len(runs),
        "undoable": undone_by is None and _is_undoable(txn.seq, events),
        "undone_by": undone_by,
        "undoes": None if brief.undoes is None else original_of(store, brief).seq,
    }


def _undone_by(store: Store, txn: TxnRow, events: Sequence[EventRow]) -> int | None:
    """Return the newest transaction that takes this one back: it has an event of one of the same runs."""
    streams = [event.stream for event in events if run_of(event.stream)]
    seqs = {event.txn_seq for event in store.stream_events({*streams[:1], *streams[-1:]})}
    later = (store.txn(seq) for seq in sorted(seqs, reverse=True) if seq > txn.seq)
    return next((one.seq for one in later if one is not None and brief_of(one).undoes == txn.txn_id), None)


def _is_undoable(seq: int, events: Sequence[EventRow]) -> bool:
    """Tell whether a transaction is of a kind that is taken back; whether later ones built on it shows when it is."""
    with suppress(GuildError):
        refuse_what_stays(seq, list(events))
        return True
    return False
