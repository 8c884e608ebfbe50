"""Transactions to offer at the Tab key, each with what it did; imported only then."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from commands.change_words import command_line, summary
from commands.completing import MOST, Items, app_of, item
from commands.table import local_time
from ledger.newest import newest_first
from ledger.transaction import Header
from projections.peek import traceless
from projections.undoing import CannotUndoError, refuse_what_stays

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from ledger.rows import EventRow, TxnRow

_LOOKED_AT = 500
"""Transactions: further back nobody looks with the Tab key."""


def undoable(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the newest transactions that `guild undo` may take back."""

    def may_be_undone(txn: TxnRow, events: list[EventRow]) -> bool:
        try:
            refuse_what_stays(txn.seq, events)
        except CannotUndoError:
            return False
        return True

    return _newest(ctx, incomplete, may_be_undone)


def moments(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `--at` takes: the newest transactions, and for a letter words of time."""
    words = [item(word) for word in ("now", "today", "yesterday") if incomplete and word.startswith(incomplete)]
    return words or _newest(ctx, incomplete, lambda _txn, _events: True)


def _newest(ctx: click.Context, incomplete: str, lets: Callable[[TxnRow, list[EventRow]], bool]) -> Items:
    path = app_of(ctx).home.ledger_path
    if os.environ.get("GUILD_LEDGER") or not os.path.exists(path):
        return []
    found: Items = []
    with traceless(path) as store:
        for txn, events in islice(newest_first(store), _LOOKED_AT):
            if len(found) < MOST and str(txn.seq).startswith(incomplete) and lets(txn, events):
                header = Header.from_bytes(txn.header)
                about = f"{local_time(txn.recorded_at)}  {summary(events)}  {command_line(header)}"
                found.append(item(str(txn.seq), about))
    return found


def event_types(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the types of events, the part before the dot left out unless it is typed."""
    from ledger.registry import VERSIONS

    names = [name if "." in incomplete else name.partition(".")[2] for name in sorted(VERSIONS)]
    return [item(name) for name in names if name.startswith(incomplete)]
