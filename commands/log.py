"""`guild log`: what was done, by whom, from where and when, newest first; read from the ledger alone.

It asks nothing of the index, so it works beside a broken one.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import click

from commands.app import App
from commands.options import json_option
from commands.table import local_time, utc_time
from commands.terminal import page
from ledger.ids import run_of
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.text import printable
from ledger.transaction import Header


@click.command("log")
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N transactions.")
@click.option("-v", "--verbose", is_flag=True, help="Show the events of each transaction.")
@json_option
@click.pass_obj
def log(app: App, *, limit: int | None, verbose: bool, as_json: bool) -> None:
    """Show the ledger's transactions, newest first: number, time, who, the command line, what it did.

    With --json, one JSON object a line.

    \b
    Examples:
      guild log -n 5      what was done lately
      guild log -v -n 1   with every event of it
    """
    pairs = islice(newest_first(app.ledger.store), limit)
    page(_json_lines(pairs) if as_json else _lines(pairs, verbose=verbose))


def newest_first(store: Store) -> Iterator[tuple[TxnRow, list[EventRow]]]:
    """Yield transactions with their events, newest first, without collecting them."""
    events = store.events(newest_first=True)
    waiting = next(events, None)
    for txn in store.transactions(newest_first=True):
        group = []
        while waiting is not None and waiting.txn_seq >= txn.seq:
            group.append(waiting)
            waiting = next(events, None)
        yield txn, group[::-1]


def summary(events: list[EventRow]) -> str:
    """Return what a transaction did, in words: `deleted 3 runs`."""
    counts = Counter(_name(event) for event in events)
    runs = {type_: set[str]() for type_ in counts}
    for event in events:
        runs[_name(event)].add(event.stream)
    parts = []
    for type_ in counts:
        subject, _, what = type_.partition(".")
        what = what.replace("_", " ")
        if subject == "ledger":
            parts.append(f"ledger {what}")
        elif len(runs[type_]) == 1:
            parts.append(f"{what} {(run_of(next(iter(runs[type_]))) or '')[:8]}")
        else:
            parts.append(f"{what} {len(runs[type_])} runs")
    return ", ".join(parts)


def _name(event: EventRow) -> str:
    """Return what to call an event: one type says that a run was marked, and that it no longer is."""
    is_off = event.type in ("run.marked", "run.protected") and event.body is not None and b":false" in event.body
    return event.type.replace(".", ".un") if is_off else event.type


def _lines(pairs: Iterator[tuple[TxnRow, list[EventRow]]], *, verbose: bool) -> Iterator[str]:
    width = 0
    for txn, events in pairs:
        header = Header.from_bytes(txn.header)
        width = max(width, len(str(txn.seq)))
        who = printable(f"{header.actor}@{header.host}", 60)
        argv = printable(command_line(header), 120)
        yield f"{txn.seq:>{width}}  {local_time(txn.recorded_at)}  {who}  {summary(events)}  ({argv})"
        for event in events if verbose else ():
            yield f"{'':>{width}}  {event.position}  {event.stream}  {event.type}  {_body(event)}"


def _body(event: EventRow) -> str:
    return "(redacted)" if event.body is None else printable(event.body.decode("utf-8", "replace"), 2_000)


def command_line(header: Header) -> str:
    """Return the command line as it could be typed again, the program's folder left out."""
    words = list(header.argv)
    if words:
        words[0] = words[0].rpartition("/")[2]
    return shlex.join(words)


def _json_lines(pairs: Iterator[tuple[TxnRow, list[EventRow]]]) -> Iterator[str]:
    import orjson

    from ledger.canonical import encode

    for txn, events in pairs:
        header = Header.from_bytes(txn.header)
        data = {
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
        yield orjson.dumps(data).decode()
