"""How an event becomes a body and back, shared by all event types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from ledger.canonical import Value
from ledger.dataclass import dataclass, names, required, values
from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    Attributes:
        type: the event's dotted name.
        schema_version: the version of the body's shape that this class writes.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    def to_body(self) -> dict[str, Value]:
        """Return the body to store: every field by name."""
        return values(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Value]) -> Self:
        """Return the event of a body of the current schema version.

        Keys that this program does not know are left out: newer programs may add optional ones.

        Raises:
            LedgerError: a required key is missing.
        """
        for name in required(cls):
            if name not in body:
                raise LedgerError(f"{cls.type}: its body lacks {name!r}")
        return cls(**{name: _frozen(body[name]) for name in names(cls) if name in body})


def _frozen(value: Value) -> Value:
    """Return lists as tuples, as the classes declare them."""
    return tuple(value) if isinstance(value, list) else value
