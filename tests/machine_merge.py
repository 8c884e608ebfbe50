"""Another machine, merges, redactions and rebuilds among everything else: rules to mix into the state machine.

The model shares no code with the program: it keeps a journal of what each machine recorded and when, and tells the runs
anew from all that a ledger knows, each fact counting for what it is about, a purge closing the run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.redacting import DECIDING, body_targets, redact
from projections.rebuild import rebuild
from tests.kit import HEADER, append, happens, run_id
from tests.merge_kit import machine, merged
from tests.run_model import FINAL, MOST_RUNS, Action, Run, actions, after, apply_all, event_of

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.log import Ledger
    from tests.kit import Ticking

AWAY = 100
"""Runs of the other machine are called so much more: ids are random, so no two machines begin the same run."""

_PLACES = {"delete": "deleted", "restore": "live", "purge": "purging", "purged": "purged"}
_CLOSED = ("purging", "purged")


@dataclass(frozen=True)
class Fact:
    """What one event said of one run.

    Attributes:
        time: when.
        run: of which run.
        what: an action; or the type and body of an event that took something back.
    """

    time: int
    run: int
    what: Action | tuple[str, dict[str, Any]]


@dataclass
class Known:
    """What a ledger knows, told from the beginning."""

    runs: dict[int, Run] = field(default_factory=dict)
    said: dict[tuple[int, int], list[tuple[int, str]]] = field(default_factory=dict)

    def take(self, fact: Fact) -> None:
        """Tell one more fact."""
        run = self.runs.get(fact.run)
        if run is not None and run.place in _CLOSED:
            gone = isinstance(fact.what, Action) and fact.what.kind == "purged"
            run = replace(run, version=run.version + 1, place="purged" if gone else run.place)
        elif isinstance(fact.what, Action):
            new = after(run, fact.what, fact.time, len(self.runs) + 1)
            run = _forced(run, fact.what, fact.time) if new is None else new
            if fact.what.kind == "comment":
                self.said.setdefault((fact.run, fact.time), []).append((run.version, f"c{fact.what.choice}"))
        else:
            assert run is not None
            run = self._back(run, fact, *fact.what)
        self.runs[fact.run] = run

    def _back(self, run: Run, fact: Fact, type_: str, body: dict[str, Any]) -> Run:
        """Return a run after an event that took something back."""
        run = replace(run, version=run.version + 1)
        if type_ == "run.tagged":
            removed, added = ({_tag(tag) for tag in body[key]} for key in ("removed", "added"))
            return replace(run, tags=run.tags - removed | added)
        if type_ == "run.comment_withdrawn":
            found = set(self.said.get((fact.run, body["written"]), ()))
            kept = set(run.comments) - found if body["withdrawn"] else set(run.comments) | found
            return replace(run, comments=tuple(sorted(kept)))
        if type_ in ("run.deleted", "run.restored"):
            return replace(run, place="deleted" if type_ == "run.deleted" else "live")
        name = type_.removeprefix("run.").removesuffix("ed")
        key = {"label": "label", "mark": "marked", "protect": "protected"}[name]
        return replace(run, **{key: body[key]})


def _tag(text: str | dict[str, str]) -> str:
    """Return a tag as a listing has it: the one that is no UTF-8 is escaped."""
    return text if isinstance(text, str) else "\\udcff"


def _forced(run: Run | None, action: Action, time: int) -> Run:
    """Return a run after a fact that no machine which knew all would have recorded."""
    assert run is not None, action
    kind = action.kind
    if kind in _PLACES:
        return replace(run, version=run.version + 1, place=_PLACES[kind])
    if kind == "finish":
        ended = {"status": FINAL[action.choice % 3], "exit_status": action.choice, "stopped": time}
        return replace(run, version=run.version + 1, **ended)  # type: ignore[arg-type]  # names of fields
    # Told as it would be of a run that may be started, with what such a start leaves as it was.
    if kind == "restart":
        started = after(replace(run, place="live", status="completed"), action, time, 0)
        assert started is not None
        return replace(started, place=run.place)
    assert kind == "start", action
    started = after(replace(run, place="live", status="staged"), action, time, 0)
    assert started is not None
    return replace(started, place=run.place)


class MergeRules:
    """What a machine needs: `home`, `clock`, `ledgers`, `indexes`, `runs` by name, `seq`, and `note_done` called."""

    home: Path
    clock: Ticking
    ledgers: list[Ledger]
    indexes: list[Any]
    runs: dict[int, Any]
    seq: int

    def __init__(self) -> None:
        super().__init__()
        self.away = machine(self.home, "away", self.clock)
        self.own: list[Fact] = []
        self.theirs: list[Fact] = []
        self.seen: list[Fact] = []  # of the own ones, those that the other machine has taken in
        self.taken: list[Fact] = []  # of theirs, those that were taken in here

    def note_done(self, wanted: list[Action], time: int) -> None:
        """Keep what the newest transaction here said."""
        self.own += [Fact(time, action.run, action) for action in wanted]

    def note_taken_back(self) -> None:
        """Keep what the newest transaction here, which took another back, said: as it stands in the ledger."""
        store = self.ledgers[0].store
        txn = store.txn(self.seq)
        assert txn is not None
        names = {run_id(name): name for name in self.runs}
        for event in store.txn_events(self.seq):
            name = names[event.stream.removeprefix("run/")]  # type: ignore[index]  # the id of a run
            self.own.append(Fact(txn.recorded_at, name, (event.type, json.loads(event.body or b"{}"))))

    @rule(wanted=st.lists(actions, min_size=1, max_size=4))
    def act_elsewhere(self, wanted: list[Action]) -> None:
        """The other machine does what it may, to runs of its own and to those that it knows."""
        known = _told([*self.theirs, *self.seen]).runs
        for action in wanted:
            begins = action.kind in ("start", "stage", "import")
            name = AWAY + action.run % 2 if begins and action.run not in known else action.run
            one = replace(action, run=name if name in known or begins else AWAY + action.run % 2)
            if apply_all(known, [one], 0) is None or (one.kind == "import" and one.run in known):
                continue
            done = append(self.away, happens(one.run, event_of(one)))
            self.theirs.append(Fact(done.recorded_at, one.run, one))
            known = _told([*self.theirs, *self.seen]).runs

    @precondition(lambda self: self.indexes)
    @rule(who=st.integers(0, 1))
    def merge_here(self, who: int) -> None:
        """Take in what the other machine holds; a second time there is nothing to do."""
        done = merged(self.ledgers[who], self.away, verified=False)
        assert (done.transactions > 0) == (done.seq is not None)
        self.seq += done.transactions + (done.seq is not None)
        assert merged(self.ledgers[1 - who], self.away, verified=False).transactions == 0
        if done.transactions:
            self.taken = [*self.theirs]
            self.runs = _told([*self.own, *self.taken]).runs
            self.forget()
        for index in self.indexes:
            index.close()
        self.indexes[:] = [self._opened(number) for number in (0, 1)]  # type: ignore[attr-defined]  # the machine's

    @rule()
    def merge_there(self) -> None:
        """The other machine takes in what is here."""
        if merged(self.away, self.ledgers[0], verified=False).transactions:
            self.seen = [*self.own]
            self.theirs = [*self.taken, *(fact for fact in self.theirs if fact not in self.taken)]

    def forget(self) -> None:
        """Drop what was remembered of transactions before a merge."""

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def redact_what_leaves_no_trace(self, data: st.DataObject) -> None:
        """A body that the index does not show, or a header, is emptied on record: nothing that is listed changes."""
        store = self.ledgers[0].store
        name = data.draw(st.sampled_from(sorted(self.runs)))
        events = [event for event in store.stream_events([f"run/{run_id(name)}"]) if event.type in _SHOWN_NOWHERE]
        targets = body_targets(event for event in events if event.type not in DECIDING)
        if targets:
            redact(self.ledgers[0], HEADER, targets, "typed")
            self.seq += 1

    @precondition(lambda self: self.indexes)
    @rule(who=st.integers(0, 1))
    def rebuild_the_index(self, who: int) -> None:
        """It is made anew while others have the old one open."""
        assert rebuild(str(self.home / "index"), self.ledgers[who]) is not None


_SHOWN_NOWHERE = ("run.purged", "run.restored", "run.purge_started")


def _told(facts: list[Fact]) -> Known:
    known = Known()
    for fact in sorted(facts, key=lambda fact: fact.time):
        known.take(fact)
    return known


assert MOST_RUNS < AWAY
