"""The append-only log: a store, a clock and the identity under which this ledger writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.ids import Clock, OriginId, system_clock

if TYPE_CHECKING:
    from ledger.store import Store
    from ledger.transaction import Committed, Transaction


class Ledger:
    """A ledger: appends transactions, and reads them back through its `store`."""

    def __init__(self, store: Store, *, clock: Clock = system_clock) -> None:
        self.store = store
        self._clock = clock

    @property
    def ledger_id(self) -> str:
        """What names this ledger, hexadecimal; a copy has the same."""
        return self.store.meta()["ledger_id"]

    @property
    def origin_id(self) -> OriginId:
        """The origin that this ledger's own transactions belong to."""
        return OriginId(bytes.fromhex(self.store.meta()["origin_id"]))

    def append(self, transaction: Transaction, *, check: Callable[[], None] | None = None) -> Committed:
        """Append a transaction, durably, or change nothing.

        Args:
            transaction: what to append; at least one event.
            check: called inside the write lock before anything is written; may raise to refuse.

        Raises:
            ConflictError: a stream does not hold the expected number of events.
            TransitionError: an event cannot follow from the state of its run.
            LedgerBusyError: the write lock was not to be had.
            LedgerError: the store failed (full disk, read-only home); nothing was written.
        """
        from ledger.appending import Appender

        return Appender(self.store, self._clock, self.origin_id).append(transaction, check)
