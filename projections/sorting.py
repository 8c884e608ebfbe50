"""Listings in another order than the usual one: by an attribute, a flag, a scalar.

Such a listing is read in phases, one after the other, each in the order of an index where there is one: first the runs
that have a value, then those that have none, whichever way it is sorted. Runs with the same value keep the usual order.
When few runs match, they are looked up and sorted instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from projections.attributes import attribute, named_value
from projections.rows import displayed
from projections.schema import STATUSES, OpKey
from projections.summaries import PARTS

STARTED = "started"
SORTS = (
    *(STARTED, "stopped", "duration", "operation", "model", "package", "project", "status", "exit_status"),
    *("label", "tag", "comment", "marked", "protected", "id", "digest"),
)
"""What runs can be sorted by, besides `flag:NAME`, `scalar:NAME`, `min:NAME`, `max:NAME` and `step:NAME`."""

MOST_SORTED = 4_000
"""So many runs are looked up and sorted rather than found one by one in the order of an index of all runs."""

_COMMON = 4
"""A value that more than one in so many runs have is a common one."""

_GLANCE = 50
"""A value that so many runs do not have one after the other, in its order, is no common one."""

_USUAL = "run.started DESC, run.run"
_OF_OPERATIONS = ("operation", "model", "package", "project")
_OWN_INDEX = {
    "label": ("run_by_label", "run.label", "run.label >= ''"),
    "stopped": ("run_by_stopped", "run.stopped", "run.stopped IS NOT NULL"),
    "duration": ("run_by_duration", "run.stopped - run.started", "run.stopped IS NOT NULL"),
    "exit_status": ("run_by_exit", "run.exit_status", "run.exit_status IS NOT NULL"),
    "digest": ("run_by_digest", "run.digest", "run.digest IS NOT NULL"),
    "id": ("run_by_id", "run.run_id", "run.run_id IS NOT NULL"),
}
"""Attributes that an index of `run` has in order: the index, what it orders, and which runs have one."""

_MARKS = {"marked": "run_by_mark", "protected": "run_by_protection"}
_TAGS = "tag AS tagged CROSS JOIN run NOT INDEXED ON run.run = tagged.run"
_IS_FIRST_TAG = "NOT EXISTS (SELECT 1 FROM tag WHERE tag.run = tagged.run AND tag.tag < tagged.tag)"
_COMMENTS = (
    "(SELECT run, count(*) AS comments FROM comment GROUP BY run) AS commented CROSS JOIN run NOT INDEXED"
    " ON run.run = commented.run"
)


class Phase(NamedTuple):
    """A part of a sorted listing: where its rows come from, what limits them, in which order they are."""

    source: str
    where: str
    values: tuple[object, ...]
    order: str


class Shape(NamedTuple):
    """What phases depend on.

    Attributes:
        database: the index.
        ops: the operations that have runs to be listed, by number.
        cwd: directory that displayed operations are relative to.
        source: where the runs are best looked up when they are few, so that no index of an order is of use; else None.
        whole: whether all of the listing is wanted, so that nothing is gained by finding the first of it sooner.
    """

    database: sqlite3.Connection
    ops: Mapping[int, OpKey]
    cwd: str
    source: str | None
    whole: bool = False

    def run(self, index: str | None = None) -> str:
        """Return the table of runs, read in the order of an index."""
        if self.source is not None:
            return self.source
        return "run" if index is None else f"run INDEXED BY {index}"


def phases(sort: str, shape: Shape, *, reverse: bool) -> Iterator[Phase]:
    """Yield the phases of a listing.

    Raises:
        UsageError: runs cannot be sorted by that.
    """
    by, down = attribute(sort), " DESC" if reverse else ""
    if by == STARTED:
        yield Phase(shape.run(), "1", (), "run.started, run.run" if reverse else _USUAL)
    elif by in _OWN_INDEX:
        index, column, there = _OWN_INDEX[by]
        yield Phase(shape.run(index), there, (), f"{column}{down}, {_USUAL}")
        if by != "id":
            missing = "run.stopped" if by == "duration" else column
            yield Phase(shape.run(), f"{missing} IS NULL", (), _USUAL)
    elif by in _MARKS:
        yield from _marked(by, shape, reverse=reverse)
    elif by == "status":
        for status in sorted(STATUSES, reverse=reverse):
            yield Phase(shape.run(), "run.status = ?", (STATUSES.index(status),), _USUAL)
    elif by in _OF_OPERATIONS:
        yield from _by_operation(by, shape, reverse=reverse)
    elif by == "tag":
        tags = _TAGS if shape.source is None else f"{shape.source} CROSS JOIN tag AS tagged ON tagged.run = run.run"
        yield Phase(tags, _IS_FIRST_TAG, (), f"tagged.tag{down}, {_USUAL}")
        yield Phase(shape.run(), "NOT EXISTS (SELECT 1 FROM tag WHERE tag.run = run.run)", (), _USUAL)
    elif by == "comment":
        yield Phase(_COMMENTS, "1", (), f"commented.comments{down}, {_USUAL}")
        yield Phase(shape.run(), "NOT EXISTS (SELECT 1 FROM comment WHERE comment.run = run.run)", (), _USUAL)
    else:
        yield from (_by_summary if sort.partition(":")[0] in PARTS else _by_value)(sort, shape, down)


def _marked(by: str, shape: Shape, *, reverse: bool) -> Iterator[Phase]:
    """Yield those that are marked first, turned round those that are not."""
    for value in (0, 1) if reverse else (1, 0):
        yield Phase(shape.run(_MARKS[by] if value else None), f"run.{by} = {value}", (), _USUAL)


def _by_operation(by: str, shape: Shape, *, reverse: bool) -> Iterator[Phase]:
    shown: dict[str, list[int]] = {}
    for op, key in shape.ops.items():
        text = displayed(key, shape.cwd) if by == "operation" else getattr(key, by)
        shown.setdefault(text or "", []).append(op)
    texts = sorted(filter(None, shown), reverse=reverse)
    for text in (*texts, "") if "" in shown else texts:
        yield Phase(shape.run(), f"run.op IN ({','.join(map(str, shown[text]))})", (), _USUAL)


def _by_value(sort: str, shape: Shape, down: str) -> Iterator[Phase]:
    name = named_value(shape.database, sort, "sorted by", SORTS)
    for column, there in (
        ("number", "key.number IS NOT NULL"),
        ("text", "key.text IS NOT NULL AND key.number IS NULL"),
    ):
        where = f"key.name = ? AND {there}"
        bound: tuple[object, ...] = (name,)
        common = _common(shape, name, column, there, down)
        if common is not None:
            has = f"SELECT 1 FROM value AS key WHERE key.run = run.run AND {where} AND key.{column} = ?"  # noqa: S608
            yield Phase(shape.run(), f"EXISTS ({has})", (name, common), _USUAL)
            where, bound = f"{where} AND key.{column} {'<' if down else '>'} ?", (name, common)
        joined = "CROSS JOIN run" if shape.source is None else "CROSS JOIN value AS key"
        first = shape.source or f"value AS key INDEXED BY value_by_{column}"
        source = f"{first} {joined} ON key.run = run.run"
        yield Phase(source, where, bound, f"key.{column}{down}, {_USUAL}")
    missing = "NOT EXISTS (SELECT 1 FROM value WHERE value.run = run.run AND value.name = ?)"
    yield Phase(shape.run(), missing, (name,), _USUAL)


def _common(shape: Shape, name: int, column: str, where: str, down: str) -> object:
    """Return the first value when very many runs have it: these are found in the listing, and not sorted; else None."""
    if shape.source is not None or shape.whole:
        return None
    many = max(MOST_SORTED, shape.database.execute("SELECT max(run) FROM run").fetchone()[0] // _COMMON)
    statement = (
        f"SELECT key.{column} FROM value AS key INDEXED BY value_by_{column} WHERE key.name = ? AND {where}"  # noqa: S608
        f" ORDER BY key.{column}{down} LIMIT 1 OFFSET ?"
    )
    first = shape.database.execute(statement, (name, 0)).fetchone()
    # Nearly always the second look says no: values that were measured differ, and only then is it worth a long one.
    for offset in (_GLANCE, many):
        found = shape.database.execute(statement, (name, offset)).fetchone()
        if found is None or found != first:
            return None
    return first[0]


def _by_summary(sort: str, shape: Shape, down: str) -> Iterator[Phase]:
    """Yield the runs by a part of a scalar's summary: numbers, then what is none, then those without."""
    part, _, key = sort.partition(":")
    name, own = named_value(shape.database, f"scalar:{key}", "sorted by", SORTS), PARTS[part]
    joined = "summary CROSS JOIN run" if shape.source is None else f"{shape.source} CROSS JOIN summary"
    source = f"{joined} ON summary.run = run.run"
    for is_text in ("<>", "="):
        where = f"summary.name = ? AND typeof({own}) {is_text} 'text' AND {own} IS NOT NULL"
        yield Phase(source, where, (name,), f"{own}{down}, {_USUAL}")
    there = f"SELECT 1 FROM summary WHERE summary.run = run.run AND summary.name = ? AND {own} IS NOT NULL"  # noqa: S608
    yield Phase(shape.run(), f"NOT EXISTS ({there})", (name,), _USUAL)
