"""What hinders output: full disks, readers who leave or pause, endless lines; the run and the rest go on."""

from __future__ import annotations

import gc
import os
import resource
import select
import subprocess
import sys
from typing import TYPE_CHECKING

from artifacts.output import INDEX, OUTPUT, PIECE, RECORD, STDERR, STDOUT, OutputSummary
from tests.output_kit import (
    clock_fixture,  # noqa: F401 - a fixture
    printer,
    seen,
    terminal_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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


def test_a_terminal_that_fails_ends_the_showing_only(tmp_path: Path) -> None:
    """Standard output redirected to a full disk, or to what nobody can write to, does not end the capture."""
    failing = [os.open(os.devnull, os.O_RDONLY)]
    if os.path.exists("/dev/full"):
        failing.append(os.open("/dev/full", os.O_WRONLY))
    for descriptor in failing:
        run = printer(tmp_path / str(descriptor), descriptor, descriptor)
        run.say(STDOUT, b"text\n")
        assert run.end() == OutputSummary(lines=1, bytes=5)
        os.close(descriptor)


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

    gc.collect()  # or what an earlier test left could be closed meanwhile
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
