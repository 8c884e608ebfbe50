"""Which texts contain another one: asked of the distinct texts of an index, not of every run that has one.

A million runs have few optimizers and few labels. An index is in order, so that the next distinct text is one step away
from the one before, however many runs there are between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from ledger.dataclass import replace
from projections.conditions import NOTHING, Condition, Drive, Values, marks

MOST = 2_000
"""So many distinct texts are looked at: of more, an index is rather read from one end to the other."""

_MOST_NAMED = 500
"""So many texts are looked up one by one."""


class Texts(NamedTuple):
    """Texts in an index.

    Attributes:
        source: the table, and the index of it.
        column: the column that the index is in order of.
        fixed: what else must hold, as SQL that ends with AND; empty for nothing.
        values: what is bound in that.
    """

    source: str
    column: str
    fixed: str = ""
    values: Values = ()


LABELS = Texts("run INDEXED BY run_by_label", "run.label")
TAGS = Texts("tag", "tag.tag")


def values_of(name: int) -> Texts:
    """Return the texts that runs have as the value with this number of a name."""
    return Texts("value INDEXED BY value_by_text", "value.text", "value.name = ? AND ", (name,))


def narrowed(database: sqlite3.Connection, among: Texts, condition: Condition, parts: Sequence[str]) -> Condition:
    """Return a condition on texts that contain one of `parts`, its runs looked up by the whole texts, if these are few.

    Args:
        database: the index.
        among: where the texts are.
        condition: the same condition, however its runs are found.
        parts: what a text must contain, any of them.
    """
    every = _distinct(database, among)
    if every is None:
        return condition
    found = [text for text in every if any(part in text for part in parts)]
    if not found:
        return NOTHING
    if len(found) > _MOST_NAMED:
        return condition
    statement = f"SELECT run FROM {among.source} WHERE {among.fixed}{among.column} IN ({marks(found)})"  # noqa: S608 - constants
    return replace(condition, drives=(Drive(statement, (*among.values, *found)),))


def _distinct(database: sqlite3.Connection, among: Texts) -> list[str] | None:
    """Return the distinct texts in their order, None when there are too many."""
    source, column, fixed, values = among
    texts = f"SELECT {column} FROM {source} WHERE {fixed}{column}"  # noqa: S608 - constants
    rows = database.execute(
        f"WITH RECURSIVE each(text) AS (SELECT ({texts} >= '' ORDER BY {column} LIMIT 1)"  # noqa: S608 - constants
        f" UNION ALL SELECT ({texts} > each.text ORDER BY {column} LIMIT 1) FROM each WHERE each.text IS NOT NULL"
        " LIMIT ?) SELECT text FROM each WHERE text IS NOT NULL",
        (*values, *values, MOST + 1),
    ).fetchall()
    return None if len(rows) > MOST else [row[0] for row in rows]
