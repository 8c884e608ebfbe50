"""What brings the numbers of a run together: it grows with nothing that a run writes, and is heard while it works."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from artifacts import event_files
from artifacts.event_files import EventFiles
from artifacts.scalar_recorder import ScalarRecorder
from artifacts.series import FILE, HEADER, MOST_KEYS, row
from tests.test_event_files import event, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[ScalarRecorder]:
    """What records a run that prints nothing."""
    (tmp_path / ".guild").mkdir()
    found = ScalarRecorder(str(tmp_path), None, EventFiles(str(tmp_path)), lambda: 0)
    yield found
    found.close()


def append(run_dir: Path, keys: Iterable[str]) -> None:
    """Do as a run does that logs one value of each key."""
    (run_dir / FILE).write_bytes(HEADER + "".join(row(key, 1, 0, 0.5) for key in keys).encode())


def test_of_keys_without_number_no_more_is_kept_than_may_be(tmp_path: Path, recorder: ScalarRecorder) -> None:
    """A run that gives each value a key of its own costs the memory of the first thousand keys."""
    append(tmp_path, (f"{number:06d}" for number in range(200_000)))
    tracemalloc.start()
    try:
        recorder.look()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(recorder.summaries.changed()) == [f"{number:06d}" for number in range(MOST_KEYS)]
    assert kept < 4 * 1024 * 1024


def test_work_on_what_a_run_has_appended_is_heard_of(tmp_path: Path, recorder: ScalarRecorder) -> None:
    """Once for each block of it, at the end of a run as well: who waits for it must not take it for dead."""
    append(tmp_path, ["k" * 200] * 20_000)
    size, beats = (tmp_path / FILE).stat().st_size, []
    recorder.look(is_end=True, beat=lambda: beats.append(1))
    assert len(beats) >= size // 2**20 >= 4


def test_work_on_event_files_without_numbers_is_heard_of(
    tmp_path: Path, recorder: ScalarRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gigabytes of pictures and texts take their time, though nothing comes of them."""
    monkeypatch.setattr(event_files, "_MUCH", 100)
    write(tmp_path, [event(step) + b"\x1a\x40" + b"x" * 64 for step in range(50)])
    beats: list[int] = []
    recorder.look(is_end=True, beat=lambda: beats.append(1))
    assert len(beats) >= 25
    assert recorder.summaries.changed() == {}
