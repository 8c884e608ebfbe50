"""One flag of a model file: its default, what values it may have, and how the process is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledger.text import printable
from operations.definitions import FLAG_TYPES, ChoiceDef, FlagDef, FlagValue
from operations.model_tree import is_nothing
from operations.model_values import Keys, checked_name, mapping
from operations.nodes import (
    MappingNode,
    Node,
    NodeError,
    Place,
    ScalarNode,
    SequenceNode,
    kind_of,
    plain_scalar,
    value_of,
)

if TYPE_CHECKING:
    from operations.model_text import Notes

_UNSUPPORTED = ("arg-encoding", "distribution", "extra", "nargs", "null-label")
_CHOICE_UNSUPPORTED = ("flags",)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a later step replaces (`${other}`) or turns into several values (`range[1:5]`) says nothing about types yet.
_NOT_YET_KNOWN = re.compile(r".*\$\{.*|[a-z]+\[.*\]", re.DOTALL)
_WHOLE, _NUMBERS = ("int",), ("int", "float", "number")


def read_flags(pairs: tuple[tuple[ScalarNode, Node], ...], notes: Notes) -> tuple[FlagDef, ...]:
    """Return the flags of a mapping of names.

    Raises:
        NodeError: a name cannot be typed, or a flag says something that a flag cannot say.
    """
    return tuple(_flag(key, node, notes) for key, node in pairs)


def _flag(key: ScalarNode, node: Node, notes: Notes) -> FlagDef:
    name = checked_name(key, "flag name")
    what = f"flag '{name}'"
    keys = Keys(mapping(node, what), what, notes)
    flag = FlagDef(
        name=name,
        default=_value(keys.get("default", "value")),
        description=keys.text("description"),
        required=bool(keys.truth("required")),
        type=keys.one_of(FLAG_TYPES, "type"),
        choices=_choices(keys, what),
        allow_other=bool(keys.truth("allow-other")),
        minimum=keys.number("min"),
        maximum=keys.number("max"),
        arg_name=keys.optional_text("arg-name") or None,
        arg_skip=bool(keys.truth("arg-skip")),
        arg_switch=_value(keys.get("arg-switch")),
        arg_split=_split(keys),
        env_name=_variable(keys, what),
        folder=_folder(keys),
    )
    keys.finish(_UNSUPPORTED)
    _check(flag, keys, what)
    return flag


def _value(node: Node | None) -> FlagValue:
    return None if node is None else value_of(node)


def _folder(keys: Keys) -> str:
    """Return the directory of the package that says the default, empty for none."""
    pair = keys.pair("default", "value")
    return keys.notes.folder(pair[1].place) if pair else ""


def _split(keys: Keys) -> str | None:
    """Return at what a value is taken apart; `yes` means blanks."""
    node = keys.get("arg-split")
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return " " if node.value else None
    if isinstance(node, ScalarNode) and not node.text.strip():
        return node.text or None
    return keys.optional_text("arg-split")


def _variable(keys: Keys, what: str) -> str | None:
    pair = keys.pair("env-name")
    text = keys.optional_text("env-name")
    if pair and not _VARIABLE.fullmatch(text or ""):
        wanted = "expected letters, digits and '_' as in the name of an environment variable"
        raise NodeError(f"'env-name' of {what} is '{text}': {wanted}", pair[1].place)
    return text


def _choices(keys: Keys, what: str) -> tuple[ChoiceDef, ...]:
    pair = keys.pair("choices", "options")
    if pair is None:
        return ()
    key, node = pair
    if not isinstance(node, SequenceNode):
        raise NodeError(f"'{key.text}' of {what} is {kind_of(node)}: expected a list of values", node.place)
    return tuple(_choice(item, f"a choice of {what}", keys.notes) for item in node.items)


def _choice(node: Node, what: str, notes: Notes) -> ChoiceDef:
    if not isinstance(node, MappingNode):
        return ChoiceDef(value_of(node))
    keys = Keys(node, what, notes)
    if not any(key.text == "value" for key, _ in node.pairs):
        raise NodeError(f"{what} has no 'value': expected a value, or a mapping with 'value'", node.place)
    given = keys.pair("args") is not None
    choice = ChoiceDef(
        _value(keys.get("value")),
        keys.text("description"),
        {key.text: value_of(value) for key, value in keys.pairs("args")} if given else None,
        _value(keys.get("alias")),
    )
    keys.finish(_CHOICE_UNSUPPORTED)
    return choice


def _check(flag: FlagDef, keys: Keys, what: str) -> None:
    if flag.minimum is not None and flag.maximum is not None and flag.minimum > flag.maximum:
        place = _place(keys, "min")
        raise NodeError(f"'min' of {what} is above its 'max' ({flag.maximum}): expected no more than that", place)
    default = keys.get("default", "value")
    if default is None:
        return
    items = default.items if isinstance(default, SequenceNode) else (default,)
    for item in items:
        if is_nothing(item) or (isinstance(item, ScalarNode) and _NOT_YET_KNOWN.fullmatch(item.text)):
            continue
        problem = _problem(flag, value_of(item))
        if problem:
            shown = f" '{printable(item.text, 60)}'" if isinstance(item, ScalarNode) else ""
            raise NodeError(f"the default{shown} of {what} does not fit: expected {problem}", item.place)


def _place(keys: Keys, word: str) -> Place:
    node = keys.get(word)
    return node.place if node else keys.node.place


def _problem(flag: FlagDef, value: FlagValue) -> str:
    """Return what was expected of a value in the file, or '' when it will do."""
    number = _number(value)
    if flag.type in _WHOLE and (number is None or number != number // 1):
        return "a whole number, as 'type' says"
    if flag.type in _NUMBERS and number is None:
        return "a number, as 'type' says"
    if flag.type == "boolean" and not isinstance(value, bool) and value not in (0, 1):
        return "'yes' or 'no', as 'type' says"
    if number is not None and flag.minimum is not None and number < flag.minimum:
        return f"at least {flag.minimum}, as 'min' says"
    if number is not None and flag.maximum is not None and number > flag.maximum:
        return f"at most {flag.maximum}, as 'max' says"
    if flag.choices and not flag.allow_other and not any(_is_choice(value, choice) for choice in flag.choices):
        return "one of its choices (or 'allow-other: yes')"
    return ""


def _number(value: FlagValue) -> float | None:
    """Return the number that a value is, or that its text means."""
    if isinstance(value, str):
        value = plain_scalar(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_choice(value: FlagValue, choice: ChoiceDef) -> bool:
    return any(
        str(value) == str(other) or (value == other and isinstance(value, bool) == isinstance(other, bool))
        for other in (choice.value, choice.alias)
        if other is not None
    )
