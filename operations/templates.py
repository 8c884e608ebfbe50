"""`${flag}` in the texts of an operation: commands, labels, variables and the values of other flags.

One place decides how a reference is written, what it becomes and when it is an error, so that every key of a model
file understands the same thing by it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.flags import flow_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.definitions import FlagValue

_REFERENCE = re.compile(r"(?P<escape>\\)?\$\{(?P<name>[^{}]*)\}")
# References that double each other would fill the memory; no argument or label is anywhere near this long.
_LONGEST = 1_000_000


class TemplateError(GuildError):
    """A text refers to a flag that does not exist, or in a circle; nothing was started."""


def text_of(value: FlagValue) -> str:
    """Return what stands in a text for a value: text as it is, nothing for None, `true`, `0.1`, `[1,2]`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, float) else flow_text(value)


def references(text: str) -> list[str]:
    r"""Return the names that `text` refers to, in its order; `\${x}` is no reference."""
    return [match["name"] for match in _REFERENCE.finditer(text) if not match["escape"]]


def filled(text: str, values: Mapping[str, FlagValue], *, what: str) -> str:
    r"""Return `text` with each `${name}` replaced by the value of that name, as `text_of` writes it.

    `\${x}` stands for `${x}`; an open `${` and `{{x}}` are left as they are. What a value holds is not looked at
    again, so references between values must be resolved before (`filled_values`).

    Args:
        text: the text as the model file or the user wrote it.
        values: by name; a flag without a value is there as None.
        what: what the text is, for messages: `label of operation 'train'`.

    Raises:
        TemplateError: a name has no entry in `values`, or the result would be absurdly long.
    """
    if "${" not in text:
        return text
    parts: list[str] = []
    length = end = 0
    for match in _REFERENCE.finditer(text):
        part = match[0][1:] if match["escape"] else text_of(_looked_up(match["name"], values, what))
        parts += (text[end : match.start()], part)
        end = match.end()
        length += len(part)
        if length > _LONGEST:
            raise TemplateError(f"{what} becomes longer than {_LONGEST} characters once its references are replaced")
    return "".join((*parts, text[end:]))


def literal(value: FlagValue) -> FlagValue:
    r"""Return a value so that it stands for itself: what looks like a reference in it is escaped (`\${x}`).

    For values that were resolved once, when their run was prepared, and go through `filled_values` again.
    """
    if isinstance(value, list):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    return _REFERENCE.sub(lambda match: f"\\{match[0]}", value) if isinstance(value, str) else value


def resolved(value: FlagValue, values: Mapping[str, FlagValue], *, what: str) -> FlagValue:
    """Return one value with its references replaced by values that hold none; a lone one keeps its value's kind.

    Raises:
        TemplateError: as `filled` does.
    """
    if isinstance(value, list):
        return [resolved(item, values, what=what) for item in value]
    if isinstance(value, dict):
        return {key: resolved(item, values, what=what) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    return (
        _looked_up(whole["name"], values, what) if whole and not whole["escape"] else filled(value, values, what=what)
    )


def filled_values(values: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    """Return the values with the references among them resolved, in the same order.

    A text that is nothing but one reference becomes the value itself, of whatever kind; any other text has
    references replaced as in `filled`. Texts inside lists and mappings are resolved as well.

    Raises:
        TemplateError: a value refers to a name that is not there, or to itself by way of others.
    """
    needed = {name: set(_references_in(value)) for name, value in values.items()}
    result = dict(values)
    if not any(needed.values()):
        # Nothing is referred to, but an escaped reference still has to lose its backslash.
        return {name: resolved(value, result, what=_value_of(name)) for name, value in values.items()}
    for name in _in_order({name: names & values.keys() for name, names in needed.items()}):
        result[name] = resolved(values[name], result, what=_value_of(name))
    return result


def _value_of(name: str) -> str:
    return f"value of flag '{printable(name)}'"


def _looked_up(name: str, values: Mapping[str, FlagValue], what: str) -> FlagValue:
    if name not in values:
        raise TemplateError(
            f"{what} refers to '${{{printable(name)}}}', which is not defined{did_you_mean(name, values)}",
            hint=f"Define a flag of that name, or write \\${{{printable(name)}}} for the text itself",
        )
    return values[name]


def _references_in(value: FlagValue) -> Iterator[str]:
    if isinstance(value, str):
        yield from references(value)
    elif isinstance(value, list):
        for item in value:
            yield from _references_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references_in(item)


def _in_order(needed: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the names so that each comes after those it refers to; without recursion, for chains of any length."""
    from graphlib import CycleError, TopologicalSorter

    try:
        yield from TopologicalSorter(needed).static_order()
    except CycleError as error:
        circle = " -> ".join(printable(name) for name in reversed(error.args[1]))
        raise TemplateError(
            f"flags refer to each other in a circle: {printable(circle)}",
            hint="Give one of these flags a value of its own",
        ) from error
