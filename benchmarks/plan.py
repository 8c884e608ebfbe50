"""How much is measured, and where: the same numbers for every part of a benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from artifacts.home import Home
from benchmarks.history import copied, home_with


@dataclass(frozen=True, slots=True)
class Plan:
    """What one benchmark works with.

    Attributes:
        cache: absolute folder of the homes that are made once.
        scratch: absolute folder that is thrown away afterwards; on the same disk as the cache.
        sizes: numbers of runs of the homes, ascending.
        many: how many runs are deleted at once.
        rounds: repetitions of a command.
        trials: how many trials a batch has.
        commits: repetitions of a durable commit.
        replays: repetitions of a rebuild and of a verification.
        singles: runs of the home in which each event is a transaction.
        guildai: an interpreter that has Guild AI, or None.
    """

    cache: str
    scratch: str
    sizes: tuple[int, ...] = (100, 100_000, 1_000_000)
    many: int = 1_000
    rounds: int = 21
    trials: int = 50
    commits: int = 1_000
    replays: int = 3
    singles: int = 50_000
    guildai: str | None = None
    _homes: dict[int, Home] = field(default_factory=dict)

    def home(self, runs: int) -> Home:
        """Return this benchmark's own copy of the home with that many runs."""
        if runs not in self._homes:
            self._homes[runs] = copied(home_with(self.cache, runs), os.path.join(self.scratch, "homes"))
        return self._homes[runs]


def quick(cache: str, scratch: str, guildai: str | None) -> Plan:
    """Return a plan with small numbers: it shows that everything works and measures nothing well."""
    return Plan(
        cache, scratch, (20, 50, 300), many=30, rounds=1, trials=4, commits=5, replays=1, singles=50, guildai=guildai
    )
