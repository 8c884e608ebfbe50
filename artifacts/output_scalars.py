"""Numbers that a run printed: lines of the form `key: number`, summed up when it has ended.

    epoch 1: nothing, because `epoch 1` is followed by text
    step: 100           the step of what follows, until the next one
    loss: 0.25          a value of `loss`
    val acc: 91.5       of `val acc`
    grad/norm: nan      as it is: NaN and infinity are values

A key has at most 64 letters, digits, blanks and `_ - . / %`. Read are at most the first 256 MiB of the output, line by
line, so that neither time nor memory grow without bound.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ledger.canonical import Value

MOST_KEYS = 1_000
"""Later keys are left out."""

MOST_BYTES = 256 * 1024 * 1024
_LONGEST_LINE = 256
_BLOCK = 1024 * 1024
_STEP = "step"
_LINE = re.compile(
    rb"^[ \t]*([A-Za-z0-9_](?:[A-Za-z0-9_\-./% ]{0,62}[A-Za-z0-9_\-./%])?) *:[ \t]+"
    rb"([+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?|nan|inf(?:inity)?))[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)


class _Summary:
    """What is kept of one key's values: none of them but first, last and extremes."""

    __slots__ = ("count", "first", "highest", "last", "lowest", "total")

    def __init__(self, value: float, step: int | None) -> None:
        self.first = self.last = self.lowest = self.highest = (value, step)
        self.total = value
        self.count = 1

    def add(self, value: float, step: int | None) -> None:
        """Take one more value; the first of equal extremes stays, and any number is better than NaN."""
        self.last = (value, step)
        self.count += 1
        self.total += value
        lowest, highest = self.lowest[0], self.highest[0]
        if value < lowest or lowest != lowest:  # noqa: PLR0124 - NaN
            self.lowest = self.last
        if value > highest or highest != highest:  # noqa: PLR0124 - NaN
            self.highest = self.last

    def to_body(self) -> dict[str, Value]:
        """Return the form that `RunScalarsRecorded` documents."""
        return {
            "first": self.first,
            "last": self.last,
            "min": self.lowest,
            "max": self.highest,
            "mean": self.total / self.count,
            "count": self.count,
        }


def output_scalars(path: str, *, last_bytes: int | None = None, most_bytes: int = MOST_BYTES) -> dict[str, Value]:
    """Return the summaries of the numbers in captured output, by key; empty when it has none or cannot be read.

    Args:
        path: the file `output` of a run.
        last_bytes: how much of it is the run's own, at its end; None for all.
        most_bytes: how much of it is read.
    """
    found: dict[str, _Summary] = {}
    step: int | None = None
    for block in _blocks(path, last_bytes, most_bytes):
        if b":" not in block:
            continue
        for name, number in _LINE.findall(block):
            key, value = name.decode(), float(number)
            if key.lower() == _STEP:
                step = _whole(number, value)
            elif key in found:
                found[key].add(value, step)
            elif len(found) < MOST_KEYS:
                found[key] = _Summary(value, step)
    return {key: summary.to_body() for key, summary in found.items()}


def _whole(text: bytes, value: float) -> int | None:
    """Return a step; None for what is no whole number that the ledger keeps as one."""
    if text.isdigit() and len(text) < 19:  # noqa: PLR2004 - digits of 64 bits
        return int(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else None


def _blocks(path: str, last: int | None, most: int) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line, except within a line that is too long to be of the form."""
    rest, is_within = b"", False
    try:
        # Not through a link or a pipe that the run may have put there: neither is what was captured.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if last is not None:
            os.lseek(descriptor, max(0, os.fstat(descriptor).st_size - last), os.SEEK_SET)
        while most > 0 and (block := os.read(descriptor, min(_BLOCK, most))):
            most -= len(block)
            end = block.rfind(b"\n") + 1
            if is_within:
                # What follows the beginning of a long line is no line of its own.
                cut = block.find(b"\n") + 1
                if not cut:
                    continue
                block, end, is_within = block[cut:], end - cut, False
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
            if len(rest) > _LONGEST_LINE:
                rest, is_within = b"", True
        if rest and most > 0:
            yield rest
    except OSError:
        return
    finally:
        os.close(descriptor)
