"""What screens do to runs, carried out as the commands do it: see `view.actions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from artifacts.home import check_run_id
from commands.app import App
from commands.change import Change, bytes_of, perform
from commands.comment import check_comment, comment_change
from commands.mark import mark_change
from commands.notes import NOTHING, checked_tag, insisting
from commands.protect import protect_change
from commands.protection import refuse_protected
from commands.reaping import reap
from commands.runs_delete import into_trash
from commands.runs_label import label_change
from commands.runs_restore import out_of_trash
from commands.selecting import open_query
from commands.settle import follow
from commands.stop import stop_all
from commands.stopping import REPORTS, refuse_changed, stop_running
from commands.tag import tag_change
from commands.taking_back import undo_change, undo_refusal
from commands.terminal import heard
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId
from ledger.text import did_you_mean, printable
from projections.query import RunFilter, RunRow, runs_by_id
from projections.schema import DELETED, LIVE, PURGED
from projections.selection import SelectionError
from projections.undo_choice import choose_redo, choose_undo, plan
from projections.undoing import UndoPlan
from view.actions import ACTIONS, NOTES, Outcome, Preview

_STOP = Change(
    runs=(),
    events=lambda _row: (),
    heading="You are about to stop the following runs:",
    question="Stop these runs?",
    done="Stopped {count} run(s)",
    nothing="Nothing to stop.",
)
_PLACES = {"protect": (LIVE, DELETED), "unprotect": (LIVE, DELETED), "restore": (DELETED,)}
_STATES = {
    LIVE: ("is not deleted", "Only deleted runs can be restored."),
    DELETED: ("is deleted", "Restore it first."),
    PURGED: ("was permanently deleted", "Only its history is left."),
}

Opened = Callable[[], AbstractContextManager[App]]
"""Gives a context of its own for one call, and closes it."""


class AppActions:
    """`view.actions.Actions` on the home of the command."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def preview(self, action: str, ids: Sequence[str], value: str | None = None) -> Preview:
        """Return what an action would do."""
        with self._opened() as app, heard() as warnings:
            rows = _rows(app, action, ids)
            change = _planned(app, action, rows, value or "")
            details = {row.run_id: list(change.details(row)) for row in change.runs} if change.details else {}
            if action == "delete" and any(row.status == "running" for row in change.runs):
                warnings.append("One or more runs are still running and will be stopped before being deleted.")
            size = bytes_of(app, change.runs) if change.weigh else None
            asks = not (action in NOTES and len(rows) == 1)
            return Preview(action, change.heading, change.question, change.runs, details, size, asks, warnings)

    def perform(
        self, action: str, ids: Sequence[str], value: str | None = None, *, versions: Mapping[str, int] | None = None
    ) -> Outcome:
        """Do it."""
        with self._opened() as app, heard() as warnings:
            rows = _rows(app, action, ids)
            for row in rows:
                seen = (versions or {}).get(row.run_id, row.version)
                refuse_changed(app, row, seen, REPORTS if row.status == "running" else ())
            if action == "stop":
                return _stopped(app, _planned(app, action, rows, ""), warnings)

            def attempt(now: Sequence[RunRow]) -> Outcome:
                return _carried_out(app, _planned(app, action, now, value or ""), warnings, stop=action == "delete")

            return insisting(app, rows, attempt) if action in NOTES and versions is None else attempt(rows)

    def undo(self, seq: int | None = None) -> Outcome:
        """Take a transaction back, or the newest own change."""

        def made(app: App) -> UndoPlan:
            store = app.ledger.store
            return choose_undo(store, app.header().actor).plan if seq is None else plan(store, seq)

        return self._take_back(made)

    def redo(self) -> Outcome:
        """Do again what was taken back last."""
        return self._take_back(lambda app: choose_redo(app.ledger.store, app.header().actor).plan)

    def _take_back(self, planned: Callable[[App], UndoPlan]) -> Outcome:
        with self._opened() as app, heard() as warnings:
            reap(app)
            made = planned(app)
            if made.obstacles:
                raise undo_refusal(app, made)
            return _carried_out(app, undo_change(app, made), warnings, stop=False)


def _rows(app: App, action: str, ids: Sequence[str]) -> list[RunRow]:
    """Return the runs, each once, in the order named.

    Raises:
        UsageError: there is no such action, or no run is named.
        SelectionError: there is no such run.
        GuildError: a run is not where the action finds it.
    """
    if action not in ACTIONS:
        raise UsageError(f"there is no action '{printable(action, 80)}'{did_you_mean(action, ACTIONS)}")
    if not ids:
        raise UsageError("no run is named", hint="Nothing was changed.")
    wanted = [check_run_id(text) for text in dict.fromkeys(ids)]
    open_query(app, RunFilter())
    found = runs_by_id(app.index, wanted)
    return [_in_its_place(found.get(run_id), run_id, _PLACES.get(action, (LIVE,))) for run_id in wanted]


def _in_its_place(row: RunRow | None, run_id: RunId, places: Sequence[str]) -> RunRow:
    if row is None:
        raise SelectionError(f"there is no run {run_id}", hint="`guild log` names all runs there ever were.")
    if row.place not in places:
        state, hint = _STATES.get(row.place, _STATES[PURGED])
        raise GuildError(f"run {run_id[:8]} {state}", hint=f"Nothing was changed. {hint}")
    return row


def _planned(app: App, action: str, rows: Sequence[RunRow], value: str) -> Change:
    """Return the plan of an action."""
    plans: Mapping[str, Callable[[], Change]] = {
        "label": lambda: label_change(app, rows, "set" if value.strip() else "clear", value),
        "tag": lambda: tag_change(app, rows, _tags(value), (), clear=False),
        "untag": lambda: tag_change(app, rows, (), _tags(value), clear=False),
        "comment": lambda: _commented(rows, value),
        "mark": lambda: mark_change(rows, marked=True),
        "unmark": lambda: mark_change(rows, marked=False),
        "protect": lambda: protect_change(rows, protected=True),
        "unprotect": lambda: protect_change(rows, protected=False),
        "delete": lambda: _deleted(rows),
        "restore": lambda: out_of_trash(rows, ()),
        "stop": lambda: _to_stop(rows),
    }
    return plans[action]()


def _tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(checked_tag, text.split(","))))


def _commented(rows: Sequence[RunRow], text: str) -> Change:
    check_comment(text)
    return comment_change(rows, text)


def _deleted(rows: Sequence[RunRow]) -> Change:
    refuse_protected(rows)
    return into_trash(rows, ())


def _to_stop(rows: Sequence[RunRow]) -> Change:
    from ledger.dataclass import replace

    return replace(_STOP, runs=[row for row in rows if row.status == "running"])


def _carried_out(app: App, change: Change, warnings: Sequence[str], *, stop: bool) -> Outcome:
    """Append the plan, and return what happened; that all is as wanted is no failure."""
    if not change.runs:
        follow(app)
        return Outcome(None, 0, 0, change.nothing or NOTHING, None, warnings)
    if stop:
        change = stop_running(app, change, True) or change
    done = perform(app, change)
    undoable = change.undoable and done.count > 0
    said = change.done.format(count=done.count)
    return Outcome(done.seq, done.count, done.of, said, done.seq if undoable else None, warnings, again=change.redoable)


def _stopped(app: App, change: Change, warnings: Sequence[str]) -> Outcome:
    """Stop runs; their supervisors record it."""
    if not change.runs:
        return Outcome(None, 0, 0, change.nothing, None, warnings)
    count = len(change.runs) - stop_all(app, change.runs)
    return Outcome(None, count, len(change.runs), change.done.format(count=count), None, warnings)
