"""Values written as a rule: `range[1:5]`, `linspace[0:1:5]`, `logspace[-4:-1:4]`, and ranges to draw from at random."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.text import printable
from operations.flags import FlagError, parse_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal
    from random import Random

    from operations.definitions import FlagValue

MOST_VALUES = 100_000
"""The most values that one rule, and the most trials that one command may ask for."""

_RULE = re.compile(r"(?P<name>range|linspace|logspace|uniform|loguniform)?\[(?P<parts>[^\[\]{}\"']*)\]")
_FORMS = {
    "range": "START:END or START:END:STEP",
    "linspace": "START:END or START:END:COUNT",
    "logspace": "START:END, START:END:COUNT or START:END:COUNT:BASE (START and END are exponents)",
    "uniform": "LOW:HIGH or LOW:HIGH:FIRST",
    "loguniform": "LOW:HIGH or LOW:HIGH:FIRST",
}
_MANY = 10**15
_EXACT = 10**27  # beyond it the arithmetic here rounds
_COUNT = 5
_BASE = 10


@dataclass(frozen=True, slots=True)
class Space:
    """Numbers to draw from, both ends included.

    Attributes:
        low: the least.
        high: the greatest.
        is_log: whether each order of magnitude is as likely as the next; all numbers are above 0 then.
        first: what the first trial takes; None to draw it as well.
        is_whole: whether only integers are drawn.
    """

    low: float
    high: float
    is_log: bool = False
    first: float | None = None
    is_whole: bool = False

    def draw(self, random: Random) -> float:
        """Return the next number."""
        if not self.is_log:
            return random.randint(int(self.low), int(self.high)) if self.is_whole else self._within(random.uniform)
        number = min(max(math.exp(random.uniform(math.log(self.low), math.log(self.high))), self.low), self.high)
        return round(number) if self.is_whole else number

    def _within(self, uniform: Callable[[float, float], float]) -> float:
        # Half of each bound: the distance between two huge bounds is more than a number can be.
        return min(max(2 * uniform(self.low / 2, self.high / 2), self.low), self.high)


def rule_of(name: str, text: str) -> list[FlagValue] | Space | None:
    """Return the values, or the space to draw from, that a flag's text asks for; None for any other text.

    `range[1:5]` has both ends; `[0.1:0.5]` is the same as `uniform[0.1:0.5]`. Whole bounds give integers: for the
    values that are whole all through, and for what is drawn by `uniform`.

    Args:
        name: the flag's, for messages.
        text: what was typed.

    Raises:
        FlagError: it is such a rule, but its numbers make no sense or ask for more than `MOST_VALUES` values.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None or (match["name"] is None and ":" not in match["parts"]):
        return None
    kind = match["name"] or "uniform"
    numbers = [_number(part) for part in match["parts"].split(":")]
    if match["name"] is None and (None in numbers or len(numbers) > 3):  # noqa: PLR2004 - low, high and first
        return None
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or not 2 <= len(known) <= (4 if kind == "logspace" else 3):  # noqa: PLR2004
        raise _unfit(name, text, f"expected {kind}[{_FORMS[kind]}] with numbers")
    try:
        return _RULES[kind](known)
    except ValueError as problem:
        raise _unfit(name, text, str(problem)) from None


def _unfit(name: str, text: str, problem: str) -> FlagError:
    return FlagError(
        f"flag '{printable(name)}' is '{printable(text, 80)}': {problem}",
        hint="Write the values out as a list, NAME=[VALUE,VALUE], or put the text in quotes of its own.",
    )


def _number(text: str) -> int | float | None:
    value = parse_value(text) if text.strip() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(_as_float(value)):
        return None
    return value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _range(numbers: list[int | float]) -> list[FlagValue]:
    start, end, step = _exact([*numbers, 1][:3])
    if step == 0:
        raise ValueError("expected a step other than 0")
    count = int((end - start) / step) + 1 if (end - start) / step >= 0 else 0
    if count == 0:
        raise ValueError("it has no values: expected an end that the step leads to")
    _refuse_many(count)
    return _numbers([start + number * step for number in range(count)], numbers)


def _linspace(numbers: list[int | float]) -> list[FlagValue]:
    start, end = _exact(numbers[:2])
    return _numbers(_evenly(start, end, _count_of(numbers)), numbers)


def _logspace(numbers: list[int | float]) -> list[FlagValue]:
    start, end, base = _exact([*numbers[:2], *(numbers[3:] or [_BASE])])
    if base <= 0:
        raise ValueError("expected a base above 0")
    try:
        powers = [base**exponent for exponent in _evenly(start, end, _count_of(numbers))]
        return _numbers(powers, numbers)
    except ArithmeticError:
        raise ValueError("its values are too large to be numbers") from None


def _space(numbers: list[int | float]) -> Space:
    low, high = numbers[:2]
    if low > high:
        raise ValueError("expected its low end first")
    first = numbers[2] if len(numbers) > 2 else None  # noqa: PLR2004 - low and high come before
    if first is not None and not low <= first <= high:
        raise ValueError("expected a first value within its ends")
    return Space(low, high, first=first, is_whole=all(isinstance(number, int) for number in numbers))


def _log_space(numbers: list[int | float]) -> Space:
    space = _space(numbers)
    if space.low <= 0:
        raise ValueError("expected ends above 0")
    return Space(float(space.low), float(space.high), is_log=True, first=space.first)


_RULES: dict[str, Callable[[list[int | float]], list[FlagValue] | Space]] = {
    "range": _range,
    "linspace": _linspace,
    "logspace": _logspace,
    "uniform": _space,
    "loguniform": _log_space,
}


def _exact(numbers: list[int | float]) -> list[Decimal]:
    """Return the numbers as written, so that steps of 0.1 end at 0.3 and not at 0.30000000000000004."""
    from decimal import Decimal

    return [Decimal(repr(number)) for number in numbers]


def _count_of(numbers: list[int | float]) -> int:
    count = numbers[2] if len(numbers) > 2 else _COUNT  # noqa: PLR2004 - start and end come before
    if count != int(count) or count < 1:
        raise ValueError("expected a count of at least 1")
    _refuse_many(int(count))
    return int(count)


def count_text(count: int) -> str:
    """Return a count for messages, at most 16 digits long."""
    return str(count) if count < _MANY else "more than 10^15"


def _refuse_many(count: int) -> None:
    if count > MOST_VALUES:
        raise ValueError(f"it has {count_text(count)} values: expected at most {MOST_VALUES}")


def _evenly(start: Decimal, end: Decimal, count: int) -> list[Decimal]:
    return [start + (end - start) * number / (count - 1) if number else start for number in range(count)]


def _numbers(values: list[Decimal], written: list[int | float]) -> list[FlagValue]:
    """Return plain numbers: integers when all are whole and were written so, else all of them with a fraction."""
    floats = [float(value) for value in values]
    if not all(map(math.isfinite, floats)):
        raise ValueError("its values are too large to be numbers")
    if not all(isinstance(number, int) for number in written):
        return [*floats]
    are_whole = all(abs(value) < _EXACT and value == value.to_integral_value() for value in values)
    return [int(value) for value in values] if are_whole else [*floats]
