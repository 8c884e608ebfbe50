"""The columns of a comparison when nobody says which: those that operations name, else all that their runs have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from projections.cells import ATTRIBUTES
from projections.column_specs import ATTRIBUTE, FLAG, SCALAR, ColumnSpec
from projections.comparison_columns import CORE
from projections.errors import index_errors
from projections.query import numbers

if TYPE_CHECKING:
    from projections.query import Query
    from projections.schema import OpKey

Declared = Mapping["OpKey", Sequence[ColumnSpec]]
"""The columns that operations name; one that is not among them names none."""

_LOOKED_AT = 10_000
"""In one of so many runs a column must have something to be shown; when there are more runs, it is shown anyway."""


def core_columns() -> list[ColumnSpec]:
    """Return the columns that stand first."""
    return [ColumnSpec(ATTRIBUTE, name) for name in CORE]


def operation_columns(query: Query, declared: Declared) -> list[ColumnSpec]:
    """Return the columns of the operations that have matching runs: those that they name, then flags, then scalars."""
    ops = _wanted(query)
    named = [spec for op in ops for spec in declared.get(query.ops[op], ())]
    names = _used(query, [op for op in ops if query.ops[op] not in declared])
    flags = [ColumnSpec(FLAG, name[5:]) for name in names if name.startswith("flag:")]
    scalars = [ColumnSpec(SCALAR, name[7:]) for name in names if name.startswith("scalar:")]
    return [*named, *flags, *scalars]


def every_column(query: Query) -> list[ColumnSpec]:
    """Return all columns that there are for the matching runs: attributes, then flags, then scalars."""
    others = [name for name in ATTRIBUTES if name not in ("id", "duration", *CORE)]
    return [*core_columns(), *(ColumnSpec(ATTRIBUTE, name) for name in others), *operation_columns(query, {})]


def _wanted(query: Query) -> list[int]:
    return sorted({op for op, *_ in query.cells()})


def _used(query: Query, ops: Sequence[int]) -> list[str]:
    """Return the flags and scalars, with their prefix and sorted, that matching runs of these operations have."""
    with index_errors():
        found = query.index.db.execute(
            f"SELECT DISTINCT text, name FROM used JOIN name USING (name) WHERE op IN ({numbers(ops)}) ORDER BY text"  # noqa: S608
        ).fetchall()
        return [text for text, name in found if _is_there(query, name, ops)]


def _is_there(query: Query, name: int, ops: Sequence[int]) -> bool:
    """Tell whether one of the first matching runs has a value of this name; of very many runs, one may."""
    where, values = query.where()
    runs = f"SELECT run.run FROM {query.source()} WHERE {where} AND run.op IN ({numbers(ops)}) LIMIT {_LOOKED_AT}"  # noqa: S608
    statement = f"SELECT 1 FROM ({runs}) AS few CROSS JOIN value ON value.run = few.run AND value.name = ? LIMIT 1"  # noqa: S608
    if query.index.db.execute(statement, (*values, name)).fetchone() is not None:
        return True
    return query.most() > _LOOKED_AT and query.count() > _LOOKED_AT
