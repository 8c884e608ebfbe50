"""Numbers in the output of a run: which lines count, how they are summed up, and that nothing grows without bound."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts import output_lines as module
from artifacts.output_patterns import Patterns
from artifacts.output_scalars import OutputScalars
from artifacts.summaries import Summaries
from tests.cli_kit import Guild

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import Value


def read(
    folder: Path, text: str | bytes, *, begin: tuple[int, int] = (0, 0), patterns: Value = None
) -> dict[str, dict[str, Value]]:
    """Return what is found in an output, summed up."""
    (folder / "output").write_bytes(text if isinstance(text, bytes) else text.encode())
    scalars = OutputScalars(str(folder), begin, None if patterns is None else Patterns(patterns))
    found = Summaries()
    for points in scalars.read(0, is_end=True):
        for key, step, _, value in points:
            found.add(key, step, value)
    return dict(found.changed())  # type: ignore[arg-type]  # summaries


def test_a_key_has_first_last_extremes_mean_and_count(tmp_path: Path) -> None:
    """Each value with the step that was printed before it."""
    found = read(tmp_path, "loss: 3\nstep: 10\nloss: 1\nStep: 20\nloss: 2\nacc: 0.5\n")
    assert found == {
        "loss": {"first": (3, None), "last": (2, 20), "min": (1, 10), "max": (3, None), "mean": 2, "count": 3},
        "acc": {"first": (0.5, 20), "last": (0.5, 20), "min": (0.5, 20), "max": (0.5, 20), "mean": 0.5, "count": 1},
    }


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("loss: 1", "loss", 1),
        ("  val acc (x)", None, 0),
        ("val acc: 91.5", "val acc", 91.5),
        ("\tgrad/norm_2-a.b:  -1.5e-3  ", "grad/norm_2-a.b", -1.5e-3),
        ("cpu %: +.5\r", "cpu %", 0.5),
        ("x: 1.", "x", 1),
        ("x: inf", "x", math.inf),
        ("x: -Infinity", "x", -math.inf),
        ("x: 1e999", "x", math.inf),
        ("x : 1", "x", 1),
        ("k" * 64 + ": 1", "k" * 64, 1),
        ("k" * 65 + ": 1", None, 0),
        ("x:1", None, 0),
        ("x: 1 s", None, 0),
        ("x: 0x10", None, 0),
        ("x: 1,5", None, 0),
        ("x: ", None, 0),
        (": 1", None, 0),
        ("x: y: 1", None, 0),
        ("a=b: 1", None, 0),
        ("é: 1", None, 0),
        ("x: 1_000", None, 0),
        ("12:30: 5", None, 0),
    ],
)
def test_only_lines_of_the_form_count(tmp_path: Path, line: str, key: str | None, value: float) -> None:
    """A key, a colon, blanks and a number: nothing else in the line."""
    found = read(tmp_path, f"before\n{line}\nafter")
    assert list(found) == ([] if key is None else [key])
    if key is not None:
        assert found[key]["last"] == (value, None)


def test_nan_is_kept_and_is_no_extreme_when_there_is_a_number(tmp_path: Path) -> None:
    """A diverged run says so by its last value."""
    found = read(tmp_path, "loss: nan\nloss: 2\nloss: 1\nloss: nan\n")["loss"]
    assert (found["min"], found["max"], found["count"]) == ((1, None), (2, None), 4)
    first, last, mean = found["first"], found["last"], found["mean"]
    assert all(math.isnan(number) for number in (first[0], last[0], mean))  # type: ignore[index, arg-type]  # pairs


@pytest.mark.parametrize(
    ("line", "step"), [("5", 5), ("5.0", 5), ("1e3", 1000), ("0.5", None), ("nan", None), ("9" * 30, None)]
)
def test_a_step_is_a_whole_number(tmp_path: Path, line: str, step: int | None) -> None:
    """What is none leaves what follows without one."""
    assert read(tmp_path, f"step: 1\nstep: {line}\nx: 1")["x"]["last"] == (1, step)


def test_what_an_earlier_try_printed_is_not_read(tmp_path: Path) -> None:
    """A run that is started again appends to its output; only what it says itself counts."""
    assert list(read(tmp_path, "a: 1\nb: 2\nc: 3\n", begin=(5, 1))) == ["b", "c"]
    assert list(read(tmp_path, "a: 1\n", begin=(99, 9))) == []


def test_a_progress_bar_that_writes_over_itself_is_read_state_by_state(tmp_path: Path) -> None:
    """A carriage return ends a line as a newline does."""
    found = read(tmp_path, "loss: 3\rloss: 2\r\nloss: 1\r")["loss"]
    assert (found["first"], found["last"], found["count"]) == ((3, None), (1, None), 3)


def test_each_line_has_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    """As the index of the output has it, however late it is read; without an index it is the time of reading."""
    (tmp_path / "output").write_text("start\na: 1\na: 2\rb: 3\n\n\nb: 4\nc: 5\n")
    times = [1, 2, 3, 4, 5, 6]
    (tmp_path / "output.index").write_bytes(b"".join(time.to_bytes(8, "big") + b"\0" for time in times))
    found = [point for points in OutputScalars(str(tmp_path)).read(99) for point in points]
    assert [(key, time) for key, _, time, _ in found] == [("a", 2), ("a", 3), ("b", 3), ("b", 6), ("c", 99)]


def test_what_is_printed_later_is_read_later(tmp_path: Path) -> None:
    """Each look finds what is new; a line counts when it has its end, and the step stays from one look to the next."""
    scalars = OutputScalars(str(tmp_path))
    looks = []
    for more in ("step: 7\nloss: 1", "2\nloss: 3\n", "", "loss: 4"):
        with (tmp_path / "output").open("a") as file:
            file.write(more)
        looks.append([(point[1], point[3]) for points in scalars.read(0) for point in points])
    looks.append([(point[1], point[3]) for points in scalars.read(0, is_end=True) for point in points])
    assert looks == [[], [(7, 12.0), (7, 3.0)], [], [], [(7, 4.0)]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(1, 40), st.integers(1, 12))
def test_the_size_of_what_is_read_at_once_changes_nothing(tmp_path: Path, size: int, longest: int) -> None:
    """Lines lie across its ends, and a long line has no lines within it."""
    text = "a: 1\nbb: 22\n" + "x" * 50 + " c: 3\nd: 4\n" + "y" * 41 + "\ne: 5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", size)
        (tmp_path / "output").write_text(text)
        scalars = OutputScalars(str(tmp_path))
        scalars._lines = module.OutputLines(str(tmp_path), longest=longest + 6)
        found = [point[0] for points in scalars.read(0, is_end=True) for point in points]
        assert found == ["a", "bb", "d", "e"]


def test_what_cannot_be_read_has_no_numbers(tmp_path: Path) -> None:
    """Nothing there, a folder, a link to something else, a pipe that nobody writes: the end of the run is recorded."""
    (tmp_path / "elsewhere").write_text("a: 1\n")
    places = [tmp_path / name for name in ("nothing", "folder", "link", "pipe")]
    for place in places:
        place.mkdir()
    (places[1] / "output").mkdir()
    (places[2] / "output").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(places[3] / "output")
    assert [list(OutputScalars(str(place)).read(0, is_end=True)) for place in places] == [[]] * 4


def test_bytes_that_are_no_text_are_passed_by(tmp_path: Path) -> None:
    """Output may hold anything."""
    assert list(read(tmp_path, b"\xff\xfe: 1\n\x00\x01\na: 1\n\xff")) == ["a"]


@pytest.mark.parametrize(("says", "events"), [("", 1), ("      output-scalars: no\n", 0)])
def test_a_run_records_what_it_printed_with_its_end(tmp_path: Path, says: str, events: int) -> None:
    """In one transaction with the end, for `guild runs info` to show; an operation can say no."""
    (tmp_path / "project").mkdir()
    guild = Guild(tmp_path / "home", tmp_path / "project")
    (guild.cwd / "MODELS").write_text(f"- name: m\n  operations:\n    train:\n      cmd: train\n{says}")
    (guild.cwd / "train.py").write_text("print('step: 3\\nloss: 0.25\\nacc: nan')\n")
    assert guild("run", "train", "-y").code == 0
    told = [line for line in guild("runs", "info").out.splitlines() if line.startswith(("scalars", "  loss", "  acc"))]
    assert told == (["scalars:", "  acc: nan (step 3)", "  loss: 0.25 (step 3)"] if events else [])
    assert guild("runs", "-F", "loss < 0.3 and acc = nan", "--json").out.count('"id"') == events
    log = guild("log", "-n", "1", "--json").out
    assert ("run.scalars_recorded" in log, "run.status_changed" in log) == (bool(events), True)
