"""The audit log as a page shows it: a page of transactions, newest first, each with what it did and who undid it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import islice

from artifacts.home import check_run_id
from commands.app import App
from commands.change_words import summary
from commands.log_filter import LogFilter, event_type
from ledger.canonical import Value
from ledger.errors import GuildError
from ledger.ids import run_of, run_stream
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

_MOST_EVENTS = 10_000
"""Events that are read: a page of transactions that are each about thousands of runs ends early, after one at least."""

Takers = Callable[[str], Mapping[bytes, int]]
"""Gives what `_takers` finds, looked up once."""


def log_page(app: App, asked: LogAsked) -> Mapping[str, Value]:
    """Return a page of transactions, and where the next one begins."""
    store = app.ledger.store
    run_id = check_run_id(asked.run) if asked.run else None
    wanted = LogFilter(run_id, asked.actor or None, None, frozenset(map(event_type, asked.types)))
    found: list[dict[str, Value]] = []
    last, read = asked.before, 0
    takers = cache(partial(_takers, store))  # transactions about the same run ask for the same
    with store.reading():
        seqs = _seqs(store, wanted, asked.before)
        for seq in islice(seqs, _MOST_LOOKED_AT):
            last = seq
            txn = store.txn(seq)
            if txn is None or not wanted.is_by(txn):
                continue
            events = store.txn_events(seq)
            read += len(events)
            if wanted.lets(txn, events):
                found.append(_object(store, txn, events, takers))
            if len(found) == asked.limit or read >= _MOST_EVENTS:
                break
        more = next(seqs, None) is not None
    return {"transactions": found, "more": more, "before": last if more else None}


def _seqs(store: Store, wanted: LogFilter, before: int | None) -> Iterator[int]:
    """Yield the transactions that may be asked for, newest first; each is looked up, so that a page costs the page."""
    end = store.head().seq + 1 if before is None else before
    seqs = wanted.seqs(store)
    return iter(range(end - 1, 0, -1)) if seqs is None else (seq for seq in seqs if seq < end)


def _object(store: Store, txn: TxnRow, events: Sequence[EventRow], takers: Takers) -> dict[str, Value]:
    header = Header.from_bytes(txn.header)
    runs = list(dict.fromkeys(run_id for event in events if (run_id := run_of(event.stream))))
    brief = brief_of(txn)
    # What takes it back has an event of one of the same runs, and hardly leaves out both the first and the last.
    undone_by = max(
        (seq for run_id in {*runs[:1], *runs[-1:]} if (seq := takers(run_stream(run_id)).get(txn.txn_id))), default=None
    )
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


def _takers(store: Store, stream: str) -> Mapping[bytes, int]:
    """Return the transactions about a run that take others back, by the ids of those; the newest of each."""
    seqs = sorted({event.txn_seq for event in store.stream_events([stream])})
    briefs = [brief_of(txn) for seq in seqs if (txn := store.txn(seq))]
    return {brief.undoes: brief.seq for brief in briefs if brief.undoes is not None}


def _is_undoable(seq: int, events: Sequence[EventRow]) -> bool:
    """Tell whether a transaction is of a kind that is taken back; whether later ones built on it shows when it is."""
    with suppress(GuildError):
        refuse_what_stays(seq, list(events))
        return True
    return False
