"""The texts that describe an operation before it runs: its help, and the preview that the prompt shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.text import printable
from operations.flags import flow_text, parse_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.definitions import FlagDef, FlagValue, ModelDef, OperationDef

_LONGEST_VALUE = 80
_LONGEST_LINE = 400


def operation_help(model: ModelDef, operation: OperationDef) -> str:
    """Return the help of an operation: usage, description, flags by name; no line break at its end."""
    parts = [f"Usage: guild run [OPTIONS] {model.name}:{operation.name} [FLAG=VALUE]..."]
    if operation.description:
        parts.append("\n".join(printable(line, _LONGEST_LINE) for line in operation.description.splitlines()))
    parts.append("Use 'guild run --help' for a list of options.")
    if operation.flags:
        parts.append("\n".join(["Flags:", *_flag_rows(operation.flags)]))
    return "\n\n".join(parts)


def preview(display_name: str, flags: Mapping[str, FlagValue]) -> str:
    """Return what is about to run, one line for each flag that the process gets; no line break at its end.

    Whatever a value holds, it stays on its own line and cannot look like another one.
    """
    lines = [f"You are about to run {printable(display_name)}"]
    for name in sorted(flags):
        value = flags[name]
        if value is not None:
            lines.append(f"  {printable(name)}: {'(boolean switch)' if value is True else _shown(value)}")
    return "\n".join(lines)


def _flag_rows(flags: Sequence[FlagDef]) -> list[str]:
    width = max(len(printable(flag.name)) for flag in flags)
    ordered = sorted(flags, key=lambda flag: flag.name)
    return [f"  {printable(flag.name):{width}}  {_flag_text(flag)}".rstrip() for flag in ordered]


def _flag_text(flag: FlagDef) -> str:
    description = printable(" ".join(flag.description.split()), _LONGEST_LINE)
    note = ""
    if flag.default is not None:
        note = f"(default is {printable(flow_text(flag.default), _LONGEST_VALUE)})"
    elif flag.required:
        note = "(required)"
    return " ".join(part for part in (description, note) if part)


def _shown(value: FlagValue) -> str:
    """Return a value for the eye: text as it is, but quoted where it would read as another kind of value."""
    if isinstance(value, str) and value.strip() and (len(value) > _LONGEST_VALUE or parse_value(value) == value):
        return printable(value, _LONGEST_VALUE)
    return printable(flow_text(value), _LONGEST_VALUE)
