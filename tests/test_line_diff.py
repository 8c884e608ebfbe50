"""Line diffs: what they say is true whatever the texts are, as short as can be, and never takes for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.line_diff import MOST_LINES, NOTHING, TextDiff, diff_texts, text_of, unified

texts = st.lists(st.sampled_from((b"a", b"b", b"c", b"", b"\r", b"\xff")), max_size=12).flatmap(
    lambda lines: st.sampled_from((b"\n".join(lines), b"".join(line + b"\n" for line in lines)))
)


def applied(before: bytes, diff: TextDiff, context: int) -> bytes:
    """Return a text after its unified diff, read as the program `patch` reads it."""
    lines = [part + b"\n" for part in before.split(b"\n")]
    lines[-1:] = [lines[-1].removesuffix(b"\n")] if lines[-1] != b"\n" else []
    result: list[bytes] = []
    at, last = 0, ""
    for kind, line in unified(diff, context):
        if kind == "@":
            start, _, count = line.split()[1][1:].partition(b",")
            number = int(start) - (count != b"0")
            result += lines[at:number]
            at = number
        elif kind != "\\":
            if kind != "+":
                assert lines[at].removesuffix(b"\n") == line
                at += 1
            result += [] if kind == "-" else [line + b"\n"]
        elif last != "-":
            result[-1] = result[-1].removesuffix(b"\n")
        last = kind
    return b"".join([*result, *lines[at:]])


def longest_common(a: tuple[bytes, ...], b: tuple[bytes, ...]) -> int:
    """Return how many lines two texts have in common in the same order, counted the slow way."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            best[i + 1][j + 1] = best[i][j] + 1 if one == other else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]


@given(texts, texts, st.integers(0, 4), st.sampled_from((3, 1_000_000)))
def test_a_diff_leads_from_the_first_text_to_the_second(one: bytes, other: bytes, context: int, steps: int) -> None:
    """Also when the search was given up, with any context, and whether or not a last line ends with a newline."""
    assert applied(one, diff_texts(text_of(one), text_of(other), steps), context) == other


@given(texts, texts)
def test_no_shorter_diff_says_the_same(one: bytes, other: bytes) -> None:
    """As many lines stay as can stay; equal texts have no diff."""
    before, after = text_of(one), text_of(other)
    diff = diff_texts(before, after)
    assert diff.is_exact
    marked = [text.lines if text.has_end else (*text.lines[:-1], text.lines[-1] + b"\n") for text in (before, after)]
    kept = longest_common(*marked)
    assert (diff.removed, diff.added) == (len(before.lines) - kept, len(after.lines) - kept)
    assert bool(diff.changes) is (one != other)


def test_texts_made_to_take_for_ever_are_given_up() -> None:
    """A hundred thousand lines of which all occur everywhere: the search ends, and says that it did not finish."""
    one = text_of(b"".join(b"%d\n" % (number % 997) for number in range(40_000)))
    other = text_of(b"".join(b"%d\n" % (number * 7 % 997) for number in range(40_000)))
    diff = diff_texts(one, other, steps=50_000)
    assert not diff.is_exact
    assert diff.removed == diff.added > 30_000


def test_lines_that_the_other_text_does_not_have_cost_nothing() -> None:
    """Two long logs with times in every line differ in all of them, at once and exactly."""
    one, other = (text_of(b"".join(b"%s %d\n" % (name, number) for number in range(30_000))) for name in (b"a", b"b"))
    diff = diff_texts(one, other, steps=1)
    assert (diff.is_exact, diff.removed, diff.added) == (True, 30_000, 30_000)


@pytest.mark.parametrize(
    ("data", "is_cut", "lines", "has_end"),
    [
        (b"", False, 0, True), (b"a", False, 1, False), (b"a\n", False, 1, True), (b"\n\n", False, 2, True),
        (b"a\nhalf a li", True, 1, True), (b"no line at all", True, 1, True), (b"x\n" * 50_001, False, 50_000, True),
        (b"x\n" * 50_000, False, 50_000, True),
    ],
)  # fmt: skip
def test_a_text_is_its_lines(data: bytes, is_cut: bool, lines: int, has_end: bool) -> None:
    """An unfinished line of a beginning is left out, and lines beyond the most that are compared."""
    text = text_of(data, is_cut=is_cut)
    assert (len(text.lines), text.has_end) == (lines, has_end)
    assert text.is_cut is (is_cut or data.count(b"\n") > MOST_LINES)


def test_what_holds_a_zero_byte_is_no_text() -> None:
    """Nothing of it is shown as lines; nothing at all is a text."""
    assert text_of(b"a\0b\n").is_binary
    assert text_of(b"a\0b\n").lines == ()
    assert diff_texts(text_of(b"\0"), NOTHING).is_binary
