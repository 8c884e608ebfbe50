"""Positions stay true: what a listing showed is remembered, so that an index never silently means another run.

Between `guild runs` and `guild runs rm 0` somebody else may start a run, and 0 is another one. A listing that was shown
to a person, on a terminal, is therefore kept beside the index; who types an index in the same shell is told when it
would now mean another run. Kept by the process that guild was called from: a script has a process of its own, never
listed anything on a terminal, and is served as things stand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger.text import printable
from projections.selection import span_of

if TYPE_CHECKING:
    from commands.app import App
    from projections.query import Query, RunFilter, RunRow

MOST_SHOWN = 2_000
"""Rows of a listing that are remembered: nobody types an index that is further down from memory."""

_KEPT_SECONDS = 86_400
_FOLDER = "listings"


def remember(app: App, query: Query, shown: Sequence[RunRow], *, complete: bool) -> None:
    """Keep what a listing has shown on a terminal; a home that cannot be written to keeps nothing.

    Args:
        app: the command's context.
        query: what was asked.
        shown: the rows, from 0 on.
        complete: whether these were all.
    """
    import orjson

    path = _path(app, query.filter)
    if path is None:
        return
    content = {"ids": [row.run_id for row in shown[:MOST_SHOWN]], "complete": complete and len(shown) <= MOST_SHOWN}
    with suppress(OSError):
        _forget_old(os.path.dirname(path))
        own = f"{path}.{os.getpid()}"
        with open(own, "wb") as file:
            file.write(orjson.dumps(content))
        os.replace(own, path)


def moved(app: App, query: Query, specs: Sequence[str], rows: Sequence[RunRow]) -> list[str]:
    """Return what has moved since the same listing was shown, a line for each index; nothing when it never was.

    Args:
        app: the command's context.
        query: the listing that the indexes count in.
        specs: as typed.
        rows: the runs that they mean now.
    """
    spans = [(spec, span) for spec in specs if (span := span_of(spec)) is not None]
    if not spans or (listing := _remembered(app, query.filter)) is None:
        return []
    ids, complete = listing
    now: set[str] = {row.run_id for row in rows}
    lines = []
    for spec, (start, stop) in spans:
        if stop is None and not complete:
            continue
        was = ids[start:] if stop is None else ids[start : stop + 1]
        if stop is not None and start == stop:
            current = next(iter(query.rows(offset=start, limit=1)), None)
            if was and (current is None or current.run_id != was[0]):
                lines.append(f"{spec} was run {was[0][:8]} when you listed the runs; now it is {_name(current)}")
        elif was and set(was) != _of_span(query, start, stop, now):
            lines.append(f"{printable(spec)} means other runs than when you listed them")
    return lines


def _of_span(query: Query, start: int, stop: int | None, now: set[str]) -> set[str]:
    """Return the runs that a range means now; an open one may be long, and was just resolved."""
    if stop is None and start == 0:
        return now
    limit = None if stop is None else stop - start + 1
    return {row.run_id for row in query.rows(offset=start, limit=limit)}


def _name(row: RunRow | None) -> str:
    return "no run" if row is None else f"run {row.run_id[:8]}"


def _remembered(app: App, wanted: RunFilter) -> tuple[list[str], bool] | None:
    import orjson

    path = _path(app, wanted)
    try:
        with open(path or "", "rb") as file:
            kept = orjson.loads(file.read())
        return [str(run_id) for run_id in kept["ids"]], bool(kept["complete"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _path(app: App, wanted: RunFilter) -> str | None:
    """Return the file of this listing in this shell; None where the shell cannot be told from another."""
    from zlib import crc32

    from ledger.dataclass import replace
    from operations.process_info import start_ticks

    parent = os.getppid()
    ticks = start_ticks(parent)
    if not ticks:
        return None
    # `last 2 hours` is the same listing a minute later.
    listing = crc32(repr(replace(wanted, cwd="/", now=0, started=None)).encode("utf-8", "backslashreplace"))
    return os.path.join(app.home.index_dir, _FOLDER, f"{parent}-{ticks}-{listing:08x}")


def _forget_old(folder: str) -> None:
    """Make the folder, and remove what is a day old: its shell may still be there, but nobody remembers."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    limit = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.stat().st_mtime < limit:
                os.unlink(entry.path)
