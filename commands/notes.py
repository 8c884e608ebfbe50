"""What people said about runs, read from the ledger's own history, and what the commands that say it have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar, cast

from commands.app import App
from commands.change import Change, execute
from commands.options import Limits
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.settle import follow
from commands.table import local_time
from commands.terminal import note
from ledger.canonical import Value
from ledger.dataclass import dataclass, field
from ledger.errors import ConflictError, GuildError, UsageError
from ledger.ids import RunId, run_of, run_stream
from ledger.registry import VERSIONS, current_body
from ledger.rows import EventRow
from ledger.text import printable, utc_time
from projections.query import RunRow, runs_by_id
from projections.schema import LIVE

T = TypeVar("T")
NOTHING = "No runs to modify."
LONGEST_TAG = 100
"""Characters."""
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment on a run.

    Attributes:
        text: as it was written; None when it was redacted.
        txn_seq: the transaction that holds it, and who wrote it and when.
        author: of one that came with an imported run, who wrote it and when; else None.
    """

    text: str | None
    txn_seq: int
    author: Mapping[str, Value] | None = None


@dataclass(slots=True)
class Notes:
    """What was said about one run, letter for letter: the index holds what is not UTF-8 in an escaped form only."""

    label: str | None = None
    tags: dict[str, None] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    withdrawn: dict[int, bool] = field(default_factory=dict)
    """Whether the comments of a time were taken back."""

    def take(self, event: EventRow) -> None:
        """Fold one event; what a newer program wrote changes nothing."""
        if event.type not in _HANDLED or event.schema_version > VERSIONS[event.type]:
            return
        body = {} if event.body is None else current_body(event.type, event.schema_version, event.body)
        if event.type == "run.labeled":
            label = body.get("label")
            self.label = None if label is None else str(label)
        elif event.type in _BEGINNINGS:
            self.label = self.label if body.get("label") is None else str(body["label"])
        elif event.type == "run.commented":
            author = body.get("author")
            text = None if event.body is None else str(body.get("text"))
            self.comments.append(Comment(text, event.txn_seq, author if isinstance(author, dict) else None))
        elif event.type == "run.comment_withdrawn":
            self.withdrawn[cast("int", body.get("written"))] = bool(body.get("withdrawn"))
        else:
            for tag in _texts(body.get("removed")):
                self.tags.pop(tag, None)
            self.tags.update(dict.fromkeys(_texts(body.get("added"))))

    def drop_withdrawn(self, app: App) -> None:
        """Leave out the comments that were taken back; called when all events were folded."""
        if any(self.withdrawn.values()):
            self.comments = [one for one in self.comments if not self.withdrawn.get(written(app, one).time)]


@dataclass(frozen=True, slots=True)
class Written:
    """A comment with its author.

    Attributes:
        text: `(redacted)` when it was.
        actor: login name.
        host: host name.
        time: microseconds UTC.
    """

    text: str
    actor: str
    host: str
    time: int

    @property
    def head(self) -> str:
        """When and by whom, for people."""
        return f"{local_time(self.time)}  {printable(f'{self.actor}@{self.host}', 60)}"

    def values(self) -> dict[str, Value]:
        """Return the documented JSON object."""
        return {"time": utc_time(self.time), "actor": self.actor, "host": self.host, "text": self.text}


def written(app: App, comment: Comment) -> Written:
    """Return a comment with its author, whom the header of its transaction names.

    Raises:
        GuildError: the ledger has lost the transaction.
    """
    from ledger.transaction import Header

    text = "(redacted)" if comment.text is None else comment.text
    if comment.author is not None:
        time = comment.author.get("time")
        actor, host = (str(comment.author.get(name, "")) for name in ("actor", "host"))
        return Written(text, actor, host, time if isinstance(time, int) else 0)
    txn = app.ledger.store.txn(comment.txn_seq)
    if txn is None:
        raise GuildError(
            f"the ledger has no transaction {comment.txn_seq}", hint="`guild ledger verify` tells what is missing."
        )
    header = Header.from_bytes(txn.header)
    return Written(text, header.actor, header.host, txn.recorded_at)


_BEGINNINGS = ("run.staged", "run.started", "run.imported")
_HANDLED = frozenset((*_BEGINNINGS, "run.labeled", "run.tagged", "run.commented", "run.comment_withdrawn"))


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def notes_of(app: App, rows: Iterable[RunRow]) -> dict[RunId, Notes]:
    """Return what was said about each of these runs."""
    found = {row.run_id: Notes() for row in rows}
    for event in app.stream_events(map(run_stream, found)):
        run_id = run_of(event.stream)
        if run_id is not None:
            found[run_id].take(event)
    for notes in found.values():
        notes.drop_withdrawn(app)
    return found


def noted_runs(app: App, limits: Limits, specs: Sequence[str], *, place: str = LIVE) -> list[RunRow]:
    """Return the runs that a note is about: those that are named, else the latest that the options leave.

    Raises:
        SelectionError: a spec names no run, or several.
    """
    wanted = run_filter(app, limits, place=place)
    if not specs:
        return list(open_query(app, wanted).rows(limit=1))
    return selected(app, wanted, specs, list_command="guild runs" if place == LIVE else "guild runs --deleted")


def refuse_past(limits: Limits, example: str) -> None:
    """Refuse `--at` and `--archive` where a change is asked for.

    Raises:
        UsageError: it was given.
    """
    if limits.at:
        raise UsageError(
            "--at goes with --list: what is past cannot be changed", hint=f"Example: {example}. Nothing was changed."
        )
    if limits.archive:
        raise UsageError(
            "--archive goes with --list: runs in an archive cannot be changed",
            hint="Nothing was changed. `guild runs import FILE` takes them into this home.",
        )


Planning = Callable[[Sequence[RunRow]], Change]
"""Makes the plan for runs as they are now; it leaves out those that are as wanted."""


def carry_out(app: App, rows: Sequence[RunRow], planned: Planning, *, yes: bool, dry_run: bool) -> None:
    """Plan and carry out a note; that all runs are as wanted is no failure.

    A single run is not asked about: a note is easily taken back. Nor has anybody seen how it was, so when somebody else
    changes it at the same moment, the note is planned again for how it is now.

    Raises:
        ConflictError: the run was changed again and again, or moved; nothing was changed.
    """

    def attempt(now: Sequence[RunRow]) -> None:
        change = planned(now)
        if now and not change.runs:
            tell_moved(app)
            if not dry_run:
                follow(app)  # as every command that may change runs: what an earlier one could not finish is mended
            note(change.nothing)
            return
        execute(app, change, yes=yes, dry_run=dry_run, at_once=len(rows) == 1)

    insisting(app, rows, attempt)


def insisting(app: App, rows: Sequence[RunRow], attempt: Callable[[Sequence[RunRow]], T]) -> T:
    """Do something to runs; to a single one that somebody else changes at the same moment again, for how it is now.

    Raises:
        ConflictError: there are several, or the run was changed again and again, or moved; nothing was changed.
    """
    for left in reversed(range(_TRIES)):
        try:
            return attempt(rows)
        except ConflictError:
            now = _as_they_are(app, rows) if len(rows) == 1 and not app.moved and left else []
            if [row.place for row in now] != [row.place for row in rows]:
                raise
            rows = now
    raise AssertionError("not reached")


def _as_they_are(app: App, rows: Sequence[RunRow]) -> list[RunRow]:
    follow(app)
    return list(runs_by_id(app.index, [row.run_id for row in rows]).values())


def checked_tag(text: str) -> str:
    """Return a tag.

    Raises:
        UsageError: it could not be typed or listed again.
    """
    why = None
    if not text.strip():
        why = "it is empty"
    elif "," in text or "\n" in text or "\r" in text:
        why = "it has a comma or a line break"
    elif text.startswith("-"):
        why = "it begins with '-'"
    elif len(text) > LONGEST_TAG:
        why = f"it is longer than {LONGEST_TAG} characters"
    if why is not None:
        raise UsageError(f"'{printable(text, 80)}' cannot be a tag: {why}", hint="Nothing was changed.")
    return text.strip()
