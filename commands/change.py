"""The way of every command that changes runs: plan, preview, prompt, append, follow; and what to say afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from commands.app import App
from commands.settle import follow
from commands.table import preview
from commands.terminal import confirm, note, say, warn, width
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.events.base import Event
from ledger.ids import RunId, run_stream
from ledger.registry import current_body
from ledger.text import size
from ledger.transaction import NewEvent, Transaction
from projections.query import RunRow, runs_by_id
from projections.schema import PURGED


@dataclass(frozen=True, slots=True)
class Change:
    """A plan: what will be done to which runs. `--dry-run` and the preview print it; executing appends it.

    Attributes:
        runs: each once.
        events: for one run, the events to append.
        heading: the line above the preview.
        question: the prompt.
        done: the line afterwards, with `{count}`.
        nothing: the line when there are no runs.
        place: where the runs are to be found in the index afterwards, None when they stay where they are.
        undoable: whether `guild undo` takes it back.
        redoable: whether `guild redo` takes it back: it takes something back itself.
        undoes: id of the transaction that this takes back, hexadecimal.
        details: what is said below each run of the preview.
        weigh: whether the preview tells the bytes on disk.
        guarded: whether it is refused when somebody else changed one of the runs meanwhile.
    """

    runs: Sequence[RunRow]
    events: Callable[[RunRow], Sequence[Event]]
    heading: str
    question: str
    done: str
    nothing: str
    place: str | None = None
    undoable: bool = True
    weigh: bool = False
    guarded: bool = True
    redoable: bool = False
    undoes: str | None = None
    details: Callable[[RunRow], Sequence[str]] | None = None


def same(*events: Event) -> Callable[[RunRow], Sequence[Event]]:
    """Return what gives every run the same events, which the ledger then encodes once, not once for each run."""
    return lambda _row: events


Preparation = Callable[[App, Change, bool], Change | None]


def execute(
    app: App,
    change: Change,
    *,
    yes: bool,
    dry_run: bool,
    before: Preparation | None = None,
    at_once: bool = False,
) -> None:
    """Show the plan, ask, and carry it out.

    Args:
        app: the command's context.
        change: the plan.
        yes: `-y`: neither show nor ask.
        dry_run: show and stop.
        at_once: neither show nor ask, as with `-y`, but only while the runs are those that the user was shown.
        before: called after the first yes with the plan; returns the plan to carry out, or None to give up.

    Raises:
        GuildError: there is nothing to do, no answer came, or the ledger or the file system refused.
    """
    if not change.runs:
        raise NothingToDoError(change.nothing)
    if not dry_run:
        refuse_moved(app, yes=yes)
    ask = not (yes or at_once) or bool(app.moved)
    if dry_run or ask:
        show(app, change)
        for line in app.moved:
            warn(line)
    if dry_run:
        note("Nothing was changed (--dry-run).")
        return
    if ask and not confirm(change.question):
        return
    if before is not None:
        prepared = before(app, change, yes)
        if prepared is None:
            return
        change = prepared
    commit(app, change)


def show(app: App, change: Change) -> None:
    """Print the preview."""
    say(change.heading)
    for row, line in zip(change.runs, preview(change.runs, app.cwd, width()), strict=True):
        say(line)
        for detail in change.details(row) if change.details else ():
            say(f"      {detail}")
    if change.weigh:
        say(f"  {len(change.runs)} run(s), {size(bytes_of(app, change.runs))} on disk")


def bytes_of(app: App, runs: Sequence[RunRow]) -> int:
    """Return how much the directories of runs hold, in bytes."""
    from artifacts.removal import measure_tree
    from projections.schema import LIVE

    total = 0
    for row in runs:
        folder = app.home.run_dir(row.run_id) if row.place == LIVE else app.home.trash_run_dir(row.run_id)
        try:
            total += measure_tree(folder)[1]
        except OSError:
            continue  # removed by hand: it takes no space
    return total


def refuse_moved(app: App, *, yes: bool) -> None:
    """Refuse to go on unasked with an index that means another run than the user was shown.

    Raises:
        GuildError: it does, and `yes` forbids to ask.
    """
    if app.moved and yes:
        raise GuildError(
            f"the list is not the one that you saw: {'; '.join(app.moved)}",
            hint="Nothing was changed. List the runs again, name them by id, or say --fresh for the list as it is now.",
        )


def commit(app: App, change: Change) -> None:
    """Append the plan in one transaction and say what happened.

    Raises:
        ConflictError, TransitionError: somebody else changed one of the runs meanwhile; nothing was changed.
        GuildError: the ledger refused (nothing was changed) or the file system did (what it refused was taken back).
    """
    done = perform(app, change)
    if done.count > done.elsewhere:
        say(change.done.format(count=done.count - done.elsewhere))
        if change.undoable:
            note(done.hint)
    if done.elsewhere:
        warn(
            f"the purge of {done.elsewhere} run(s) is recorded, but not finished: their files are in another home,"
            " which removes them with its next change, once it knows of this"
        )
    done.refuse_rest()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a plan.

    Attributes:
        seq: its transaction.
        count: how many runs are as was asked for.
        of: how many were to be.
        hint: how to take it back.
        elsewhere: of a purge, how many of `count` have their files in another home, which alone can remove them.
    """

    seq: int
    count: int
    of: int
    hint: str
    elsewhere: int = 0

    def refuse_rest(self) -> None:
        """End as failed when the file system refused some of it.

        Raises:
            GuildError: it did.
        """
        if self.count < self.of:
            raise GuildError(
                f"{self.of - self.count} of {self.of} runs could not be moved", hint="The reasons stand above."
            )


def perform(app: App, change: Change) -> Done:
    """Append the plan in one transaction, and let index and directories follow.

    What became of runs that were not dealt with here is read from the index afterwards: another command's reconciling
    may have done it.

    Raises:
        ConflictError, TransitionError: somebody else changed one of the runs meanwhile; nothing was changed.
        GuildError: the ledger refused; nothing was changed.
    """
    app.home.ensure()  # a folder removed by hand must not stop half way what has been recorded
    follow(app)
    events = [NewEvent(run_stream(row.run_id), event) for row in change.runs for event in change.events(row)]
    expected = {run_stream(row.run_id): row.version for row in change.runs} if change.guarded else {}
    transaction = Transaction(app.header(undoes=change.undoes), tuple(events), expected=expected)
    seq = app.ledger.append(transaction).seq
    results = follow(app)
    elsewhere = {result.run_id for result in results if result.elsewhere}
    hint = f"To redo: {app.spelled('redo')}" if change.redoable else f"To undo: {app.spelled(f'undo {seq}')}"
    left = sum(row.run_id in elsewhere for row in change.runs) if change.place == PURGED else 0
    settled = {result.run_id for result in results if result.refused is None} | elsewhere
    return Done(seq, _count_done(app, change, settled), len(change.runs), hint, left)


def _count_done(app: App, change: Change, settled: Collection[RunId]) -> int:
    if change.place is None:
        return len(change.runs)
    doubtful = [row for row in change.runs if row.run_id not in settled]
    now = runs_by_id(app.index, [row.run_id for row in doubtful])
    failed = (
        now[row.run_id].place != change.place
        and (change.place == PURGED or _was_taken_back(app, row, len(change.events(row))))
        for row in doubtful
    )
    return len(change.runs) - sum(failed)


def _was_taken_back(app: App, row: RunRow, count: int) -> bool:
    """Tell whether the file system refused what the last `count` events asked for.

    A run may be somewhere else without that: another command has done something with it since.
    """
    later = list(app.ledger.store.stream_events([run_stream(row.run_id)]))[row.version + count :]
    bodies = [current_body(event.type, event.schema_version, event.body) for event in later if event.body]
    return any(body.get("cause") is not None for body in bodies)


def selector_of(specs: Sequence[str]) -> str | None:
    """Return how runs were named on the command line, for the record; None when by several words or by none.

    Each run's event would repeat them all, for ever; the transaction's header has the whole command line once.
    """
    return specs[0] if len(specs) == 1 else None


class NothingToDoError(GuildError):
    """No run matched: not a failure of the program, but a script must be able to tell."""
