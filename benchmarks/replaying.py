"""Reading the whole ledger: to rebuild the index and to verify, against loops that do no more than they must."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

from artifacts.home import Home
from benchmarks.history import home_with, opened
from benchmarks.plan import Plan
from benchmarks.processes import Usage, environment, run
from benchmarks.samples import Figure, Samples, samples

_RATE = 1 / 2
_KINDS = ("rebuild", "bare-rebuild", "verify", "bare-verify")


def figures(plan: Plan) -> Iterator[Figure]:
    """Replay the ledger with most runs, and one in which each event is a transaction, as people's ledgers are."""
    large = plan.home(plan.sizes[-1])
    single = home_with(plan.cache, plan.singles, in_transactions_of=1)
    for home, how in ((large, "in large transactions"), (single, "each a transaction")):
        events = _events(home)
        taken = _in_turns(plan, home, events)
        text = f"{events:,} events, {how}"
        yield Figure(f"rebuild, {text}", taken["rebuild"], "a bare fold and insert", taken["bare-rebuild"], _RATE, True)
        yield Figure(f"verify, {text}", taken["verify"], "reading and hashing", taken["bare-verify"], _RATE, True)


def _events(home: Home) -> int:
    ledger = opened(home)
    count = ledger.store.head().position
    ledger.store.close()
    return count


def _in_turns(plan: Plan, home: Home, events: int) -> dict[str, Samples]:
    usages: dict[str, list[Usage]] = {kind: [] for kind in _KINDS}
    for _ in range(plan.replays):
        for kind in _KINDS:
            usages[kind].append(_replay(plan, kind, home, events))
    return {kind: samples(found, max(float(usage.output) for usage in found)) for kind, found in usages.items()}


def _replay(plan: Plan, kind: str, home: Home, events: int) -> Usage:
    target = os.path.join(plan.scratch, "replay")
    os.makedirs(target)
    argv = (sys.executable, "-m", "benchmarks.worker", kind, home.root, target, str(events))
    try:
        return run(argv, plan.scratch, environment(plan.scratch), plan.scratch)
    finally:
        shutil.rmtree(target)
