"""Flags, scalars, tags and comments: what a run has many of, as rows of the index.

A flag's name in the index is `flag:NAME`. A scalar has four: `scalar:KEY` (its last value), `min:KEY`, `max:KEY` and
`step:KEY` (the step of the last value), so that each of them is found by an index of its own.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import cast

from ledger.canonical import Value
from projections.escaping import as_stored
from projections.fold import RunState
from projections.schema import OpKey

VALUED = frozenset(("run.started", "run.restarted", "run.staged", "run.imported", "run.scalars_recorded"))
"""Events that say something of flags or scalars."""

FLAG, SCALAR, LOWEST, HIGHEST, STEP = ("flag:", "scalar:", "min:", "max:", "step:")
"""What names in the index begin with."""

Cell = tuple[int | float | None, str | None]
"""A value as the index holds it: number and text; both for a truth value, neither never."""

_Row = tuple[int, int, int | float | None, str | None]

_Summary = tuple[int, int, *tuple[int | float | str | None, ...]]

_PARTS = ((SCALAR, "last", 0), (LOWEST, "min", 0), (HIGHEST, "max", 0), (STEP, "last", 1))
_SUMMARY = (("first", 0), ("first", 1), ("min", 1), ("max", 1), ("mean", None), ("count", None))
"""What of a summary is in the table of summaries, in the order of its columns: which of a pair, None for no pair."""

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_MOST_KNOWN = 10_000
_MOST_BITS = 10_000
"""Python refuses to write longer integers in decimal digits, which takes quadratic time."""

_INSERT = "INSERT OR REPLACE INTO value VALUES (?,?,?,?)"
_USE = "INSERT INTO used VALUES (?,?,?) ON CONFLICT (op, name) DO UPDATE SET runs = runs + excluded.runs"
_SUMMARIZE = "INSERT OR REPLACE INTO summary VALUES (?,?,?,?,?,?,?,?)"
_UNSUMMARIZE = (
    "DELETE FROM summary WHERE run = ? AND name IN (SELECT name FROM name WHERE text >= 'scalar:' AND text < 'scalar;')"
)


def cell(value: Value) -> Cell:
    """Return a flag's value as the index holds it; (None, None) for null, which is no value."""
    kind = type(value)
    if kind is str:
        return None, as_stored(value)  # type: ignore[arg-type]  # mypy does not know that its type was looked at
    if kind is bool:
        return int(value), "true" if value else "false"  # type: ignore[arg-type]
    if kind is float:
        return (value, None) if value == value else (None, "nan")  # type: ignore[return-value]  # noqa: PLR0124 - NaN
    if isinstance(value, int):
        return (value, None) if _INT_MIN <= value <= _INT_MAX else _large(value)
    return (None, None) if value is None else (None, as_stored(_flow(value)))


def _large(value: int) -> Cell:
    digits = str(value) if value.bit_length() < _MOST_BITS else hex(value)
    try:
        return float(value), digits
    except OverflowError:
        return float("inf") if value > 0 else float("-inf"), digits


def _flow(value: Value) -> str:
    """Return lists and mappings in one line; text in them is quoted, as where flags are typed."""
    if isinstance(value, list):
        return f"[{','.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_flow(key)}:{_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() >= _MOST_BITS:
        return hex(value)
    text = repr(value)
    return text.replace("inf", ".inf").replace("nan", ".nan") if isinstance(value, float) else text


def _number(value: Value, place: int | None) -> int | float | str | None:
    """Return a number of a summary, or one of a pair of them, as the table of summaries holds it."""
    if place is not None:
        value = value[place] if isinstance(value, list) and len(value) > place else None
    if not isinstance(value, int | float):
        return None
    number, text = cell(value)
    return text if number is None else number


class ValueWriter:
    """Collects the rows of one batch; keeps the names in memory between batches."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        self._flags: dict[int, list[_Row]] = {}
        self._scalars: dict[int, list[_Row]] = {}
        self._summaries: dict[int, list[_Summary]] = {}
        self._used: Counter[tuple[int, int]] = Counter()
        self._known: set[tuple[int, ...]] = set()
        names = database.execute("SELECT text, name FROM name").fetchall()
        self._count = len(names)
        self._names: dict[str, dict[str, int]] = {kind: {} for kind in (FLAG, SCALAR, LOWEST, HIGHEST, STEP)}
        for text, name in names:
            kind, colon, rest = text.partition(":")
            self._names[kind + colon][rest] = name

    def take(self, state: RunState, op: int) -> None:
        """Take flags and scalars of a run over from its state, which is one of the operation with this number.

        After each event, not at the end of a batch: names are numbered in the order of events, however these are cut
        into batches.
        """
        if state.flags is not None:
            self._flags[state.run] = rows = self._flag_rows(state.run, state.flags)
            self._use(op, [row[1] for row in rows])
            # What an earlier try reported is not the run's any more.
            self._scalars.pop(state.run, None)
            self._summaries.pop(state.run, None)
            state.flags = None
        if state.scalars is not None:
            scalars = list(self._scalar_rows(state.run, state.scalars))
            self._scalars.setdefault(state.run, []).extend(scalars)
            summaries = self._summary_rows(state.run, state.scalars)
            self._use(op, [*(row[1] for row in scalars), *(row[0] for row in summaries)])
            self._summaries.setdefault(state.run, []).extend(summaries)
            state.scalars = None

    def _use(self, op: int, names: Sequence[int]) -> None:
        """Note that runs of an operation have these flags or scalars; nearly always that is known."""
        key = (op, *names)
        if key not in self._known:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known.add(key)
            self._used.update(dict.fromkeys(((op, name) for name in names), 0))

    def _flag_rows(self, run: int, flags: Mapping[str, Value]) -> list[_Row]:
        names = self._names[FLAG]
        rows = []
        for key, value in flags.items():
            number, text = cell(value)
            if number is not None or text is not None:
                rows.append((run, names.get(key) or self._new(FLAG, key), number, text))
        return rows

    def _scalar_rows(self, run: int, scalars: Mapping[str, Value]) -> Iterator[_Row]:
        for key, summary in scalars.items():
            if not isinstance(summary, dict):
                continue
            for kind, part, place in _PARTS:
                pair = summary.get(part)
                if not isinstance(pair, list) or len(pair) <= place or not isinstance(pair[place], int | float):
                    continue
                yield (run, self._names[kind].get(key) or self._new(kind, key), *cell(pair[place]))

    def _summary_rows(self, run: int, scalars: Mapping[str, Value]) -> list[_Summary]:
        """Return the rows of the summaries whose last values have a name by now."""
        names = self._names[SCALAR]
        return [
            (name, run, *(_number(summary.get(part), place) for part, place in _SUMMARY))
            for key, summary in scalars.items()
            if isinstance(summary, dict) and (name := names.get(key) or names.get(as_stored(key)))
        ]

    def _new(self, kind: str, key: str) -> int:
        names = self._names[kind]
        stored = as_stored(key)
        if stored not in names:
            self._count += 1
            self._db.execute("INSERT INTO name VALUES (?,?)", (self._count, kind + stored))
            names[stored] = self._count
        return names[stored]

    def save(self, states: Collection[RunState], ops: Mapping[OpKey, int]) -> None:
        """Write what was taken, and the tags and comments of these runs; a run that is new has no rows to replace.

        Args:
            states: the runs of a batch.
            ops: the numbers of operations.
        """
        self._count_runs(states, ops)
        begun = [(state.run,) for state in states if state.run in self._flags and state.stored is not None]
        self._db.executemany("DELETE FROM value WHERE run = ?", begun)
        self._db.executemany(_INSERT, chain.from_iterable(self._flags.values()))
        self._db.executemany(_INSERT, chain.from_iterable(self._scalars.values()))
        self._db.executemany(_UNSUMMARIZE, begun)
        self._db.executemany(_SUMMARIZE, chain.from_iterable(self._summaries.values()))
        self._db.executemany(_USE, [(*key, runs) for key, runs in self._used.items()])
        self._flags, self._scalars, self._summaries, self._used = {}, {}, {}, Counter()
        tags = [(tag, state.run, wanted) for state in states for tag, wanted in (state.tags or {}).items()]
        self._db.executemany("INSERT OR IGNORE INTO tag VALUES (?,?)", [row[:2] for row in tags if row[2]])
        self._db.executemany("DELETE FROM tag WHERE tag = ? AND run = ?", [row[:2] for row in tags if not row[2]])
        comments = [(state.run, *comment) for state in states for comment in state.comments or ()]
        self._db.executemany("INSERT INTO comment VALUES (?,?,?,?)", comments)
        self._withdraw([(state.run, *change) for state in states for change in state.withdrawn or ()])

    def _count_runs(self, states: Iterable[RunState], ops: Mapping[OpKey, int]) -> None:
        """Count the runs that get a value of some name, and those that lose one."""
        now: Counter[tuple[int, ...]] = Counter()  # mostly the same names, so they are taken apart once
        for state in states:
            flags, scalars = self._flags.get(state.run), self._scalars.get(state.run)
            if flags is None and scalars is None:
                continue
            names = {row[1] for row in (*(flags or ()), *(scalars or ()))}
            if state.stored is not None:
                held = {row[0] for row in self._db.execute("SELECT name FROM value WHERE run = ?", (state.run,))}
                now[cast("int", state.stored[0]), *sorted(held)] -= 1
                names |= held if flags is None else set()
            now[ops[state.op], *sorted(names)] += 1
        for (op, *counted), runs in now.items():
            for name in counted:
                self._used[op, name] += runs

    def _withdraw(self, changes: Iterable[tuple[int, int, bool]]) -> None:
        """Move comments out of sight, or back: in the order in which that was asked for."""
        for run, written, withdrawn in changes:
            source, target = ("comment", "withdrawn") if withdrawn else ("withdrawn", "comment")
            where = "WHERE run = ? AND written = ?"
            self._db.execute(f"INSERT INTO {target} SELECT * FROM {source} {where}", (run, written))  # noqa: S608 - names
            self._db.execute(f"DELETE FROM {source} {where}", (run, written))  # noqa: S608 - names
