"""Finds the numbers in an `Event` of TensorBoard, in the wire format of protocol buffers, without a library for it.

Of the message types only what leads to a number is known here. Field numbers are those of `event.proto`,
`summary.proto`, `tensor.proto` and `tensor_shape.proto` in TensorFlow:

    Event          1 wall_time (double)   2 step (int64)   5 summary
    Summary        1 value, repeated
    Value          1 tag   2 simple_value (float)   8 tensor   9 metadata
    Metadata       1 plugin_data: 1 plugin_name
    Tensor         1 dtype   2 shape   4 content   5 float   6 double   7 int   10 int64   11 bool   13 half

A tensor counts when it is numeric and has one element; text, pictures and histograms have another type or more.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Field = tuple[int, int | bytes | memoryview]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_INT64 = 1 << 63
_MICROSECONDS = 1_000_000
_LATEST = 2**62
_SCALARS = (b"", b"scalars")
"""Names of the plugin that shows a value. None, or the usual one, stands for a number."""

_CONTENT = {
    1: "<f",
    2: "<d",
    3: "<i",
    4: "<B",
    5: "<h",
    6: "<b",
    9: "<q",
    10: "<?",
    17: "<H",
    19: "<e",
    22: "<I",
    23: "<Q",
}
"""How one element of each numeric type lies in a tensor's `content`."""

_BFLOAT16 = 14


class MalformedError(ValueError):
    """The bytes are no message."""


def event_values(data: bytes) -> Iterator[tuple[str, int, int, float]]:
    """Yield tag, step, time in microseconds UTC and value of each number in an event.

    Raises:
        MalformedError: the bytes are no event.
    """
    step, time, summaries = 0, 0.0, []
    for number, value in _fields(memoryview(data)):
        if number == 1 and isinstance(value, bytes):
            time = _unpacked("<d", value)
        elif number == 2 and isinstance(value, int):  # noqa: PLR2004 - field numbers are explained above
            step = value - 2 * _INT64 if value >= _INT64 else value
        elif number == 5 and isinstance(value, memoryview):  # noqa: PLR2004
            summaries.append(value)
    time_us = int(time * _MICROSECONDS) if 0 <= time * _MICROSECONDS < _LATEST else 0
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, memoryview):
                found = _number(value)
                if found is not None:
                    yield found[0], step, time_us, found[1]


def _number(message: memoryview) -> tuple[str, float] | None:
    """Return tag and number of a summary's value; None when it is something else."""
    tag, found = b"", None
    for number, value in _fields(message):
        if number == 1 and isinstance(value, memoryview):
            tag = bytes(value)
        elif number == 2 and isinstance(value, bytes):  # noqa: PLR2004
            found = as_written(value)
        elif number == 8 and isinstance(value, memoryview):  # noqa: PLR2004
            found = _element(value)
        elif number == 9 and isinstance(value, memoryview) and _plugin(value) not in _SCALARS:  # noqa: PLR2004
            return None
    return None if found is None else (tag.decode("utf-8", "replace"), found)


def _plugin(metadata: memoryview) -> bytes:
    for number, value in _fields(metadata):
        if number == 1 and isinstance(value, memoryview):
            for inner, name in _fields(value):
                if inner == 1 and isinstance(name, memoryview):
                    return bytes(name)
    return b""


def _element(tensor: memoryview) -> float | None:
    """Return the one element of a numeric tensor; None of any other."""
    kind, content, listed = 0, b"", None
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, memoryview):  # noqa: PLR2004
            if not _is_of_one(value):
                return None
        elif number == 4 and isinstance(value, memoryview):  # noqa: PLR2004
            content = bytes(value)
        elif number in _LISTS:
            listed = number, value
    if listed is not None:
        return _listed(kind, *listed)
    if kind == _BFLOAT16 and len(content) == 2:  # noqa: PLR2004
        return _unpacked("<f", b"\0\0" + content)
    form = _CONTENT.get(kind)
    if form is None or len(content) != struct.calcsize(form):
        return None
    return as_written(content) if kind == 1 else float(_unpacked(form, content))


def _is_of_one(shape: memoryview) -> bool:
    """Tell whether a tensor of this shape has one element; nothing is multiplied: a hostile shape has many lengths."""
    for number, value in _fields(shape):
        if number == 2 and isinstance(value, memoryview):  # noqa: PLR2004
            length = next((length for inner, length in _fields(value) if inner == 1 and isinstance(length, int)), 0)
            if length != 1:
                return False
    return True


_LISTS = (5, 6, 7, 10, 11, 13)
"""The fields of a tensor that list its elements, packed or one by one."""


def _listed(kind: int, number: int, value: int | bytes | memoryview) -> float | None:
    if isinstance(value, memoryview):
        packed = bytes(value)
        if number in (5, 6):
            value = packed
        else:
            value, end = _varint(memoryview(packed), 0)
            if end != len(packed):
                return None
    if isinstance(value, bytes):
        if len(value) != (4 if number == 5 else 8):  # noqa: PLR2004
            return None
        return as_written(value) if number == 5 else _unpacked("<d", value)  # noqa: PLR2004
    if number == 13:  # noqa: PLR2004
        half = (value & 0xFFFF).to_bytes(2, "little")
        return _unpacked("<f", b"\0\0" + half) if kind == _BFLOAT16 else _unpacked("<e", half)
    return float(value - 2 * _INT64 if value >= _INT64 else value)


def as_written(data: bytes) -> float:
    """Return a number of 32 bits as its shortest decimal form says: 0.1, where its bits are 0.10000000149011612.

    Whole numbers are what they are.
    """
    value = _unpacked("<f", data)
    if value.is_integer():
        return value
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.pack("<f", short) == data:
                return short
        except OverflowError:
            continue  # the largest ones, rounded up
    return value


def _unpacked(form: str, data: bytes) -> float:
    try:
        (value,) = struct.unpack(form, data)
    except struct.error as error:
        raise MalformedError("a number has another size than its type") from error
    return float(value)


def _fields(message: memoryview) -> Iterator[Field]:
    """Yield number and value of each field: int of a varint, bytes of a fixed size, memoryview of what has a length."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise MalformedError(f"there is no wire type {kind}")
        if size > end - place:
            raise MalformedError("a field ends behind its message")
        data = message[place : place + size]
        place += size
        yield key >> 3, data if kind == _BYTES else bytes(data)


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends."""
    value = shift = 0
    for byte in message[place : place + _LONGEST_VARINT]:
        value |= (byte & 0x7F) << shift
        shift += 7
        place += 1
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value & (2 * _INT64 - 1), place
    raise MalformedError("a number has no end")
