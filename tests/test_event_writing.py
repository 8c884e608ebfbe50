"""Event files as TensorBoard reads them: what is written by hand is what its own message classes say it is."""

from __future__ import annotations

import math
import struct
import sys
import warnings
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.event_writing import SESSION_TAG, flags_event, number_event, record, version_event

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    needed = import_module if sys.platform == "linux" else pytest.importorskip  # as the extra `test` has it
    event_pb2: Any = needed("tensorboard.compat.proto.event_pb2")
    plugin_data_pb2: Any = needed("tensorboard.plugins.hparams.plugin_data_pb2")

times = st.floats(0, 2**40)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats() | st.just(1e300)


def parsed(data: bytes) -> Any:
    """Return the message that bytes are to TensorBoard."""
    return event_pb2.Event.FromString(data)


@given(times, st.integers(-(2**63), 2**63 - 1), names, numbers)
def test_a_number_is_what_was_written(time: float, step: int, tag: str, value: float) -> None:
    """Time, step and tag as they are; the value with the 32 bits that TensorBoard keeps, NaN and infinities too."""
    event = parsed(number_event(time, step, tag, value))
    (found,) = event.summary.value
    assert (event.wall_time, event.step, found.tag) == (time, step, tag)
    try:
        expected = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        expected = math.copysign(math.inf, value)
    assert found.simple_value == expected or (math.isnan(value) and math.isnan(found.simple_value))


flags = st.dictionaries(names, st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=False) | names)


@given(times, flags)
def test_flags_are_hyperparameters(time: float, given_flags: dict[str, Any]) -> None:
    """Each by its name, with its kind: yes or no, a number, a text; and the group that the run belongs to."""
    (value,) = parsed(flags_event(time, "group", given_flags)).summary.value
    assert (value.tag, value.metadata.plugin_data.plugin_name) == (SESSION_TAG, "hparams")
    session = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
    assert (session.group_name, session.start_time_secs) == ("group", time)
    kinds = {bool: "bool_value", int: "number_value", float: "number_value", str: "string_value"}
    found = {
        key: (one.WhichOneof("kind"), getattr(one, one.WhichOneof("kind"))) for key, one in session.hparams.items()
    }
    assert found == {key: (kinds[type(one)], _kept(one)) for key, one in given_flags.items()}


def _kept(value: Any) -> Any:
    """Return what TensorBoard keeps of a flag: of whole numbers as much as a float holds."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return math.inf if value == 10**400 else float(value)


def test_a_record_is_framed_with_checksums() -> None:
    """Length, its checksum, the data, theirs: those of `123456789` are known from the description of CRC-32C."""
    framed = record(b"123456789")
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert framed[:8] == (9).to_bytes(8, "little")
    assert framed[12:] == b"123456789" + masked.to_bytes(4, "little")
    assert parsed(version_event(1.5)).file_version == "brain.Event:2"
