"""Repeated measurements of one thing, and what follows from two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.processes import Usage


@dataclass(frozen=True, slots=True)
class Samples:
    """What one thing took, once for each repetition.

    Attributes:
        seconds: elapsed.
        cpu: seconds of processor time, user and system; empty where it was not taken.
        peak: the most memory that a repetition held, in MiB; 0 where it was not taken.
    """

    seconds: tuple[float, ...]
    cpu: tuple[float, ...] = ()
    peak: float = 0.0

    @property
    def median(self) -> float:
        """The middle repetition, in seconds."""
        return median(self.seconds)

    @property
    def best(self) -> float:
        """The quickest repetition, in seconds: nearest to what it takes on a quiet machine."""
        return min(self.seconds)

    def over(self, other: Samples) -> Samples:
        """Return what each repetition took more than the same repetition of `other`."""
        return Samples(tuple(one - two for one, two in zip(self.seconds, other.seconds, strict=True)))

    def each(self, count: int) -> Samples:
        """Return what one of `count` equal parts took."""
        return Samples(tuple(second / count for second in self.seconds), tuple(second / count for second in self.cpu))


def samples(usages: Sequence[Usage], peak: float = 0.0) -> Samples:
    """Return the measurements of one thing together."""
    return Samples(tuple(usage.seconds for usage in usages), tuple(usage.cpu for usage in usages), peak)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: what was measured, against what, and what it may be.

    Attributes:
        what: what was measured.
        measured: its repetitions.
        than: what it is compared with.
        base: the repetitions of that, taken in turns with the others.
        budget: what the ratio may be: at most, or with `rate` at least; None when there is no budget.
        rate: whether the ratio is one of rates: the base's time through the measured time.
    """

    what: str
    measured: Samples
    than: str
    base: Samples
    budget: float | None = None
    rate: bool = False

    @property
    def ratio(self) -> float:
        """Ratio of the medians."""
        return self._ratio(self.measured.median, self.base.median)

    @property
    def best_ratio(self) -> float:
        """Ratio of the quickest repetitions."""
        return self._ratio(self.measured.best, self.base.best)

    @property
    def cpu_ratio(self) -> float | None:
        """Ratio of the medians of processor time, which other work on the machine disturbs less; None if not taken."""
        if not self.measured.cpu or not self.base.cpu:
            return None
        return self._ratio(median(self.measured.cpu), median(self.base.cpu))

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        if self.budget is None:
            return None
        return self.ratio >= self.budget if self.rate else self.ratio <= self.budget

    def _ratio(self, measured: float, base: float) -> float:
        return base / measured if self.rate else measured / base
