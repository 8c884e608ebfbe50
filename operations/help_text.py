"""The texts that describe what can be run: help for operations, models and directories, and what the prompt shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ledger.text import printable
from operations.flags import flow_text, parse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ledger.canonical import Value
    from operations.definitions import ChoiceDef, FlagDef, FlagValue, ModelDef, OperationDef, RequirementDef

    FlagsOf = Callable[[ModelDef, OperationDef], Sequence[FlagDef]]

_LONGEST_VALUE = 80
_LONGEST_CELL = 40
_LONGEST_LINE = 400
_NO_HELP = "No help available (the current directory does not contain a model file)"


def operation_help(model: ModelDef, operation: OperationDef) -> str:
    """Return the help of an operation: usage, description, dependencies, flags, scalars; no line break at its end."""
    parts = [f"Usage: guild run [OPTIONS] {_spec(model, operation.name)} [FLAG=VALUE]..."]
    if operation.description:
        parts.append(_paragraph(operation.description))
    parts.append("Use 'guild run --help' for a list of options.")
    if operation.requires:
        rows = [(required.name, _dependency_text(model, required)) for required in operation.requires]
        parts.append("\n".join(["Dependencies:", *_rows(rows)]))
    if operation.flags:
        parts.append("\n".join(["Flags:", *_flag_rows(operation.flags)]))
    if operation.output_scalars is False:
        parts.append("Scalars:\n  none are read from the output")
    elif operation.output_scalars:
        from artifacts.output_patterns import texts_of

        found = [(key or "-", _one_line(text)) for key, text in texts_of(cast("Value", operation.output_scalars))]
        parts.append("\n".join(["Scalars (patterns in the output):", *_rows(found)]))
    return "\n\n".join(parts)


def model_help(model: ModelDef) -> str:
    """Return the help of a model: usage, description, operations and resources; no line break at its end."""
    parts = [f"Usage: guild run [OPTIONS] {_spec(model, 'OPERATION')} [FLAG=VALUE]..."]
    if model.description:
        parts.append(_paragraph(model.description))
    parts.append(f"Use 'guild run {_spec(model, 'OPERATION')} --help-op' for help on an operation.")
    operations = [(operation.name, _first_line(operation.description)) for operation in model.operations]
    resources = [(item.name, _first_line(item.description)) for item in model.resources if not item.private]
    for title, rows in (("Operations:", operations), ("Resources:", resources)):
        if rows:
            parts.append("\n".join([title, *_rows(sorted(rows))]))
    return "\n\n".join(parts)


def directory_help(models: Iterable[ModelDef], intro: str, flags_of: FlagsOf) -> str:
    """Return the help of everything in a model file or package; no line break at its end.

    Args:
        models: those of the file; private ones are left out.
        intro: the first sentence, which says what it is that is described.
        flags_of: gives all flags of an operation, those of its script too.
    """
    shown = sorted((model for model in models if not model.private), key=lambda model: model.name)
    if not shown:
        return _NO_HELP
    overview = [
        "OVERVIEW",
        "",
        f"  {printable(intro, _LONGEST_LINE)}",
        "",
        "  To run one of the operations, use 'guild run MODEL:OPERATION', or 'guild run OPERATION' where",
        "  no other model has an operation of that name.",
        "",
        "  Flags are set as NAME=VALUE behind the name of the operation.",
        "",
        "MODELS",
    ]
    return "\n".join([*overview, *(line for model in shown for line in ("", *_model_section(model, flags_of)))])


def preview(
    display_name: str, flags: Mapping[str, FlagValue], *, label: str | None = None, tags: Sequence[str] = ()
) -> str:
    """Return what is about to run, one line for each flag that the process gets; no line break at its end.

    Whatever a value holds, it stays on its own line and cannot look like another one. The label and the tags
    follow without an indent, so that they cannot be taken for flags.
    """
    lines = [f"You are about to run {printable(display_name)}", *_flag_lines(flags)]
    return "\n".join([*lines, *_notes(label, tags)])


def preview_trials(
    display_name: str,
    rows: Sequence[Mapping[str, FlagValue]],
    limit: int = 20,
    *,
    label: str | None = None,
    tags: Sequence[str] = (),
) -> str:
    """Return what is about to run as trials: flags that are the same in all, then a table of those that differ.

    Args:
        display_name: full name of the operation.
        rows: the flags of each trial.
        limit: how many rows the table shows; the others are counted.
        label: label of each run, None for none or for labels that differ.
        tags: tags of each run.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    differing = [name for name in names if len({flow_text(row.get(name)) for row in rows}) > 1]
    common = {name: rows[0][name] for name in names if name not in differing and name in rows[0]}
    count = f"{len(rows)} trial{'' if len(rows) == 1 else 's'}"
    lines = [f"You are about to run {printable(display_name)} as a batch of {count}", *_flag_lines(common)]
    if differing:
        lines += _table(differing, rows[:limit])
    if len(rows) > limit and differing:
        lines.append(f"  ... and {len(rows) - limit} more")
    return "\n".join([*lines, *_notes(label, tags)])


def _model_section(model: ModelDef, flags_of: FlagsOf) -> list[str]:
    lines = [f"  {printable(model.name or '(operations without a model)')}"]
    if model.description:
        lines += ["", *_indented(_paragraph(model.description), 4)]
    shared = _shared_flags(model.operations)
    names = {flag.name for flag in shared}
    if model.operations:
        lines += ["", "    Operations:"]
    for operation in sorted(model.operations, key=lambda operation: operation.name):
        lines += ["", f"      {printable(operation.name)}"]
        if operation.description:
            lines += _indented(_paragraph(operation.description), 8)
        own = [flag for flag in flags_of(model, operation) if flag.name not in names]
        if own:
            lines += ["        Flags:", *_indented("\n".join(_flag_rows(own)), 8)]
    if shared:
        lines += ["", "    Model flags:", *_indented("\n".join(_flag_rows(shared)), 4)]
    return lines


def _shared_flags(operations: Sequence[OperationDef]) -> list[FlagDef]:
    """Return the flags that all of several operations have alike: those that a file gives to the model."""
    if len(operations) < 2:  # noqa: PLR2004 - a single operation shares with nobody
        return []
    return [flag for flag in operations[0].flags if all(flag in operation.flags for operation in operations[1:])]


def _indented(text: str, blanks: int) -> list[str]:
    return [f"{' ' * blanks}{line}".rstrip() for line in text.split("\n")]


def _spec(model: ModelDef, operation: str) -> str:
    return printable(f"{model.name}:{operation}" if model.name else operation)


def _paragraph(text: str) -> str:
    return "\n".join(printable(line, _LONGEST_LINE) for line in text.strip().splitlines())


def _first_line(text: str) -> str:
    return printable((text.strip().splitlines() or [""])[0], _LONGEST_LINE)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()), _LONGEST_LINE)


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(printable(name)) for name, _ in rows)
    return [f"  {printable(name):{width}}  {text}".rstrip() for name, text in rows]


def _dependency_text(model: ModelDef, required: RequirementDef) -> str:
    named = next((resource for resource in model.resources if resource.name == required.name), None)
    resource = required.resource or named
    return _one_line(required.description or (resource.description if resource else ""))


def _flag_rows(flags: Sequence[FlagDef]) -> list[str]:
    width = max(len(printable(flag.name)) for flag in flags)
    rows: list[str] = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        rows.append(f"  {printable(flag.name):{width}}  {flag_text(flag)}".rstrip())
        rows += [f"  {'':{width}}  {row}" for row in _choice_rows(flag.choices, allow_other=flag.allow_other)]
    return rows


def flag_text(flag: FlagDef) -> str:
    """Return what a listing says of a flag on one line: description, kind, default or that it is required."""
    notes = [_one_line(flag.description)]
    if flag.type is not None or (flag.minimum, flag.maximum) != (None, None):
        from operations.flag_check import bounds_text

        kind = f"{flag.type or 'number'} {bounds_text(flag)}".strip()
        notes.append("" if kind == "auto" else f"({kind})")
    if flag.default is not None:
        notes.append(f"(default is {printable(flow_text(flag.default), _LONGEST_VALUE)})")
    elif flag.required:
        notes.append("(required)")
    return " ".join(note for note in notes if note)


def _choice_rows(choices: Sequence[ChoiceDef], *, allow_other: bool) -> list[str]:
    if not choices:
        return []
    rows = [(_value_text(choice), _one_line(choice.description)) for choice in choices]
    return [*_rows(rows), *(["  or another value"] if allow_other else [])]


def _value_text(choice: ChoiceDef) -> str:
    value = choice.value
    return printable(value if isinstance(value, str) and value.strip() else flow_text(value), _LONGEST_VALUE)


def _flag_lines(flags: Mapping[str, FlagValue]) -> list[str]:
    return [
        f"  {printable(name)}: {'(boolean switch)' if flags[name] is True else _shown(flags[name], _LONGEST_VALUE)}"
        for name in sorted(flags)
        if flags[name] is not None
    ]


def _notes(label: str | None, tags: Sequence[str]) -> list[str]:
    notes = [f"Label: {printable(label, _LONGEST_VALUE)}"] if label else []
    return [*notes, *([f"Tags: {', '.join(printable(tag, _LONGEST_CELL) for tag in tags)}"] if tags else [])]


def _table(names: Sequence[str], rows: Sequence[Mapping[str, FlagValue]]) -> list[str]:
    cells = [
        [printable(name, _LONGEST_CELL) for name in names],
        *([_text(row, name) for name in names] for row in rows),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return [
        ("    " + "  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True))).rstrip()
        for line in cells
    ]


def _text(row: Mapping[str, FlagValue], name: str) -> str:
    value = row.get(name)
    return "" if value is None else _shown(value, _LONGEST_CELL)


def _shown(value: FlagValue, longest: int) -> str:
    """Return a value for the eye: text as it is, but quoted where it would read as another kind of value."""
    if isinstance(value, str) and value.strip() and (len(value) > longest or parse_value(value) == value):
        return printable(value, longest)
    return printable(flow_text(value), longest)
