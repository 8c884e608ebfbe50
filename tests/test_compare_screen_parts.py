"""Parts of the full-screen table that need no screen: cells, the order of rows, charts, what a terminal answers."""

from __future__ import annotations

import os
import pty
import threading
import time
from array import array
from contextlib import closing
from math import exp, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.cells import Time
from projections.comparison_columns import Column, Source
from view.terminal.background import is_dark
from view.terminal.cells import cut, duration, fitted, moment, shown, text_width, whole
from view.terminal.chart import drawing, scale
from view.terminal.differences import differences
from view.terminal.sheet import Sheet

NOW = 1_767_268_800.0  # 2026-01-01 12:00 UTC


def column(kind: str, name: str) -> Column:
    """Return a column of one thing."""
    return Column(name, f"{kind} {name}", (Source(kind, name),))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("scalar", 0.123456789, "0.12346"), ("flag", 0.12345678, "0.12345678"), ("flag", 0.1234567890123, "0.12346"),
        ("scalar", 1e-7, "1e-07"), ("scalar", 2.0, "2"), ("scalar", 12345678.9, "1.2346e+07"), ("scalar", nan, "nan"),
        ("scalar", -inf, "-inf"), ("flag", 12345678901234567890, "12345678901234567890"), ("flag", True, "true"),
        ("attribute", True, "yes"), ("attribute", False, ""), ("flag", "a\x1b[31m\n", "a\\x1b[31m\\n"),
        ("attribute", ["b", "a"], "b, a"), ("scalar", None, ""),
    ],
)  # fmt: skip
def test_cells_are_short_and_harmless(kind: str, value: object, text: str) -> None:
    """A measured number has five digits, one that was typed is as it was typed unless it is long."""
    cell = shown(column(kind, "x"), value, NOW)  # type: ignore[arg-type]  # any value
    assert cell.text + cell.rest == text


def test_times_are_as_short_as_they_are_near() -> None:
    """Today the hour, this year the day, else the date; in full in the line below the table."""
    hour = 3_600_000_000
    today = int(NOW) * 1_000_000
    assert moment(today, NOW).count(":") == 2
    assert moment(today - 48 * hour, NOW).count(":") == 1
    assert moment(today - 20_000 * hour, NOW) == time.strftime("%Y-%m-%d", time.localtime(NOW - 20_000 * 3_600))
    assert whole(column("attribute", "started"), Time(today)).startswith("2026-01-01 ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.9, "59.9s"), (725, "12m05s"), (11_220, "3h07m"), (187_300, "2d04h")]
)
def test_spans_of_time_have_two_units(seconds: float, text: str) -> None:
    """What is smaller does not matter beside what is larger."""
    assert duration(seconds) == text


def test_a_running_run_is_measured_until_now() -> None:
    """Its duration is not known yet."""
    started = int(NOW - 5) * 1_000_000
    assert shown(column("attribute", "duration"), None, NOW, started).text == "5.0s"
    assert shown(column("attribute", "duration"), None, NOW).text == ""


@settings(max_examples=60)
@given(st.text(), st.integers(1, 30))
def test_a_cell_takes_exactly_its_room(text: str, room: int) -> None:
    """Whatever is in it: wide characters take two columns."""
    harmless = "".join(character for character in text if character.isprintable())
    assert text_width(fitted(harmless, room)) == room
    assert text_width(fitted(harmless, room, right=True)) == room
    assert text_width(cut(harmless, room)) <= room


@settings(max_examples=60)
@given(st.lists(st.integers(0, 50), unique=True), st.permutations(range(51)), st.integers(0, 50), st.integers(0, 50))
def test_the_cursor_stays_on_its_run_where_it_was_on_the_screen(
    before: list[int], after: list[int], row: int, top: int
) -> None:
    """However the rows move; from the top of the list new runs are seen to arrive."""
    sheet = Sheet()
    sheet.order = array("q", before)
    sheet.row = min(row, max(0, len(before) - 1))
    top = min(top, sheet.row)
    run, on_screen = sheet.current(), sheet.row - top
    first = sheet.reorder(array("q", after), top)
    if run is not None:
        assert sheet.current() == run
        assert first == (max(0, sheet.row - on_screen) if top else 0)
    elif after:
        assert sheet.current() is not None


def test_a_table_of_a_million_rows_wants_those_that_are_seen() -> None:
    """The others are a number each."""
    sheet = Sheet()
    sheet.order = array("q", range(1_000_000))
    sheet.row = 999_999
    assert sheet.missing(999_950, 1_000_040) == list(range(999_950, 1_000_000))
    assert sheet.reorder(array("q", range(999_999, -1, -1)), 999_950) == 0
    assert sheet.current() == 999_999


def test_a_chart_has_round_numbers_and_a_sign_at_each_curve() -> None:
    """So that curves can be told apart without colours."""
    curves = [[(float(step), exp(-step / scale)) for step in range(50)] for scale in (5, 30)]
    lines = ["".join(text for text, _ in line) for line in drawing(curves, 60, 16, log=False, unit="step") or []]
    assert len(lines) == 16
    assert {len(line) for line in lines} == {60}
    assert [line.split()[0] for line in lines if "┤" in line] == ["1.0", "0.5", "0"]
    assert lines[-1].split() == ["0", "10", "20", "30", "40", "step"]
    body = "".join(lines[:-2])
    assert body.count("a") == body.count("b") == 1


def test_numbers_that_are_none_are_gaps_in_a_chart() -> None:
    """NaN and infinities are not drawn, nor what has no logarithm; a chart of nothing is none."""
    curve = [(0.0, 1.0), (1.0, nan), (2.0, inf), (3.0, -1.0), (4.0, 100.0)]
    assert drawing([curve], 40, 10, log=False, unit="step") is not None
    lines = drawing([curve], 40, 10, log=True, unit="step")
    assert lines is not None
    assert [text.split()[0] for line in lines for text, _ in line if "┤" in text] == ["1e2", "1e1", "1e0"]
    assert drawing([[(0.0, nan)]], 40, 10, log=False, unit="step") is None
    assert drawing([[(0.0, -1.0)]], 40, 10, log=True, unit="step") is None
    assert drawing([], 40, 10, log=False, unit="step") is None


@settings(max_examples=60)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1), st.booleans())
def test_marks_lie_within_what_is_drawn(values: list[float], log: bool) -> None:
    """And never become so many that a terminal cannot hold them."""
    found = scale(values, log=log)
    if found is None:
        assert log
        return
    marks = found.marks(5)
    assert len(marks) <= 16
    places = [found.place(value, 1_000) for value, _ in marks]
    assert all(place is not None and 0 <= place < 1_000 for place in places)


def test_what_two_runs_have_in_common_is_left_out() -> None:
    """Unless it is asked for; ids and directories always differ and tell nothing."""
    one = {"": {"id": "1", "status": "error"}, "flags": {"a": "1", "b": "2"}, "scalars": {}}
    other = {"": {"id": "2", "status": "error"}, "flags": {"a": "1", "b": "3", "c": "4"}}
    assert differences(one, other) == {"flags": [("b", "2", "3"), ("c", "", "4")]}
    assert differences(one, other, alike=True)[""] == [("status", "error", "error")]


@pytest.mark.parametrize(
    ("answer", "hint", "dark"),
    [
        (b"\x1b]11;rgb:ffff/ffff/dddd\x1b\\\x1b[?62c", "", False),
        (b"\x1b]11;rgb:1f1f/2020/2020\x07\x1b[?62c", "", True),
        (b"\x1b[?62c", "0;15", False),
        (b"\x1b[?62c", "15;0", True),
        (b"\x1b[?62c", "", True),
    ],
)
def test_a_terminal_is_asked_whether_it_is_dark(answer: bytes, hint: str, dark: bool) -> None:
    """Its answer decides, then the variable that some set; and its settings are as before."""
    terminal, program = pty.openpty()
    with closing(os.fdopen(terminal, "r+b", buffering=0)) as screen, closing(os.fdopen(program, "r+b", buffering=0)):

        def answers() -> None:
            screen.read(1)
            screen.write(answer)

        person = threading.Thread(target=answers)
        person.start()
        assert is_dark(program, hint) is dark
        person.join()
