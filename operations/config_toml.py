"""Write a TOML file anew with other values in place; apart from the other formats because TOML has types of its own.

The standard library reads TOML and does not write it. What is not replaced stays to the letter, comments included.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ledger.text import printable

if TYPE_CHECKING:
    from operations.definitions import FlagValue

Place = Callable[[dict[str, Any], str], tuple[dict[str, Any], str]]
"""Returns the mapping and the key that a dotted name means in a tree; makes the mappings that are missing."""

_TIMES = (dt.date, dt.time)


def plain(value: object) -> FlagValue:
    """Return what TOML says as other formats can say it: dates and times become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def written_toml(text: str, values: Mapping[str, FlagValue], place: Place) -> bytes:
    """Return the text with values put in place by dotted name.

    A value keeps the type that the file gives it, where it can: `2` becomes `2.0`, and a text that is a date a date.

    Raises:
        ValueError: the text is not TOML, or TOML cannot say a value; says why.
    """
    import tomlkit

    wanted: dict[str, Any] = tomllib.loads(text)
    document = tomlkit.parse(text)
    for name, value in values.items():
        _refuse_nothing(name, value)
        holder, key = place(wanted, name)
        if key in holder and _same(plain(holder[key]), value):
            continue
        holder[key] = _like(holder.get(key), value)
        other, key = place(document, name)
        other[key] = holder[key]
    try:
        written = tomlkit.dumps(document).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a value holds a character that cannot be written as UTF-8") from error
    if not _same(plain(tomllib.loads(written.decode())), plain(wanted)):
        raise ValueError("its tables are written in a way that values cannot be put into")
    return written


def _like(old: object, value: FlagValue) -> object:
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return value
    if isinstance(old, _TIMES) and isinstance(value, str):
        try:
            new = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            return value
        return new if isinstance(new, _TIMES) else value
    return value


def _refuse_nothing(name: str, value: FlagValue) -> None:
    if value is None:
        raise ValueError(f"a TOML file cannot say that '{printable(name)}' has no value")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_nothing(name, inner)


def _same(one: FlagValue, other: FlagValue) -> bool:
    """Tell whether two values are the same in type as well: `1` and `1.0` are not, two that are no number are."""
    from json import dumps

    return dumps(one, sort_keys=True) == dumps(other, sort_keys=True)
