"""What becomes of a run: its end, and its way through deletion, restoring and purge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ledger.canonical import Value
from ledger.dataclass import dataclass
from ledger.events.base import Event


@dataclass(frozen=True, slots=True)
class RunStatusChanged(Event):
    """A run ended.

    Attributes:
        status: `completed`, `error` or `terminated`.
        exit_status: what the process returned; negative: the signal that ended it; None: unknown.
        reason: why, when it is not the process's own exit.
        evidence: what the verdict on a lost run rests on.
        output: lines and bytes captured, and why capturing failed, if it did.
        stopped: microseconds UTC when the end was seen, when that is earlier than the recording; else None.
    """

    type: ClassVar[str] = "run.status_changed"

    status: str
    exit_status: int | None
    reason: str | None = None
    evidence: Mapping[str, Value] | None = None
    output: Mapping[str, Value] | None = None
    stopped: int | None = None


@dataclass(frozen=True, slots=True)
class RunDeleted(Event):
    """A run was deleted: its directory belongs in the trash.

    Attributes:
        selector: how the run was named on the command line.
        cause: set when this takes back a restoring that the file system refused.
    """

    type: ClassVar[str] = "run.deleted"

    selector: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class RunRestored(Event):
    """A deleted run was brought back; fields as in `RunDeleted`."""

    type: ClassVar[str] = "run.restored"

    selector: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class RunPurgeStarted(Event):
    """A deleted run is being removed for good: from here it cannot be restored."""

    type: ClassVar[str] = "run.purge_started"

    selector: str | None = None


@dataclass(frozen=True, slots=True)
class RunPurged(Event):
    """The artifacts of a run are gone; the run stays in the ledger.

    Attributes:
        files: number of files removed.
        bytes: their size.
    """

    type: ClassVar[str] = "run.purged"

    files: int
    bytes: int
