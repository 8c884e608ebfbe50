"""Repeats in groups: counts, means and deviations, exact to the last digit that numbers have."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.compare_printing import shown_spread
from ledger.events.notes import RunScalarsRecorded
from ledger.events.start import RunStarted
from projections.column_specs import parse_columns
from projections.comparison import Comparison
from projections.comparison_columns import columns_of
from projections.grouping import Group, Spread, groups, spread
from projections.query import Query, RunFilter
from projections.rebuild import rebuild_in_memory
from tests.kit import append, happens, make_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import Value

NAN, INF = math.nan, math.inf
RUNS: list[tuple[Value, float | None]] = [
    (0.1, 1), (0.1, 2), (0.1, 3), (1, 5), (1.0, 5), (True, 7), ("b", NAN), ("b", 1), (None, None), ("c", INF),
    (NAN, 4), (NAN, 4), ("c", -INF),
]  # fmt: skip


def found_groups(folder: Path, by: str) -> list[Group]:
    """Return the groups of those runs, with their loss, and a scalar that none has."""
    ledger = make_ledger(folder)
    for number, (flag, last) in enumerate(RUNS):
        append(ledger, happens(number, RunStarted("/p", None, "m", "train", (), {"lr": flag})))
        if last is not None:
            append(ledger, happens(number, RunScalarsRecorded({"loss": {"last": [last, 1]}})))
    index = rebuild_in_memory(ledger)
    made = Comparison(Query(index, RunFilter()), ())
    by_columns, columns = (columns_of(index.db, parse_columns(text)) for text in (by, "loss, scalar:none"))
    found = groups(made, by_columns, columns)
    index.close()
    ledger.store.close()
    return found


def test_runs_with_the_same_are_one_group(tmp_path: Path) -> None:
    """1 and 1.0 are the same, true is not 1, and having nothing is a group as well, the last one."""
    found = found_groups(tmp_path, "=lr")
    assert [(str(group.keys[0]), group.runs) for group in found] == [
        ("0.1", 3), ("1.0", 2), ("b", 2), ("c", 2), ("nan", 2), ("True", 1), ("None", 1)
    ]  # fmt: skip
    told = [group.spreads[0] for group in found]
    assert told[:2] == [Spread(2.0, 1.0, 3), Spread(5.0, 0.0, 2)]
    assert str(told[2:4]) == str([Spread(NAN, NAN, 2)] * 2)
    assert told[4:] == [Spread(4.0, 0.0, 2), Spread(7.0, None, 1), None]
    assert {group.spreads[1] for group in found} == {None}


def test_runs_are_grouped_by_several_columns(tmp_path: Path) -> None:
    """Each pair that runs have is a group."""
    found = found_groups(tmp_path, ".operation, =lr")
    assert len(found) == 7
    assert sum(group.runs for group in found) == len(RUNS)


NUMBERS = st.floats(-1e300, 1e300, allow_nan=False)


@given(st.lists(NUMBERS, min_size=2, max_size=6))
def test_mean_and_deviation_are_those_of_exact_fractions(numbers: list[float]) -> None:
    """The sample standard deviation, that with n - 1; no sum is too large on the way."""
    exact = sum(map(Fraction, numbers)) / len(numbers)
    variance = sum((Fraction(number) - exact) ** 2 for number in numbers) / (len(numbers) - 1)
    found = spread(numbers)
    scale = max(map(abs, numbers))
    assert found.deviation is not None
    assert found.mean == pytest.approx(float(exact), rel=1e-14, abs=1e-14 * scale)
    unit = Fraction(max(scale, 1e-300))
    expected = math.sqrt(variance / unit**2) * float(unit)
    assert found.deviation == pytest.approx(expected, rel=1e-9, abs=1e-14 * scale)


@given(NUMBERS, st.integers(1, 9))
def test_equal_numbers_have_no_deviation_at_all(number: float, count: int) -> None:
    """Not even one of rounding; a single one has none that could be told."""
    assert spread([number] * count) == Spread(number, 0.0 if count > 1 else None, count)


def test_the_deviation_is_the_usual_one() -> None:
    """The same as everybody else computes."""
    numbers = [0.31, 0.35, 0.29, 0.4]
    found = spread(numbers)
    assert (found.mean, found.runs) == (statistics.fmean(numbers), 4)
    assert found.deviation == pytest.approx(statistics.stdev(numbers))


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (Spread(0.3125, 0.0041, 3), "0.3125 ± 0.0041"),
        (Spread(0.31254, 0.041, 3), "0.313 ± 0.041"),
        (Spread(1234.5678, 12.3, 3), "1235 ± 12"),
        (Spread(5.0, 0.0, 2), "5 ± 0"),
        (Spread(0.123456789, None, 1), "0.123457"),
        (Spread(NAN, NAN, 2), "nan ± nan"),
        (Spread(1.0, 1e-17, 2), "1 ± 1e-17"),
        (Spread(1e200, 1e190, 2), "1e+200 ± 1e+190"),
        (None, ""),
    ],
)
def test_a_spread_is_shown_as_exactly_as_its_deviation(told: Spread | None, text: str) -> None:
    """The deviation with two digits, the mean to the same place."""
    assert shown_spread(told) == text
