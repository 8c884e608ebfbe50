"""One replay in a process of its own (`python -m benchmarks.worker`): its time and its memory are nobody else's."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

from artifacts.home import Home
from benchmarks.bare_loops import fold_and_insert, read_and_hash
from benchmarks.history import opened
from ledger.verify import verify
from projections.rebuild import rebuild


def verify_ledger(root: str, _target: str) -> int:
    """Verify as `guild ledger verify` does, its comparing of the index left out."""
    ledger = opened(Home(root))
    report = verify(ledger.store)
    ledger.store.close()
    assert not report.problems, report.problems
    return report.events


def rebuild_index(root: str, target: str) -> int:
    """Rebuild as `guild ledger rebuild` does, into the folder `target`."""
    ledger = opened(Home(root))
    count = rebuild(target, ledger)
    ledger.store.close()
    return count or 0


def bare_verify(root: str, _target: str) -> int:
    """Read and hash the rows."""
    return read_and_hash(Home(root).ledger_path)


def bare_rebuild(root: str, target: str) -> int:
    """Fold and insert the rows."""
    return fold_and_insert(Home(root).ledger_path, os.path.join(target, "bare.db"))


WORK: dict[str, Callable[[str, str], int]] = {
    "verify": verify_ledger,
    "rebuild": rebuild_index,
    "bare-verify": bare_verify,
    "bare-rebuild": bare_rebuild,
}


def main() -> None:
    """Do what the first word says, with the home and the target that follow; the last word is the number of events."""
    kind, root, target, events = sys.argv[1:]
    count = WORK[kind](root, target)
    if count != int(events):
        sys.exit(f"{kind}: {count} events instead of {events}")
    print(most_memory())


def most_memory() -> float:
    """Return the most memory that this process held, in MiB.

    Where the system tells it of this program alone: what is told of a process counts what it was forked from too.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        unit = 1024 * 1024 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
