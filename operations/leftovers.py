"""Processes that outlived the supervisor of their run: nobody counts them as running, but they still write.

They are known by the RUN_ID in their environment, which every process of a run inherits; process ids recorded at its
start would miss the children of a process that is gone. Only those count that guild has given the CMD_DIR of a run: one
that a script or notebook has begun itself (`start_run`) is its user's, with all that it starts, and is never killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from ledger.ids import RunId
from operations.process_info import is_alive, start_ticks
from operations.process_tree import signal_tree

_LOOK_AGAIN_SECONDS = 0.02
_NAME = b"RUN_ID="
_STARTED = b"CMD_DIR="


def leftovers(run_ids: Collection[RunId]) -> set[tuple[int, int]]:
    """Return the processes of these runs as (pid, start ticks), as far as the system lets us see; needs /proc."""
    wanted = {_NAME + run_id.encode() for run_id in run_ids}
    found = set()
    for name in os.listdir("/proc") if wanted and os.path.isdir("/proc/self") else ():
        if name.isdecimal() and int(name) != os.getpid() and _belongs(_environment(name), wanted):
            ticks = start_ticks(int(name))
            if ticks is not None:
                found.add((int(name), ticks))
    return found


def _belongs(environment: list[bytes], wanted: set[bytes]) -> bool:
    return not wanted.isdisjoint(environment) and any(entry.startswith(_STARTED) for entry in environment)


def _environment(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []  # gone, or another user's


def end_leftovers(run_ids: Collection[RunId], grace: float) -> int:
    """Ask the processes of these runs to end, kill what has not after `grace` seconds; return how many there were."""
    from signal import SIGKILL, SIGTERM

    found = leftovers(run_ids)
    signal_tree(found, SIGTERM)
    end = time.monotonic() + grace
    while any(is_alive(*process) for process in found) and time.monotonic() < end:
        time.sleep(_LOOK_AGAIN_SECONDS)
    signal_tree(found | leftovers(run_ids), SIGKILL)
    return len(found)
