"""Listings in another order than the usual one: by label, duration, a flag, a scalar.

Such a listing is read in phases, one after the other, each in the order of an index where there is one: first the runs
that have a value, then those that have none, whichever way it is sorted. Runs with the same value keep the usual order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ledger.errors import UsageError
from ledger.text import did_you_mean, printable
from projections.escaping import as_stored
from projections.expression import PREFIXES
from projections.rows import displayed
from projections.schema import STATUSES, OpKey

STARTED = "started"
SORTS = (STARTED, "stopped", "duration", "label", "operation", "status")
"""What runs can be sorted by, besides `flag:NAME`, `scalar:NAME`, `min:NAME`, `max:NAME` and `step:NAME`."""

_USUAL = "run.started DESC, run.run"


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
        is_named: whether the runs are limited to named ones, so that no index of an order is of use.
    """

    database: sqlite3.Connection
    ops: Mapping[int, OpKey]
    cwd: str
    is_named: bool


def value_name(database: sqlite3.Connection, text: str) -> int | None:
    """Return the number of the name of a flag or scalar, 0 when no run has it; None when it is no such name.

    A bare name is a flag's when there is such a flag, else a scalar's.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind not in PREFIXES[1:]:
        return None
    for name in (text,) if colon else (f"flag:{text}", f"scalar:{text}"):
        row = database.execute("SELECT name FROM name WHERE text = ?", (as_stored(name),)).fetchone()
        if row is not None:
            return int(row[0])
    return 0 if colon and rest else None


def phases(sort: str, shape: Shape, *, reverse: bool) -> Iterator[Phase]:
    """Yield the phases of a listing.

    Raises:
        UsageError: runs cannot be sorted by that.
    """
    down = " DESC" if reverse else ""
    if sort == STARTED:
        yield Phase(_run(shape, None), "1", (), "run.started, run.run" if reverse else _USUAL)
    elif sort in ("label", "stopped"):
        there = "run.label >= ''" if sort == "label" else "run.stopped IS NOT NULL"
        yield Phase(_run(shape, f"run_by_{sort}"), there, (), f"run.{sort}{down}, {_USUAL}")
        yield Phase(_run(shape, None), f"run.{sort} IS NULL", (), _USUAL)
    elif sort == "duration":
        yield Phase(_run(shape, None), "run.stopped IS NOT NULL", (), f"run.stopped - run.started{down}, {_USUAL}")
        yield Phase(_run(shape, None), "run.stopped IS NULL", (), _USUAL)
    elif sort == "status":
        for status in sorted(STATUSES, reverse=reverse):
            yield Phase(_run(shape, None), "run.status = ?", (STATUSES.index(status),), _USUAL)
    elif sort in ("operation", "op"):
        yield from _by_operation(shape, reverse=reverse)
    else:
        yield from _by_value(sort, shape, down)


def _run(shape: Shape, index: str | None) -> str:
    if shape.is_named:
        return "run NOT INDEXED"
    return "run" if index is None else f"run INDEXED BY {index}"


def _by_operation(shape: Shape, *, reverse: bool) -> Iterator[Phase]:
    shown: dict[str, list[int]] = {}
    for op, key in shape.ops.items():
        shown.setdefault(displayed(key, shape.cwd), []).append(op)
    for text in sorted(shown, reverse=reverse):
        yield Phase(_run(shape, None), f"run.op IN ({','.join(map(str, shown[text]))})", (), _USUAL)


def _by_value(sort: str, shape: Shape, down: str) -> Iterator[Phase]:
    name = value_name(shape.database, sort)
    if name is None:
        known = (*SORTS, "flag:NAME", "scalar:NAME")
        raise UsageError(
            f"runs cannot be sorted by '{printable(sort, 80)}'{did_you_mean(sort, SORTS)}",
            hint=f"Sort by one of {', '.join(known)}.",
        )
    for column, where in (
        ("number", "key.number IS NOT NULL"),
        ("text", "key.text IS NOT NULL AND key.number IS NULL"),
    ):
        joined = "CROSS JOIN value AS key" if shape.is_named else "CROSS JOIN run"
        first = "run NOT INDEXED" if shape.is_named else f"value AS key INDEXED BY value_by_{column}"
        source = f"{first} {joined} ON key.run = run.run"
        yield Phase(source, f"key.name = ? AND {where}", (name,), f"key.{column}{down}, {_USUAL}")
    missing = "NOT EXISTS (SELECT 1 FROM value WHERE value.run = run.run AND value.name = ?)"
    yield Phase(_run(shape, None), missing, (name,), _USUAL)
