"""What happens to the ledger itself: made, merged into, redacted, anchored."""

from __future__ import annotations

from typing import ClassVar

from ledger.dataclass import dataclass
from ledger.events.base import Event


@dataclass(frozen=True, slots=True)
class LedgerCreated(Event):
    """The first event of every ledger.

    Attributes:
        ledger_id: 32 hexadecimal digits.
        format: version of the stored format.
    """

    type: ClassVar[str] = "ledger.created"

    ledger_id: str
    format: int


@dataclass(frozen=True, slots=True)
class LedgerImported(Event):
    """Transactions of another ledger were taken in.

    Attributes:
        origin_id: whose, hexadecimal.
        first: first `origin_seq` taken in.
        last: last `origin_seq` taken in.
        head_hash: hash of the last one, hexadecimal.
    """

    type: ClassVar[str] = "ledger.imported"

    origin_id: str
    first: int
    last: int
    head_hash: str


@dataclass(frozen=True, slots=True)
class LedgerRedacted(Event):
    """A body was emptied; its hash stays, so the chain still holds.

    Attributes:
        stream: stream of the event.
        stream_version: its version in the stream.
        origin_id: the origin that wrote it, hexadecimal.
        reason: why.
    """

    type: ClassVar[str] = "ledger.redacted"

    stream: str
    stream_version: int
    origin_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerAnchored(Event):
    """The head's hash was given out to be kept elsewhere.

    Attributes:
        seq: the transaction whose hash it is.
        hash: the hash, hexadecimal.
    """

    type: ClassVar[str] = "ledger.anchored"

    seq: int
    hash: str
