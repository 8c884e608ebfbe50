"""Ranges of time as people say them: `last 2 hours`, `today`, `after 7-1`, `between 7-1 and 7-3`.

What is `now` is given, never read: the same words at the same moment mean the same runs. A day, month or time of day
stands for the whole of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from ledger.errors import UsageError
from ledger.text import printable

EXAMPLES = (
    "Examples: 'today', 'yesterday', 'this week', 'last month', 'last 2 hours', '3 days ago', '2026-07-01',"
    " 'after 7-1', 'before 2026-07-01 12:00', 'between 7-1 and 7-3'."
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAYS_OF_MONTHS = 31
_MONTHS = 12
_UNIT = r"(minute|min|hour|hr|day|week|month|year)s?"
_AGO = re.compile(rf"([0-9]{{1,6}}|an?|one) {_UNIT} ago")
_LAST_SOME = re.compile(rf"(?:last|past) ([0-9]{{1,6}}) {_UNIT}")
_LAST_ONE = re.compile(rf"(last|past|previous|this|current) {_UNIT}")
_BETWEEN = re.compile(r"(?:between|from) (.+?) (?:and|to|until) (.+)")
_DATE = re.compile(r"(?:([0-9]{4})-)?([0-9]{1,2})-([0-9]{1,2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?")
_ZONE = re.compile(r"(.*[0-9]) ?(z|[+-][0-9]{2}:?[0-9]{2})")
_CLOCK_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_SHORT = {"min": "minute", "hr": "hour"}


class TimeRangeError(UsageError):
    """Words that say no range of time."""


class TimeRange(NamedTuple):
    """From the first microsecond (UTC) to before the last; None where it has no end."""

    first: int | None
    last: int | None


class _Span(NamedTuple):
    first: datetime
    last: datetime


def time_range(text: str, now: int, zone: tzinfo | None = None) -> TimeRange:
    """Return what words mean.

    Args:
        text: the words.
        now: microseconds UTC.
        zone: where days begin; None for the system's local zone.

    Raises:
        TimeRangeError: they mean no range of time, or one that ends before it begins.
    """
    words = " ".join(text.lower().split())
    try:
        found = _Reader(_local(now, zone), zone).range(words)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise TimeRangeError(f"'{printable(text, 80)}' is no range of time", hint=EXAMPLES)
    if found.first is not None and found.last is not None and found.first >= found.last:
        raise TimeRangeError(f"'{printable(text, 80)}' ends before it begins", hint="Give the earlier time first.")
    return found


def moment_of(text: str, now: int, zone: tzinfo | None = None) -> int:
    """Return the moment that words mean, microseconds UTC: the end of a day, month, minute or second that is named.

    So many minutes or hours ago are counted back to the microsecond. What is not over yet ends now.

    Raises:
        TimeRangeError: they mean none, or one that is still to come.
    """
    words = " ".join(text.lower().split())
    reader = _Reader(_local(now, zone), zone)
    try:
        found = reader.moment(words)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise TimeRangeError(
            f"'{printable(text, 80)}' is no moment",
            hint="Examples: 'now', 'yesterday', '2 hours ago', '2026-07-01', '2026-07-01 12:00'.",
        )
    first, last = found
    if first > now:
        raise TimeRangeError(f"'{printable(text, 80)}' is still to come", hint="Give a time that is past.")
    return min(last, now)


def _local(now: int, zone: tzinfo | None) -> datetime:
    """Return a moment as the clock on the wall has it."""
    return (_EPOCH + timedelta(microseconds=now)).astimezone(zone).replace(tzinfo=None)


class _Reader:
    """Reads words at a given moment; inside, all is in the local time of one zone."""

    def __init__(self, now: datetime, zone: tzinfo | None) -> None:
        self._now = now
        self._today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._zone = zone

    def range(self, words: str) -> TimeRange | None:
        """Return what the words mean, None when they mean nothing."""
        some = _LAST_SOME.fullmatch(words)
        if some:
            return TimeRange(self._stamp(self._ago(int(some[1]), some[2])), None)
        both = _BETWEEN.fullmatch(words)
        if both:
            first, last = self._span(both[1]), self._span(both[2])
            return None if first is None or last is None else TimeRange(self._stamp(first[0]), self._stamp(last[1]))
        for start, side in (("after ", 0), ("since ", 0), ("before ", 1), ("until ", 1)):
            if words.startswith(start):
                span = self._span(words.removeprefix(start))
                if span is None:
                    return None
                return TimeRange(None, self._stamp(span[0])) if side else TimeRange(self._stamp(span[0]), None)
        span = self._span(words)
        return None if span is None else TimeRange(self._stamp(span[0]), self._stamp(span[1]))

    def moment(self, words: str) -> tuple[int, int] | None:
        """Return the first and the last microsecond of what the words mean, None when that is no moment."""
        ago = _AGO.fullmatch(words)
        span = self._span(words)
        if span is None:
            return None
        first = self._stamp(span.first)
        if ago is not None and _SHORT.get(ago[2], ago[2]) in _CLOCK_UNITS:
            return first, first
        return first, self._stamp(span.last) - 1

    def _span(self, words: str) -> _Span | None:
        if words == "now":
            return _Span(self._now, self._now + _MICROSECOND)
        if words in ("today", "yesterday"):
            return _unit(self._today - timedelta(days=words == "yesterday"), "day")
        ago = _AGO.fullmatch(words)
        if ago:
            return self._spoken(int(ago[1]) if ago[1].isdecimal() else 1, ago[2])
        one = _LAST_ONE.fullmatch(words)
        if one:
            return self._spoken(int(one[1] in ("last", "past", "previous")), one[2])
        return self._written(words)

    def _spoken(self, count: int, unit: str) -> _Span:
        """Return the day, week, month or year so many ago, or minutes and hours counted back from now."""
        unit = _SHORT.get(unit, unit)
        if unit in _CLOCK_UNITS:
            first = self._now - _CLOCK_UNITS[unit] * count if count else _floor(self._now, unit)
            return _Span(first, first + _CLOCK_UNITS[unit])
        return _unit(_floor(self._ago(count, unit), unit), unit)

    def _ago(self, count: int, unit: str) -> datetime:
        unit = _SHORT.get(unit, unit)
        if unit in _CLOCK_UNITS:
            return self._now - _CLOCK_UNITS[unit] * count
        if unit in ("day", "week"):
            return self._now - timedelta(days=count * (7 if unit == "week" else 1))
        return _months_before(self._now, count * (_MONTHS if unit == "year" else 1))

    def _written(self, words: str) -> _Span | None:
        """Return a date, a month, a time of today, or both date and time, with or without a zone."""
        zoned = _ZONE.fullmatch(words)
        if zoned and ":" in zoned[1]:
            span = self._written(zoned[1])
            return None if span is None else _Span(*(self._moved(moment, zoned[2]) for moment in span))
        month = _MONTH.fullmatch(words)
        if month:
            return _unit(datetime(int(month[1]), int(month[2]), 1), "month")  # noqa: DTZ001 - local, as all in here
        date, _, time = words.replace("t", " ").partition(" ")
        if _TIME.fullmatch(date) and not time:
            return _at(self._today, date)
        day = self._day(date)
        if day is None:
            return None
        return _at(day, time) if time else _unit(day, "day")

    def _day(self, text: str) -> datetime | None:
        date = _DATE.fullmatch(text)
        if date is None:
            return None
        year, month, day = int(date[1] or self._today.year), int(date[2]), int(date[3])
        for earlier in range(1 if date[1] else 9):  # 2-29 is up to eight years ago
            try:
                found = datetime(year - earlier, month, day)  # noqa: DTZ001 - local, as all in here
            except ValueError:
                continue
            # A run never starts in the future: 7-1 in May is last year's.
            if date[1] or found <= self._today:
                return found
        return None

    def _moved(self, moment: datetime, zone: str) -> datetime:
        """Return a moment that was written in a zone in the local one."""
        aware = datetime.fromisoformat(moment.isoformat() + zone.upper())
        return aware.astimezone(self._zone).replace(tzinfo=None)

    def _stamp(self, moment: datetime) -> int:
        aware = moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)
        return (aware - _EPOCH) // _MICROSECOND


def _at(day: datetime, text: str) -> _Span | None:
    """Return the minute, second or microsecond of a day."""
    time = _TIME.fullmatch(text)
    if time is None:
        return None
    moment = day.replace(hour=int(time[1]), minute=int(time[2]), second=int(time[3] or 0))
    if time[4]:
        moment = moment.replace(microsecond=int(time[4].ljust(6, "0")))
        return _Span(moment, moment + timedelta(microseconds=10 ** (6 - len(time[4]))))
    return _Span(moment, moment + timedelta(seconds=1 if time[3] else 60))


def _floor(moment: datetime, unit: str) -> datetime:
    """Return the beginning of the unit that a moment is in; a week begins on Monday."""
    if unit == "minute":
        return moment.replace(second=0, microsecond=0)
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "day":
        return day
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _unit(first: datetime, unit: str) -> _Span:
    if unit in ("day", "week"):
        return _Span(first, first + timedelta(days=7 if unit == "week" else 1))
    next_one = first.replace(day=1) + timedelta(days=_DAYS_OF_MONTHS * (_MONTHS if unit == "year" else 1))
    return _Span(first, _floor(next_one, unit))


def _months_before(moment: datetime, count: int) -> datetime:
    """Return the same day so many months earlier, or the last day of a month that is too short."""
    year, month = divmod(moment.year * _MONTHS + moment.month - 1 - count, _MONTHS)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            if year < 1:
                raise
    raise ValueError("no such day")
