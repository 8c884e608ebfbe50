"""What tests of output share: a printer with two streams, a clock and a terminal."""

from __future__ import annotations

import os
import pty
import select
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from artifacts import output
from artifacts.output import INDEX, OUTPUT, PIECE, RECORD, WAIT_SECONDS, OutputSummary, Tee

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NOW_US = 1_700_000_000_000_000


@dataclass
class Clock:
    """A steady clock that only moves when a test says so."""

    now: float = 0.0

    def monotonic(self) -> float:
        """Tell the time as `time.monotonic` does."""
        return self.now


@pytest.fixture(name="clock")
def clock_fixture(monkeypatch: pytest.MonkeyPatch) -> Clock:
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


@pytest.fixture(name="terminal")
def terminal_fixture() -> Iterator[tuple[int, int]]:
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
