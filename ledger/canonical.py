"""Canonical bytes: one value, one byte string, for ever; what is hashed is what is stored.

orjson alone is not enough: it turns NaN and Infinity into null without a word, refuses integers beyond 64 bits and text
that is not UTF-8 (paths and arguments from the operating system may be), and sorts no keys of its own accord. Those
values get an explicit form, a mapping with one key that begins with `$`:

    {"$float": "nan" | "inf" | "-inf"}      a float that JSON cannot say
    {"$int": "0x1f..."}                     an integer beyond 64 bits, hexadecimal
    {"$bytes": "<base64>"}                  bytes
    {"$text": "<base64>"}                   text with lone surrogates (undecodable bytes), UTF-8 with surrogatepass
    {"$map": [[key, value], ...]}           a mapping with a key that is no plain text or begins with `$`

Keys are sorted by their UTF-8 bytes, pairs of a `$map` by the canonical bytes of their key. What is written nests to at
most 100 levels; a `$map` takes three.
"""

from __future__ import annotations

import binascii
import marshal
from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import cast

import orjson

from ledger.errors import LedgerError

Value = None | bool | int | float | str | bytes | Sequence["Value"] | Mapping[str, "Value"]
"""What an event body may hold; sequences come back as lists, mappings as dicts."""

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_MAX_DEPTH = 100
_MAP_LEVELS = 3  # orjson refuses what nests deeper than 254 levels: count what is written, not what was given
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_KEY_TYPES = (str, int, float, bytes, type(None))


def encode(value: Value) -> bytes:
    """Return the canonical bytes of `value`.

    Raises:
        LedgerError: a type (also of a key) that has no canonical form, or a nesting deeper than 100 levels as written.
    """
    data = _said_at_once(value)
    return orjson.dumps(_plain(value, 0), option=_OPTIONS) if data is None else data


def _said_at_once(value: Value) -> bytes | None:
    """Return the bytes of a value that JSON says as it is; None when in doubt.

    Nearly every body is of that kind, and to make it anew, as `_plain` does, or to look at each part of it, took more
    than a tenth of an append. What two libraries written in C both take has nothing but plain types in it: marshal
    refuses their subclasses and all that orjson would turn into texts. Of what is left, a float that is no number
    comes out as a null too many, an integer beyond 53 bits is refused, and so is a text that is not UTF-8.
    """
    try:
        marshal.dumps(value)  # type: ignore[arg-type]  # it refuses what it does not know
        data = orjson.dumps(value, option=_OPTIONS | orjson.OPT_STRICT_INTEGER)
    except (TypeError, ValueError):
        return None
    nulls = list(value.values()).count(None) if isinstance(value, dict) else 0
    if b'"$' in data or data.count(b"null") != nulls or data.count(b"[") + data.count(b"{") > _MAX_DEPTH:
        return None
    return data


def decode(data: bytes) -> Value:
    """Return the value of canonical bytes.

    Raises:
        LedgerError: the bytes are not canonical JSON.
    """
    try:
        value: Value = orjson.loads(data)
        # The first question is answered many times as fast as the second, and nearly always with no.
        return cast("Value", _rich(value)) if b"$" in data and b'"$' in data else value
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise LedgerError(f"a stored body cannot be decoded: {error}") from error


def _plain(value: object, depth: int) -> object:
    """Return `value` with every part that JSON cannot say in its explicit form."""
    if depth > _MAX_DEPTH:
        raise LedgerError("a value is nested deeper than 100 levels", hint="Give a flatter value.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(str(value))
    if isinstance(value, dict):
        return _plain_mapping(value, depth)
    if isinstance(value, int):
        return int(value) if _INT_MIN <= value <= _INT_MAX else {"$int": hex(value)}
    if isinstance(value, float):
        return float(value) if isfinite(value) else {"$float": _non_finite_name(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return {"$bytes": _base64(value)}
    if isinstance(value, Mapping):
        return _plain_mapping(value, depth)
    raise LedgerError(f"a value of type {type(value).__name__} cannot be recorded")


def _plain_text(text: str) -> object:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"$text": _base64(text.encode("utf-8", "surrogatepass"))}
    return text


def _plain_mapping(value: Mapping[object, object], depth: int) -> object:
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str) or key[:1] == "$" or not (key.isascii() or _is_utf8(key)):
            return _plain_pairs(value, depth)
        plain[str(key)] = _plain(item, depth + 1)
    return plain


def _plain_pairs(value: Mapping[object, object], depth: int) -> object:
    """Return the form of a mapping with a key that JSON cannot have, or that could be taken for one of these forms."""
    for key in value:
        if not isinstance(key, _KEY_TYPES):
            # A tuple would come back as a list, which cannot be a key: recorded, and never to be read again.
            raise LedgerError(f"a key of type {type(key).__name__} cannot be recorded")
    pairs = [(encode(cast("Value", key)), key, item) for key, item in value.items()]
    pairs.sort(key=lambda pair: pair[0])
    below = depth + _MAP_LEVELS
    return {"$map": [[_plain(key, below), _plain(item, below)] for _, key, item in pairs]}


def _is_utf8(text: str) -> bool:
    return isinstance(_plain_text(text), str)


def _non_finite_name(value: float) -> str:
    if isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _rich(value: object) -> object:
    """Undo `_plain`."""
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key.startswith("$"):
            return _special(key, item)
    return {key: _rich(item) for key, item in value.items()}


def _special(key: str, item: object) -> object:
    if key == "$float":
        return float(str(item))
    if key == "$int":
        return int(str(item), 16)
    if key == "$bytes":
        return binascii.a2b_base64(str(item))
    if key == "$text":
        return binascii.a2b_base64(str(item)).decode("utf-8", "surrogatepass")
    if key == "$map":
        return {_rich(pair[0]): _rich(pair[1]) for pair in cast("list[list[object]]", item)}
    raise ValueError(f"unknown form {key}")
