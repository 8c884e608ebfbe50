"""What takes a transaction back, as the plan that every command carries out; and why it cannot be, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from commands.app import App
from commands.change import Change
from commands.change_words import change as change_text
from commands.change_words import command_line, summary, who
from commands.table import local_time
from ledger.errors import GuildError
from ledger.text import printable
from ledger.transaction import Header
from projections.facts import PLACE, STATUS
from projections.query import runs_by_id
from projections.schema import DELETED, LIVE
from projections.undo_choice import is_redo, original_of, plan
from projections.undoing import CannotUndoError, Obstacle, Step, UndoPlan

MOST_NAMED = 10
_MOST_CHANGES = 8


def undo_change(app: App, made: UndoPlan) -> Change:
    """Return the plan as every command that changes runs has it."""
    steps = {step.run_id: step for step in made.steps}
    rows = runs_by_id(app.index, list(steps))
    redoes, again = about(app, made)
    what = f"do transaction {again} again" if redoes else f"take back transaction {again}"
    done = f"Did transaction {again} again" if redoes else f"Took back transaction {again}"
    return Change(
        runs=[rows[run_id]._replace(version=step.version) for run_id, step in steps.items() if run_id in rows],
        events=lambda row: steps[row.run_id].events,
        heading=f"You are about to {what} ({_described(app, again)}):",
        question="Continue?",
        done=f"{done}: {_verb(made.steps)} {{count}} run(s)",
        nothing="Nothing to take back.",
        place=_place(made.steps),
        undoes=made.target.txn_id.hex(),
        details=lambda row: _details(steps[row.run_id]),
        redoable=not redoes,
    )


def about(app: App, made: UndoPlan) -> tuple[bool, int]:
    """Return whether the plan does something again, and which transaction it is all about."""
    store, target = app.ledger.store, made.target
    return target.undoes is not None and not is_redo(store, target), original_of(store, target).seq


def _described(app: App, seq: int) -> str:
    row = app.ledger.store.txn(seq)
    if row is None:
        return ""
    header = Header.from_bytes(row.header)
    what = summary(app.ledger.store.txn_events(seq))
    return f"{local_time(row.recorded_at)}  {who(header)}  {what}  {printable(command_line(header), 120)}"


def _verb(steps: Sequence[Step]) -> str:
    return {LIVE: "restored", DELETED: "deleted"}.get(_place(steps) or "", "changed")


def _place(steps: Sequence[Step]) -> str | None:
    """Return where the runs are to be afterwards, None when they stay or differ."""
    places = {_place_of(step) for step in steps}
    return places.pop() if len(places) == 1 else None


def _place_of(step: Step) -> str | None:
    moved = [touch for touch in step.changes if touch.key == PLACE]
    return None if not moved else DELETED if moved[0].after == LIVE else LIVE


def _details(step: Step) -> list[str]:
    """Return what becomes of a run, apart from where it is."""
    if any(touch.key == STATUS for touch in step.changes):
        return []  # staged: it is deleted, with all that was said of it
    lines = [change_text(touch, back=True) for touch in step.changes if touch.key != PLACE]
    more = len(lines) - _MOST_CHANGES
    return lines if more <= 0 else [*lines[:_MOST_CHANGES], f"and {more} more"]


def undo_refusal(app: App, made: UndoPlan) -> GuildError:
    """Return the error that names what was built on a transaction, and what to do about it."""
    counts = Counter(obstacle.seq for obstacle in made.obstacles)
    lines = []
    for seq, runs in sorted(counts.items(), reverse=True)[:MOST_NAMED]:
        row = app.ledger.store.txn(seq)
        header = Header.from_bytes(row.header if row else None)
        what = summary(app.ledger.store.txn_events(seq))
        where = next(one.run_id[:8] for one in made.obstacles if one.seq == seq) if runs == 1 else f"{runs} runs"
        lines.append(f"  {seq}  {what}  ({printable(command_line(header), 120)}): {where}")
    if len(counts) > MOST_NAMED:
        lines.append(f"  and {len(counts) - MOST_NAMED} more")
    listed = "\n".join(lines)
    hint = _way_out(app, made, max(counts))
    redoes, again = about(app, made)
    what = f"transaction {again} cannot be {'done again' if redoes else 'taken back'}"
    return CannotUndoError(f"{what}: later ones built on how things were\n{listed}", hint=hint)


def _way_out(app: App, made: UndoPlan, seq: int) -> str:
    words = ["Nothing was changed."]
    try:
        possible = not plan(app.ledger.store, seq).obstacles
    except GuildError:
        possible = False
    if possible:
        words.append(f"Take that back first: `{app.spelled(f'undo {seq}')}`.")
    if made.steps:
        left = f"the other {len(made.steps)} run(s)" if len(made.steps) > 1 else "the other run"
        words.append(f"`{app.spelled(f'undo {made.target.seq} --partly')}` takes back {left}.")
    if len(words) == 1:
        words.append(_instead(made.obstacles))
    return " ".join(words)


def _instead(obstacles: Sequence[Obstacle]) -> str:
    keys = {obstacle.key for obstacle in obstacles}
    if keys == {STATUS}:
        return "`guild runs rm` deletes runs that have run since."
    return "`guild history RUN` shows what was done to a run since."
