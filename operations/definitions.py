"""What a model file says, as plain values; apart from its reader, so that using them needs no YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

FlagValue: TypeAlias = bool | int | float | str | list["FlagValue"] | dict[str, "FlagValue"] | None
"""The value of a flag: what a YAML scalar, list or mapping with text keys can hold."""


@dataclass(frozen=True, slots=True)
class FlagDef:
    """One flag of an operation; `default` is None when the model file gives no value."""

    name: str
    default: FlagValue
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class OperationDef:
    """One operation of a model: `cmd` is the command line as written, `flags` stand in the file's order."""

    name: str
    description: str
    cmd: str
    flags: tuple[FlagDef, ...]


@dataclass(frozen=True, slots=True)
class ModelDef:
    """One model and its operations, in the file's order."""

    name: str
    description: str
    operations: tuple[OperationDef, ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as read.

    Attributes:
        path: the file, as it was given to the reader.
        project: the absolute directory that holds it; symbolic links are kept.
        models: in the file's order; the first is the default model.
        warnings: one text for each key that this program does not know and therefore ignored.
    """

    path: str
    project: str
    models: tuple[ModelDef, ...]
    warnings: tuple[str, ...]
