"""Writes event files that TensorBoard reads, without TensorBoard: numbers, and the flags of a run as hyperparameters.

A file is a sequence of records as `artifacts.event_records` reads them. The data of each are an `Event` in the wire
format of protocol buffers, of which this needs five shapes:

    Event      1: wall_time (double)  2: step (varint)  3: file_version (text)  5: summary
    Summary    1: value, each  1: tag (text)  2: simple_value (float)  8: tensor  9: metadata
    metadata   1: plugin_data, which is  1: plugin_name (text)  2: content (bytes)
    hparams    3: session_start_info, which is  1: hparams, a map  4: group_name (text)  5: start_time_secs (double)
    map entry  1: key (text)  2: value, which is  2: number (double)  3: text  4: bool

Source: the descriptions of TFRecord files and of these messages in TensorFlow's and TensorBoard's documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from artifacts.event_records import masked_crc

Hyperparameter = bool | int | float | str
"""What TensorBoard knows as a value of one."""

SESSION_TAG = "_hparams_/session_start_info"
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_FLOATS = 1
_UNSIGNED = 2**64


def record(event: bytes) -> bytes:
    """Return an event as it stands in a file."""
    length = len(event).to_bytes(8, "little")
    return length + _checksum(length) + event + _checksum(event)


def _checksum(data: bytes) -> bytes:
    return masked_crc(data).to_bytes(4, "little")


def version_event(time: float) -> bytes:
    """Return the event that every file begins with; `time` is in seconds since 1970 UTC."""
    return _double(1, time) + _text(3, "brain.Event:2")


def number_event(time: float, step: int, tag: str, value: float) -> bytes:
    """Return the event of one number; it keeps 32 bits of it."""
    return _double(1, time) + _whole(2, step) + _part(5, _part(1, _text(1, tag) + _float(2, value)))


def flags_event(time: float, name: str, flags: Mapping[str, Hyperparameter]) -> bytes:
    """Return the event that tells the hyperparameters of a run; `name` groups runs that are the same trial."""
    session = b"".join(_part(1, _text(1, key) + _part(2, _hyperparameter(flags[key]))) for key in sorted(flags))
    session += _text(4, name) + _double(5, time)
    plugin = _text(1, "hparams") + _part(2, _part(3, session))
    no_numbers = _whole(1, _FLOATS) + _part(2, _part(2, b""))
    value = _text(1, SESSION_TAG) + _part(8, no_numbers) + _part(9, _part(1, plugin))
    return _double(1, time) + _part(5, _part(1, value))


def _hyperparameter(value: Hyperparameter) -> bytes:
    if isinstance(value, bool):
        return _whole(4, int(value))
    return _text(3, value) if isinstance(value, str) else _double(2, _as_float(value))


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _varint(value: int) -> bytes:
    value %= _UNSIGNED  # a negative one as its complement
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _whole(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _key(field, _DOUBLE) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _key(field, _FLOAT) + packed


def _part(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode("utf-8", "backslashreplace"))
