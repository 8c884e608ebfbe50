"""Reads a run's captured output while it grows: block by block, in whole lines, with the time of each line.

An end of line is a newline or a carriage return: progress bars write over what they wrote before, and each of their
states is a line for whoever looks for numbers. Lines of more than `longest` bytes are passed over, so that neither
memory nor the time that a line takes grow without bound.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from artifacts.output import INDEX, OUTPUT, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 4096
"""Bytes of a line in which patterns are looked for: what one costs may grow faster than the line."""

NUMBER = (
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?"
    r"|[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
)
"""A regular expression for what counts as a number."""

_BLOCK = 256 * 1024


class Block:
    """Whole lines, each ended by a newline except perhaps the last.

    Attributes:
        text: the bytes, with carriage returns made newlines.
    """

    __slots__ = ("_known", "_place", "_seen", "_times", "text")

    def __init__(self, text: bytes, raw: bytes, times: bytes) -> None:
        self.text = text
        self._times = _line_times(raw, times) if len(text) != len(raw) or b"\r" in raw else times
        self._place = self._seen = 0
        self._known = b"", 0

    def time_at(self, position: int, otherwise: int) -> int:
        """Return when the line at a position was written, in microseconds UTC; `otherwise` when that is not known.

        To be asked for ever higher positions.
        """
        self._seen = seen = self._seen + self.text.count(b"\n", self._place, position)
        self._place = position
        record = self._times[seen * RECORD : seen * RECORD + 8]
        known, time = self._known
        if record != known:  # many lines come at once
            time = int.from_bytes(record, "big")
            self._known = record, time
        return time if len(record) == 8 else otherwise  # noqa: PLR2004 - its size


def _line_times(raw: bytes, times: bytes) -> bytes:
    """Return a record for each line of a block in which carriage returns end lines too."""
    found = []
    for number, line in enumerate(raw.split(b"\n")):
        found.append(times[number * RECORD : (number + 1) * RECORD] * (line.count(b"\r") + 1))
    return b"".join(found)


class OutputLines:
    """The lines that a run's output has got since the last look.

    Args:
        folder: where `output` and `output.index` are.
        begin: how many bytes, and lines, of it are an earlier try's.
        longest: bytes of a line that is not passed over.
    """

    def __init__(self, folder: str, begin: tuple[int, int] = (0, 0), longest: int = 256) -> None:
        self._path = os.path.join(folder, OUTPUT)
        self._index = os.path.join(folder, INDEX)
        self._offset, self._line = begin
        self._rest = b""
        self._is_within = False
        self._longest = longest

    def read(self, *, is_end: bool = False) -> Iterator[Block]:
        """Yield what is new; at the end of the run also a last line without an end."""
        output = _open(self._path)
        if output < 0:
            return
        index = _open(self._index)
        try:
            while block := os.pread(output, _BLOCK, self._offset):
                self._offset += len(block)
                yield from self._whole(block, index)
            if is_end and self._rest:
                raw, self._rest = self._rest, b""
                yield self._made(raw, index)
        except OSError:
            return
        finally:
            os.close(output)
            if index >= 0:
                os.close(index)

    def _whole(self, block: bytes, index: int) -> Iterator[Block]:
        raw = self._rest + block
        end = max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1
        raw, self._rest = raw[:end], raw[end:]
        if raw and self._is_within:
            # What follows the beginning of a long line is no line of its own.
            cut = _first_end(raw) + 1
            self._line += raw.count(b"\n", 0, cut)
            raw, self._is_within = raw[cut:], False
        if len(self._rest) > self._longest:
            self._rest, self._is_within = b"", True
        if raw:
            yield self._made(raw, index)

    def _made(self, raw: bytes, index: int) -> Block:
        lines = raw.count(b"\n")
        times = b"" if index < 0 else os.pread(index, (lines + 1) * RECORD, self._line * RECORD)
        self._line += lines
        return Block(raw.replace(b"\r", b"\n"), raw, times)


def _first_end(raw: bytes) -> int:
    """Return where the first line ends; there is one that does."""
    newline, back = raw.find(b"\n"), raw.find(b"\r")
    return min(newline, back) if newline >= 0 and back >= 0 else max(newline, back)


def _open(path: str) -> int:
    try:
        # Not through a link or a pipe that the run may have put there: neither is what was captured.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return -1
