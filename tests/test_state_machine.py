"""The law of the index: caught up live, replayed from zero and kept in a plain dictionary, it is always the same.

A state machine does to runs what commands do, allowed or not, seen by two processes; after each step everything that
`projections.query` answers is compared with a model that shares no code with the program.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.canonical import Value
from ledger.errors import ConflictError, TransitionError
from ledger.events.base import Event
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunScalarsRecorded, RunTagged
from ledger.events.start import RunImported, RunRestarted, RunStaged, RunStarted
from ledger.ids import RunId, run_stream
from ledger.log import Ledger
from ledger.rows import TimedEvent
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Transaction
from ledger.verify import verify
from projections import index as index_module
from projections.apply import Projector
from projections.comparing import difference, first_difference
from projections.index import Index, open_index
from projections.query import Query, RunFilter, RunRow, displayed, running
from projections.rebuild import rebuild_in_memory
from projections.schema import INDEXES, PLACES, STATUSES, TABLES, OpKey
from tests.kit import HEADER, NOON, Ticking, append, happens, make_ledger, run_id

if TYPE_CHECKING:
    from collections.abc import Sequence

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

OPS = (("/p", None, "train"), ("/p", None, "test"), ("/p/q", None, "train"), (None, "pkg", "train"))
"""Project, package and operation; the model is always `m`."""

SHOWN = {
    "/p": ("./m:train", "./m:test", "./q/m:train", "pkg/m:train"),
    "/p/q": ("../m:train", "../m:test", "./m:train", "pkg/m:train"),
    "/": ("./p/m:train", "./p/m:test", "./p/q/m:train", "pkg/m:train"),
}
"""How the operations are displayed in a working directory."""

FINAL = ("completed", "error", "terminated")
MOST_RUNS = 6


@dataclass(frozen=True)
class Run:
    """What the model knows of a run."""

    number: int
    op: int
    status: str
    started: int
    place: str = "live"
    stopped: int | None = None
    exit_status: int | None = None
    label: str | None = None
    marked: bool = False
    protected: bool = False
    version: int = 1
    flags: int | None = None
    digest: str | None = None
    scalars: int | None = None
    tags: frozenset[str] = frozenset()
    comments: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Action:
    """Something that a command asks for: of which run, what, and a choice among its kinds."""

    run: int
    kind: str
    choice: int


KINDS = (
    "start", "stage", "import", "restart", "finish", "label", "clear", "tag", "untag", "comment", "scalars", "mark",
    "unmark", "protect", "unprotect", "delete", "restore", "purge", "purged",
)  # fmt: skip

FLAGS: tuple[dict[str, Value], ...] = (
    {},
    {"lr": 0.5, "opt": "adam", "deep": True, "none": None},
    {"lr": 7, "seed": 2**70, "sizes": [1, "a"], "nan": float("nan")},
)
VALUES: tuple[dict[str, tuple[object, object]], ...] = (
    {},
    {"flag:lr": (0.5, None), "flag:opt": (None, "adam"), "flag:deep": (1, "true")},
    {
        "flag:lr": (7, None), "flag:seed": (2.0**70, "1180591620717411303424"), "flag:sizes": (None, '[1,"a"]'),
        "flag:nan": (None, "nan"),
    },
)  # fmt: skip
"""Flags by choice, and as the index holds them."""

DIGESTS = ("ab" * 32, None, "0c" * 32)
TAGS = (("t",), ("t", "u"), ("\udcff",))


def scalars(choice: int) -> dict[str, Value]:
    """Return summaries of one or two scalars."""
    summary: dict[str, Value] = {"last": [choice, 3], "min": [-1.5, 1], "max": [float("inf"), 2], "mean": 0}
    return {"loss": summary, "acc": {"last": [0.5, None]}} if choice % 2 else {"loss": summary}


def values_of(run: Run) -> dict[str, tuple[object, object]]:
    """Return the named values that the index must hold of a run."""
    found = {} if run.flags is None else dict(VALUES[run.flags])
    if run.scalars is not None:
        last = run.scalars % 12
        found |= {"scalar:loss": (last, None), "step:loss": (3, None), "min:loss": (-1.5, None)}
        found |= {"max:loss": (float("inf"), None)}
    if run.scalars is not None and run.scalars >= 12:
        found |= {"scalar:acc": (0.5, None)}
    return found


def event_of(action: Action) -> Event:
    """Return the event that an action asks to append."""
    project, package, operation = OPS[action.choice % len(OPS)]
    label = ("one", "two", None)[action.choice % 3]
    digest = DIGESTS[action.choice // 3 % 3]
    flags = FLAGS[action.choice % 3]
    sources: dict[str, Value] | None = None if digest is None else {"digest": digest}
    simple: dict[str, Event] = {
        "restart": RunRestarted(command=(), flags=flags, sources=sources),
        "untag": RunTagged(added=TAGS[action.choice % 2], removed=("t", "u")),
        "scalars": RunScalarsRecorded(scalars(action.choice)),
        "label": RunLabeled(label=label or "three"),
        "clear": RunLabeled(label=None),
        "tag": RunTagged(added=TAGS[action.choice % 3]),
        "comment": RunCommented(text=f"c{action.choice}"),
        "mark": RunMarked(marked=True),
        "unmark": RunMarked(marked=False),
        "protect": RunProtected(protected=True),
        "unprotect": RunProtected(protected=False),
        "delete": RunDeleted(),
        "restore": RunRestored(),
        "purge": RunPurgeStarted(),
        "purged": RunPurged(files=1, bytes=2),
        "finish": RunStatusChanged(status=FINAL[action.choice % 3], exit_status=action.choice),
        "start": RunStarted(project, package, "m", operation, command=(), flags=flags, label=label, sources=sources),
        "stage": RunStaged(project, package, "m", operation, command=(), flags=flags, label=label),
    }
    if action.kind in simple:
        return simple[action.kind]
    status = FINAL[action.choice % 3]
    started = NOON - (action.choice % 2) * 1000  # equal times, older than every other
    return RunImported("s", project, package, "m", operation, flags, started, started + 9, status, None, label)


def after(run: Run | None, action: Action, time: int, next_number: int) -> Run | None:
    """Return a run after an action, or None when it must be refused: the rules of the user's page, written anew."""
    if action.kind in ("start", "stage", "import"):
        return _begun(run, action, time, next_number)
    if run is None or run.place == "purged" or (run.place == "purging" and action.kind != "purged"):
        return None
    run = replace(run, version=run.version + 1)
    changes = {
        "label": {"label": ("one", "two", "three")[action.choice % 3]},
        "clear": {"label": None},
        "mark": {"marked": True},
        "unmark": {"marked": False},
        "protect": {"protected": True},
        "unprotect": {"protected": False},
        "tag": {"tags": run.tags | {tag.replace("\udcff", "\\udcff") for tag in TAGS[action.choice % 3]}},
        "untag": {"tags": run.tags - {"t", "u"} | set(TAGS[action.choice % 2])},
        "comment": {"comments": (*run.comments, (run.version, f"c{action.choice}"))},
        # The second key stays when later only the first is recorded.
        "scalars": {"scalars": action.choice + 12 * (action.choice % 2 or (run.scalars or 0) >= 12)},
    }
    if action.kind in changes:
        return replace(run, **changes[action.kind])  # type: ignore[arg-type]  # names of fields
    if action.kind == "finish":
        ended = replace(run, status=FINAL[action.choice % 3], exit_status=action.choice, stopped=time)
        return ended if run.status == "running" else None
    if action.kind == "restart":
        given = {"flags": action.choice % 3, "digest": DIGESTS[action.choice // 3 % 3], "started": time}
        again = replace(run, status="running", stopped=None, exit_status=None, scalars=None, **given)  # type: ignore[arg-type]
        return again if run.place == "live" and run.status in FINAL else None
    return _moved(run, action.kind)


def _begun(run: Run | None, action: Action, time: int, next_number: int) -> Run | None:
    op, label = action.choice % len(OPS), ("one", "two", None)[action.choice % 3]
    flags, digest = action.choice % 3, DIGESTS[action.choice // 3 % 3]
    if run is not None:
        if run.status != "staged" or run.place != "live" or action.kind != "start":
            return None
        run = replace(run, op=op, status="running", started=time, label=label or run.label, version=run.version + 1)
        return replace(run, flags=flags, digest=digest, scalars=None)
    if action.kind == "import":
        started = NOON - (action.choice % 2) * 1000
        return Run(next_number, op, FINAL[action.choice % 3], started, stopped=started + 9, label=label, flags=flags)
    if action.kind == "stage":
        return Run(next_number, op, "staged", time, label=label, flags=flags)
    return Run(next_number, op, "running", time, label=label, flags=flags, digest=digest)


def _moved(run: Run, kind: str) -> Run | None:
    if kind == "delete" and run.place == "live" and run.status != "running" and not run.protected:
        return replace(run, place="deleted")
    if kind == "restore" and run.place == "deleted":
        return replace(run, place="live")
    if kind == "purge" and run.place == "deleted" and not run.protected:
        return replace(run, place="purging")
    if kind == "purged" and run.place == "purging":
        return replace(run, place="purged")
    return None


def apply_all(runs: dict[int, Run], actions: list[Action], time: int) -> dict[int, Run] | None:
    """Return the model after the actions of one transaction, or None when one of them must be refused."""
    runs = dict(runs)
    for action in actions:
        run = after(runs.get(action.run), action, time, len(runs) + 1)
        if run is None:
            return None
        runs[action.run] = run
    return runs


OFTEN = ("purged", "purge", "delete", "finish") * 3 + KINDS
"""Kinds to choose from; those that lead deep into a life more often, or few runs would ever be purged."""

EVERYTHING = [Action(run, kind, choice) for run in range(MOST_RUNS) for kind in KINDS for choice in range(3)]
actions = st.builds(Action, st.integers(0, MOST_RUNS - 1), st.sampled_from(KINDS), st.integers(0, 11))


# --- What the index must answer ---------------------------------------------------------------------------------------


def listed(runs: dict[int, Run], wanted: RunFilter) -> list[tuple[RunId, Run]]:
    """Return the runs of the model that a filter lets through, most recently started first."""
    found = []
    for name, run in runs.items():
        shown = SHOWN[wanted.cwd][run.op]
        if (
            run.place == wanted.place
            and (wanted.project is None or OPS[run.op][0] == wanted.project)
            and (not wanted.operations or any(part in shown for part in wanted.operations))
            and (not wanted.statuses or run.status in wanted.statuses)
            and (not wanted.labels or any(part in (run.label or "") for part in wanted.labels))
        ):
            found.append((run_id(name), run))
    return sorted(found, key=lambda pair: (-pair[1].started, pair[1].number))


def as_row(name: RunId, run: Run) -> RunRow:
    """Return a run of the model as a listing shows it."""
    project, package, operation = OPS[run.op]
    return RunRow(
        name, OpKey(project, package, "m", operation), run.status, run.place, run.started, run.stopped, run.exit_status,
        run.label, int(run.marked), int(run.protected), run.version, run.number,
    )  # fmt: skip


FILTERS = [
    *(RunFilter(place=place) for place in ("live", "deleted", "purging", "purged")),
    *(RunFilter(project="/p", cwd="/p", statuses=statuses) for statuses in ((), ("running",), ("error", "completed"))),
    *(RunFilter(operations=(part,), cwd=cwd) for part, cwd in product(("train", "./m", "p/", ":"), ("/p", "/p/q"))),
    RunFilter(operations=("./m:train", "pkg"), cwd="/p/q", statuses=FINAL),
    RunFilter(labels=("o",)),
    RunFilter(labels=("one", "ee"), place="deleted"),
    RunFilter(labels=("t",), project="/p/q", cwd="/p/q", statuses=("terminated", "staged")),
]


def check_answers(index: Index, runs: dict[int, Run], filters: Sequence[RunFilter]) -> None:
    """Compare what the index answers with the model: rows in order, counts, numbers, pages, ids."""
    for wanted in filters:
        query = Query(index, wanted)
        expected = [as_row(*pair) for pair in listed(runs, wanted)]
        assert list(query.rows()) == expected, wanted
        assert query.count() == len(expected), wanted
        assert list(query.rows(offset=1, limit=2)) == expected[1:3]
        if expected:
            assert list(query.rows(offset=len(expected) - 1, limit=1)) == expected[-1:]
            assert query.with_prefix(expected[-1].run_id[:8]) == expected[-1:]
            assert query.holds(expected[0])
    alive = [name for name, _ in listed(runs, RunFilter(statuses=("running",)))]
    assert [row.run_id for row in running(index)] == alive
    check_totals(index.db, runs)
    check_values(index.db, runs)


def check_values(database: sqlite3.Connection, runs: dict[int, Run]) -> None:
    """Compare flags, scalars, tags, comments and source digests with the model."""
    held: dict[int, dict[str, tuple[object, object]]] = {run.number: {} for run in runs.values()}
    for number, name, *value in database.execute(
        "SELECT run, name.text, number, value.text FROM value JOIN name USING (name)"
    ):
        held[number][name] = (value[0], value[1])
    assert held == {run.number: values_of(run) for run in runs.values()}
    tags = set(database.execute("SELECT run, tag FROM tag"))
    assert tags == {(run.number, tag) for run in runs.values() for tag in run.tags}
    comments = set(database.execute("SELECT run, number, text FROM comment"))
    assert comments == {(run.number, *comment) for run in runs.values() for comment in run.comments}
    digests = dict(database.execute("SELECT run, lower(hex(digest)) FROM run"))
    assert digests == {run.number: run.digest or "" for run in runs.values()}


def check_totals(database: sqlite3.Connection, runs: dict[int, Run]) -> None:
    """Compare the kept totals with counts of the rows, and both with the model."""
    kept = database.execute("SELECT op, place, status, runs FROM total ORDER BY 1, 2, 3").fetchall()
    counted = database.execute(
        "SELECT op, place, status, count(*) FROM run GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    assert kept == counted
    assert sum(count for *_, count in kept) == len(runs)
    for place, status in product(PLACES, STATUSES):
        wanted = [run for run in runs.values() if (run.place, run.status) == (place, status)]
        at = (PLACES.index(place), STATUSES.index(status))
        assert sum(row[3] for row in kept if (row[1], row[2]) == at) == len(wanted)


def test_operations_are_displayed_relative_to_the_working_directory() -> None:
    """The table that the model goes by is what the program shows."""
    for cwd, names in SHOWN.items():
        for op, name in enumerate(names):
            assert displayed(as_row(run_id(0), Run(1, op, "running", 1)).op, cwd) == name


class Machine(RuleBasedStateMachine):
    """Commands of two processes, any of them at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="guild-machine-"))
        self.clock = Ticking()
        self.ledgers = [make_ledger(self.home, self.clock)]
        self.ledgers.append(Ledger(SqliteStore(self.ledgers[0].store.place), clock=self.clock))
        self.notices: list[str] = []
        self.runs: dict[int, Run] = {}
        self.seq = 1
        self.indexes: list[Index] = []

    @initialize(data=st.data(), count=st.integers(0, 20))
    def open_both(self, data: st.DataObject, count: int) -> None:
        """Something has happened already; then one process makes the index, and the other finds it."""
        if count:
            self.act(data, count, 0)
        self.indexes = [self._opened(0), self._opened(1)]

    def _opened(self, who: int) -> Index:
        return open_index(str(self.home / "index"), self.ledgers[who], self.notices.append)

    def teardown(self) -> None:
        """At the end the history verifies, and both processes see the same."""
        for index, ledger in zip(self.indexes, self.ledgers, strict=False):
            index.catch_up(ledger)
            check_answers(index, self.runs, FILTERS)
            assert difference(index, ledger) is None
            index.close()
        assert verify(self.ledgers[0].store).problems == []
        assert self.notices == []
        for ledger in self.ledgers:
            ledger.store.close()
        shutil.rmtree(self.home)

    @rule(data=st.data(), count=st.integers(1, 8), who=st.integers(0, 1))
    def act(self, data: st.DataObject, count: int, who: int) -> None:
        """Append the events of one command, each allowed by the model after the ones before it."""
        wanted: list[Action] = []
        for _ in range(count):
            then = apply_all(self.runs, wanted, 0) or {}
            possible = [*EVERYTHING, Action(len(then), "start", count)]  # when every other run has been purged
            allowed = [action for action in possible if apply_all(then, [action], 0) is not None]
            kinds = {action.kind for action in allowed}
            kind = data.draw(st.sampled_from([kind for kind in OFTEN if kind in kinds]))
            wanted.append(data.draw(st.sampled_from([action for action in allowed if action.kind == kind])))
        self._try(wanted, who)

    @rule(wanted=st.lists(actions, min_size=1, max_size=3), who=st.integers(0, 1))
    def attempt(self, wanted: list[Action], who: int) -> None:
        """Try anything; when the model refuses one event, the ledger must refuse them all and change nothing."""
        self._try(wanted, who)

    def _try(self, wanted: list[Action], who: int) -> None:
        events = tuple(happens(action.run, event_of(action)) for action in wanted)
        if apply_all(self.runs, wanted, 0) is None:
            with pytest.raises(TransitionError):
                append(self.ledgers[who], *events)
            return
        done = append(self.ledgers[who], *events)
        self.seq += 1
        self.runs = apply_all(self.runs, wanted, done.recorded_at) or {}
        assert done.seq == self.seq

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), who=st.integers(0, 1), off=st.sampled_from((-1, 1, 5)))
    def act_on_a_stale_view(self, data: st.DataObject, who: int, off: int) -> None:
        """A command that looked at another number of events is refused, whatever it wants."""
        name = data.draw(st.sampled_from(sorted(self.runs)))
        action = replace(data.draw(actions), run=name)
        seen = {run_stream(run_id(name)): self.runs[name].version + off}
        with pytest.raises(ConflictError):
            self.ledgers[who].append(Transaction(HEADER, (happens(name, event_of(action)),), expected=seen))

    @rule(who=st.integers(0, 1))
    def catch_up(self, who: int) -> None:
        """One process catches up, twice: the second time there is nothing to do."""
        for _ in range(2):
            self.indexes[who].catch_up(self.ledgers[who])

    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        """One process ends and another begins."""
        self.indexes[who].close()
        self.ledgers[who].store.close()
        self.ledgers[who] = Ledger(SqliteStore(self.ledgers[who].store.place), clock=self.clock)
        self.indexes[who] = self._opened(who)

    @rule(who=st.integers(0, 1))
    def throw_the_index_away(self, who: int) -> None:
        """One process finds no index; the other still has the old one open."""
        self.indexes[who].close()
        shutil.rmtree(self.home / "index")
        self.indexes[who] = self._opened(who)

    @precondition(lambda self: self.indexes)
    @rule(who=st.integers(0, 1), filters=st.lists(st.sampled_from(FILTERS), max_size=4))
    def ask(self, who: int, filters: list[RunFilter]) -> None:
        """Live, caught up now or earlier, equals the model and a replay from zero."""
        self.indexes[who].catch_up(self.ledgers[who])
        check_answers(self.indexes[who], self.runs, filters)
        with closing(rebuild_in_memory(self.ledgers[who]).db) as fresh:
            assert first_difference(self.indexes[who].db, fresh) is None

    @invariant()
    def nothing_is_written_but_what_was_done(self) -> None:
        """A refused command leaves no transaction."""
        assert self.ledgers[0].store.head().seq == self.seq


TestMachine = Machine.TestCase
TestMachine.settings = settings(RELAXED, max_examples=30, stateful_step_count=30)


# --- Replay -----------------------------------------------------------------------------------------------------------


def history(wanted: list[list[Action]]) -> list[TimedEvent]:
    """Return the stored events of a ledger in which those of the transactions happened that are allowed."""
    runs: dict[int, Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        ledger = make_ledger(Path(folder))
        for transaction in wanted:
            if (then := apply_all(runs, transaction, 0)) is not None:
                runs = then
                append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
        events = list(ledger.store.timed_events())
        ledger.store.close()
    return events


def dump(batches: list[list[TimedEvent]], *, processes: list[bool]) -> list[str]:
    """Return an index as text after its events came in these batches, some of them to a new process."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(TABLES + INDEXES)
        projector = Projector(database)
        for batch, fresh in zip(batches, processes, strict=True):
            if fresh:
                projector = Projector(database)
            projector.apply(batch)
            projector.apply([])
        return list(database.iterdump())


@RELAXED
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=1, max_size=25), st.data())
@example([[Action(0, "stage", 0)], [Action(1, "start", 1), Action(0, "start", 2)]], None)
def test_any_split_into_batches_gives_the_same_index(wanted: list[list[Action]], data: st.DataObject | None) -> None:
    """However events are cut into catch-ups, also within a transaction, and by however many processes."""
    events = history(wanted)
    cuts = [True] * len(events)
    fresh = list(cuts)
    if data is not None:
        cuts = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    batches: list[list[TimedEvent]] = [[]]
    for event, cut in zip(events, cuts, strict=True):
        if cut:
            batches.append([])
        batches[-1].append(event)
    if data is not None:
        fresh = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    whole = dump([events], processes=[True])
    assert dump(batches, processes=[*fresh, True][: len(batches)]) == whole


@RELAXED
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=5, max_size=30), st.integers(1, 5))
def test_the_size_of_a_batch_changes_nothing(wanted: list[list[Action]], size: int) -> None:
    """A rebuild in batches of any size gives what a rebuild in one gives."""
    runs: dict[int, Run] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        ledger = make_ledger(Path(folder))
        for transaction in wanted:
            if (then := apply_all(runs, transaction, 0)) is not None:
                runs = then
                append(ledger, *(happens(action.run, event_of(action)) for action in transaction))
        whole = rebuild_in_memory(ledger)
        patch.setattr(index_module, "BATCH", size)
        parts = rebuild_in_memory(ledger)
        assert first_difference(parts.db, whole.db) is None
        whole.close()
        parts.close()
        ledger.store.close()
