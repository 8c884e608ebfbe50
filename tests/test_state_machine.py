"""The law of the index: caught up live it answers as a model does that shares no code with the program.

A state machine does to runs what commands do, allowed or not, seen by two processes; after each step everything that
`projections.query` answers is compared with the model.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.errors import ConflictError, TransitionError
from ledger.ids import RunId, run_stream
from ledger.log import Ledger
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Transaction
from ledger.verify import verify
from projections.comparing import difference, first_difference
from projections.index import Index, open_index
from projections.query import Query, RunFilter, RunRow, displayed, running
from projections.rebuild import rebuild_in_memory
from projections.schema import PLACES, STATUSES, OpKey
from tests.kit import HEADER, Ticking, append, happens, make_ledger, run_id
from tests.run_model import FINAL, KINDS, MOST_RUNS, OPS, RELAXED, Action, Run, actions, apply_all, event_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN = {
    "/p": ("./m:train", "./m:test", "./q/m:train", "pkg/m:train"),
    "/p/q": ("../m:train", "../m:test", "./m:train", "pkg/m:train"),
    "/": ("./p/m:train", "./p/m:test", "./p/q/m:train", "pkg/m:train"),
}
"""How the operations are displayed in a working directory."""


VALUES: tuple[dict[str, tuple[object, object]], ...] = (
    {},
    {"flag:lr": (0.5, None), "flag:opt": (None, "adam"), "flag:deep": (1, "true")},
    {
        "flag:lr": (7, None), "flag:seed": (2.0**70, "1180591620717411303424"), "flag:sizes": (None, '[1,"a"]'),
        "flag:nan": (None, "nan"),
    },
)  # fmt: skip
"""Flags by choice, and as the index holds them."""


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


OFTEN = ("purged", "purge", "delete", "finish") * 3 + KINDS
"""Kinds to choose from; those that lead deep into a life more often, or few runs would ever be purged."""


EVERYTHING = [Action(run, kind, choice) for run in range(MOST_RUNS) for kind in KINDS for choice in range(3)]


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


@pytest.fixture(scope="module", autouse=True)
def machine_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give all homes of the machine a folder below pytest's, and remove what interrupted examples left in it."""
    Machine.homes = tmp_path_factory.mktemp("machines")
    yield
    shutil.rmtree(Machine.homes)


class Machine(RuleBasedStateMachine):
    """Commands of two processes, any of them at any time.

    Attributes:
        homes: the folder for the homes of all examples.
    """

    homes: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=self.homes))
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
