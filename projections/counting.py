"""How many of the matching runs there are of each kind: by operation, status, label, tag, flag or day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ledger.errors import UsageError
from ledger.text import did_you_mean, printable
from projections.errors import index_errors
from projections.rows import displayed
from projections.schema import STATUSES
from projections.sorting import value_name

if TYPE_CHECKING:
    from projections.query import Query

GROUPS = ("operation", "status", "label", "tag", "day")
"""What runs can be grouped by, besides `flag:NAME` and `scalar:NAME`."""

_DAY = "strftime('%Y-%m-%d', run.started / 1000000, 'unixepoch', 'localtime')"

Counts = list[tuple[str | None, int]]


def counts(query: Query, by: str) -> Counts:
    """Return what the matching runs have and how many have it, the most frequent first; None for having nothing.

    A run with several tags is counted with each.

    Raises:
        UsageError: runs cannot be grouped by that.
    """
    kinds: Counts
    with index_errors():
        if by in ("operation", "op"):
            kinds = [(displayed(query.ops[op], query.filter.cwd), runs) for op, _, runs in query.cells()]
        elif by == "status":
            kinds = [(STATUSES[status], runs) for _, status, runs in query.cells()]
        else:
            kinds = _grouped(query, by)
    return sorted(_added(kinds), key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))


def _added(kinds: Iterable[tuple[str | None, int]]) -> Counts:
    found: dict[str | None, int] = {}
    for kind, runs in kinds:
        found[kind] = found.get(kind, 0) + runs
    return list(found.items())


def _grouped(query: Query, by: str) -> Counts:
    values: tuple[object, ...] = ()
    columns, join = {
        "label": ("run.label", ""),
        "day": (_DAY, ""),
        "tag": ("tag.tag", " LEFT JOIN tag ON tag.run = run.run"),
    }.get(by, ("", ""))
    if not columns:
        columns, join = "key.number, key.text", " LEFT JOIN value AS key ON key.run = run.run AND key.name = ?"
        values = (_name(query, by),)
    where, limits = query.where()
    rows = query.index.db.execute(
        f"SELECT {columns}, count(*) FROM {query.source()}{join} WHERE {where} GROUP BY {columns}",  # noqa: S608
        (*values, *limits),
    )
    return [(_text(row[:-1]), row[-1]) for row in rows]


def _text(cells: tuple[object, ...]) -> str | None:
    """Return the last cell that is there: a text before its number."""
    there = [cell for cell in cells if cell is not None]
    return str(there[-1]) if there else None


def _name(query: Query, by: str) -> int:
    name = value_name(query.index.db, by)
    if name is None:
        raise UsageError(
            f"runs cannot be grouped by '{printable(by, 80)}'{did_you_mean(by, GROUPS)}",
            hint=f"Group by one of {', '.join(GROUPS)}, flag:NAME, scalar:NAME.",
        )
    return name
