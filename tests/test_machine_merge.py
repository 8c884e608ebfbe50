"""The state machine with another machine, undo, redaction and rebuilds: live index == replay from zero == model."""

from __future__ import annotations

from hypothesis import settings

from tests.machine_merge import MergeRules
from tests.machine_undo import UndoRules
from tests.run_model import RELAXED, Action
from tests.test_state_machine import (
    Machine,
    machine_homes,  # noqa: F401 - a fixture, for all tests of this file
)


class MergeMachine(MergeRules, UndoRules, Machine):
    """Commands of two processes, any of which may be taken back, and a second machine that is merged with them."""

    def _try(self, wanted: list[Action], who: int) -> None:
        before, seq = self.runs, self.seq
        super()._try(wanted, who)
        if self.seq > seq:
            txn = self.ledgers[0].store.txn(self.seq)
            assert txn is not None
            self.note_done(wanted, txn.recorded_at)
            self.remember(before, {action.run for action in wanted}, {action.kind for action in wanted})

    def remember(self, before: dict[int, object], names: set[int], kinds: set[str]) -> None:
        """Keep what was done, and of what took something back its events."""
        super().remember(before, names, kinds)
        if not kinds:
            self.note_taken_back()

    def forget(self) -> None:
        """What was done before a merge is not taken back by the rules: the model of that knows one machine."""
        self.records.clear()

    def teardown(self) -> None:
        """The other machine's ledger is let go of."""
        self.away.store.close()
        super().teardown()


TestMergeMachine = MergeMachine.TestCase
TestMergeMachine.settings = settings(RELAXED, max_examples=8, stateful_step_count=20)
