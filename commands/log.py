"""`guild log`: what was done, by whom, from where and when, newest first; read from the ledger alone.

It asks nothing of the index, so it works beside a broken one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

import click

from commands.app import App
from commands.change_words import change, change_object, command_line, header_of, summary, who
from commands.lazy import completer
from commands.log_filter import LogFilter, Pair, log_filter
from commands.options import json_option, run_words
from commands.table import SHORT_ID, local_time
from commands.terminal import note, page, say
from ledger.ids import run_of
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.text import printable, utc_time
from projections.facts import Touch, touches_of
from projections.undo_choice import brief_of, is_redo, original_of

_FOLLOWED_FIRST = 10
_PAUSE_SECONDS = 0.3
_FEW = 1_000
"""Transactions that are read as a whole before the first is shown."""

_types = completer("commands.completing_transactions:event_types")


@click.command("log")
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N transactions.")
@click.option("--run", metavar="RUN", shell_complete=run_words, help="Only those about a run: an id, or its beginning.")
@click.option("--actor", metavar="NAME", help="Only those of somebody: a login name, or NAME@HOST.")
@click.option("--since", metavar="TIME", help="Only those since a time, such as 'today' or '2 hours ago'.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    shell_complete=_types,
    help="Only those with an event of a type, such as deleted; may be repeated (any of them).",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the events of each transaction.")
@click.option("-p", "--patch", is_flag=True, help="Show what changed of each run: before and after.")
@click.option("-f", "--follow", is_flag=True, help="Show the last ten, then new ones as they come, until Ctrl-C.")
@json_option
@click.pass_obj
def log(
    app: App,
    *,
    limit: int | None,
    run: str | None,
    actor: str | None,
    since: str | None,
    types: tuple[str, ...],
    verbose: bool,
    patch: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the ledger's transactions, newest first: number, time, who, what was done, the command line.

    With --json, one JSON object a line. A run is found by its id even when it was purged.

    \b
    Examples:
      guild log -n 20
      guild log --run 9734f85e --patch
      guild log --type deleted --since yesterday
      guild log --actor ada --json
    """
    wanted = log_filter(app, run, actor, since, types)
    store = app.ledger.store

    def lines_of(store: Store) -> _JsonLines | _Lines:
        return _JsonLines(store, patch=patch) if as_json else _Lines(store, verbose=verbose, patch=patch)

    if follow:
        _follow(app, wanted, _FOLLOWED_FIRST if limit is None else limit, lines_of)
        return
    shown = lines_of(store)
    with store.reading():  # one view of both tables: in a server two questions see two ledgers
        lines: Iterable[str] = (
            line for txn, events in wanted.newest_first(store, limit) for line in shown(txn, events)
        )
        if limit is None or limit > _FEW:
            page(lines)
            return
        lines = list(lines)
    page(lines)  # whoever reads them takes as long as he likes, and holds nothing up


def _follow(
    app: App,
    wanted: LogFilter,
    limit: int,
    lines_of: Callable[[Store], Callable[[TxnRow, list[EventRow]], Iterable[str]]],
) -> None:
    """Show the newest, oldest first, and then what is appended by whomever, until Ctrl-C or the reader leaves."""
    try:
        store = app.ledger.store
        file, shown, last = _file_at(store.place), lines_of(store), store.head().seq
        with store.reading():
            before: list[Pair] = [pair for pair in wanted.newest_first(store, limit) if pair[0].seq <= last]
        for txn, events in reversed(before):
            if not all(say(line) for line in shown(txn, events)):
                return
        while True:
            # Each look is over before anything is written: a slow reader of what is said must not hold the ledger.
            for txn in list(store.transactions(after=last)):
                last, events = txn.seq, store.txn_events(txn.seq)
                if wanted.lets(txn, events) and not all(say(line) for line in shown(txn, events)):
                    return
            time.sleep(_PAUSE_SECONDS)
            now = _file_at(store.place)
            if now not in (None, file):
                app.close()
                store = app.ledger.store
                file, shown, last = now, lines_of(store), min(last, store.head().seq)
                note("The ledger was replaced by a backup; from here on that one is followed.")
    except KeyboardInterrupt:
        return


def _file_at(place: str) -> tuple[int, int] | None:
    """Return which file the ledger is; None when it is in a server, or gone for the moment."""
    try:
        status = os.stat(place)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _Times(dict[int, int]):
    """When transactions were recorded, looked up when asked."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def __missing__(self, seq: int) -> int:
        txn = self._store.txn(seq)
        self[seq] = 0 if txn is None else txn.recorded_at
        return self[seq]


def touches(store: Store, seq: int, events: Iterable[EventRow]) -> Iterator[tuple[str, Touch]]:
    """Yield what a transaction changed of each run, by the run's id."""
    histories: dict[str, list[EventRow]] = {}
    for row in store.stream_events({event.stream for event in events}):
        if row.txn_seq <= seq:
            histories.setdefault(row.stream, []).append(row)
    times = _Times(store)
    for stream in dict.fromkeys(event.stream for event in events):
        run_id = run_of(stream)
        if run_id is not None:
            for touch in touches_of(histories[stream], times):
                if touch.event.txn_seq == seq:
                    yield run_id, touch


class _Lines:
    """Transactions for people."""

    def __init__(self, store: Store, *, verbose: bool, patch: bool) -> None:
        self._store = store
        self._verbose = verbose
        self._patch = patch
        self._width = 0

    def __call__(self, txn: TxnRow, events: list[EventRow]) -> Iterator[str]:
        header = header_of(self._store, txn)
        width = self._width = max(self._width, len(str(txn.seq)))
        argv = printable(command_line(header), 120)
        yield f"{txn.seq:>{width}}  {local_time(txn.recorded_at)}  {who(header)}  {self._did(txn, events)}  ({argv})"
        for event in events if self._verbose else ():
            yield f"{'':>{width}}  {event.position}  {event.stream}  {event.type}  {_body(event)}"
        for run_id, touch in touches(self._store, txn.seq, events) if self._patch else ():
            yield f"{'':>{width}}  {run_id[:SHORT_ID]}  {change(touch)}"

    def _did(self, txn: TxnRow, events: list[EventRow]) -> str:
        brief = brief_of(txn)
        if brief.undoes is None:
            return summary(events)
        what = "redo" if is_redo(self._store, brief) else "undo"
        return f"{what} of {original_of(self._store, brief).seq}: {summary(events)}"


def _body(event: EventRow) -> str:
    return "(redacted)" if event.body is None else printable(event.body.decode("utf-8", "replace"), 2_000)


class _JsonLines:
    """Transactions for programs, one object a line."""

    def __init__(self, store: Store, *, patch: bool) -> None:
        self._store = store
        self._patch = patch

    def __call__(self, txn: TxnRow, events: list[EventRow]) -> Iterator[str]:
        import orjson

        from ledger.canonical import encode

        header = header_of(self._store, txn)
        data: dict[str, object] = {
            "seq": txn.seq,
            "txn_id": txn.txn_id.hex(),
            "time": utc_time(txn.recorded_at),
            "actor": orjson.Fragment(encode(header.actor)),
            "host": orjson.Fragment(encode(header.host)),
            "command": orjson.Fragment(encode(header.argv)),
            "cwd": orjson.Fragment(encode(header.cwd)),
            "program": header.program,
            "reason": header.reason,
            "undoes": header.undoes,
            "origin_id": txn.origin_id.hex(),
            "hash": txn.hash.hex(),
            "events": [
                {
                    "position": event.position,
                    "stream": event.stream,
                    "version": event.stream_version,
                    "type": event.type,
                    "schema_version": event.schema_version,
                    "body": None if event.body is None else orjson.Fragment(event.body),
                }
                for event in events
            ],
        }
        if self._patch:
            changed = touches(self._store, txn.seq, events)
            data["changes"] = [
                orjson.Fragment(encode({"run": run_id, **change_object(touch)})) for run_id, touch in changed
            ]
        yield orjson.dumps(data).decode()
