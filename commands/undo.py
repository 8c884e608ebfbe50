"""`guild undo` and `guild redo`: what was done is taken back, and done again, by appending what brings it back."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import NothingToDoError, execute, perform
from commands.change_words import change_object
from commands.lazy import completer
from commands.options import dry_run_option, json_option, yes_option
from commands.reaping import reap
from commands.taking_back import MOST_NAMED, about, undo_change, undo_refusal
from commands.terminal import note, say
from ledger.canonical import Value, encode
from ledger.errors import UsageError
from ledger.text import printable
from projections.undo_choice import choose_redo, choose_undo, plan
from projections.undoing import CannotUndoError, UndoPlan

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
        named = ", ".join(map(str, passed[:MOST_NAMED])) + (" ..." if len(passed) > MOST_NAMED else "")
        note(f"Passing by what cannot be taken back: {'transaction' if len(passed) == 1 else 'transactions'} {named}")


def _take_back(app: App, made: UndoPlan, *, partly: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    if made.obstacles and not (partly and made.steps):
        raise undo_refusal(app, made)
    change = undo_change(app, made)
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


def _object(app: App, made: UndoPlan, seq: int | None) -> dict[str, Value]:
    """Return the documented JSON object."""
    redoes, again = about(app, made)
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
