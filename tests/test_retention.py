"""The rules of a clean-up: what is kept is never in the plan, rules only add, and no order matters."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import GuildError, UsageError
from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunMarked, RunProtected, RunScalarsRecorded, RunTagged
from ledger.events.start import RunStaged
from projections.query import Query, RunFilter, RunRow
from projections.rebuild import rebuild_in_memory
from projections.retention import Age, Best, Rules, Verdict, age, best, verdicts
from tests.kit import NOON, Ticking, append, happens, make_ledger, started

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3_600_000_000
NOW = NOON + 12 * HOUR
UNENDED = ("staged", "running")
Made = dict[str, Any]
STAGED = RunStaged(project="/p", package=None, model="m", operation="o", command=(), flags={}, label=None)

MADE = st.fixed_dictionaries(
    {
        "gap": st.integers(min_value=0, max_value=HOUR),
        "status": st.sampled_from(("completed", "error", "terminated", *UNENDED)),
        "loss": st.sampled_from((None, -1.5, 0.0, 1, 2, float("inf"), float("nan"))),
        "tags": st.sets(st.sampled_from(("paper", "best"))),
        "marked": st.booleans(),
        "protected": st.booleans(),
    }
)
AGES = st.none() | st.integers(min_value=1, max_value=12).map(lambda hours: Age(f"{hours}h", hours * HOUR))
RULES = st.builds(
    Rules,
    older_than=AGES,
    last=st.none() | st.integers(min_value=1, max_value=5),
    best=st.lists(
        st.builds(Best, st.just("loss"), st.just("loss"), st.integers(min_value=1, max_value=4), st.booleans()),
        max_size=2,
    ).map(tuple),
    tags=st.lists(st.sampled_from(("paper", "best", "none")), unique=True).map(tuple),
    marked=st.booleans(),
    within=AGES,
)


@contextmanager
def index_of(made: list[Made]) -> Iterator[Query]:
    """Give an index of such runs, numbered in the order in which they started."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Ticking()
        ledger = make_ledger(Path(folder), clock)
        first = {"gap": 0, "status": "completed", "loss": 7}  # deleted below: so that there is such a scalar at all
        for number, run in enumerate([first, *made]):
            clock.now += run["gap"]
            start = started(number)
            if run["status"] == "staged":
                start = happens(number, STAGED)
            append(ledger, start, *_later(number, run))
        append(ledger, happens(0, RunDeleted()))
        index = rebuild_in_memory(ledger)
        try:
            yield Query(index, RunFilter())
        finally:
            index.close()
            ledger.store.close()


def _later(number: int, run: Made) -> Iterator[Any]:
    if run["loss"] is not None and run["status"] != "staged":
        pair = (run["loss"], 1)
        summary = {part: list(pair) for part in ("first", "last", "min", "max")}
        yield happens(number, RunScalarsRecorded({"loss": {**summary, "mean": 1.0, "count": 1}}))
    if run.get("tags"):
        yield happens(number, RunTagged(added=tuple(sorted(run["tags"]))))
    if run.get("marked"):
        yield happens(number, RunMarked(marked=True))
    if run.get("protected"):
        yield happens(number, RunProtected(protected=True))
    if run["status"] not in UNENDED:
        yield happens(number, RunStatusChanged(status=run["status"], exit_status=0))


def plan(query: Query, rules: Rules, chosen: list[RunRow] | None = None) -> list[Verdict] | None:
    """Return what becomes of each run; None when the rules are refused because nothing has the scalar or the tag."""
    try:
        return list(verdicts(query, chosen, rules, NOW))
    except GuildError as error:
        if "--keep-best" not in error.message and "has the tag" not in error.message:
            raise
        return None


def expected(rows: list[RunRow], made: list[Made], rules: Rules) -> set[str]:
    """Return the ids of the runs that go: a second opinion, without an index or SQL."""
    ended = [row for row in rows if row.status not in UNENDED]
    newest = sorted(ended, key=lambda row: row.started, reverse=True)
    keep: set[str] = {row.run_id for row in rows if row.status in UNENDED or row.protected}
    keep |= {row.run_id for row in newest[: rules.last or 0]}
    for one in rules.best:
        scored = [(_loss(made, row), row) for row in newest if _loss(made, row) is not None]
        scored.sort(key=lambda pair: pair[0] or 0, reverse=one.highest)  # stable: of equals the newer ones first
        keep |= {row.run_id for _, row in scored[: one.runs]}
    for row in rows:
        run = made[row.number - 2]
        old = [NOW - span.microseconds < row.started for span in (rules.older_than, rules.within) if span is not None]
        if any(old) or run["tags"] & set(rules.tags) or (rules.marked and run["marked"]):
            keep.add(row.run_id)
    return {str(row.run_id) for row in rows} - keep


def _loss(made: list[Made], row: RunRow) -> float | None:
    value = made[row.number - 2]["loss"]
    return value if value is not None and abs(value) < float("inf") else None


@settings(max_examples=40, deadline=None)
@given(made=st.lists(MADE, max_size=14), rules=RULES)
def test_what_goes_is_what_no_rule_keeps(made: list[Made], rules: Rules) -> None:
    """As a plain reading of the rules says; every run is in the plan once, and what stays has a reason."""
    with index_of(made) as query:
        rows = list(query.rows())
        found = plan(query, rules)
        if found is None:
            is_scored = any(_loss(made, row) is not None for row in rows if row.status not in UNENDED)
            tags = set().union(*(made[row.number - 2]["tags"] for row in rows))
            assert not is_scored or set(rules.tags) - tags
            return
        assert [verdict.row for verdict in found] == rows
        assert {verdict.row.run_id for verdict in found if not verdict.reasons} == expected(rows, made, rules)


@settings(max_examples=30, deadline=None)
@given(made=st.lists(MADE, max_size=14), rules=RULES, more=RULES, data=st.data())
def test_rules_only_keep_and_order_does_not_matter(
    made: list[Made], rules: Rules, more: Rules, data: st.DataObject
) -> None:
    """The reasons of two sets of rules together are those of the one and of the other, however runs are named."""
    together = replace(rules, best=(*rules.best, *more.best), tags=tuple({*rules.tags, *more.tags}), marked=True)
    with index_of(made) as query:
        chosen = [row for row in query.rows() if data.draw(st.booleans())]
        plans = [
            plan(query, one, chosen) for one in (rules, replace(Rules(), best=more.best, tags=more.tags, marked=True))
        ]
        whole = plan(query, together, chosen)
        shuffled = plan(query, together, data.draw(st.permutations(chosen)))
        assert whole == shuffled
        if whole is None or None in plans:
            return
        for both, *apart in zip(whole, *(one or [] for one in plans), strict=True):
            assert set(both.reasons) == {reason for verdict in apart for reason in verdict.reasons}
            assert both.row in chosen


def test_the_best_runs_come_from_an_index_without_sorting_them_all() -> None:
    """A million runs are not sorted to find ten of them: the order is that of the index of values."""
    made: list[Made] = [
        {"gap": 0, "status": "completed", "loss": number, "tags": set(), "marked": 0, "protected": 0}
        for number in range(9)
    ]
    with index_of(made) as query:
        asked: list[str] = []
        query.index.db.set_trace_callback(asked.append)
        assert plan(query, Rules(best=(best("loss=2"),))) is not None
        query.index.db.set_trace_callback(None)
        (statement,) = [one for one in asked if "ORDER BY key.number" in one]
        steps = [row[-1] for row in query.index.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert any("value_by_number" in step for step in steps)
        assert not any("USE TEMP B-TREE FOR ORDER BY" in step for step in steps), steps


@pytest.mark.parametrize(
    ("text", "hours"),
    [("30d", 720), ("12h", 12), ("2w", 336), ("1d12h", 36), ("90 min", 1.5), ("1y", 8760), ("3 days", 72)],
)
def test_lengths_of_time(text: str, hours: float) -> None:
    """A number and a unit, several of them added."""
    assert age(text).microseconds == hours * HOUR


@pytest.mark.parametrize("text", ["", "30", "d", "3m", "-1d", "1.5h", "30d?", "9999999d", "yesterday"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """`3m` may be minutes or months: with runs at stake nobody guesses."""
    with pytest.raises(UsageError, match="no length of time"):
        age(text)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("loss=10", ("loss", 10, False)),
        ("min loss=3", ("loss", 3, False)),
        ("max acc=1", ("acc", 1, True)),
        ("max=2", ("max", 2, False)),
        ("a=b=2", ("a=b", 2, False)),
        ("max val loss=2", ("val loss", 2, True)),
    ],
)
def test_the_best_of_what(text: str, meaning: tuple[str, int, bool]) -> None:
    """The lowest unless `max` stands before the name; the number is behind the last `=`."""
    assert best(text)[1:] == meaning


@pytest.mark.parametrize("text", ["loss", "loss=", "=3", "loss=0", "loss=-1", "loss=1.5", ""])
def test_what_does_not_say_which_are_best_is_refused(text: str) -> None:
    """Keeping none of them is not a way to keep."""
    with pytest.raises(UsageError, match="which runs are best"):
        best(text)
