"""Undo and redo as commands do them, without a command line: for tests of thousands of histories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.ids import run_stream
from ledger.transaction import Committed, NewEvent, Transaction
from projections.undo_choice import choose_redo, choose_undo, plan
from tests.kit import HEADER

if TYPE_CHECKING:
    from ledger.log import Ledger
    from projections.undoing import UndoPlan


def take_back(ledger: Ledger, seq: int) -> tuple[UndoPlan, Committed | None]:
    """Append what takes a transaction back, when nothing is built on it."""
    made = plan(ledger.store, seq)
    if made.obstacles:
        return made, None
    events = tuple(NewEvent(run_stream(step.run_id), event) for step in made.steps for event in step.events)
    expected = {run_stream(step.run_id): step.version for step in made.steps}
    header = replace(HEADER, undoes=made.target.txn_id.hex())
    return made, ledger.append(Transaction(header, events, expected=expected))


def undo(ledger: Ledger, seq: int | None = None) -> int:
    """Take back a transaction, or what `guild undo` would; returns which."""
    chosen = choose_undo(ledger.store, HEADER.actor).plan.target.seq if seq is None else seq
    made, done = take_back(ledger, chosen)
    assert done is not None, made.obstacles
    return chosen


def redo(ledger: Ledger) -> None:
    """Do again what `guild redo` would."""
    made, done = take_back(ledger, choose_redo(ledger.store, HEADER.actor).plan.target.seq)
    assert done is not None, made.obstacles
