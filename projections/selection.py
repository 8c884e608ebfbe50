"""From what a person types to runs: 0-based indexes, ranges with both ends, unique beginnings of ids.

One implementation for every command that takes runs. Anything that does not name runs for certain is an error, and an
error in one argument selects nothing at all: `rm 1:x` must never mean `rm 1:`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from ledger.errors import GuildError
from ledger.text import printable
from projections.query import Query, RunRow
from projections.schema import DELETED, LIVE

_INDEX = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"([0-9]{0,18}):([0-9]{0,18})")
_PREFIX = re.compile(r"[0-9a-f]{1,32}")
_SHORTEST_NUMERIC_PREFIX = 4
"""A number with fewer digits is an index and nothing else: `rm 12` in a list of 12 must not delete run 12ab34cd."""


class SelectionError(GuildError):
    """An argument names no run, or more than one."""


def select(query: Query, specs: Sequence[str], list_command: str = "guild runs") -> list[RunRow]:
    """Return the runs that `specs` name among those of `query`, each once, in the order named.

    Args:
        query: the filtered listing that indexes count in.
        specs: `INDEX`, `START:STOP` (both included, either may be left out) or the beginning of an id.
        list_command: named in the hint.

    Raises:
        SelectionError: one of them names no run, or its id fits several; nothing is selected.
    """
    # One view for all arguments: between `0` and `1` nobody may start a run that moves the numbers.
    with query.index.reading():
        return chosen(query, specs, list_command)


def chosen(query: Query, specs: Sequence[str], list_command: str = "guild runs") -> list[RunRow]:
    """Return what `select` does, for who holds one view of the index already.

    Raises:
        SelectionError: as `select`.
    """
    found: dict[str, RunRow] = {}
    count = cache(query.count)
    for spec in specs:
        for row in _one(query, spec, count, list_command):
            found.setdefault(row.run_id, row)
    return list(found.values())


def span_of(spec: str) -> tuple[int, int | None] | None:
    """Return the first and last index that an argument names, None for no last one; None when it names none.

    A number may also be the beginning of an id, when there are not so many runs; then it counts as an index here.
    """
    if _INDEX.fullmatch(spec):
        return int(spec), int(spec)
    ends = _RANGE.fullmatch(spec)
    return None if ends is None else (int(ends[1] or 0), int(ends[2]) if ends[2] else None)


def _one(query: Query, spec: str, count: Callable[[], int], list_command: str) -> list[RunRow]:
    # To count what matches an expression takes longer than to find one of its first runs.
    if _INDEX.fullmatch(spec) and int(spec) < query.most():
        found = list(query.rows(offset=int(spec), limit=1))
        if found:
            return found
    ends = _RANGE.fullmatch(spec)
    if ends:
        return _between(query, spec, ends, count, list_command)
    if _PREFIX.fullmatch(spec) and not (spec.isdecimal() and len(spec) < _SHORTEST_NUMERIC_PREFIX):
        return [_by_prefix(query, spec, count, list_command)]
    raise _not_found(query, spec, count, list_command)


def _between(query: Query, spec: str, ends: re.Match[str], count: Callable[[], int], list_command: str) -> list[RunRow]:
    start = int(ends[1] or 0)
    stop = int(ends[2]) if ends[2] else count() - 1
    if (ends[2] and stop >= count()) or (ends[1] and start >= count()):
        raise _not_found(query, spec, count, list_command)
    if ends[1] and ends[2] and start > stop:
        raise SelectionError(
            f"range {spec} selects nothing: its start is after its end", hint=f"Did you mean {stop}:{start}?"
        )
    return list(query.rows(offset=start, limit=stop - start + 1))


def _by_prefix(query: Query, spec: str, count: Callable[[], int], list_command: str) -> RunRow:
    held = query.with_prefix(spec, held=True)
    if len(held) == 1:
        return held[0]
    if held:
        ids = "\n".join(f"  {row.run_id[: max(8, len(spec) + 2)]}" for row in held)
        raise SelectionError(f"'{spec}' matches multiple runs:\n{ids}", hint="Give more digits of the id.")
    candidates = query.with_prefix(spec, 2)
    if len(candidates) == 1:
        raise SelectionError(f"run {candidates[0].run_id[:8]} {_why_not(query, candidates[0])}")
    raise _not_found(query, spec, count, list_command)


def _why_not(query: Query, row: RunRow) -> str:
    """Say why a run that exists is not among those of the query."""
    wanted = query.filter
    if row.place != wanted.place:
        known = {LIVE: "is not deleted", DELETED: "is deleted: `guild runs restore` brings it back"}
        return known.get(row.place, "was permanently deleted: `guild log` shows when and by whom")
    if wanted.project is not None and row.op.project != wanted.project:
        return "belongs to another project: add --all to select among all runs"
    return f"is not among the runs that the given options select (it is {row.status})"


def _not_found(query: Query, spec: str, count: Callable[[], int], list_command: str) -> SelectionError:
    runs = count()
    there = {0: "there are none", 1: "there is one: 0"}.get(runs, f"there are {runs}, from 0 to {runs - 1}")
    wanted = query.filter
    same = " with the same options" if wanted.operations or wanted.statuses or wanted.has_conditions() else ""
    return SelectionError(
        f"could not find a run matching '{printable(spec, 80)}'",
        hint=f"Try `{list_command}`{same} for a list ({there})."
        " A run is named by its index, by START:STOP, or by its id.",
    )
