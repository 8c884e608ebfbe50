"""What a process is told of its flags: under which names, and how each value is spelled as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.text import printable
from operations.flags import flow_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.definitions import FlagDef, FlagValue, OperationDef

EARLY = "early"
"""Arguments as the early format has them: true is `--NAME`, false is `--NAME False`."""

LATER = "later"
"""Arguments of the later format: true is `--NAME 1`, false is `--NAME ''`, which `bool` reads as it should."""

CLICK = "click"
"""Arguments for a click command: true is `--NAME`, false is nothing."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One value that the process is told.

    Attributes:
        value: never None.
        origin: name of the flag that it comes from.
        flag: that flag's definition; None for a flag that the operation does not define, and for a value that
            stands in place of the flag because the choice says so.
    """

    value: FlagValue
    origin: str
    flag: FlagDef | None = None


def arguments(operation: OperationDef, flags: Mapping[str, FlagValue]) -> dict[str, Argument]:
    """Return what the process is told, by the name that it knows, sorted by that name.

    Flags without a value and those it shall not be told of are left out. Where a choice brings values of its own,
    they stand in place of the flag, and win over a flag that the process knows by the same name.

    Raises:
        TemplateError: a value that a choice brings refers to a flag that does not exist.
    """
    defined = {flag.name: flag for flag in operation.flags}
    told: dict[str, Argument] = {}
    brought: dict[str, Argument] = {}
    for name in sorted(flags):
        flag, value = defined.get(name), flags[name]
        instead = choice_arguments(flag, name, flags) if flag else None
        if value is None or (flag is not None and flag.arg_skip and instead is None):
            continue
        if instead is None:
            told[(flag.arg_name if flag else None) or name] = Argument(value, name, flag)
            continue
        brought |= {key: Argument(own, name) for key, own in instead.items()}
    told |= brought
    return {name: told[name] for name in sorted(told)}


def argument_words(name: str, argument: Argument, style: str) -> list[str]:
    """Return the words of the command line for one value, in the style `EARLY`, `LATER` or `CLICK`."""
    value, flag = argument.value, argument.flag
    option = f"--{name}"
    if flag is not None and flag.arg_switch is not None:
        from operations.flag_check import same

        return [option] if same(value, flag.arg_switch) else []
    if flag is not None and flag.arg_split and isinstance(value, str | list):
        parts = split_value(value, flag.arg_split) if isinstance(value, str) else [_text(item) for item in value]
        return [option, *parts] if parts else []
    if isinstance(value, bool):
        return _boolean_words(option, style if flag is not None or style == CLICK else EARLY, value=value)
    text = _text(value)
    # As a word of its own it would be taken for an option; argparse reads some negative numbers, but not `-1e-05`.
    return [f"{option}={text}"] if _looks_like_option(text) else [option, text]


def _looks_like_option(text: str) -> bool:
    digits = text[1:].replace(".", "", 1)
    is_number = digits.isascii() and digits.isdigit() and not text.endswith(".")
    return text.startswith("-") and text != "-" and not is_number


def split_value(text: str, separator: str) -> list[str]:
    """Return the parts of a value: at blanks as a shell would take them, else at each separator."""
    if not separator.isspace():
        return [part.strip() for part in text.split(separator)] if text else []
    import shlex

    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe is part of a word here
        return text.split()


def choice_arguments(flag: FlagDef, name: str, flags: Mapping[str, FlagValue]) -> dict[str, FlagValue] | None:
    """Return what the choice that a flag has brings in the flag's place; None when it brings nothing.

    Args:
        flag: as defined.
        name: its name.
        flags: values of the run, which what is brought may refer to.

    Raises:
        TemplateError: it refers to a flag that does not exist.
    """
    value = flags[name]
    instead = _choice_args(flag, value)
    if instead is None or value is None:
        return None if instead is None else {}
    from operations.templates import resolved

    what = f"args of choice '{_shown(value)}' of flag '{printable(name)}'"
    found = {key: resolved(item, flags, what=what) for key, item in instead.items()}
    return {key: own for key, own in found.items() if own is not None}


def _choice_args(flag: FlagDef, value: FlagValue) -> Mapping[str, FlagValue] | None:
    if not flag.choices:
        return None
    from operations.flag_check import matching_choice

    choice = matching_choice(flag, value)
    return choice.args if choice else None


def _boolean_words(option: str, style: str, *, value: bool) -> list[str]:
    if style == LATER:
        return [option, "1" if value else ""]
    if value:
        return [option]
    return [] if style == CLICK else [option, "False"]


def _text(value: FlagValue) -> str:
    """Return a value as an argument: numbers as Python reads them, lists and mappings as YAML."""
    return flow_text(value) if isinstance(value, list | dict) else "" if value is None else str(value)


def _shown(value: FlagValue) -> str:
    return printable(value if isinstance(value, str) else flow_text(value), 80)


def shadowed_warning(place: str, argument: Argument, name: str) -> str:
    """Return the warning that a flag is not passed, because the command spells its option out.

    Args:
        place: what spells it out: `cmd of operation 'train'`.
        argument: the value that is not passed.
        name: the option's name.
    """
    value = argument.value if isinstance(argument.value, str) else flow_text(argument.value)
    shown = printable(f"{argument.origin}={value}", 100)
    return f"flag {shown} is ignored: the {place} already sets --{printable(name)}"


def spelled_options(words: Sequence[str]) -> set[str]:
    """Return the names of the options that a command spells out: of `--rate 9` and of `--rate=9`, `rate`."""
    return {word[2:].partition("=")[0] for word in words if word.startswith("--")}
