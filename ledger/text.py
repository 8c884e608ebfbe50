"""Text that is safe to show: what users, files and processes wrote must not be able to command a terminal."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

ANY_LENGTH = 1 << 40
"""A limit for `printable` that cuts nothing off."""

# Control, invisible and direction-changing characters, line separators, undecodable bytes (lone surrogates).
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNDECODABLE_BYTE = range(0xDC80, 0xDD00)
_ELLIPSIS = "..."
_COMPARED = 100
_LAST_OF_ONE_BYTE = 0xFF
_LAST_OF_TWO_BYTES = 0xFFFF


def printable(text: str, limit: int = 200) -> str:
    r"""Return `text` on one line, harmless to a terminal and at most `limit` characters long (at least 3).

    Control, invisible and direction-changing characters become escapes such as `\n`, `\x1b` or `\u202e`; a
    byte that could not be decoded becomes `\xff`. What is cut off is marked with `...`; no escape is cut in
    two. The result is for eyes only: it cannot be turned back, because a backslash is shown as it is.
    """
    escaped = _escaped(text[: limit + 1])
    if len(escaped) <= limit and len(text) <= limit:
        return escaped
    return _cut(text[:limit], limit - len(_ELLIPSIS)) + _ELLIPSIS


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known word closest to `word`, or '' when none is close."""
    import difflib

    close = difflib.get_close_matches(word[:_COMPARED], list(known), n=1)
    return f" (did you mean '{printable(close[0])}'?)" if close else ""


def utc_time(microseconds: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC with microseconds, for machines; None for None."""
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:06d}Z"


def size(count: int) -> str:
    """Return a number of bytes for people: `0 bytes`, `1.5 MiB`."""
    if count < 1024:  # noqa: PLR2004 - the unit itself
        return f"{count} byte{'' if count == 1 else 's'}"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        amount /= 1024
        if amount < 1024 or unit == "PiB":  # noqa: PLR2004 - the unit itself
            return f"{amount:.1f} {unit}"
    return str(count)


def _cut(text: str, room: int) -> str:
    """Return as many whole characters of `text`, escaped, as fit into `room`."""
    parts: list[str] = []
    for character in text:
        part = _escaped(character)
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    return "".join(parts)


def _escaped(text: str) -> str:
    # Whatever is unsafe is not printable to Python either. Most text is, and then there is nothing to look for.
    return text if text.isprintable() else _unsafe().sub(_escape, text)


@cache
def _unsafe() -> re.Pattern[str]:
    import re

    return re.compile(_UNSAFE)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code in _UNDECODABLE_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    if code <= _LAST_OF_ONE_BYTE:
        return _SHORT_ESCAPES.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= _LAST_OF_TWO_BYTES else f"\\U{code:08x}"
