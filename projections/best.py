"""The run in which a scalar ended lowest or highest, read from the index of its values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ledger.text import did_you_mean, printable
from projections.attributes import value_name, value_names
from projections.details import values_of
from projections.errors import index_errors

if TYPE_CHECKING:
    from projections.query import Query, RunRow


def best(query: Query, spec: str, *, least: bool) -> RunRow | None:
    """Return the matching run with the least or greatest number; of equals the latest. None when no run has one.

    Args:
        query: the runs.
        spec: a scalar; or `flag:NAME`, `scalar:NAME`, `min:NAME`, `max:NAME`, `step:NAME`.
        least: the least, else the greatest.
    """
    name, number = _named(query, spec)
    if not number:
        return None
    row = next(iter(query.rows(sort=name, reverse=not least, limit=1)), None)
    if row is None:
        return None
    value = values_of(query.index, [row.number], [number]).get((row.number, number))
    return row if isinstance(value, int | float) and not math.isnan(value) else None


def _named(query: Query, spec: str) -> tuple[str, int]:
    """Return a name with its prefix, and its number, 0 when no run has it: a bare one is a scalar's, else a flag's."""
    with index_errors():
        for text in (f"scalar:{spec}", spec, f"flag:{spec}"):
            number = value_name(query.index.db, text)
            if number:
                return text, number
    return spec, 0


def no_such_scalar(query: Query, spec: str) -> str:
    """Return the message that no run has a number of this name, with the name that may have been meant."""
    with index_errors():
        names = [name.partition(":")[2] for name in value_names(query.index.db, ("scalar",))]
    guess = "" if spec in names else did_you_mean(spec, names)
    return f"no run has a scalar '{printable(spec, 80)}'{guess}"
