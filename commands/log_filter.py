"""Which transactions `guild log` shows: those of a run, of somebody, since a time, with events of a type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from commands.app import App
from ledger.canonical import encode
from ledger.dataclass import dataclass
from ledger.errors import UsageError
from ledger.ids import RunId, run_stream, system_clock
from ledger.newest import newest_first
from ledger.registry import VERSIONS
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.text import did_you_mean, printable
from ledger.transaction import Header

Pair = tuple[TxnRow, list[EventRow]]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What is asked for; None and empty do not limit.

    Attributes:
        run_id: about this run.
        actor: by this login name, or `name@host`.
        since: recorded then or later, microseconds UTC.
        types: with an event of any of these types.
    """

    run_id: RunId | None = None
    actor: str | None = None
    since: int | None = None
    types: frozenset[str] = frozenset()

    def lets(self, txn: TxnRow, events: Sequence[EventRow]) -> bool:
        """Tell whether a transaction is asked for."""
        if self.since is not None and txn.recorded_at < self.since:
            return False
        if self.types and not any(event.type in self.types for event in events):
            return False
        if self.run_id is not None and not any(event.stream == run_stream(self.run_id) for event in events):
            return False
        return self.is_by(txn)

    def is_by(self, txn: TxnRow) -> bool:
        """Tell whether a transaction is by whom it is asked for; its events need not be read for that."""
        if self.actor is None:
            return True
        header = Header.from_bytes(txn.header)
        return self.actor in (header.actor, f"{header.actor}@{header.host}")

    def newest_first(self, store: Store, limit: int | None = None) -> Iterator[Pair]:
        """Yield what is asked for, newest first, `limit` at most; only inside `reading` of the store."""
        return islice(self._matching(store, is_limited=limit is not None), limit)

    def seqs(self, store: Store) -> Iterator[int] | None:
        """Return the transactions that may be asked for, newest first; None when neither run nor type limits them.

        Only inside `reading` of the store.
        """
        if self.run_id is not None:
            of_run = {event.txn_seq for event in store.stream_events([run_stream(self.run_id)])}
            return iter(sorted(of_run, reverse=True))
        return store.seqs_of_types(self.types) if self.types else None

    def _matching(self, store: Store, *, is_limited: bool) -> Iterator[Pair]:
        # Of one origin times only grow, so nothing earlier can match; merged ones are read to their end.
        is_ordered = self.since is not None and len(store.origins()) == 1
        for txn, events in self._candidates(store, is_limited=is_limited and not is_ordered):
            if self.lets(txn, events):
                yield txn, events
            elif is_ordered and self.since is not None and txn.recorded_at < self.since:
                return

    def _candidates(self, store: Store, *, is_limited: bool) -> Iterator[Pair]:
        """Yield what may be asked for; where few are wanted, without reading the events of all others."""
        if self.run_id is None and not (is_limited and (self.types or self.actor)):
            return newest_first(store)
        seqs = self.seqs(store)
        if seqs is not None:
            found = (txn for seq in seqs if (txn := store.txn(seq)))
        else:
            # The login name stands in the header as it is encoded, whatever stands around it.
            name = encode((self.actor or "").partition("@")[0])[1:-1]
            found = (txn for txn in store.transactions(newest_first=True) if txn.header is None or name in txn.header)
        return ((txn, store.txn_events(txn.seq)) for txn in found)


def log_filter(app: App, run: str | None, actor: str | None, since: str | None, types: Sequence[str]) -> LogFilter:
    """Return what the options say.

    Raises:
        UsageError: an option is empty, or a type is none.
        TimeRangeError: a time is none.
        SelectionError: no run is named, or several.
    """
    for option, text in (("--run", run), ("--actor", actor), ("--since", since)):
        if text is not None and not text.strip():
            raise UsageError(f"{option} needs a text, and got an empty one", hint="Leave the option out for all.")
    run_id = None
    if run is not None:
        from commands.run_named import named_run

        run_id = named_run(app, run)
    return LogFilter(run_id, actor, None if since is None else _since(since), frozenset(map(event_type, types)))


def _since(text: str) -> int:
    from projections.time_ranges import time_range

    first = time_range(text, system_clock()).first
    if first is None:
        raise UsageError(
            f"--since needs a time from which on, and '{printable(text, 80)}' has no beginning",
            hint="Examples: 'today', '2 hours ago', 'last 3 days', '2026-07-01 12:00'.",
        )
    return first


def event_type(text: str) -> str:
    """Return an event type; `deleted` is short for `run.deleted`."""
    for name in (text, f"run.{text}", f"ledger.{text}"):
        if name in VERSIONS:
            return name
    known = [*VERSIONS, *(name.partition(".")[2] for name in VERSIONS)]
    raise UsageError(
        f"'{printable(text, 80)}' is no type of event{did_you_mean(text, known)}",
        hint=f"Types: {', '.join(sorted(VERSIONS))}; `run.` may be left out.",
    )
