"""One command, one transaction: who did it, and the events it asks the ledger to append."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.canonical import Value, decode, encode
from ledger.dataclass import dataclass, field
from ledger.errors import LedgerError
from ledger.events.base import Event
from ledger.ids import Seq, Stream, TxnId, new_txn_id


@dataclass(frozen=True, slots=True)
class Header:
    """Who did it, from where, and how.

    Attributes:
        actor: login name.
        host: host name.
        argv: the command line, its flag values included.
        cwd: working directory.
        program: name and version of the program that wrote it.
        reason: why, in the user's words.
        undoes: id of the transaction that this one takes back, hexadecimal.
    """

    actor: str
    host: str
    argv: tuple[str, ...]
    cwd: str
    program: str
    reason: str | None = None
    undoes: str | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; what is None is left out."""
        values: dict[str, Value] = {name: getattr(self, name) for name in self.__slots__}
        return encode({name: value for name, value in values.items() if value is not None})

    @classmethod
    def from_bytes(cls, data: bytes | None) -> Header:
        """Return the header of stored bytes; a redacted one (None) comes back with empty fields.

        Raises:
            LedgerError: the bytes are no header.
        """
        if data is None:
            return cls(actor="", host="", argv=(), cwd="", program="", reason="redacted")
        body = decode(data)
        if not isinstance(body, dict):
            raise LedgerError("a transaction's header is no mapping")
        argv = body.get("argv")
        return cls(
            actor=str(body.get("actor", "")),
            host=str(body.get("host", "")),
            argv=tuple(str(word) for word in argv) if isinstance(argv, list) else (),
            cwd=str(body.get("cwd", "")),
            program=str(body.get("program", "")),
            reason=_text_or_none(body.get("reason")),
            undoes=_text_or_none(body.get("undoes")),
        )


def _text_or_none(value: Value) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append, and the stream it belongs to."""

    stream: Stream
    event: Event


@dataclass(frozen=True, slots=True)
class Transaction:
    """Events to append, all or none.

    Attributes:
        header: who asks for it.
        events: in the order in which they happen.
        expected: number of events that each stream must hold at the moment of writing; a stream that is not named may
            have grown meanwhile.
        txn_id: made before the first try; appending the same id again returns what was stored.
    """

    header: Header
    events: tuple[NewEvent, ...]
    expected: Mapping[Stream, int] = field(default_factory=dict)
    txn_id: TxnId = field(default_factory=new_txn_id)


@dataclass(frozen=True, slots=True)
class Committed:
    """What an append returned.

    Attributes:
        seq: place of the transaction.
        txn_id: its id.
        recorded_at: its time, microseconds UTC.
        hash: its hash.
        repeated: True when the transaction was there already and nothing was written.
    """

    seq: Seq
    txn_id: TxnId
    recorded_at: int
    hash: bytes
    repeated: bool
