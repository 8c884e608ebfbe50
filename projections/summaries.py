"""What runs reported of a scalar besides its last, least and greatest value: first value, mean, count, steps."""

from __future__ import annotations

from collections.abc import Sequence

from projections.details import Value
from projections.errors import index_errors
from projections.index import Index

PARTS = {
    "first": "summary.first",
    "first_step": "summary.first_step",
    "min_step": "summary.min_step",
    "max_step": "summary.max_step",
    "mean": "summary.mean",
    "count": "summary.count",
    "total": "CASE WHEN typeof(summary.mean) = 'text' THEN summary.mean ELSE summary.mean * summary.count END",
}
"""Parts of a summary, each with its SQL."""


def summaries_of(
    index: Index, runs: Sequence[int], names: Sequence[int], parts: Sequence[str]
) -> dict[tuple[int, int, str], Value]:
    """Return parts of the summaries of scalars, by the numbers of run and name and the part, those that are there.

    Args:
        index: the index.
        runs: numbers of runs.
        names: numbers of the names of scalars, as `scalar:KEY`.
        parts: of `PARTS`.
    """
    from projections.query import numbers

    columns = ", ".join(PARTS[part] for part in parts)
    statement = (
        f"SELECT run, name, {columns} FROM summary WHERE run IN ({numbers(runs)})"  # noqa: S608 - numbers
        f" AND name IN ({numbers(names)})"
    )
    with index_errors():
        return {
            (run, name, part): float(cell) if isinstance(cell, str) else cell
            for run, name, *cells in index.db.execute(statement)
            for part, cell in zip(parts, cells, strict=True)
            if cell is not None
        }
