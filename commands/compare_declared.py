"""The columns that operations name for their comparison, from the model files as they are now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from commands.catalogs import installed_packages, packaged_models
from commands.terminal import warn
from ledger.errors import GuildError
from ledger.text import printable
from operations.model_file_path import find_model_file
from projections.column_specs import FLAG, ColumnError, ColumnSpec, parse_columns
from projections.comparison_defaults import Declared
from projections.schema import OpKey

if TYPE_CHECKING:
    from operations.definitions import ModelDef, OperationDef

_WORDS = re.compile(rb"compare|include|extends[^:]*:[^:]*/")
"""A model file without these names no columns, and neither do models of packages that it extends; it is not read then,
because that takes longer than the comparison."""


def declared_columns(ops: Iterable[OpKey]) -> dict[OpKey, Declared]:
    """Return the columns that these operations name; those that name none, or are no more, are left out.

    The ledger does not hold them: they say how runs are looked at, not what happened, and may change afterwards.
    """
    found = {}
    models: dict[tuple[str | None, str | None], tuple[ModelDef, ...]] = {}
    for op in ops:
        home = (op.project, op.package)
        if home not in models:
            models[home] = _models_of(op)
        declared = _declared(op, models[home])
        if declared is not None:
            found[op] = declared
    return found


def _models_of(op: OpKey) -> tuple[ModelDef, ...]:
    if op.project is None:
        return () if op.package is None else packaged_models()
    path = find_model_file(op.project)
    if path is None or not _may_name_columns(path):
        return ()
    from operations.model_file import load_model_file

    try:
        return load_model_file(path, installed_packages).models
    except GuildError:
        return ()  # what is wrong with it is told where it is used


def _may_name_columns(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return False
    return _WORDS.search(text) is not None


def _declared(op: OpKey, models: Iterable[ModelDef]) -> Declared | None:
    for model in models:
        if (model.name, model.package) == (op.model, op.package):
            for operation in model.operations:
                if operation.name == op.operation:
                    return _of_operation(model, operation)
    return None


def _of_operation(model: ModelDef, operation: OperationDef) -> Declared | None:
    if operation.compare:
        return Declared(tuple(_parsed(operation)))
    flags = _flags_of(model.extra.get("compare"))
    return None if flags is None else Declared(tuple(ColumnSpec(FLAG, name) for name in flags), scalars=True)


def _parsed(operation: OperationDef) -> Iterator[ColumnSpec]:
    for text in operation.compare:
        try:
            yield from parse_columns(text)
        except ColumnError as error:
            warn(f"operation {printable(operation.name, 80)} names a column that cannot be understood: {error.message}")


def _flags_of(said: object) -> list[str] | None:
    """Return the flags that `extra: {compare: {flags: [...]}}` names, the older way to choose columns."""
    flags = said.get("flags") if isinstance(said, Mapping) else None
    return [str(name) for name in flags] if isinstance(flags, list | tuple) else None
