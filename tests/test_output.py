"""What a run prints, shown and captured: every byte, in order, whole lines, one record for each."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from artifacts.output import OUTPUT, PIECE, STDERR, STDOUT, LineMerger, OutputSummary, Tee
from tests.output_kit import (
    NOW_US,
    Clock,
    clock_fixture,  # noqa: F401 - a fixture
    printer,
    seen,
    terminal_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from pathlib import Path

TWO_WRITERS = """
import os, threading
def write(fd, name):
    pending = b""
    for number in range(4000):
        pending += b"%s %d %s\\n" % (name, number, name * (number % 50))
        cut = (number * 37) % len(pending)
        os.write(fd, pending[:cut])
        pending = pending[cut:]
    os.write(fd, pending)
threads = [threading.Thread(target=write, args=args) for args in ((1, b"out"), (2, b"err"))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_output_is_captured_as_printed_with_one_record_for_each_line(tmp_path: Path) -> None:
    """Bytes are unchanged; the index tells stream and time of every line, an unfinished last one too."""
    run = printer(tmp_path)
    run.say(STDOUT, b"one\ntwo\n")
    run.say(STDERR, b"three\n")
    run.say(STDOUT, b"four")
    assert run.end() == OutputSummary(lines=4, bytes=18)
    assert run.output() == b"one\ntwo\nthree\nfour"
    assert run.streams() == [STDOUT, STDOUT, STDERR, STDOUT]


def test_every_byte_passes_through_unchanged(tmp_path: Path, terminal: tuple[int, int]) -> None:
    """Neither capture nor terminal cares for encodings, NUL or control characters."""
    data = bytes(range(256)) * 5 + b"\xff\xfe\x00\xc3\n"
    run = printer(tmp_path, terminal[1])
    run.say(STDOUT, data)
    run.end()
    assert run.output() == data
    assert seen(terminal[0]) == data


def test_a_run_that_prints_nothing_leaves_two_empty_files(tmp_path: Path) -> None:
    """No output is no failure."""
    run = printer(tmp_path)
    assert run.end() == OutputSummary()
    assert run.output() == b""
    assert run.streams() == []


def test_captured_output_is_private_and_appended_to(tmp_path: Path) -> None:
    """Files are mode 0600, and a second process in the same directory continues them."""
    for text in (b"first\n", b"second\n"):
        run = printer(tmp_path)
        run.say(STDOUT, text)
        run.end()
    assert run.output() == b"first\nsecond\n"
    assert run.streams() == [STDOUT, STDOUT]
    assert os.stat(os.path.join(run.folder, OUTPUT)).st_mode & 0o777 == 0o600


def test_a_partial_line_waits_for_its_end_in_the_capture(tmp_path: Path, clock: Clock) -> None:
    """A line printed in pieces, with pauses, stays whole although the other stream prints between them."""
    run = printer(tmp_path)
    run.say(STDOUT, b"loss: ")
    run.say(STDERR, b"warning\n")
    run.pause(clock)
    run.say(STDOUT, b"0.5\n")
    run.end()
    assert run.output() == b"warning\nloss: 0.5\n"


def test_a_prompt_is_shown_without_its_newline(tmp_path: Path, clock: Clock, terminal: tuple[int, int]) -> None:
    """An unfinished line reaches the terminal after a moment, so that a person can answer it."""
    run = printer(tmp_path, terminal[1], terminal[1])
    run.say(STDOUT, b"name? ")
    assert seen(terminal[0]) == b""
    run.pause(clock)
    assert seen(terminal[0]) == b"name? "
    run.say(STDOUT, b"thanks\n")
    assert seen(terminal[0]) == b"thanks\n"
    run.end()


def test_a_progress_bar_moves_while_its_line_is_unfinished(
    tmp_path: Path, clock: Clock, terminal: tuple[int, int]
) -> None:
    r"""Each \r update of a begun line is shown at once."""
    run = printer(tmp_path, terminal[1], terminal[1])
    run.say(STDERR, b"\r10%")
    run.pause(clock)
    for update in (b"\r20%", b"\r30%"):
        run.say(STDERR, update)
        assert seen(terminal[0]).endswith(update)
    run.end()
    assert run.output() == b"\r10%\r20%\r30%"


def test_other_lines_wait_for_the_end_of_a_line_on_the_terminal(
    tmp_path: Path, clock: Clock, terminal: tuple[int, int]
) -> None:
    """While a begun line is shown, the other stream's lines wait for its end, and come right after it."""
    run = printer(tmp_path, terminal[1], terminal[1])
    run.say(STDOUT, b"loss: ")
    run.pause(clock)
    run.say(STDERR, b"warning\n")
    assert seen(terminal[0]) == b"loss: "
    run.say(STDOUT, b"0.5\n")
    assert seen(terminal[0]) == b"0.5\nwarning\n"
    run.end()


def test_other_lines_wait_no_longer_than_a_moment(tmp_path: Path, clock: Clock, terminal: tuple[int, int]) -> None:
    """A line that does not end is ended by an inserted newline, on the terminal only."""
    run = printer(tmp_path, terminal[1], terminal[1])
    run.say(STDOUT, b"loss: ")
    run.pause(clock)
    run.say(STDERR, b"warning\n")
    run.pause(clock)
    assert seen(terminal[0]) == b"loss: \nwarning\n"
    run.say(STDOUT, b"0.5\n")
    run.end()
    assert seen(terminal[0]) == b"0.5\n"
    assert run.output() == b"warning\nloss: 0.5\n"


def test_streams_shown_in_different_places_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """With standard error on its own, everything is shown at once and no newline is inserted."""
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    run = printer(tmp_path, out_end, err_end)
    run.say(STDOUT, b"name? ")
    run.say(STDERR, b"warning\n")
    assert seen(out) == b"name? "
    assert seen(err) == b"warning\n"
    run.end()
    for descriptor in (out, out_end, err, err_end):
        os.close(descriptor)


def test_a_line_longer_than_memory_allows_is_passed_on_in_pieces(tmp_path: Path) -> None:
    """The other stream's lines come after it, or end it by a newline when they become too many."""
    run = printer(tmp_path)
    run.say(STDOUT, b"x" * (3 * PIECE))
    run.say(STDERR, b"short\n")
    run.say(STDOUT, b"end\n")
    assert run.output() == b"x" * (3 * PIECE) + b"end\nshort\n"
    run.say(STDOUT, b"y" * PIECE)
    run.say(STDERR, b"many lines\n" * (PIECE // 8))
    run.end()
    lines = run.output().splitlines()
    assert lines[2] == b"y" * PIECE
    assert set(lines[3:]) == {b"many lines"}
    assert run.streams()[:4] == [STDOUT, STDERR, STDOUT, STDERR]


def test_two_unfinished_last_lines_do_not_mix(tmp_path: Path) -> None:
    """At the end each stream's rest has its own line and its own record."""
    run = printer(tmp_path)
    run.say(STDOUT, b"out")
    run.say(STDERR, b"err")
    run.end()
    assert sorted(run.output().split(b"\n")) == [b"err", b"out"]
    assert sorted(run.streams()) == [STDOUT, STDERR]


def test_streams_never_interleave_within_a_line(tmp_path: Path) -> None:
    """Two streams written at full speed, cut at odd places, come out as whole lines in order."""
    (out, out_end), (err, err_end), (user, program) = os.pipe(), os.pipe(), os.pipe()
    tee = Tee((out, err), (program, program), str(tmp_path), lambda: NOW_US)
    with subprocess.Popen([sys.executable, "-c", TWO_WRITERS], stdout=out_end, stderr=err_end):
        os.close(out_end)
        os.close(err_end)
        shown = b""
        while tee.is_reading or tee.is_blocked:
            tee.step(0.5)
            shown += seen(user)
        summary = tee.close()
        shown += seen(user)
    for text in ((tmp_path / OUTPUT).read_bytes(), shown):
        lines = text.splitlines()
        for name in (b"out", b"err"):
            mine = [line for line in lines if line.startswith(name)]
            assert mine == [b"%s %d %s" % (name, at, name * (at % 50)) for at in range(4000)]
        assert len(lines) == 8000
    assert (summary.lines, summary.failure) == (8000, None)
    os.close(user)
    os.close(program)


CHUNKS = st.lists(
    st.tuples(
        st.sampled_from([STDOUT, STDERR]),
        st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b"a\n", b"x" * PIECE, b"\n" + b"y" * (PIECE - 3)])),
        st.sampled_from([0.0, 0.01, 0.06]),
    ),
    max_size=30,
)


@given(CHUNKS, st.sampled_from([0.05, float("inf")]))
def test_merged_streams_keep_their_bytes_and_change_only_between_lines(
    chunks: list[tuple[int, bytes, float]], hold_seconds: float
) -> None:
    """Whatever comes when: nothing is lost or reordered, streams change at a line's end, little is held."""
    passed: list[tuple[int, bytes]] = []
    merger = LineMerger(lambda stream, data: passed.append((stream, data)), hold_seconds)
    now = 0.0
    for stream, data, pause in chunks:
        merger.feed(stream, data, now)
        assert sum(map(len, merger._held)) < 3 * PIECE
        now += pause
        merger.tick(now)
        assert merger.deadline() > now
    unfinished = merger.finish()

    joined = b""
    last = None
    for stream, data in passed:
        assert stream == last or not joined or joined.endswith(b"\n")
        joined, last = joined + data, stream
    assert unfinished == (None if not joined or joined.endswith(b"\n") else last)
    for stream in (STDOUT, STDERR):
        came = b"".join(data for which, data, _ in chunks if which == stream)
        went = b"".join(data for which, data in passed if which == stream)
        assert went.replace(b"\n", b"") == came.replace(b"\n", b"")
        assert went.count(b"\n") >= came.count(b"\n")
