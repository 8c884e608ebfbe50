"""Numbers that a run printed: lines of the form `key: number`, unless the operation has patterns of its own.

    epoch 1: nothing, because `epoch 1` is followed by text
    step: 100           the step of what follows, until the next one
    loss: 0.25          a value of `loss`
    val acc: 91.5       of `val acc`
    grad/norm: nan      as it is: NaN and infinity are values

A key has at most 64 letters, digits, blanks and `_ - . / %`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artifacts.output_lines import LONGEST_LINE, NUMBER, OutputLines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artifacts.output_lines import Block
    from artifacts.output_patterns import Patterns

Found = tuple[str, int | None, int, float]
"""Key, step, time in microseconds UTC and value."""

_STEP = "step"
_DIGITS = 19
"""Of 64 bits: a number of fewer digits is one that the ledger keeps."""
_MOST_NAMES = 10_000
# Begins with a newline, which is looked for faster than the beginning of a line is.
_LINE = re.compile(
    rb"\n[ \t]*([A-Za-z0-9_](?:[A-Za-z0-9_\-./% ]{0,62}[A-Za-z0-9_\-./%])?) *:[ \t]+"
    rb"(" + NUMBER.encode() + rb")[ \t]*(?=\n|\Z)",
)


class OutputScalars:
    """Finds the numbers in what a run has printed since the last look.

    Args:
        folder: where the output is captured.
        begin: how many bytes, and lines, of it are an earlier try's.
        patterns: those of the operation; None for the usual form.
    """

    def __init__(self, folder: str, begin: tuple[int, int] = (0, 0), patterns: Patterns | None = None) -> None:
        self._lines = OutputLines(folder, begin, **({} if patterns is None else {"longest": LONGEST_LINE}))
        self._patterns = patterns
        self._step: int | None = None
        self._names: dict[bytes, str] = {}

    def read(self, now_us: int, *, is_end: bool = False) -> Iterator[list[Found]]:
        """Yield the numbers of one block of output after another.

        Args:
            now_us: the time of lines of which none was recorded, microseconds UTC.
            is_end: whether a last line without an end counts.
        """
        for block in self._lines.read(is_end=is_end):
            yield list(self._usual(block, now_us) if self._patterns is None else self._own(block, now_us))

    def _usual(self, block: Block, now_us: int) -> Iterator[Found]:
        if b":" not in block.text:
            return
        names, step = self._names, self._step
        for match in _LINE.finditer(b"\n" + block.text):
            name, number = match.groups()
            key = names.get(name)
            if key is None:
                key = name.decode()
                if len(names) < _MOST_NAMES:
                    names[name] = key = _STEP if key.lower() == _STEP else key
            if key == _STEP:
                step = self._step = (
                    int(number) if len(number) < _DIGITS and number.isdigit() else whole(number.decode())
                )
            else:
                yield key, step, block.time_at(match.start(), now_us), float(number)

    def _own(self, block: Block, now_us: int) -> Iterator[Found]:
        assert self._patterns is not None  # noqa: S101 - asked before
        position = 0
        for line in block.text.split(b"\n"):
            if len(line) <= LONGEST_LINE:
                found = self._patterns.search(line.decode("utf-8", "replace"))
                for key, number in found:
                    if key == _STEP:
                        self._step = whole(number)
                for key, number in found:
                    if key != _STEP:
                        yield key, self._step, block.time_at(position, now_us), float(number)
            position += len(line) + 1


def whole(text: str) -> int | None:
    """Return a step; None for what is no whole number that the ledger keeps as one."""
    if text.isdecimal() and len(text) < _DIGITS:
        return int(text)
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else None
