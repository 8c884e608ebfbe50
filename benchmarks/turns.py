"""Timing commands in turns: each round runs every case once, so that what else the machine does meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.processes import Usage, environment, run
from benchmarks.samples import Samples, samples


@dataclass(frozen=True, slots=True)
class Case:
    """A command to time.

    Attributes:
        name: what the measurements are kept under.
        argv: its command line, for the number of the round.
        cwd: its working directory.
        env: variables on top of those of `environment`.
    """

    name: str
    argv: Callable[[int], Sequence[str]]
    cwd: str
    env: Mapping[str, str]


def in_turns(cases: Sequence[Case], rounds: int, scratch: str) -> dict[str, Samples]:
    """Run every case once a round, after one round that does not count; return the measurements by name.

    Raises:
        CalledProcessError: a command failed, so that its time would mean nothing.
    """
    taken: dict[str, list[Usage]] = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in cases:
            usage = run(case.argv(number), case.cwd, {**environment(scratch), **case.env}, scratch)
            if number:
                taken[case.name].append(usage)
    return {name: samples(usages) for name, usages in taken.items()}
