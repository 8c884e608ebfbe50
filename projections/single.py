"""What one run has come to, folded from its own events: for few runs, when no index is to be trusted."""

from __future__ import annotations

from ledger.ids import RunId, run_stream
from ledger.log import Ledger
from ledger.rows import TimedEvent
from projections.fold import RunState, apply


def state_of(ledger: Ledger, run_id: RunId) -> RunState | None:
    """Return the state of a run as the ledger has it now, its times left aside; None when there is no such run."""
    state = None
    for row in ledger.store.stream_events([run_stream(run_id)]):
        state = state or RunState(0, run_id)
        apply(state, TimedEvent(row.position, row.txn_seq, 0, row.stream, row.type, row.schema_version, row.body))
    return state
