"""Which lines differ between two texts, in bounded time and memory whatever the texts are.

The matcher of the standard library takes time that grows with the square of the lines, or worse, when many lines are
alike: the output of a long run is like that. Here lines that the other text does not have are set aside first, then
Myers' greedy search looks for the shortest script, and stops after a fixed number of steps: what is left then counts as
replaced, and the result says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.dataclass import dataclass

MOST_BYTES = 4 * 1024 * 1024
"""Of each text; what follows is not compared."""

MOST_LINES = 50_000
MOST_STEPS = 2_000_000
"""Of the search, about a second."""

CONTEXT = 3
"""Equal lines shown around what differs, as everywhere."""

_NO_END = b" No newline at end of file"


class Change(NamedTuple):
    """Lines of the first text that are replaced by lines of the second; positions from 0, the ends not included."""

    first: int
    first_end: int
    second: int
    second_end: int


@dataclass(frozen=True, slots=True)
class Text:
    """The lines of a text, or of its beginning.

    Attributes:
        lines: without their ends.
        is_cut: whether there is more of it.
        is_binary: whether it is no text: then it has no lines.
        has_end: whether the last line ends with a newline.
    """

    lines: tuple[bytes, ...]
    is_cut: bool = False
    is_binary: bool = False
    has_end: bool = True


NOTHING = Text(())
"""The text of a file that is not there."""


@dataclass(frozen=True, slots=True)
class TextDiff:
    """What differs between two texts.

    Attributes:
        before: the first.
        after: the second.
        changes: in order; between them the lines are equal.
        is_exact: False when the search was given up: then more may be shown as replaced than was.
    """

    before: Text
    after: Text
    changes: tuple[Change, ...]
    is_exact: bool

    @property
    def is_binary(self) -> bool:
        """Whether one of them is no text."""
        return self.before.is_binary or self.after.is_binary

    @property
    def is_cut(self) -> bool:
        """Whether only their beginnings were compared."""
        return self.before.is_cut or self.after.is_cut

    @property
    def removed(self) -> int:
        """How many lines of the first are not in the second."""
        return sum(one.first_end - one.first for one in self.changes)

    @property
    def added(self) -> int:
        """How many lines of the second are not in the first."""
        return sum(one.second_end - one.second for one in self.changes)


def text_of(data: bytes, *, is_cut: bool = False) -> Text:
    """Return the lines of bytes; those with a zero byte are no text.

    Args:
        data: a file, or its beginning.
        is_cut: whether it is only the beginning; its unfinished last line is left out.
    """
    if b"\0" in data:
        return Text((), is_cut=is_cut, is_binary=True)
    lines = data.split(b"\n", MOST_LINES)
    last = lines.pop()
    too_many = len(lines) == MOST_LINES and bool(last)
    if last and not too_many and not (is_cut and lines):
        lines.append(last)
    has_end = is_cut or too_many or not last
    return Text(tuple(lines), is_cut=is_cut or too_many, has_end=has_end)


def diff_texts(before: Text, after: Text, steps: int = MOST_STEPS) -> TextDiff:
    """Return what differs between two texts; the last lines differ too when only one of them has an end.

    Args:
        before: the first text.
        after: the second.
        steps: how long the search may take.
    """
    # No line has a newline in it, so one that has stands for a line without its end.
    first, second = (
        text.lines if text.has_end else (*text.lines[:-1], text.lines[-1] + b"\n") for text in (before, after)
    )
    pairs, is_exact = _pairs(first, second, steps)
    return TextDiff(before, after, tuple(_changes(pairs, len(first), len(second))), is_exact)


def unified(diff: TextDiff, context: int = CONTEXT) -> Iterator[tuple[str, bytes]]:
    r"""Yield the lines of a unified diff without its two headers, each with its kind.

    The kind is `@`, a blank, `-`, `+`, or `\` for the remark that a last line has no end.
    """
    count = len(diff.before.lines)
    for group in _grouped(diff.changes, context):
        start, end = max(0, group[0].first - context), min(count, group[-1].first_end + context)
        other = max(0, group[0].second - (group[0].first - start))
        other_end = group[-1].second_end + (end - group[-1].first_end)
        yield "@", f"@@ -{_span(start, end)} +{_span(other, other_end)} @@".encode()
        at = start
        for change in group:
            yield from _numbered(" ", diff.before, at, change.first)
            yield from _numbered("-", diff.before, change.first, change.first_end)
            yield from _numbered("+", diff.after, change.second, change.second_end)
            at = change.first_end
        yield from _numbered(" ", diff.before, at, end)


def _numbered(kind: str, text: Text, start: int, end: int) -> Iterator[tuple[str, bytes]]:
    for number in range(start, end):
        yield kind, text.lines[number]
        if number == len(text.lines) - 1 and not text.has_end:
            yield "\\", _NO_END


def _grouped(changes: Sequence[Change], context: int) -> Iterator[list[Change]]:
    """Yield changes that are so near to each other that their contexts touch."""
    group: list[Change] = []
    for change in changes:
        if group and change.first - group[-1].first_end > 2 * context:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _span(start: int, end: int) -> str:
    """Return a range as unified diffs write it: from 1; of no lines, after the one before."""
    count = end - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _changes(pairs: Sequence[tuple[int, int]], first: int, second: int) -> Iterator[Change]:
    """Yield what lies between equal lines."""
    x = y = 0
    for i, j in (*pairs, (first, second)):
        if i > x or j > y:
            yield Change(x, i, y, j)
        x, y = i + 1, j + 1


def _pairs(first: Sequence[bytes], second: Sequence[bytes], steps: int) -> tuple[list[tuple[int, int]], bool]:
    """Return which lines of both texts are equal and stay, and whether these are as many as can be."""
    start = 0
    limit = min(len(first), len(second))
    while start < limit and first[start] == second[start]:
        start += 1
    end = 0
    while end < limit - start and first[-1 - end] == second[-1 - end]:
        end += 1
    common = set(first[start : len(first) - end]) & set(second[start : len(second) - end])
    own = [number for number in range(start, len(first) - end) if first[number] in common]
    other = [number for number in range(start, len(second) - end) if second[number] in common]
    found, is_exact = _search([first[i] for i in own], [second[j] for j in other], steps)
    pairs = [(number, number) for number in range(start)]
    pairs += [(own[i], other[j]) for i, j in found]
    pairs += [(len(first) - number, len(second) - number) for number in range(end, 0, -1)]
    return pairs, is_exact


def _search(a: Sequence[bytes], b: Sequence[bytes], steps: int) -> tuple[list[tuple[int, int]], bool]:
    """Return the pairs of the longest common subsequence; those of its beginning when that takes too many steps."""
    reached = [0] * (2 * (len(a) + len(b)) + 3)
    middle = len(a) + len(b) + 1
    rounds: list[array[int]] = []
    for cost in range(len(a) + len(b) + 1):
        rounds.append(array("q", reached[middle - cost - 1 : middle + cost + 2]))
        for k in range(-cost, cost + 1, 2):
            down = k == -cost or (k != cost and reached[middle + k - 1] < reached[middle + k + 1])
            x = reached[middle + k + 1] if down else reached[middle + k - 1] + 1
            y = x - k
            begun = x
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            reached[middle + k] = x
            steps -= 1 + x - begun
            if x >= len(a) and y >= len(b):
                return _walked(rounds, x, k), True
        if steps <= 0:
            best = _furthest(reached, middle, cost, (len(a), len(b)))
            return _walked(rounds, *best), False
    return [], True


def _furthest(reached: Sequence[int], middle: int, cost: int, ends: tuple[int, int]) -> tuple[int, int]:
    """Return the point from which the least is left, as its x and diagonal."""
    points = [(reached[middle + k], k) for k in range(-cost, cost + 1, 2)]
    return max(
        ((x, k) for x, k in points if x <= ends[0] and x - k <= ends[1]), key=lambda point: 2 * point[0] - point[1]
    )


def _walked(rounds: Sequence[array[int]], x: int, k: int) -> list[tuple[int, int]]:
    """Walk back from a point of the last round to the beginning, and return the equal lines on the way."""
    pairs: list[tuple[int, int]] = []
    for cost in range(len(rounds) - 1, -1, -1):
        before = rounds[cost]  # how far each diagonal from -cost - 1 on reached before this round
        if cost:
            down = k == -cost or (k != cost and before[k + cost] < before[k + cost + 2])
            diagonal = k + 1 if down else k - 1
            begun = before[diagonal + cost + 1] + (0 if down else 1)
        else:
            diagonal, begun = 0, 0
        pairs += [(at, at - k) for at in range(x - 1, begun - 1, -1)]
        x, k = begun - (0 if cost == 0 or down else 1), diagonal
    pairs.reverse()
    return pairs
