"""`guild undo` and `guild redo`: what was done is taken back, and done again, by appending what brings it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change, NothingToDoError, execute, perform
from commands.change_words import change as change_text
from commands.change_words import change_object, command_line, summary, who
from commands.lazy import completer
from commands.options import dry_run_option, json_option, yes_option
from commands.reaping import reap
from commands.table import local_time
from commands.terminal import note, say
from ledger.canonical import Value, encode
from ledger.errors import GuildError, UsageError
from ledger.text import printable
from ledger.transaction import Header
from projections.facts import PLACE, STATUS
from projections.query import runs_by_id
from projections.schema import DELETED, LIVE
from projections.undo_choice import choose_redo, choose_undo, is_redo, original_of, plan
from projections.undoing import CannotUndoError, Obstacle, Step, UndoPlan

_MOST_NAMED = 10
_MOST_CHANGES = 8
_ID_DIGITS = 32
_LONGEST_NUMBER = 18
_partly = click.option("--partly", is_flag=True, help="Leave out runs that later transactions built on.")


@click.command("undo")
@click.argument(
    "txn", metavar="[TXN]", required=False, shell_complete=completer("commands.completing_transactions:undoable")
)
@_partly
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def undo(app: App, txn: str | None, *, partly: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Take back what a transaction did: the newest of your own changes when no TXN is given.

    A TXN is a number of `guild log`. Labels, tags, comments, marks and protection become what they were, deleted runs
    come back, restored and staged ones are deleted. Nothing is removed from the ledger: undo is a transaction too, and
    undoing an undo does it again. Undo, undo, undo walks back; starts and ends of runs are passed by.

    A purge cannot be taken back, nor a start or an end. What later transactions built on is not taken back before
    these are: they are named.

    \b
    Examples:
      guild undo           the last change
      guild undo 12        transaction 12 of `guild log`
      guild undo 12 --dry-run
    """
    _check(yes=yes, dry_run=dry_run, as_json=as_json)
    reap(app)
    store = app.ledger.store
    if txn is not None:
        made = plan(store, _number(app, txn))
    else:
        made, passed = choose_undo(store, app.header().actor)
        _tell_passed(passed)
    _take_back(app, made, partly=partly, yes=yes, dry_run=dry_run, as_json=as_json)


@click.command("redo")
@_partly
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def redo(app: App, *, partly: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Do again what `guild undo` took back: the last first, until something new is done.

    \b
    Examples:
      guild undo && guild redo
      guild redo --dry-run
    """
    _check(yes=yes, dry_run=dry_run, as_json=as_json)
    reap(app)
    made = choose_redo(app.ledger.store, app.header().actor).plan
    _take_back(app, made, partly=partly, yes=yes, dry_run=dry_run, as_json=as_json)


def _check(*, yes: bool, dry_run: bool, as_json: bool) -> None:
    if as_json and not (yes or dry_run):
        raise UsageError("--json asks nothing: it needs -y or --dry-run", hint="Example: guild undo --dry-run --json.")


def _number(app: App, text: str) -> int:
    """Return the place of the transaction that a word names: a number of `guild log`, or a whole transaction id."""
    if len(text) == _ID_DIGITS and not set(text.lower()) - set("0123456789abcdef"):
        row = app.ledger.store.find_txn(bytes.fromhex(text))
        if row is None:
            raise CannotUndoError(f"there is no transaction with the id {text}", hint="`guild log` lists them.")
        return row.seq
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise UsageError(
            f"'{printable(text, 80)}' is no transaction",
            hint="Give its number in `guild log`. To bring a deleted run back: guild runs restore RUN.",
        )
    return int(text)


def _tell_passed(passed: Sequence[int]) -> None:
    if passed:
        named = ", ".join(map(str, passed[:_MOST_NAMED])) + (" ..." if len(passed) > _MOST_NAMED else "")
        note(f"Passing by what cannot be taken back: {'transaction' if len(passed) == 1 else 'transactions'} {named}")


def _take_back(app: App, made: UndoPlan, *, partly: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    if made.obstacles and not (partly and made.steps):
        raise _refusal(app, made)
    change = _change(app, made)
    if partly and made.obstacles and not as_json:
        note(f"Leaving out {len({one.run_id for one in made.obstacles})} run(s) that later transactions built on")
    if not as_json:
        execute(app, change, yes=yes, dry_run=dry_run)
        return
    if not change.runs:
        raise NothingToDoError(change.nothing)
    done = None if dry_run else perform(app, change)
    say(encode(_object(app, made, None if done is None else done.seq)).decode())
    if done is not None:
        done.refuse_rest()


def _change(app: App, made: UndoPlan) -> Change:
    """Return the plan as every command that changes runs has it."""
    steps = {step.run_id: step for step in made.steps}
    rows = runs_by_id(app.index, list(steps))
    redoes, again = _about(app, made)
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


def _about(app: App, made: UndoPlan) -> tuple[bool, int]:
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


def _refusal(app: App, made: UndoPlan) -> GuildError:
    """Return the error that names what was built on a transaction, and what to do about it."""
    counts = Counter(obstacle.seq for obstacle in made.obstacles)
    lines = []
    for seq, runs in sorted(counts.items(), reverse=True)[:_MOST_NAMED]:
        row = app.ledger.store.txn(seq)
        header = Header.from_bytes(row.header if row else None)
        what = summary(app.ledger.store.txn_events(seq))
        where = next(one.run_id[:8] for one in made.obstacles if one.seq == seq) if runs == 1 else f"{runs} runs"
        lines.append(f"  {seq}  {what}  ({printable(command_line(header), 120)}): {where}")
    if len(counts) > _MOST_NAMED:
        lines.append(f"  and {len(counts) - _MOST_NAMED} more")
    listed = "\n".join(lines)
    hint = _way_out(app, made, max(counts))
    redoes, again = _about(app, made)
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


def _object(app: App, made: UndoPlan, seq: int | None) -> dict[str, Value]:
    """Return the documented JSON object."""
    redoes, again = _about(app, made)
    return {
        "transaction": seq,
        "undoes": made.target.seq,
        "original": again,
        "kind": "redo" if redoes else "undo",
        "runs": [
            {"id": step.run_id, "changes": [change_object(touch, back=True) for touch in step.changes]}
            for step in made.steps
        ],
        "left_out": [{"id": one.run_id, "transaction": one.seq} for one in made.obstacles],
    }
