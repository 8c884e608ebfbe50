"""Folding a batch of events into the index's tables: the one way in which rows are written, live and in a rebuild."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ledger.ids import run_of
from ledger.rows import TimedEvent
from projections.fold import MOVING, RunState, apply
from projections.schema import PLACES, PURGED, STATUSES, OpKey
from projections.values import VALUED, ValueWriter

_CHUNK = 500
_COLUMNS = "run, run_id, op, status, place, started, stopped, exit_status, label, marked, protected, digest, version"
_INSERT = f"INSERT INTO run ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant
_CHANGING = _COLUMNS.split(", ")[2:]
_TOTAL = (
    "INSERT INTO total (op, place, status, runs) VALUES (?,?,?,?)"
    " ON CONFLICT (op, place, status) DO UPDATE SET runs = runs + excluded.runs"
)

_BEGINNINGS = ("run.started", "run.imported", "run.staged")

_STATUS_NUMBERS = {name: number for number, name in enumerate(STATUSES)}
_PLACE_NUMBERS = {name: number for number, name in enumerate(PLACES)}
_UNSTARTED = ("staged", "unknown")

_Cell = tuple[int, int, int]
_T = TypeVar("_T")


class Projector:
    """Applies batches to one index; keeps the few operations in memory between batches."""

    def __init__(self, database: sqlite3.Connection, *, merged: bool = False) -> None:
        """Begin with what an index holds.

        Args:
            database: its tables.
            merged: whether the ledger has several origins: then a run that one has begun may have been taken in by
                another, which is a beginning too.
        """
        self._db = database
        self._merged = merged
        self._values = ValueWriter(database)
        self._ops: dict[OpKey, int] = {}
        self._keys: dict[int, OpKey] = {}
        for op, *names in database.execute("SELECT op, project, package, model, operation FROM op"):
            self._remember(OpKey(*names), op)
        self._next_run: int = database.execute("SELECT ifnull(max(run), 0) + 1 FROM run").fetchone()[0]
        # A run that was staged is in the index when it starts; any other start is its run's first event, and looking
        # each of a million up in vain would double the time of a rebuild.
        # All places are named so that the index on (place, status) answers: without, it is a scan of every run.
        where = "place IN (0, 1, 2, 3) AND status IN (?, ?)"
        numbers = [_STATUS_NUMBERS[status] for status in _UNSTARTED]
        rows = database.execute(f"SELECT run_id FROM run WHERE {where}", numbers) if self._next_run > 1 else ()  # noqa: S608
        self._unstarted = {row[0].hex() for row in rows}

    def _remember(self, key: OpKey, op: int) -> None:
        self._ops[key] = op
        self._keys[op] = key

    def apply(self, events: Sequence[TimedEvent]) -> None:
        """Fold `events`, which follow what the index holds, and write what they change."""
        totals: Counter[_Cell] = Counter()
        states = self._load(events, totals)
        unconfirmed: dict[int, bool] = {}
        for event in events:
            run_id = run_of(event.stream)
            if run_id is None:
                continue
            state = states.get(run_id)
            if state is None:
                state = states[run_id] = RunState(self._next_run, run_id)
                self._next_run += 1
            apply(state, event)
            if (state.version == 1 or event.type in _BEGINNINGS) and state.op not in self._ops:
                # Here and not when rows are saved: operations are numbered in the order of events, however these
                # are cut into batches, and one that a staged run had before it started is kept.
                self._new_op(state.op)
            if event.type in VALUED:
                self._values.take(state, self._ops[state.op])
            if event.type in MOVING and state.place != PURGED:
                unconfirmed[state.run] = True
            elif event.type == "run.purged":
                unconfirmed[state.run] = False
        self._save(states.values(), totals)
        self._values.save(states.values(), self._ops)
        self._save_unconfirmed(unconfirmed)

    def _load(self, events: Sequence[TimedEvent], totals: Counter[_Cell]) -> dict[str, RunState]:
        """Return the states of the runs that the index already holds, and take them out of the totals."""
        begun = set() if self._merged else {event.stream for event in events if event.type in _BEGINNINGS}
        others = (run_of(stream) for stream in {event.stream for event in events} - begun)
        wanted = [bytes.fromhex(run_id) for run_id in others if run_id is not None]
        wanted += [bytes.fromhex(run_id) for run_id in self._unstarted if f"run/{run_id}" in begun]
        states = {}
        for chunk in _chunks(wanted):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM run WHERE run_id IN ({marks})", chunk)  # noqa: S608
            for row in rows:
                state = self._state(row)
                states[state.run_id] = state
                totals[row[2], row[4], row[3]] -= 1
        return states

    def _state(self, row: tuple[Any, ...]) -> RunState:
        state = RunState(row[0], row[1].hex())
        state.stored = row[2:]
        state.op = self._keys[row[2]]
        state.status, state.place = STATUSES[row[3]], PLACES[row[4]]
        state.started, state.stopped, state.exit_status, state.label = row[5:9]
        state.marked, state.protected, state.digest, state.version = row[9:]
        return state

    def _save(self, states: Iterable[RunState], totals: Counter[_Cell]) -> None:
        new: list[tuple[object, ...]] = []
        changed: dict[tuple[tuple[str, object], ...], list[int]] = {}
        for state in states:
            status, place = _STATUS_NUMBERS[state.status], _PLACE_NUMBERS[state.place]
            op = self._ops[state.op]
            totals[op, place, status] += 1
            if state.status in _UNSTARTED:
                self._unstarted.add(state.run_id)
            elif self._unstarted:
                self._unstarted.discard(state.run_id)
            values = (
                op, status, place, state.started, state.stopped, state.exit_status, state.label,
                state.marked, state.protected, state.digest, state.version,
            )  # fmt: skip
            if state.stored is None:
                new.append((state.run, bytes.fromhex(state.run_id), *values))
            else:
                pairs = zip(_CHANGING, values, state.stored, strict=True)
                changed.setdefault(tuple((name, now) for name, now, old in pairs if now != old), []).append(state.run)
        self._db.executemany(_INSERT, new)
        self._save_changed(changed)
        self._db.executemany(_TOTAL, [(*cell, runs) for cell, runs in totals.items() if runs])
        if any(runs < 0 for runs in totals.values()):
            self._db.execute("DELETE FROM total WHERE runs = 0")

    def _save_changed(self, changed: Mapping[tuple[tuple[str, object], ...], Sequence[int]]) -> None:
        """Write what is new of runs: a column that is named is written anew in each of its B-trees, changed or not."""
        for columns, runs in changed.items():
            sets = ", ".join(f"{name}=?" for name, _ in columns)
            values = [value for _, value in columns]
            for chunk in _chunks(runs):
                marks = ",".join("?" * len(chunk))
                self._db.execute(f"UPDATE run SET {sets} WHERE run IN ({marks})", [*values, *chunk])  # noqa: S608 - names

    def _new_op(self, key: OpKey) -> None:
        op = len(self._ops) + 1
        self._remember(key, op)
        self._db.execute("INSERT INTO op VALUES (?,?,?,?,?)", (op, *key))

    def _save_unconfirmed(self, unconfirmed: dict[int, bool]) -> None:
        for chunk in _chunks([run for run, moved in unconfirmed.items() if moved]):
            self._db.execute(f"INSERT OR IGNORE INTO unconfirmed VALUES {','.join(['(?)'] * len(chunk))}", chunk)  # noqa: S608
        for chunk in _chunks([run for run, moved in unconfirmed.items() if not moved]):
            marks = ",".join("?" * len(chunk))
            self._db.execute(f"DELETE FROM unconfirmed WHERE run IN ({marks})", chunk)  # noqa: S608 - marks


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut what goes into one statement: SQLite binds no more than so many values, and each statement has its price."""
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
