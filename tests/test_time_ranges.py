"""Ranges of time: what people say, at a moment and in a zone, as bounds in microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.time_ranges import TimeRangeError, time_range

NOW = datetime(2026, 7, 15, 14, 30, 20, tzinfo=UTC)
"""A Wednesday."""


def stamp(moment: datetime) -> int:
    """Return microseconds UTC."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def told(text: str, now: datetime = NOW) -> tuple[str | None, str | None]:
    """Return the bounds of a range as text, seconds left out when they are zero."""
    bounds = time_range(text, stamp(now), UTC)
    texts: list[str | None] = []
    for bound in bounds:
        if bound is None:
            texts.append(None)
            continue
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=bound)
        texts.append(moment.replace(tzinfo=None).isoformat(" ").removesuffix(":00").removesuffix(" 00:00"))
    return texts[0], texts[1]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2026-07-15", "2026-07-16"),
        ("Yesterday", "2026-07-14", "2026-07-15"),
        ("this week", "2026-07-13", "2026-07-20"),
        ("last week", "2026-07-06", "2026-07-13"),
        ("this month", "2026-07-01", "2026-08-01"),
        ("last month", "2026-06-01", "2026-07-01"),
        ("this year", "2026-01-01", "2027-01-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("this hour", "2026-07-15 14:00", "2026-07-15 15:00"),
        ("last hour", "2026-07-15 13:30:20", "2026-07-15 14:30:20"),
        ("last 2 hours", "2026-07-15 12:30:20", None),
        ("last 90 minutes", "2026-07-15 13:00:20", None),
        ("past 30 min", "2026-07-15 14:00:20", None),
        ("last 1 day", "2026-07-14 14:30:20", None),
        ("last 2 weeks", "2026-07-01 14:30:20", None),
        ("last 5 months", "2026-02-15 14:30:20", None),
        ("2 days ago", "2026-07-13", "2026-07-14"),
        ("an hour ago", "2026-07-15 13:30:20", "2026-07-15 14:30:20"),
        ("1 month ago", "2026-06-01", "2026-07-01"),
        ("after 2 hours ago", "2026-07-15 12:30:20", None),
        ("since yesterday", "2026-07-14", None),
        ("after 7-1", "2026-07-01", None),
        ("after 8-1", "2025-08-01", None),
        ("2-29", "2024-02-29", "2024-03-01"),
        ("before 2026-07-01 12:00", None, "2026-07-01 12:00"),
        ("before 7-1", None, "2026-07-01"),
        ("between 7-1 and 7-3", "2026-07-01", "2026-07-04"),
        ("between  9:00  and 10:15", "2026-07-15 09:00", "2026-07-15 10:16"),
        ("from 2026-06 to 2026-07-04", "2026-06-01", "2026-07-05"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-07-01", "2026-07-01", "2026-07-02"),
        ("2026-07-01T12:00", "2026-07-01 12:00", "2026-07-01 12:01"),
        ("2026-07-01T12:00:05", "2026-07-01 12:00:05", "2026-07-01 12:00:06"),
        ("2026-07-01 12:00:05.25", "2026-07-01 12:00:05.250000", "2026-07-01 12:00:05.260000"),
        ("2026-07-01T12:00:00Z", "2026-07-01 12:00", "2026-07-01 12:00:01"),
        ("after 2026-07-01 12:00+02:00", "2026-07-01 10:00", None),
        ("9:05", "2026-07-15 09:05", "2026-07-15 09:06"),
    ],
)
def test_words_mean_a_range(text: str, first: str | None, last: str | None) -> None:
    """Days, weeks, months and years are whole; `last 2 hours` reaches to now; a year not written is the latest."""
    assert told(text) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "last", "last x hours", "2 days", "7-1-2", "13-1", "2-30", "2026-02-30", "25:00", "12:60",
        "after", "after ", "before soon", "between 7-1", "between 7-1 and", "between and 7-3", "last 99999 years",
        "2026-07-01 soon", "0000-01-01", "99999-01-01", "after 0001-01-01 00:00+14:00", "ago", "1 ago", "\x00",
        "today today",
    ],
)  # fmt: skip
def test_what_is_no_range_is_an_error_with_examples(text: str) -> None:
    """Nothing is guessed, and the error shows how it is said."""
    with pytest.raises(TimeRangeError, match="is no range of time") as caught:
        time_range(text, stamp(NOW), UTC)
    assert "last 2 hours" in str(caught.value.hint)


def test_a_range_that_ends_before_it_begins_is_an_error() -> None:
    """It would select nothing without a word."""
    with pytest.raises(TimeRangeError, match="ends before it begins"):
        time_range("between 7-3 and 7-1", stamp(NOW), UTC)


def test_days_are_those_of_the_zone() -> None:
    """The same moment is in another day elsewhere, and a day of a change of clocks has 23 hours."""
    east = timezone(timedelta(hours=11))
    assert time_range("today", stamp(NOW), east).first == stamp(datetime(2026, 7, 16, tzinfo=east))
    berlin = ZoneInfo("Europe/Berlin")
    first, last = time_range("2026-03-29", stamp(NOW), berlin)
    assert first is not None
    assert last is not None
    assert last - first == 23 * 3600 * 1_000_000


def test_the_end_of_a_month_is_kept_within_shorter_months() -> None:
    """One month before the last of March is the last of February."""
    assert told("last 1 month", datetime(2026, 3, 31, 8, tzinfo=UTC)) == ("2026-02-28 08:00", None)
    assert told("last month", datetime(2026, 3, 31, 8, tzinfo=UTC)) == ("2026-02-01", "2026-03-01")


@given(st.text(max_size=20), st.integers(0, 4_000_000_000_000_000))
def test_any_text_is_a_range_or_an_error(text: str, now: int) -> None:
    """Never a failure of the program."""
    try:
        first, last = time_range(text, now, UTC)
    except TimeRangeError:
        return
    assert first is None or last is None or first < last


def test_without_a_zone_it_is_the_local_one() -> None:
    """As the times of a listing are."""
    first = time_range("2026-07-01", stamp(NOW)).first
    assert first == int(datetime(2026, 7, 1).timestamp()) * 1_000_000  # noqa: DTZ001 - that is the point
