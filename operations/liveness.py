"""Whether a run that the ledger has as running still has somebody to look after it; and if not, how it ended.

The lease decides: the kernel frees it at any death of the supervisor. Only where there is no lease file do boot id,
process id and start time decide, and then only about this machine: another machine's run is never judged by a number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from artifacts.lease import Lease, LeaseRecord, try_take
from ledger.canonical import Value
from ledger.dataclass import dataclass
from ledger.events.life import RunStatusChanged
from operations.process_info import boot_id, is_alive


@dataclass(frozen=True, slots=True)
class FoundEnd:
    """The end of a run that nobody recorded.

    Attributes:
        event: what to append.
        lease: held until the event is recorded, so that no second observer records it too; None without a lease file.
    """

    event: RunStatusChanged
    lease: Lease | None

    def release(self, *, remove: bool) -> None:
        """Give the lease up; with `remove` delete its file."""
        if self.lease is not None:
            self.lease.release(remove=remove)


def find_end(
    lease_path: str, evidence: Mapping[str, Value], boot: str | None = None, home: str | None = None
) -> FoundEnd | None:
    """Return the end of a run that is over, or None while it runs or cannot be judged from here.

    Args:
        lease_path: its lease.
        evidence: what was recorded at its start: boot_id, pid, start_ticks, host.
        boot: this machine's boot id; asked from the system when None.
        home: identity of the home that the lease would be in: runs of another home on the same ledger are left alone.
    """
    boot = boot_id() if boot is None else boot
    if os.path.exists(lease_path):
        lease = try_take(lease_path)
        if lease is None:
            return None
        return FoundEnd(_verdict(lease.read(), evidence, boot), lease)
    if evidence.get("host") != os.uname().nodename or (home and evidence.get("home", home) != home):
        return None
    if evidence.get("boot_id") == boot and _supervisor_lives(evidence):
        return None
    return FoundEnd(_verdict(None, evidence, boot), None)


def _supervisor_lives(evidence: Mapping[str, Value]) -> bool:
    pid, ticks = evidence.get("pid"), evidence.get("start_ticks")
    return isinstance(pid, int) and isinstance(ticks, int) and is_alive(pid, ticks)


def _verdict(record: LeaseRecord | None, evidence: Mapping[str, Value], boot: str) -> RunStatusChanged:
    """Return how the run ended: as its supervisor noted in the lease, else terminated with the reason."""
    if record is not None and record.ended_at is not None:
        return RunStatusChanged(
            status=final_status(record.exit_status, record.stopped_by),
            exit_status=record.exit_status,
            reason="recorded later from the lease",
            stopped=record.ended_at,
        )
    known = evidence.get("boot_id") if record is None else record.boot_id
    reason = "reboot" if known and boot and known != boot else "supervisor lost"
    held: dict[str, Value] = {"lease": "free" if record is not None else "missing", "boot_id": boot}
    if record is not None and record.child_pid:
        held["child_pid"] = record.child_pid
        held["child_alive"] = known == boot and is_alive(record.child_pid, record.child_ticks)
    return RunStatusChanged(status="terminated", exit_status=None, reason=reason, evidence=held)


def final_status(exit_status: int | None, stopped_by: str | None) -> str:
    """Return the status that a process ended with: stopping it, or a signal, makes it terminated."""
    if stopped_by is not None or (exit_status is not None and exit_status < 0):
        return "terminated"
    return "completed" if exit_status == 0 else "error"
