"""Proves that nothing a user or a file wrote can command a terminal once it is made printable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.text import did_you_mean, printable

ANY_TEXT = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, naïve 日本語 🙂", "plain text, naïve 日本語 🙂"),
        ("two\nlines\r\n\ttab", "two\\nlines\\r\\n\\ttab"),
        ("\x1b[2Jgone\x07\x7f", "\\x1b[2Jgone\\x07\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("a\u202eb\u2066c\u200bd\ufeff", "a\\u202eb\\u2066c\\u200bd\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\U000e0041", "\\U000e0041"),
        ("C:\\temp", "C:\\temp"),
        ("", ""),
    ],
)
def test_dangerous_characters_become_escapes_and_all_others_stay(text: str, shown: str) -> None:
    """Control, invisible, direction-changing and undecodable characters are escaped, no others."""
    assert printable(text) == shown


def test_long_text_is_cut_and_marked() -> None:
    """A text above the limit ends in three dots and is exactly as long as the limit."""
    assert printable("x" * 10_000, 20) == "x" * 17 + "..."


def test_text_of_exactly_the_limit_is_not_cut() -> None:
    """The limit is the longest text that is shown whole."""
    assert printable("x" * 20, 20) == "x" * 20


def test_an_escape_is_never_cut_in_two() -> None:
    """Where an escape does not fit whole it is left out, so that no half of it misleads."""
    assert printable("ab\x1b\x1b\x1b", 10) == "ab\\x1b..."


def test_text_that_is_short_but_long_when_escaped_is_cut() -> None:
    """The limit counts what is shown, not what was given."""
    assert printable("\x00" * 5, 12) == "\\x00\\x00..."


@settings(deadline=None)
@given(ANY_TEXT, st.integers(3, 40))
def test_any_text_becomes_one_harmless_line_within_the_limit(text: str, limit: int) -> None:
    """No input yields a control character, a line break, half a surrogate pair, or too many characters."""
    shown = printable(text, limit)

    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert shown.encode("utf-8").decode("utf-8").splitlines() in ([shown], [])


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    """Letters, digits, punctuation and symbols of every script are untouched."""
    assert printable(text, 40) == text


def test_a_near_miss_is_suggested() -> None:
    """A slip of the fingers gets the word that was probably meant."""
    assert did_you_mean("epoch", ["lr", "epochs"]) == " (did you mean 'epochs'?)"


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    """A suggestion that fits nothing would mislead; there is none, also for huge and undecodable words."""
    assert did_you_mean("zzz", ["lr", "epochs"]) == ""
    assert did_you_mean("\udcff" * 100_000, ["lr"]) == ""
    assert did_you_mean("x", []) == ""
