"""What a supervisor writes into its run's lease: which process it started, and how that ended.

The lease is for the case that the ledger does not hear of it; so what goes wrong here is passed over.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from artifacts.lease import LeaseError, LeaseRecord
from ledger.dataclass import replace
from operations.process_info import start_ticks

if TYPE_CHECKING:
    from typing import Any

    from artifacts.lease import Lease


def note_process(lease: Lease, pid: int, ticks: int) -> None:
    """Note which process the run is: its number, and its start time as in process_info."""
    _write(lease, child_pid=pid, child_ticks=ticks)


def note_ending(lease: Lease, exit_status: int | None, ended_at: int, stopped_by: str | None) -> None:
    """Note how the run ended, in the words of `LeaseRecord`."""
    _write(lease, exit_status=exit_status, ended_at=ended_at, stopped_by=stopped_by)


def _write(lease: Lease, **told: Any) -> None:
    record = lease.read() or LeaseRecord("", os.getpid(), start_ticks(os.getpid()) or 0, "")
    try:
        lease.write(replace(record, **told))
    except LeaseError:
        return
