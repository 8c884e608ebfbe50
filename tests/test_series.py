"""The series in `.guild/scalars.csv`: every number comes back, whatever else is in the file, in bounded memory."""

from __future__ import annotations

import csv
import io
import math
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.series import FILE, HEADER, MOST_STEP, Appender, SeriesFollower, is_key, points, read_series, row

KEYS = st.text(min_size=1, max_size=30).filter(is_key)
STEPS = st.none() | st.integers(-MOST_STEP, MOST_STEP)
TIMES = st.integers(0, 4 * 10**15)


def place(run_dir: Path, text: str) -> str:
    """Write a file of series, with its header; return the run directory."""
    path = run_dir / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HEADER + text.encode())
    return str(run_dir)


def rows_of(values: list[float], key: str = "loss") -> str:
    """Return rows with steps 0, 1, ..."""
    return "".join(row(key, step, step * 1_000_000, value) for step, value in enumerate(values))


@settings(max_examples=60, deadline=None)
@given(KEYS, STEPS, TIMES, st.floats())
def test_what_is_written_is_read(key: str, step: int | None, time_us: int, value: float) -> None:
    """Any key, step, time and number comes back from its line, to the last digit; NaN stays NaN."""
    line = row(key, step, time_us, value)
    ((found_key, found_step, time, found),) = points([line.removesuffix("\n")])
    assert (found_key, found_step) == (key, step)
    assert round(time * 1_000_000) == time_us
    assert found == value or (math.isnan(found) and math.isnan(value))


@settings(max_examples=60, deadline=None)
@given(KEYS, STEPS, st.floats())
def test_any_reader_of_csv_understands_a_row(key: str, step: int | None, value: float) -> None:
    """The standard module, which knows nothing of ours, finds the same four fields."""
    ((found_key, found_step, time, found),) = csv.reader(io.StringIO(row(key, step, 1_700_000_000_250_000, value)))
    assert (found_key, found_step, time) == (key, "" if step is None else str(step), "1700000000.250000")
    assert repr(float(found)) == repr(value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(), max_size=200), st.integers(4, 60))
def test_a_long_series_is_thinned_and_keeps_its_ends_and_extremes(values: list[float], most: int) -> None:
    """First, last, lowest and highest stay in every thinned series, which has no more points than asked for."""
    numbers = [value for value in values if not math.isnan(value)]
    with tempfile.TemporaryDirectory() as run_dir:
        series = read_series(place(Path(run_dir), rows_of(values)), most_points=most).get("loss")
    if series is None:
        assert not values
        return
    assert len(series) == (len(values) if len(values) <= most else len(series)) <= most
    assert (series.steps[0], series.steps[-1]) == (0, len(values) - 1)
    assert list(series.steps) == sorted(set(series.steps), key=lambda step: step or 0)
    assert all(repr(values[step or 0]) == repr(value) for step, value in zip(series.steps, series.values, strict=True))
    assert not numbers or {min(numbers), max(numbers)} <= set(series.values)


def test_every_bucket_keeps_its_extremes(tmp_path: Path) -> None:
    """A peak anywhere in thousands of points is seen in a chart of a hundred."""
    for peak in (1, 777, 3_998):
        values = [math.sin(step / 100) for step in range(4_000)]
        values[peak] = 50.0
        series = read_series(place(tmp_path, rows_of(values)), most_points=100)["loss"]
        assert 50.0 in series.values
        assert 25 <= len(series) <= 100


@pytest.mark.parametrize(
    "line",
    [
        "", "loss", "loss,1,2.0", "loss,1,2.0,3.0,4.0", "loss,one,2.0,3.0", "loss,1.5,2.0,3.0", "loss,1,soon,3.0",
        "loss,1,2.0,low", "loss,1,2.0,", ",1,2.0,3.0", '"loss,1,2.0,3.0', '"loss"x,1,2.0,3.0', 'lo"ss,1,2.0,3.0',
        "loss,9223372036854775808,2.0,3.0", "loss," + "9" * 5000 + ",2.0,3.0", "x" * 3_000_000, '"',
    ],
)  # fmt: skip
def test_a_malformed_line_costs_only_itself(tmp_path: Path, line: str) -> None:
    """What is no row is passed over; the rows around it are read."""
    text = row("loss", 1, 0, 0.5) + line + "\n" + row("loss", 2, 0, 0.25)
    assert read_series(place(tmp_path, text))["loss"].values == (0.5, 0.25)


def test_an_unfinished_line_waits_for_its_end(tmp_path: Path) -> None:
    """A number that is half written is never read as another one."""
    run_dir = place(tmp_path, "loss,1,0.0,0.5\nloss,2,0.0,0.12")
    follower = SeriesFollower(run_dir)
    assert follower.read()
    assert follower.series()["loss"].values == (0.5,)
    with (tmp_path / FILE).open("a") as file:
        file.write("5\n")
    assert follower.read()
    assert follower.series()["loss"].values == (0.5, 0.125)
    assert not follower.read()


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """A run that is started again begins new series; what was read of the old ones is forgotten."""
    follower = SeriesFollower(place(tmp_path, rows_of([1.0, 2.0])))
    follower.read()
    (tmp_path / FILE).rename(tmp_path / "before.csv")
    place(tmp_path, rows_of([3.0]))
    follower.read()
    assert follower.series()["loss"].values == (3.0,)


def test_only_the_keys_asked_for_are_read(tmp_path: Path) -> None:
    """A chart of one series of many does not hold the others."""
    run_dir = place(tmp_path, rows_of([1.0], "a") + rows_of([2.0], "b,c") + rows_of([3.0], 'd "e"'))
    assert list(read_series(run_dir)) == ["a", "b,c", 'd "e"']
    assert list(read_series(run_dir, keys=["b,c"])) == ["b,c"]


def test_keys_without_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Of a run that invents a key for each number the first thousand are kept."""
    text = "".join(row(f"key{number}", None, 0, 1.0) for number in range(3_000))
    assert list(read_series(place(tmp_path, text))) == [f"key{number}" for number in range(1_000)]


def test_no_file_no_series(tmp_path: Path) -> None:
    """A run that reported nothing, a link and a folder in the place of the file have no series."""
    assert read_series(str(tmp_path)) == {}
    (tmp_path / ".guild").mkdir()
    (tmp_path / "elsewhere.csv").write_text("loss,1,0.0,1.0\n")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere.csv")
    assert read_series(str(tmp_path)) == {}
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert read_series(str(tmp_path)) == {}
    (tmp_path / FILE).rmdir()
    os.mkfifo(tmp_path / FILE)
    assert read_series(str(tmp_path)) == {}


def test_several_append_at_once_in_whole_lines(tmp_path: Path) -> None:
    """The program and the script write to one file: one header, at its beginning, and no line within another."""
    (tmp_path / ".guild").mkdir()

    def write(key: str) -> None:
        appender = Appender(str(tmp_path / FILE))
        for step in range(0, 200, 2):
            appender.append(row(key, step, 0, 1.0) + row(key, step + 1, 0, 1.0))
        appender.close()

    threads = [threading.Thread(target=write, args=(f"key {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (tmp_path / FILE).read_bytes()
    assert text.startswith(HEADER)
    assert text.count(HEADER) == 1
    assert {key: len(series) for key, series in read_series(str(tmp_path)).items()} == {
        f"key {number}": 200 for number in range(4)
    }


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A run that puts a link in the place of the file cannot make the program write elsewhere."""
    (tmp_path / ".guild").mkdir()
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic|links"):
        Appender(str(tmp_path / FILE)).append(row("loss", 1, 0, 1.0))
    assert (tmp_path / "elsewhere").read_text() == "precious"
