"""TensorBoard's event files, read without it: what the real package writes is found, and nothing hostile does harm."""

from __future__ import annotations

import math
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts import event_records
from artifacts.event_files import EventFiles, EventFolders, key_of, prefix_of
from artifacts.event_records import LARGEST, EventRecords, masked_crc
from artifacts.event_values import MalformedError, event_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "events.out.tfevents.1700000000.host"


def event(step: int = 1, time: float = 1.5, **values: float) -> bytes:
    """Return the bytes of an event, as the real package makes them."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
    return bytes(Event(wall_time=time, step=step, summary=summary).SerializeToString())


def tensor_event(**fields: object) -> bytes:
    """Return the bytes of an event with a tensor called x."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    value = Summary.Value(tag="x", tensor=TensorProto(**fields))
    return bytes(Event(step=3, summary=Summary(value=[value])).SerializeToString())


def framed(data: bytes) -> bytes:
    """Return a record."""
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def write(folder: Path, records: Iterable[bytes], name: str = NAME) -> Path:
    """Append records to an event file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("ab") as file:
        file.write(b"".join(framed(data) for data in records))
    return folder / name


def found(files: EventFiles) -> list[tuple[str, int | None, float]]:
    """Return key, step and value of what is new."""
    return [(key, step, value) for points in files.read() for key, step, _, value in points]


def test_the_checksum_is_the_published_one() -> None:
    """CRC-32C of `123456789` is 0xE3069283, as every description of it says; the mask is added to it."""
    crc = 0xE3069283
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_what_the_real_package_writes_is_read(tmp_path: Path) -> None:
    """Both of its writers: numbers of the early format and tensors of the later one, with steps and times."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary import Writer
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    early = EventFileWriter(str(tmp_path / "logs" / "train"))
    values = {0: 0.1, 1: math.nan, 2: math.inf, 3: -1e-30, -4: 16777216.0}
    for step, value in values.items():
        early.add_event(Event.FromString(event(step, 1.7e9 + 0.25, loss=value)))
    early.close()
    later = Writer(str(tmp_path / "logs" / "validation"))
    later.add_scalar("loss", 0.3, 5)
    later.add_scalar("acc", 2**40, 6)
    later.close()

    points = [point for points in EventFiles(str(tmp_path)).read() for point in points]

    assert repr([(key, step, value) for key, step, _, value in points]) == repr(
        [("loss", step, value) for step, value in values.items()]
        + [("validation/loss", 5, 0.3), ("validation/acc", 6, float(2**40))]
    )
    assert {time for key, _, time, _ in points if key == "loss"} == {1_700_000_000_250_000}


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"dtype": 1, "float_val": [0.5]}, 0.5),
        ({"dtype": 1, "tensor_content": struct.pack("<f", 0.1)}, 0.1),
        ({"dtype": 2, "double_val": [0.1]}, 0.1),
        ({"dtype": 2, "tensor_content": struct.pack("<d", -1e300)}, -1e300),
        ({"dtype": 3, "int_val": [-7]}, -7.0),
        ({"dtype": 9, "int64_val": [-(2**60)]}, -(2.0**60)),
        ({"dtype": 9, "tensor_content": struct.pack("<q", -5)}, -5.0),
        ({"dtype": 10, "bool_val": [True]}, 1.0),
        ({"dtype": 19, "half_val": [0x3800]}, 0.5),
        ({"dtype": 14, "half_val": [0x3F00]}, 0.5),
        ({"dtype": 14, "tensor_content": b"\x00\x3f"}, 0.5),
        ({"dtype": 1, "float_val": [1.0, 2.0]}, None),
        ({"dtype": 2, "tensor_content": b"12345678" * 2}, None),
        ({"dtype": 7, "string_val": [b"text"]}, None),
        ({"dtype": 1}, None),
        ({"dtype": 1, "tensor_content": b"abc"}, None),
    ],
)
def test_a_tensor_of_one_number_counts(fields: dict[str, object], value: float | None) -> None:
    """Of any numeric type, in each of the two ways to write it; of several numbers, or of text, none is taken."""
    points = list(event_values(tensor_event(**fields)))
    assert points == ([] if value is None else [("x", 3, 0, value)])


def test_pictures_and_histograms_are_no_numbers() -> None:
    """What has a shape of more than one element, or belongs to another plugin, is left to TensorBoard."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=4)])
    filled = Summary.Value(tag="zeros", tensor=TensorProto(dtype=1, tensor_shape=shape, float_val=[0.0]))
    other = Summary.Value(tag="other", simple_value=1.0)
    other.metadata.plugin_data.plugin_name = "hparams"
    usual = Summary.Value(tag="usual", simple_value=1.0)
    usual.metadata.plugin_data.plugin_name = "scalars"
    data = Event(summary=Summary(value=[filled, other, usual])).SerializeToString()
    assert [point[0] for point in event_values(data)] == ["usual"]


def test_the_shape_of_a_tensor_is_looked_at_as_far_as_it_decides() -> None:
    """The first length that is not 1 says that it is no number: what stands behind it is not even read."""
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    behind = b"\x12\xff"  # a length of a shape that ends too early
    for sizes, points in (((2**62, 1), []), ((1, 1), None), ((), None)):
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes]).SerializeToString() + behind
        tensor = b"\x08\x01\x12" + bytes([len(shape)]) + shape
        value = b"\x0a\x01x\x42" + bytes([len(tensor)]) + tensor
        summary = b"\x0a" + bytes([len(value)]) + value
        data = b"\x2a" + bytes([len(summary)]) + summary
        if points is None:
            with pytest.raises(MalformedError):
                list(event_values(data))
        else:
            assert list(event_values(data)) == points


def test_a_growing_file_is_read_on(tmp_path: Path) -> None:
    """Each look finds what is new; a record that is not complete waits for its end."""
    path = write(tmp_path / "logs", [event(1, x=1)])
    files = EventFiles(str(tmp_path))
    looks = [found(files)]
    whole = framed(event(2, x=2))
    for part in (whole[:5], whole[5:20], whole[20:-1], whole[-1:] + framed(event(3, x=3))):
        with path.open("ab") as file:
            file.write(part)
        looks.append(found(files))
    assert looks == [[("x", 1, 1.0)], [], [], [], [("x", 2, 2.0), ("x", 3, 3.0)]]
    assert found(files) == []


def test_files_that_come_later_are_found(tmp_path: Path) -> None:
    """In a new folder, or beside others, however much else there is."""
    files = EventFiles(str(tmp_path))
    assert found(files) == []
    write(tmp_path / "a" / "b", [event(1, x=1)])
    assert found(files) == [("x", 1, 1.0)]
    write(tmp_path / "a" / "b", [event(2, x=2)], NAME + ".2")
    (tmp_path / "a" / "data.bin").write_bytes(b"x")
    write(tmp_path / "c", [event(3, x=3)])
    assert found(files) == [("x", 2, 2.0), ("c/x", 3, 3.0)]


@pytest.mark.parametrize(
    ("folder", "first", "prefix"),
    [
        ("", "", ""), ("logs", "logs", ""), ("logs/validation", "logs/train", "validation/"),
        ("runs/a/loss_x", "runs/a", "loss_x/"), ("b/c", "a", "b/c/"), ("logs", "logs/train", "logs/"),
        ("", "logs/train", "./"), ("logs2", "logs", "logs2/"),
    ],
)  # fmt: skip
def test_other_folders_than_the_first_are_named(folder: str, first: str, prefix: str) -> None:
    """By their path from where it parts from that of the folder whose file came first."""
    paths = ["/r" + (f"/{name}" if name else "") for name in (folder, first)]
    assert prefix_of(paths[0], paths[1], "/r") == prefix


def test_the_first_folder_is_that_of_the_earliest_file(tmp_path: Path) -> None:
    """When several are there at once, the time in their names decides, not the order in which a disk lists them."""
    write(tmp_path / "a", [event(1, x=1)], "events.out.tfevents.1700000009.host")
    write(tmp_path / "b", [event(2, x=2)], "events.out.tfevents.1700000001.host")
    assert found(EventFiles(str(tmp_path))) == [("x", 2, 2.0), ("a/x", 1, 1.0)]


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"junk" * 100, framed(b"whole")[:-1], framed(b"other")[:-4] + b"1234"]
)
def test_a_file_without_a_record_gives_its_folder_no_rank(tmp_path: Path, content: bytes) -> None:
    """What has the name of an event file and is none does not change the keys of those that are."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "events.out.tfevents.1600000000.host").write_bytes(content)
    write(tmp_path / "b", [event(1, x=1)])
    files = EventFiles(str(tmp_path))
    assert found(files) == [("x", 1, 1.0)]
    write(tmp_path / "a", [event(2, x=2)])
    assert found(files) == [("a/x", 2, 2.0)]


def test_what_was_there_before_the_run_is_not_the_runs(tmp_path: Path) -> None:
    """Required files, and those of an earlier try, are read from where they ended then."""
    write(tmp_path / "old", [event(1, x=1)])
    write(tmp_path / "on", [event(1, x=1)])
    files = EventFiles(str(tmp_path), EventFolders(str(tmp_path)).sizes())
    write(tmp_path / "on", [event(2, x=2)])
    assert found(files) == [("x", 2, 2.0)]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither to files nor to folders: what lies elsewhere is not the run's. Its own `.guild` is not looked into."""
    path = write(tmp_path / "elsewhere", [event(1, x=1)])
    run = tmp_path / "run"
    run.mkdir()
    (run / "folder").symlink_to(tmp_path / "elsewhere")
    (run / NAME).symlink_to(path)
    os.mkfifo(run / (NAME + ".pipe"))
    write(run / ".guild", [event(1, x=1)])
    assert found(EventFiles(str(run))) == []


def test_a_damaged_record_costs_itself_and_a_damaged_length_the_rest(tmp_path: Path) -> None:
    """Data without their checksum are passed over; behind a length that is wrong nothing can be found any more."""
    path = write(tmp_path, [event(step, x=step) for step in (1, 2, 3, 4)])
    data = bytearray(path.read_bytes())
    size = len(data) // 4
    data[size + 14] ^= 1
    data[3 * size + 2] ^= 1
    path.write_bytes(data)
    files = EventFiles(str(tmp_path))
    assert found(files) == [("x", 1, 1.0), ("x", 3, 3.0)]
    write(tmp_path, [event(5, x=5)])
    assert found(files) == []


def test_a_large_record_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and graphs take no memory, also when they are larger than what is read at once."""
    monkeypatch.setattr(event_records, "_BLOCK", 2 * LARGEST)
    for size in (LARGEST + 1, 5 * LARGEST):
        head = struct.pack("<Q", size)
        record = head + struct.pack("<I", masked_crc(head)) + b"x" * (size + 4)
        path = tmp_path / f"{size}"
        path.write_bytes(framed(b"a") + record[:-9])
        records = EventRecords(str(path))
        assert list(records.read(path.stat().st_size)) == [b"a"]
        path.write_bytes(framed(b"a") + record + framed(b"b"))
        assert list(records.read(path.stat().st_size)) == [b"b"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_event_do_no_harm(data: bytes) -> None:
    """Whatever stands in a record, it is an event, or is said to be none."""
    points = []
    with suppress(MalformedError):
        points = list(event_values(data))
    assert all(isinstance(point[3], float) for point in points)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.integers(0, 255), st.data())
def test_a_file_with_a_changed_byte_says_nothing_wrong(
    tmp_path: Path, place: int, byte: int, data: st.DataObject
) -> None:
    """Each number that is read was written: a bit that rots, or a file that is cut, loses some and invents none."""
    whole = b"".join(framed(event(step, x=step)) for step in range(5))
    end = data.draw(st.integers(0, len(whole)))
    spoilt = bytearray(whole[:end])
    if spoilt:
        spoilt[place % len(spoilt)] = byte
    (tmp_path / NAME).write_bytes(spoilt)
    points = found(EventFiles(str(tmp_path)))
    assert set(points) <= {("x", step, float(step)) for step in range(5)}
    assert len(points) == len(set(points))


def test_a_tag_is_made_a_key() -> None:
    """Nothing in it ends a line of the file of series, and its length is bounded."""
    assert key_of("a/", "loss, \n\x1b[0m") == "a/loss, __[0m"
    assert len(key_of("", "x" * 1_000)) == 256
