"""Positions stay true: what a listing showed is remembered, so that an index never silently means another run.

Between `guild runs` and `guild runs rm 0` somebody else may start a run, and 0 is another one. A listing that was shown
to a person, on a terminal, is therefore kept beside the index; who types an index in the same shell is told when it
would now mean another run. A command without filters is held to the list that was seen last, whichever filters that
had: who types `guild runs rm 0` after `guild runs -E` means the run that stands beside 0 on the screen. Kept by the
process that guild was called from: a script has a process of its own, never listed anything on a terminal, and is
served as things stand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ledger.text import printable
from projections.selection import span_of

if TYPE_CHECKING:
    from commands.app import App
    from projections.query import Query, RunFilter, RunRow

MOST_SHOWN = 2_000
"""Rows of a listing that are remembered: nobody types an index that is further down from memory."""

_KEPT_SECONDS = 86_400
_FOLDER = "listings"
_LAST = "last"


def remember(app: App, query: Query, shown: Sequence[RunRow], *, complete: bool) -> None:
    """Keep what a listing has shown on a terminal; a home that cannot be written to keeps nothing.

    Args:
        app: the command's context.
        query: what was asked.
        shown: the rows, from 0 on.
        complete: whether these were all.
    """
    import orjson

    shell = _shell(app)
    if shell is None:
        return
    listing = _listing(query.filter)
    content = {
        "ids": [row.run_id for row in shown[:MOST_SHOWN]],
        "complete": complete and len(shown) <= MOST_SHOWN,
        "listing": listing,
        "place": query.filter.place,
        "project": query.filter.project,
    }
    with suppress(OSError):
        _forget_old(os.path.dirname(shell))
        for path in (f"{shell}-{listing}", f"{shell}-{_LAST}"):
            own = f"{path}.{os.getpid()}"
            with open(own, "wb") as file:
                file.write(orjson.dumps(content))
            os.replace(own, path)


class _Kept(NamedTuple):
    """A list as it was shown; `is_same` says whether with the options that are given now."""

    ids: list[str]
    complete: bool
    is_same: bool


def moved(app: App, query: Query, specs: Sequence[str], rows: Sequence[RunRow]) -> list[str]:
    """Return what has moved since the same listing was shown, a line for each index; nothing when it never was.

    Args:
        app: the command's context.
        query: the listing that the indexes count in.
        specs: as typed.
        rows: the runs that they mean now.
    """
    spans = [(spec, span) for spec in specs if (span := span_of(spec)) is not None]
    lists = _lists(app, query.filter) if spans else []
    now: set[str] = {row.run_id for row in rows}
    found = (_moved(query, spec, span, lists, now) for spec, span in spans)
    return [line for line in found if line]


def _moved(query: Query, spec: str, span: tuple[int, int | None], lists: Sequence[_Kept], now: set[str]) -> str:
    """Return what is to be said of one index or range: by the latest list that showed it."""
    start, stop = span
    for one in lists:
        was = one.ids[start:] if stop is None else one.ids[start : stop + 1]
        if not was or (stop is None and not one.complete):
            continue
        if stop is not None and start == stop:
            current = next(iter(query.rows(offset=start, limit=1)), None)
            if current is not None and current.run_id == was[0]:
                return ""
            now_or_here = "now" if one.is_same else "here"
            return f"{spec} was run {was[0][:8]} {_WHEN[one.is_same]}; {now_or_here} it is {_name(current)}"
        is_same = set(was) == _of_span(query, start, stop, now)
        return "" if is_same else f"{printable(spec)} means other runs than {_THAN[one.is_same]}"
    return ""


_THAN = {True: "when you listed them", False: "in the list that you saw last, with other options"}
_WHEN = {True: "when you listed the runs", False: "in the list that you saw last, with other options"}


def _of_span(query: Query, start: int, stop: int | None, now: set[str]) -> set[str]:
    """Return the runs that a range means now; an open one may be long, and was just resolved."""
    if stop is None and start == 0:
        return now
    limit = None if stop is None else stop - start + 1
    return {row.run_id for row in query.rows(offset=start, limit=limit)}


def _name(row: RunRow | None) -> str:
    return "no run" if row is None else f"run {row.run_id[:8]}"


def _lists(app: App, wanted: RunFilter) -> list[_Kept]:
    """Return the lists that an index is held to, the one that counts more first."""
    shell = _shell(app)
    if shell is None:
        return []
    listing = _listing(wanted)
    own = _read(f"{shell}-{listing}", listing)
    if wanted.operations or wanted.statuses or wanted.labels or wanted.keys is not None or wanted.has_conditions():
        return own
    last = _read(f"{shell}-{_LAST}", listing, place=wanted.place, projects=(None, wanted.project))
    return [*last, *own]


def _read(path: str, listing: str, *, place: str | None = None, projects: tuple[str | None, ...] = ()) -> list[_Kept]:
    """Return the list kept in a file, if there is one, of this place and one of these projects when they are given."""
    import orjson

    try:
        with open(path, "rb") as file:
            kept = orjson.loads(file.read())
        if place is not None and (kept["place"] != place or kept["project"] not in projects):
            return []
        return [_Kept([str(run_id) for run_id in kept["ids"]], bool(kept["complete"]), kept["listing"] == listing)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _listing(wanted: RunFilter) -> str:
    from zlib import crc32

    from ledger.dataclass import replace

    # `last 2 hours` is the same listing a minute later.
    told = repr(replace(wanted, cwd="/", now=0, started=None))
    return f"{crc32(told.encode('utf-8', 'backslashreplace')):08x}"


def _shell(app: App) -> str | None:
    """Return how the files of this shell begin; None where the shell cannot be told from another."""
    from operations.process_info import start_ticks

    parent = os.getppid()
    ticks = start_ticks(parent)
    return os.path.join(app.home.index_dir, _FOLDER, f"{parent}-{ticks}") if ticks else None


def _forget_old(folder: str) -> None:
    """Make the folder, and remove what is a day old: its shell may still be there, but nobody remembers."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    limit = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.stat().st_mtime < limit:
                os.unlink(entry.path)
