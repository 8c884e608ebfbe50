"""Which columns of a comparison tell its runs apart: those in which not all of them have the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.column_specs import ATTRIBUTE
from projections.errors import index_errors
from projections.rows import displayed
from projections.summaries import PARTS

if TYPE_CHECKING:
    from projections.comparison import Comparison
    from projections.comparison_columns import Column, Source
    from projections.query import Query

_OF_OPERATIONS = {"model": "model", "package": "package", "project": "project", "operation_name": "operation"}
_COUNTED = {
    "tag": "(SELECT group_concat(tag, char(10)) FROM (SELECT tag FROM tag WHERE tag.run = run.run ORDER BY tag))",
    "comment": "(SELECT count(*) FROM comment WHERE comment.run = run.run)",
    "deleted": "(run.place <> 0)",
    "duration": "(run.stopped - run.started)",
    "id": "run.run",
}


def differing(comparison: Comparison) -> tuple[Column, ...]:
    """Return the columns of a comparison in which its runs are not all alike.

    The first run is taken as the measure, and the search for one that is not like it ends with the first: it is long
    only for columns in which all runs are alike.
    """
    query = comparison.query
    first = next(comparison.lines(0, 1), None)
    if first is None:
        return ()
    with query.index.reading():
        return tuple(column for column in comparison.columns if _differs(query, column, first.row.number))


def _differs(query: Query, column: Column, first: int) -> bool:
    if column.kind == ATTRIBUTE:
        name = column.sources[0].name
        if name == "operation" or name in _OF_OPERATIONS:
            ops = [query.ops[op] for op in {op for op, *_ in query.cells()}]
            texts = {displayed(op, query.filter.cwd) if name == "operation" else getattr(op, _OF_OPERATIONS[name])
                     for op in ops}  # fmt: skip
            return len(texts) > 1
        if name == "status":
            return len({status for _, status, _ in query.cells()}) > 1
    expression = f"coalesce({', '.join(map(_expression, column.sources))}, NULL)"
    where, values = query.where()
    with index_errors():
        held = query.index.db.execute(f"SELECT {expression} FROM run WHERE run.run = ?", (first,)).fetchone()  # noqa: S608
        statement = f"SELECT 1 FROM {query.source()} WHERE {where} AND {expression} IS NOT ? LIMIT 1"  # noqa: S608
        return query.index.db.execute(statement, (*values, held[0])).fetchone() is not None


def _expression(source: Source) -> str:
    """Return what a run has, as SQL: a truth value as its text, which is not the number 1."""
    if source.kind == ATTRIBUTE:
        return _COUNTED.get(source.name, f"run.{source.name}")
    if source.summary():
        own = f"summary.run = run.run AND summary.name = {source.number}"
        return f"(SELECT {PARTS[source.summary()]} FROM summary WHERE {own})"  # noqa: S608 - names
    own = f"value.run = run.run AND value.name = {source.number}"
    return f"(SELECT coalesce(value.text, value.number) FROM value WHERE {own})"  # noqa: S608 - a number
