"""Read and write INI files; apart from the other formats because INI has sections, no types and no quotes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ledger.text import printable
from operations.flags import flow_text
from operations.nodes import plain_scalar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from configparser import RawConfigParser

    from operations.definitions import FlagValue


def ini_values(text: str) -> dict[str, FlagValue]:
    """Return a mapping for each section; values are what YAML makes of their text.

    Raises:
        ValueError: the text is not INI; says why.
    """
    parser = _parsed(text)
    defaults = parser.defaults()
    values = {parser.default_section: {key: _value(item) for key, item in defaults.items()}} if defaults else {}
    for section in parser.sections():
        own = ((key, item) for key, item in parser.items(section) if key not in defaults or defaults[key] != item)
        values[section] = {key: _value(item) for key, item in own}
    return {**values}


def written_ini(text: str, values: Mapping[str, FlagValue]) -> bytes:
    """Return the text with values put in place by `SECTION.NAME`; both may hold dots.

    A name without a section is put among the defaults of all sections.

    Raises:
        ValueError: the text is not INI, or INI cannot say a value; says why.
    """
    parser = _parsed(text)
    wanted = []
    for name, value in values.items():
        section, key = _place(parser, name)
        if section != parser.default_section and not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, _text(value))
        wanted.append((section, key, _text(value)))
    written = io.StringIO()
    parser.write(written)
    for section, key, item in wanted:
        if not _says(written.getvalue(), section, key, item):
            name = printable(f"{section}.{key}")
            raise ValueError(f"an INI file cannot say that '{name}' is '{printable(item, 80)}'")
    return written.getvalue().encode("utf-8", "surrogateescape")


def _parsed(text: str) -> RawConfigParser:
    import configparser

    parser = configparser.RawConfigParser(allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(text, "the file")
    except (configparser.Error, AttributeError) as error:  # the latter for a value without a name above it
        raise ValueError(f"it is not INI: {printable(' '.join(str(error).split()), 300)}") from error
    return parser


def _value(text: str | None) -> FlagValue:
    return plain_scalar(text) if text else text


def _text(value: FlagValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else flow_text(value)


def _says(text: str, section: str, key: str, item: str) -> bool:
    """Return whether the written text is read as it was meant: without quotes, some values become others."""
    try:
        return _parsed(text).get(section, key, fallback=None) == item
    except ValueError:
        return False


def _place(parser: RawConfigParser, name: str) -> tuple[str, str]:
    parts = name.split(".")
    places = [(".".join(parts[:count]), ".".join(parts[count:])) for count in range(len(parts) - 1, 0, -1)]
    known = [place for place in places if place[0] == parser.default_section or parser.has_section(place[0])]
    for section, key in known:
        if parser.has_option(section, key):
            return section, key
    return (known or places[-1:] or [(parser.default_section, name)])[0]
