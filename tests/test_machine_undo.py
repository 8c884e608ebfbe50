"""The state machine of commands with undo and redo: live index == replay from zero == model, whatever is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from ledger.events.notes import RunMarked
from tests.kit import append, happens
from tests.machine_undo import UNDOABLE, UndoRules
from tests.run_model import RELAXED, Action
from tests.test_state_machine import (
    Machine,
    machine_homes,  # noqa: F401 - a fixture, for all tests of this file
)

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject


class UndoMachine(UndoRules, Machine):
    """Commands of two processes, any of which may be taken back by either."""

    def _try(self, wanted: list[Action], who: int) -> None:
        before, seq = self.runs, self.seq
        super()._try(wanted, who)
        if self.seq > seq:
            self.remember(before, {action.run for action in wanted}, {action.kind for action in wanted})

    @rule(data=st.data(), who=st.integers(0, 1))
    def note(self, data: DataObject, who: int) -> None:
        """Do one thing that can be taken back: among everything else it would be rare."""
        if self.runs:
            name = data.draw(st.sampled_from(sorted(self.runs)))
            self._try([Action(name, data.draw(st.sampled_from(sorted(UNDOABLE))), data.draw(st.integers(0, 11)))], who)


TestUndoMachine = UndoMachine.TestCase
TestUndoMachine.settings = settings(RELAXED, max_examples=15, stateful_step_count=30)


def test_the_machine_takes_back_and_does_again() -> None:
    """The rules do what they are for: a mark that is taken back, and done again, is there."""
    machine = UndoMachine()
    machine.indexes = [machine._opened(0), machine._opened(1)]
    machine._try([Action(0, "start", 0)], 0)
    machine._try([Action(0, "mark", 0)], 0)
    append(machine.ledgers[0], happens(0, RunMarked(marked=True)))  # changes nothing, and is in nobody's way
    machine.seq += 1
    machine.runs = {0: machine.runs[0].__class__(**{**vars(machine.runs[0]), "version": 3})}

    class First:
        """Draws what a test wants."""

        def __init__(self, value: int) -> None:
            self.value = value

        def draw(self, _strategy: object) -> int:
            """Return it."""
            return self.value

    machine.take_back(First(3), 1)
    assert not machine.runs[0].marked
    machine.take_back(First(5), 0)
    assert machine.runs[0].marked
    machine.teardown()
