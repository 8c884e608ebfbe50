"""Turn `NAME=VALUE` words into the values of an operation's flags, and values back into text."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.nodes import (
    MappingNode,
    Node,
    NodeError,
    ScalarNode,
    SequenceNode,
    compose,
    plain_scalar,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from operations.definitions import FlagDef, FlagValue, OperationDef

TEXT_TYPES = frozenset({"string", "path", "existing-path", "filename"})
"""Types of flags whose value is the text as typed: `007` stays `007`."""

_BLANKS = " \t\r\n"
_FLOW_KINDS: dict[str, type[Node]] = {
    "[": SequenceNode,
    "{": MappingNode,
    '"': ScalarNode,
    "'": ScalarNode,
    "!": ScalarNode,
}
# JSON allows these inside a quoted string as they are, YAML does not or folds them.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


# The beginning of a run id as listings show it (8 digits), or a whole one, that YAML would take for a float (12345e67)
# or an octal number (01234567): a process that is given the id of a run must get that id.
_LIKE_RUN_ID = re.compile(r"(?=(?:.{8}|.{32})\Z)(?:[0-9]+e[0-9]+|0[0-9]+)")


class FlagError(GuildError):
    """The flags given do not fit the operation, or a word is no flag at all; nothing was started."""


def parse_value(text: str) -> FlagValue:
    """Return what a value typed on the command line means; never an error, and text when in doubt.

    Scalars follow `nodes.plain_scalar`. Quotes, flow lists and mappings (`[1, 2]`, `{a: 1}`) and the tags of
    scalars (`!!str 5`) are YAML; anything else, such as `a: b`, `- x`, `x # y` or `*x`, is the text as typed. So
    is what looks like a run id.
    """
    bare = text.strip(_BLANKS)
    if not bare:
        return text
    if bare.startswith(("[", "{", '"', "'", "!!")):
        return _flow_value(bare, text)
    value = text if _LIKE_RUN_ID.fullmatch(bare) else plain_scalar(bare)
    return text if isinstance(value, str) else value


def flow_text(value: FlagValue) -> str:
    """Return compact one-line YAML that `parse_value` turns back into this value; text is quoted."""
    if isinstance(value, list):
        return f"[{','.join(flow_text(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_quoted(key)}:{flow_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text.replace("inf", ".inf").replace("nan", ".nan") if isinstance(value, float) else text


def split_assignments(args: Iterable[str]) -> dict[str, str]:
    """Return names and values of `NAME=VALUE` words as typed, in their order.

    Raises:
        FlagError: a word has no `=`, a name is empty, or a flag is given twice.
    """
    values: dict[str, str] = {}
    for word in args:
        name, equals, text = word.partition("=")
        if not equals:
            raise FlagError(
                f"'{printable(word)}' is not a flag: expected NAME=VALUE",
                hint=f"Write {printable(word)}=VALUE to set a flag of that name",
            )
        if not name.strip():
            raise FlagError(f"'{printable(word)}' has no name: expected NAME=VALUE")
        if name in values:
            raise FlagError(f"flag '{printable(name)}' is given twice: expected one value")
        values[name] = text
    return values


def parse_assignments(args: Iterable[str], flags: Iterable[FlagDef] = ()) -> dict[str, FlagValue]:
    """Return the values of `NAME=VALUE` words, in their order.

    Args:
        args: the words.
        flags: the flags of the operation, as far as they are known: where the type says that a value is text, it
            is the text as typed; anything else is what `parse_value` makes of it.

    Raises:
        FlagError: a word has no `=`, a name is empty, or a flag is given twice.
    """
    as_typed = {flag.name for flag in flags if flag.type in TEXT_TYPES}
    return {name: text if name in as_typed else parse_value(text) for name, text in split_assignments(args).items()}


def resolve_flags(
    operation: OperationDef,
    given: Mapping[str, FlagValue],
    *,
    force: bool = False,
    cwd: str = "",
    project: str = "",
) -> dict[str, FlagValue]:
    """Return the values of all flags: what is given, else the default; None for a flag that has neither.

    References among the values are resolved, and each value is converted to the type of its flag. A default is
    looked at only when it is used, so a wrong one harms nobody who gives a value.

    Args:
        operation: the operation that is to run.
        given: values from the command line.
        force: accept flags that the operation does not define, and values that do not fit.
        cwd: absolute directory that given paths are relative to; empty leaves them as they are.
        project: the same for paths that are defaults.

    Raises:
        FlagError: a given flag is not defined, a value does not fit, or required flags have no value.
        TemplateError: a value refers to a flag that does not exist, or in a circle.
    """
    defined = {flag.name: flag for flag in operation.flags}
    unknown = [name for name in given if name not in defined]
    if unknown and not (force or operation.any_flags):
        raise _undefined(operation, unknown, defined)
    values = {flag.name: given.get(flag.name, flag.default) for flag in operation.flags}
    _refuse_missing(operation, values)
    referring = {name for name, value in values.items() if _may_refer(value)}
    _check(operation, values, values.keys() - referring, given, force=force, places=(cwd, project))
    values |= {name: given[name] for name in unknown}
    if referring or any(_may_refer(given[name]) for name in unknown):
        from operations.templates import filled_values

        values = filled_values(values)
        _check(operation, values, referring, given, force=force, places=(cwd, project))
        _refuse_missing(operation, values)
    return values


def _may_refer(value: FlagValue) -> bool:
    if isinstance(value, str):
        return "${" in value
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return any(_may_refer(item) for item in items)


def _check(
    operation: OperationDef,
    values: dict[str, FlagValue],
    names: Collection[str],
    given: Mapping[str, FlagValue],
    *,
    force: bool,
    places: tuple[str, str],
) -> None:
    """Put what each value means for its flag in its place; by force, leave one that does not fit as it is."""
    for flag in operation.flags:
        if flag.name not in names or not (flag.type or flag.choices or (flag.minimum, flag.maximum) != (None, None)):
            continue
        from operations.flag_check import Origin, checked

        is_default = flag.name not in given
        try:
            place = flag.folder if is_default and _is_beside(flag, values[flag.name]) else places[is_default]
            values[flag.name] = checked(flag, values[flag.name], Origin(place, is_default))
        except FlagError:
            if not force:
                raise


def _is_beside(flag: FlagDef, value: FlagValue) -> bool:
    """Tell whether a path is there in the package that the default is inherited from."""
    return bool(flag.folder) and isinstance(value, str) and os.path.exists(os.path.join(flag.folder, value))


def _refuse_missing(operation: OperationDef, values: Mapping[str, FlagValue]) -> None:
    missing = [flag for flag in operation.flags if flag.required and values[flag.name] is None]
    if missing:
        raise _missing(missing)


def _flow_value(bare: str, typed: str) -> FlagValue:
    try:
        node = compose(bare)
    except NodeError:
        return typed
    if node is None or node.end != len(bare) or not isinstance(node, _FLOW_KINDS[bare[0]]):
        return typed
    return value_of(node)


def _quoted(text: str) -> str:
    import json

    return _NOT_YAML.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(text, ensure_ascii=False))


def _undefined(operation: OperationDef, unknown: Sequence[str], defined: Iterable[str]) -> FlagError:
    names = list(defined)
    shown = ", ".join(f"'{printable(name)}'{did_you_mean(name, names)}" for name in unknown)
    return FlagError(
        f"operation '{operation.name}' has no flag {shown}",
        hint="Try the same command with --help-op for its flags, or use --force-flags to pass it",
    )


def _missing(flags: Sequence[FlagDef]) -> FlagError:
    width = max(len(printable(flag.name)) for flag in flags)
    rows = [f"  {printable(flag.name):{width}}  {printable(' '.join(flag.description.split()))}" for flag in flags]
    table = "\n".join(row.rstrip() for row in rows)
    return FlagError(
        f"Operation requires the following missing flags:\n\n{table}\n",
        hint="Run the command again with these flags specified as NAME=VAL.",
    )
