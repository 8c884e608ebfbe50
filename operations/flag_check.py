"""Whether a value is one that its flag may have, and what it becomes: types, choices and bounds.

Apart from the reading of assignments because most flags say nothing but a default, and then none of this is needed.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.text import did_you_mean, printable
from operations.definitions import FLAG_TYPES
from operations.flag_args import split_value
from operations.flags import FlagError, flow_text, parse_value
from operations.templates import text_of

if TYPE_CHECKING:
    from operations.definitions import ChoiceDef, FlagDef, FlagValue

_BOOLEANS: dict[FlagValue, bool] = {1: True, 0: False}
_EXPECTED = {
    "int": "an integer",
    "float": "a number",
    "number": "a number",
    "boolean": "yes, no, true, false, 1 or 0",
    "existing-path": "a path that exists",
    "filename": "the name of a file, without a slash",
}
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        directory: what a relative path is relative to; empty leaves it as it is.
        is_default: whether it is the default of the flag, so that the model file is what has to be mended.
    """

    directory: str = ""
    is_default: bool = False


class _UnfitError(Exception):
    """A value is not of the type; carries what was expected instead."""


def checked(flag: FlagDef, value: FlagValue, origin: Origin) -> FlagValue:
    """Return what the value means for this flag: converted to its type, or the choice that it names.

    None, which is no value, always fits. The items of a list are taken one by one, and so are the parts of a
    text that `arg_split` takes apart; such a text stays as it is.

    Raises:
        FlagError: the value does not fit the type, the choices or the bounds.
    """
    if value is None:
        return None
    if flag.choices:
        choice = matching_choice(flag, value)
        if choice is not None:
            return _choice_value(flag, choice, value, origin)
        if isinstance(value, list) and value != [] and all(matching_choice(flag, item) for item in value):
            return [checked(flag, item, origin) for item in value]
        if not flag.allow_other:
            raise _no_choice(flag, value)
    try:
        return _fitted(flag, value, origin)
    except _UnfitError as unfit:
        raise _wrong(flag, value, str(unfit), origin) from None


def matching_choice(flag: FlagDef, value: FlagValue) -> ChoiceDef | None:
    """Return the choice that `value` names: one with that value or alias, else one whose text means it when typed."""
    named = [(choice.value, choice) for choice in flag.choices]
    named += [(choice.alias, choice) for choice in flag.choices if choice.alias is not None]
    for name, choice in named:
        if same(name, value):
            return choice
    for name, choice in named:
        if isinstance(name, str) != isinstance(value, str) and same(_read(name), _read(value)):
            return choice
    return None


def same(left: FlagValue, right: FlagValue) -> bool:
    """Return whether two values are equal for a user: 1 and 1.0 are, 1 and true are not, and .nan is .nan."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return left == right


def _read(value: FlagValue) -> FlagValue:
    return parse_value(value) if isinstance(value, str) else value


def _choice_value(flag: FlagDef, choice: ChoiceDef, value: FlagValue, origin: Origin) -> FlagValue:
    """Return the choice's own value; of its flag's type, unless the model file offers one that does not fit it."""
    try:
        return _converted(flag.type, choice.value, origin)
    except _UnfitError:
        return choice.value if choice.value is not None else value


def _fitted(flag: FlagDef, value: FlagValue, origin: Origin) -> FlagValue:
    if isinstance(value, list):
        return [_fitted(flag, item, origin) for item in value]
    if isinstance(value, str) and flag.arg_split:
        for part in split_value(value, flag.arg_split):
            _bounded(flag, _converted(flag.type, parse_value(part), origin))
        return value
    return _bounded(flag, _converted(flag.type, value, origin))


def _bounded(flag: FlagDef, value: FlagValue) -> FlagValue:
    if flag.minimum is None and flag.maximum is None:
        return value
    least = -math.inf if flag.minimum is None else flag.minimum
    most = math.inf if flag.maximum is None else flag.maximum
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _UnfitError(f"a number {bounds_text(flag)}")
    return value


def bounds_text(flag: FlagDef) -> str:
    """Return the bounds of a flag in words: `from 0 to 1`, `of at least 0`; empty without any."""
    least, most = (None if bound is None else f"{bound:g}" for bound in (flag.minimum, flag.maximum))
    if least is None:
        return "" if most is None else f"of at most {most}"
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _converted(kind: str | None, value: FlagValue, origin: Origin) -> FlagValue:
    if value is None or kind in (None, "auto") or kind not in FLAG_TYPES:
        return value
    if kind == "string":
        return text_of(value)
    if kind in ("path", "existing-path", "filename"):
        return _as_path(kind, text_of(value), origin)
    number = _read(value)
    result: FlagValue = None
    if kind == "boolean":
        result = number if isinstance(number, bool) else _BOOLEANS.get(_scalar(number))
    elif isinstance(number, int | float) and not isinstance(number, bool):
        result = _as_number(kind, number)
    if result is None:
        raise _UnfitError(_EXPECTED[kind])
    return result


def _scalar(value: FlagValue) -> FlagValue:
    return value if isinstance(value, int | float) else None


def _as_number(kind: str | None, number: float) -> float | None:
    if kind == "int":
        return int(number) if isinstance(number, int) or number.is_integer() else None
    if kind != "float":
        return number
    try:
        return float(number)
    except OverflowError:
        return None


def _as_path(kind: str | None, text: str, origin: Origin) -> str:
    if kind == "filename":
        if "/" in text or text in (".", ".."):
            raise _UnfitError(_EXPECTED[kind])
        return text
    path = os.path.normpath(os.path.join(origin.directory, text)) if text and origin.directory else text
    if kind == "existing-path" and not os.path.exists(path):
        raise _UnfitError(f"{_EXPECTED[kind]}, and {printable(path or text, 4096)} does not")
    return path


def _wrong(flag: FlagDef, value: FlagValue, expected: str, origin: Origin) -> FlagError:
    whose = "default of flag" if origin.is_default else "flag"
    mend = "Mend it in the model file, or give" if origin.is_default else "Run the command again with another"
    shown = printable(value if isinstance(value, str) else flow_text(value), _LONGEST)
    return FlagError(
        f"{whose} '{printable(flag.name)}' is '{shown}': expected {expected}",
        hint=f"{mend} {printable(flag.name)}=VALUE, or use --force-flags to pass it as it is",
    )


def _no_choice(flag: FlagDef, value: FlagValue) -> FlagError:
    shown = [printable(text_of(choice.value), _LONGEST) for choice in flag.choices]
    width = max(len(text) for text in shown)
    table = "\n".join(
        f"  {text:{width}}  {printable(' '.join(choice.description.split()))}".rstrip()
        for text, choice in zip(shown, flag.choices, strict=True)
    )
    return FlagError(
        f"Unsupported value for '{printable(flag.name)}' - supported values are:\n\n{table}\n",
        hint=f"Run the command again using one of these options{did_you_mean(text_of(value), shown)}.",
    )
