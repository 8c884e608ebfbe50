"""How many of the matching runs there are of each kind: by operation, status, label, tag, flag or day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from projections.attributes import attribute, named_value
from projections.errors import index_errors
from projections.rows import displayed
from projections.schema import STATUSES

if TYPE_CHECKING:
    from projections.query import Query

GROUPS = (
    *("operation", "model", "package", "project", "status", "exit_status", "label", "tag", "marked", "protected"),
    *("digest", "day"),
)
"""What runs can be grouped by, besides `flag:NAME` and `scalar:NAME`."""

_OF_OPERATIONS = ("operation", "model", "package", "project")
_DAY = "strftime('%Y-%m-%d', run.started / 1000000, 'unixepoch', 'localtime')"
_COLUMNS = {
    "label": ("run.label", ""),
    "day": (_DAY, ""),
    "exit_status": ("run.exit_status", ""),
    "digest": ("CASE WHEN run.digest IS NOT NULL THEN lower(hex(run.digest)) END", ""),
    "marked": ("iif(run.marked, 'true', 'false')", ""),
    "protected": ("iif(run.protected, 'true', 'false')", ""),
    "tag": ("tag.tag", " LEFT JOIN tag ON tag.run = run.run"),
}

Counts = list[tuple[str | None, int]]


def counts(query: Query, by: str) -> Counts:
    """Return what the matching runs have and how many have it, the most frequent first; None for having nothing.

    A run with several tags is counted with each.

    Raises:
        UsageError: runs cannot be grouped by that.
    """
    kinds: Counts
    kind = attribute(by)
    with index_errors():
        if kind in _OF_OPERATIONS:
            kinds = [(_of_operation(query, kind, op), runs) for op, _, runs in query.cells()]
        elif kind == "status":
            kinds = [(STATUSES[status], runs) for _, status, runs in query.cells()]
        else:
            kinds = _grouped(query, kind, by)
    return sorted(_added(kinds), key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))


def tag_counts(query: Query) -> list[tuple[str, int]]:
    """Return the tags that matching runs have and how many have each, the most frequent first; only tags are read."""
    where, limits = query.where()
    statement = (
        "SELECT tag.tag, count(*) FROM tag CROSS JOIN run NOT INDEXED ON run.run = tag.run"  # noqa: S608 - conditions
        f" WHERE {where} GROUP BY tag.tag"
    )
    with index_errors():
        found = query.index.db.execute(statement, limits).fetchall()
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _of_operation(query: Query, kind: str, op: int) -> str | None:
    key = query.ops[op]
    if kind == "operation":
        return displayed(key, query.filter.cwd)
    text: str | None = getattr(key, kind)
    return text or None


def _added(kinds: Iterable[tuple[str | None, int]]) -> Counts:
    found: dict[str | None, int] = {}
    for kind, runs in kinds:
        found[kind] = found.get(kind, 0) + runs
    return list(found.items())


def _grouped(query: Query, kind: str, by: str) -> Counts:
    values: tuple[object, ...] = ()
    columns, join = _COLUMNS.get(kind, ("", ""))
    if not columns:
        columns, join = "key.number, key.text", " LEFT JOIN value AS key ON key.run = run.run AND key.name = ?"
        values = (named_value(query.index.db, by, "grouped by", GROUPS),)
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
