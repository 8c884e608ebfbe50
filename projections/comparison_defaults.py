"""The columns of a comparison when nobody says which: those that operations name, else all that their runs have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger.dataclass import replace
from projections.cells import ATTRIBUTES
from projections.column_specs import ANY, ATTRIBUTE, FLAG, SCALAR, ColumnError, ColumnSpec
from projections.comparison_columns import CORE, resolved
from projections.errors import index_errors
from projections.query import numbers

if TYPE_CHECKING:
    from projections.query import Query
    from projections.schema import OpKey


class Declared(NamedTuple):
    """The columns that an operation names.

    Attributes:
        columns: in its order.
        scalars: whether those scalars follow that its runs have.
    """

    columns: tuple[ColumnSpec, ...]
    scalars: bool = False


_LOOKED_AT = 10_000
"""In one of so many runs a column must have something to be shown; when there are more runs, it is shown anyway."""


def core_columns() -> list[ColumnSpec]:
    """Return the columns that stand first."""
    return [ColumnSpec(ATTRIBUTE, name) for name in CORE]


def operation_columns(query: Query, declared: Mapping[OpKey, Declared]) -> list[ColumnSpec]:
    """Return the columns of the operations that have matching runs: those that they name, then flags, then scalars.

    Args:
        query: the runs.
        declared: what operations name; of others all flags and scalars are taken that their runs have.
    """
    ops = _operations(query)
    said = {op: declared[query.ops[op]] for op in ops if query.ops[op] in declared}
    named = [_settled(query, spec) for one in said.values() for spec in one.columns]
    flags = _used(query, FLAG, [op for op in ops if op not in said])
    scalars = _used(query, SCALAR, [op for op in ops if op not in said or said[op].scalars])
    return [*(spec for spec in named if spec is not None), *flags, *scalars]


def _settled(query: Query, spec: ColumnSpec) -> ColumnSpec | None:
    """Return a column that an operation names: a scalar may be still to come; None for what no column can be."""
    try:
        resolved(query.index.db, spec)
    except ColumnError:
        return replace(spec, kind=SCALAR) if spec.kind == ANY else None
    return spec


def every_column(query: Query) -> list[ColumnSpec]:
    """Return all columns that there are for the matching runs: attributes, then flags, then scalars."""
    others = [name for name in ATTRIBUTES if name not in ("id", "duration", *CORE)]
    return [*core_columns(), *(ColumnSpec(ATTRIBUTE, name) for name in others), *operation_columns(query, {})]


def _operations(query: Query) -> list[int]:
    """Return the operations that have matching runs; of very many runs, those of the first of them."""
    wanted = set(query.wanted_ops())
    ops = [op for op, key in sorted(query.ops.items()) if key in wanted]
    return ops if not query.filter.has_conditions() else _Few(query, ops).operations()


def _used(query: Query, kind: str, ops: Sequence[int]) -> list[ColumnSpec]:
    """Return the flags or the scalars that matching runs of these operations have, sorted."""
    few = _Few(query, ops)
    with index_errors():
        found = query.index.db.execute(
            f"SELECT DISTINCT text, name FROM used JOIN name USING (name) WHERE op IN ({numbers(ops)})"  # noqa: S608
            " AND substr(text, 1, ?) = ? ORDER BY text",
            (len(kind) + 1, f"{kind}:"),
        ).fetchall()
        return [ColumnSpec(kind, text[len(kind) + 1 :]) for text, name in found if few.may_have(name)]


class _Few:
    """The first of the matching runs of some operations: all of them, unless these are very many."""

    def __init__(self, query: Query, ops: Sequence[int]) -> None:
        where, self._values = query.where()
        where += f" AND run.op IN ({numbers(ops)})"
        self._db = query.index.db
        self._runs = f"(SELECT run.run, run.op FROM {query.source()} WHERE {where} LIMIT {_LOOKED_AT})"  # noqa: S608
        self._are_all: bool | None = None

    def may_have(self, name: int) -> bool:
        """Tell whether one of them has a value of this name, or one of the others may."""
        one = f"SELECT 1 FROM {self._runs} AS few CROSS JOIN value ON value.run = few.run AND value.name = ? LIMIT 1"  # noqa: S608
        return self._db.execute(one, (*self._values, name)).fetchone() is not None or not self._all()

    def operations(self) -> list[int]:
        """Return their operations."""
        statement = f"SELECT DISTINCT op FROM {self._runs} ORDER BY op"  # noqa: S608 - numbers
        with index_errors():
            return [row[0] for row in self._db.execute(statement, self._values)]

    def _all(self) -> bool:
        if self._are_all is None:
            count = self._db.execute(f"SELECT count(*) FROM {self._runs}", self._values).fetchone()[0]  # noqa: S608
            self._are_all = count < _LOOKED_AT
        return self._are_all
