"""The tee: nothing lost, no line broken by the other stream, and no trouble handed on to the run."""

from __future__ import annotations

import os
import pty
import resource
import select
import subprocess
import sys
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import output
from artifacts.output import (
    INDEX,
    OUTPUT,
    PIECE,
    RECORD,
    STDERR,
    STDOUT,
    WAIT_SECONDS,
    LineMerger,
    OutputSummary,
    Tee,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOW_US = 1_700_000_000_000_000
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
FULL_DISK = """
import os, resource, sys
from artifacts.output import Tee
resource.setrlimit(resource.RLIMIT_FSIZE, (110_000, 110_000))
(out, out_end), (err, err_end) = os.pipe(), os.pipe()
tee = Tee((out, err), (1, None), sys.argv[1], lambda: 0)
for number in range(20):
    os.write(out_end, (b"x" * 9_999 + b"\\n") * 2)
    tee.step(1.0)
os.close(out_end), os.close(err_end)
while tee.is_reading or tee.is_blocked:
    tee.step(1.0)
print(tee.close(), file=sys.stderr)
"""


@dataclass
class Clock:
    """A steady clock that only moves when a test says so."""

    now: float = 0.0

    def monotonic(self) -> float:
        """Tell the time as `time.monotonic` does."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the tee look at a clock that the test moves: its patience must not depend on the machine."""
    still = Clock()
    monkeypatch.setattr(output, "time", still)
    return still


@dataclass
class Printer:
    """Stands in for a run: prints into the two pipes of a tee, in the same process."""

    folder: str
    ends: list[int]
    tee: Tee

    def say(self, stream: int, text: bytes) -> None:
        """Print, and let the tee take it."""
        while text:
            text = text[os.write(self.ends[stream], text[:PIECE]) :]
            self.tee.step(0.0)

    def pause(self, clock: Clock) -> None:
        """Say nothing until everything that waits has waited long enough."""
        for _ in range(3):
            clock.now += WAIT_SECONDS
            self.tee.step(0.0)

    def end(self) -> OutputSummary:
        """Close both pipes and let the tee finish."""
        while self.ends:
            os.close(self.ends.pop())
        while self.tee.is_reading or self.tee.is_blocked:
            self.tee.step(1.0)
        return self.tee.close()

    def output(self) -> bytes:
        """Return what was captured."""
        with open(os.path.join(self.folder, OUTPUT), "rb") as file:
            return file.read()

    def streams(self) -> list[int]:
        """Return the stream of each line, after checking that the index belongs to the output."""
        with open(os.path.join(self.folder, INDEX), "rb") as file:
            index = file.read()
        records = [index[at : at + RECORD] for at in range(0, len(index), RECORD)]
        assert all(int.from_bytes(record[:8], "big") == NOW_US for record in records)
        assert len(records) == len(self.output().splitlines())
        return [record[8] for record in records]


def printer(folder: Path, stdout: int | None = None, stderr: int | None = None) -> Printer:
    """Make a tee and the writing ends of its pipes."""
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    tee = Tee((out, err), (stdout, stderr), str(folder / ".guild"), lambda: NOW_US)
    return Printer(str(folder / ".guild"), [out_end, err_end], tee)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Give both sides of a terminal that changes nothing: the user's, then the program's."""
    user, program = pty.openpty()
    tty.setraw(program)
    yield user, program
    os.close(user)
    os.close(program)


def seen(descriptor: int) -> bytes:
    """Return what can be read at this moment."""
    found = b""
    while select.select([descriptor], [], [], 0.0)[0] and (more := os.read(descriptor, PIECE)):
        found += more
    return found


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


def test_a_full_disk_ends_the_capture_and_nothing_else(tmp_path: Path) -> None:
    """What was captured stays readable, the summary tells why it ended, and everything is still shown."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=ROOT, capture_output=True, check=True)
    assert len(done.stdout) == 400_000
    captured = (tmp_path / OUTPUT).read_bytes()
    assert len(captured) == 110_000
    assert os.path.getsize(tmp_path / INDEX) // RECORD == 11
    assert b"OutputSummary(lines=11, bytes=110000, failure='the output could not be captured: File" in done.stderr


def test_a_place_that_cannot_be_written_ends_the_capture_only(tmp_path: Path, terminal: tuple[int, int]) -> None:
    """A file in the place of the folder is told in the summary; the run and the terminal go on."""
    (tmp_path / ".guild").write_text("")
    run = printer(tmp_path, terminal[1])
    run.say(STDOUT, b"shown\n")
    summary = run.end()
    assert summary.failure is not None
    assert (summary.lines, summary.bytes) == (0, 0)
    assert seen(terminal[0]) == b"shown\n"


def test_output_deleted_during_the_run_is_told(tmp_path: Path) -> None:
    """A run directory that somebody removed while the process ran does not pass for captured output."""
    run = printer(tmp_path)
    run.say(STDOUT, b"one\n")
    os.unlink(os.path.join(run.folder, OUTPUT))
    run.say(STDOUT, b"two\n")
    assert "deleted" in (run.end().failure or "")


def test_a_reader_who_leaves_ends_the_showing_only(tmp_path: Path) -> None:
    """With `| head` gone, everything is still captured and the run never notices."""
    user, program = os.pipe()
    run = printer(tmp_path, program, program)
    run.say(STDOUT, b"first\n")
    os.close(user)
    run.say(STDOUT, b"second\n")
    run.say(STDERR, b"third\n")
    assert run.end() == OutputSummary(lines=3, bytes=19)
    os.close(program)


def test_a_closed_terminal_is_no_terminal(tmp_path: Path) -> None:
    """A descriptor that is not open is passed over."""
    closed = 250
    assert not _is_open(closed)
    run = printer(tmp_path, closed, closed)
    run.say(STDOUT, b"text\n")
    assert run.end() == OutputSummary(lines=1, bytes=5)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here that is always full")
def test_a_terminal_that_fails_ends_the_showing_only(tmp_path: Path) -> None:
    """Standard output redirected to a full disk does not end the capture."""
    full = os.open("/dev/full", os.O_WRONLY)
    run = printer(tmp_path, full, full)
    run.say(STDOUT, b"text\n")
    assert run.end() == OutputSummary(lines=1, bytes=5)
    os.close(full)


def test_a_reader_who_pauses_makes_the_run_wait_and_loses_nothing(tmp_path: Path) -> None:
    """While a pager takes nothing, little is read; when it goes on, everything comes in order."""
    user, program = os.pipe()
    run = printer(tmp_path, program, program)
    os.set_blocking(run.ends[STDOUT], False)
    text = b"".join(b"line %d\n" % number for number in range(60_000))
    printed = 0
    while not run.tee.is_blocked:
        printed += os.write(run.ends[STDOUT], text[printed : printed + PIECE])
        run.tee.step(0.0)
    for _ in range(100):
        run.tee.step(0.0)
    assert len(run.output()) < len(text) / 2
    assert os.get_blocking(program)
    shown = b""
    while printed < len(text):
        shown += seen(user)
        run.tee.step(0.0)
        if select.select([], [run.ends[STDOUT]], [], 0)[1]:
            printed += os.write(run.ends[STDOUT], text[printed : printed + 4096])
    while run.ends:
        os.close(run.ends.pop())
    while run.tee.is_reading or run.tee.is_blocked:
        shown += seen(user)
        run.tee.step(0.01)
    run.tee.close()
    shown += seen(user)
    assert shown == text
    assert run.output() == text
    os.close(user)
    os.close(program)


def test_a_reader_that_cannot_be_reopened_is_served_without_blocking(tmp_path: Path) -> None:
    """Over a socket, which has no name to open again, nothing blocks and nothing is lost either."""
    import socket

    user, program = socket.socketpair()
    run = printer(tmp_path, program.fileno())
    text = b"0123456789abcde\n" * 30_000
    printed = 0
    while not run.tee.is_blocked:
        printed += os.write(run.ends[STDOUT], text[printed : printed + 4096])
        run.tee.step(0.0)
    shown = b""
    while printed < len(text):
        shown += user.recv(PIECE)
        run.tee.step(0.0)
        if not run.tee.is_blocked:
            printed += os.write(run.ends[STDOUT], text[printed : printed + 4096])
    while run.ends:
        os.close(run.ends.pop())
    while run.tee.is_reading or run.tee.is_blocked:
        run.tee.step(0.01)
        shown += seen(user.fileno())
    run.tee.close()
    shown += seen(user.fileno())
    assert shown == text
    user.close()
    program.close()


def test_a_closed_pipe_of_one_stream_leaves_the_other_alone(tmp_path: Path) -> None:
    """A script that closes its standard output can go on printing errors."""
    run = printer(tmp_path)
    run.say(STDOUT, b"last words")
    os.close(run.ends[STDOUT])
    run.tee.step(0.1)
    run.say(STDERR, b"still here\n")
    del run.ends[STDOUT]
    run.end()
    assert run.output() == b"last words\nstill here\n"


LONG_LINE = """
import os, resource, subprocess, sys
from artifacts.output import Tee
def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
(out, out_end), (err, err_end) = os.pipe(), os.pipe()
null = os.open(os.devnull, os.O_WRONLY)
tee = Tee((out, err), (null, null), sys.argv[1], lambda: 0)
before = memory()
copy = ["dd", "if=/dev/zero", "bs=65536", "count=1024"]
writer = subprocess.Popen(copy, stdout=out_end, stderr=subprocess.DEVNULL)
os.close(out_end), os.close(err_end)
while tee.is_reading:
    tee.step(1.0)
print(tee.close().bytes, memory() - before)
"""


def test_a_line_of_64_megabytes_takes_no_memory(tmp_path: Path) -> None:
    """Memory does not grow with the length of a line."""
    done = subprocess.run(
        [sys.executable, "-c", LONG_LINE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    size, kilobytes = map(int, done.stdout.split())
    assert size == os.path.getsize(tmp_path / OUTPUT) == 64 * 1024 * 1024
    assert kilobytes < 8 * 1024


def test_nothing_stays_open(tmp_path: Path, terminal: tuple[int, int]) -> None:
    """Every descriptor that a tee opened or was given to close is closed in the end, closed twice or not."""

    def free() -> list[int]:
        limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 256)
        return [descriptor for descriptor in range(limit) if not _is_open(descriptor)]

    before = free()
    run = printer(tmp_path, terminal[1], terminal[1])
    run.say(STDOUT, b"text")
    run.end()
    run.tee.close()
    assert free() == before


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
