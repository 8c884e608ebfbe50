"""How what was done to runs is said: summaries of transactions, and attributes before and after."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from commands.table import local_time
from ledger.canonical import Value
from ledger.dataclass import replace
from ledger.ids import run_of
from ledger.registry import current_body
from ledger.rows import EventRow, TxnRow
from ledger.store import Store
from ledger.text import printable
from ledger.transaction import Header
from projections.facts import Key, Touch

_LONGEST = 2_000
_OFF = {"run.marked": b"marked", "run.protected": b"protected", "run.comment_withdrawn": b"withdrawn"}


def summary(events: Sequence[EventRow]) -> str:
    """Return what a transaction did, in words: `deleted 3 runs`."""
    counts = Counter(_name(event) for event in events)
    runs = {type_: set[str]() for type_ in counts}
    for event in events:
        runs[_name(event)].add(event.stream)
    parts = [_merged(event) for event in events if event.type == "ledger.imported"]
    for type_ in counts:
        if type_ == "ledger.imported":
            continue
        subject, _, what = type_.partition(".")
        what = what.replace("_", " ")
        if subject == "ledger":
            parts.append(f"ledger {what}")
        elif len(runs[type_]) == 1:
            parts.append(f"{what} {(run_of(next(iter(runs[type_]))) or '')[:8]}")
        else:
            parts.append(f"{what} {len(runs[type_])} runs")
    return ", ".join(parts)


def _merged(event: EventRow) -> str:
    body = current_body(event.type, event.schema_version, event.body or b"{}")
    return f"merged {numbers(body.get('first'), body.get('last'))} of {printable(str(body.get('origin_id'))[:8])}"


def numbers(first: object, last: object) -> str:
    """Return which transactions these are: `transactions 1 to 3`."""
    return f"transaction {first}" if first == last else f"transactions {first} to {last}"


def _name(event: EventRow) -> str:
    """Return what to call an event: one type says that a run was marked, and that it no longer is."""
    is_off = event.type in _OFF and event.body is not None and b'"%s":false' % _OFF[event.type] in event.body
    if event.type == "run.comment_withdrawn":
        return "run.comment_shown_again" if is_off else event.type
    return event.type.replace(".", ".un") if is_off else event.type


def header_of(store: Store, txn: TxnRow) -> Header:
    """Return who did a transaction; of one whose header was redacted that is the host of its origin."""
    header = Header.from_bytes(txn.header)
    if txn.header is not None:
        return header
    labels = {origin.origin_id: origin.label for origin in store.origins()}
    return replace(header, host=labels.get(txn.origin_id, ""))


def who(header: Header) -> str:
    """Return who did it, and where: `ada@laptop`."""
    return printable(f"{header.actor}@{header.host}", 60)


def command_line(header: Header) -> str:
    """Return the command line as it could be typed again, the program's folder left out."""
    words = list(header.argv)
    if words:
        words[0] = words[0].rpartition("/")[2]
    return shlex.join(words)


def attribute(key: Key) -> str:
    """Return an attribute's name: `label`, `tag best`, `flag lr`, `comment of 2026-01-01 12:00:00`."""
    if key[0] == "comment":
        return f"comment of {local_time(int(key[1]))}"
    return " ".join(printable(part, 200) for part in key).replace("_", " ", 1)


def shown(value: Value) -> str:
    """Return a value of an attribute: what is not there is `none`, and a text is told from a number."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"'{printable(value, _LONGEST)}'"
    from operations.flags import flow_text

    return printable(flow_text(value), _LONGEST)  # type: ignore[arg-type]  # JSON values


def change(touch: Touch, *, back: bool = False) -> str:
    """Return what became of an attribute: `label: none -> 'good'`; with `back`, what taking it back makes of it."""
    before, after = (touch.after, touch.before) if back else (touch.before, touch.after)
    return f"{attribute(touch.key)}: {shown(before)} -> {shown(after)}"


def change_object(touch: Touch, *, back: bool = False) -> dict[str, Value]:
    """Return the documented JSON object of a change."""
    before, after = (touch.after, touch.before) if back else (touch.before, touch.after)
    return {"attribute": ":".join(touch.key), "before": before, "after": after}
