"""From the tree of an expression to a condition: what a name means, and which index knows it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from ledger.dataclass import dataclass, replace
from ledger.text import did_you_mean, printable
from projections.attributes import value_names
from projections.conditions import (
    EVERYTHING,
    NOTHING,
    Condition,
    Drive,
    Fewest,
    all_of,
    any_of,
    marked,
    none_of,
    protected,
    unlabelled,
    with_hex_prefix,
    within,
)
from projections.distinct import LABELS, TAGS, Texts, narrowed
from projections.escaping import as_stored
from projections.expression import (
    Any,
    Comparison,
    ExpressionError,
    Literal,
    Name,
    Node,
    Not,
    UnknownNameError,
    parse,
)
from projections.expression_tests import matches, number_test, of_value, text_test, without_value
from projections.schema import STATUSES, OpKey
from projections.time_ranges import TimeRangeError, time_range

_ID_BYTES, _DIGEST_BYTES = 16, 32
_HEXADECIMAL = frozenset("0123456789abcdef")
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")
_SECOND = 1_000_000
_LONGEST = 2**63 - 1
_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<", "in": "not in", "not in": "in"}
_SEVERAL = ("tag", "tags", "comment", "comments")
"""Attributes that a run may have several of."""
_ELSEWHERE = {
    "deleted": "Deleted runs have a list of their own: `guild runs --deleted`.",
    "index": "An index counts in a list: give it as an argument, such as 0 or 2:5.",
}
"""Columns of a listing that are chosen by in another way."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an expression is understood in.

    Attributes:
        database: the index.
        ops: the operations in it, by number.
        place: number of the place whose runs are asked for.
        now: microseconds UTC, for times such as `yesterday`.
        zone: where days begin, None for the system's local zone.
        fewest: names the runs that an index finds, when they are few.
        unknown: receives the names with a prefix that no run has; a bare one is an error.
    """

    database: sqlite3.Connection
    ops: Mapping[int, OpKey]
    place: int
    now: int
    zone: tzinfo | None
    fewest: Fewest
    unknown: set[str]


def compile_expression(expression: str, around: Surroundings) -> Condition:
    """Return the condition that an expression means.

    Raises:
        ExpressionError: it cannot be understood.
        UnknownNameError: a bare name is no attribute, and no run has such a flag or scalar.
    """
    return _Compiler(expression, around).condition(parse(expression))


class _Compiler:
    def __init__(self, expression: str, around: Surroundings) -> None:
        self._expression = expression
        self._around = around
        self._attributes: dict[str, Callable[[Comparison], Condition]] = {
            "id": self._id,
            "digest": self._digest,
            "operation": lambda one: self._of_operation(one, lambda op: (op.operation, _full_name(op))),
            "model": lambda one: self._of_operation(one, lambda op: (op.model,) if op.model else ()),
            "package": lambda one: self._of_operation(one, lambda op: (op.package,) if op.package else ()),
            "project": lambda one: self._of_operation(one, lambda op: (op.project,) if op.project else ()),
            "status": self._status,
            "label": self._label,
            "tag": lambda one: self._of_rows(one, "tag", "tag"),
            "comment": lambda one: self._of_rows(one, "comment", "text"),
            "marked": lambda one: self._truth(one, lambda wanted: marked(is_marked=wanted)),
            "protected": lambda one: self._truth(one, lambda wanted: protected(is_protected=wanted)),
            "duration": self._duration,
            "started": self._time,
            "stopped": self._time,
            "exit_status": self._exit_status,
        }
        for other, name in (
            ("op", "operation"), ("tags", "tag"), ("comments", "comment"), ("exit-status", "exit_status")
        ):  # fmt: skip
            self._attributes[other] = self._attributes[name]

    def condition(self, node: Node) -> Condition:
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, Not):
            return self._without(node.term)
        parts = [self.condition(term) for term in node.terms]
        return any_of(parts, self._around.fewest) if isinstance(node, Any) else all_of(parts)

    def _without(self, node: Node) -> Condition:
        """Return the condition that a node does not hold, brought down to its comparisons: indexes know these."""
        if isinstance(node, Not):
            return self.condition(node.term)
        if isinstance(node, Comparison):
            return self._no_comparison(node)
        parts = [self._without(term) for term in node.terms]
        return all_of(parts) if isinstance(node, Any) else any_of(parts, self._around.fewest)

    def _no_comparison(self, one: Comparison) -> Condition:
        name = one.name
        if self._attribute(name) is None and name.kind != "attr":
            return without_value(one, self._named(name), self._around.database, self._around.fewest)
        excluded = none_of(self._comparison(one))
        if one.operator not in _OPPOSITE or name.text in _SEVERAL:
            return excluded
        # What has one value or none, and does not compare so, has none or compares the other way.
        missing = self._comparison(replace(one, operator="undefined"))
        others = any_of(
            [missing, self._comparison(replace(one, operator=_OPPOSITE[one.operator]))], self._around.fewest
        )
        return replace(excluded, drives=others.drives)

    def _attribute(self, name: Name) -> Callable[[Comparison], Condition] | None:
        return self._attributes.get(name.text) if name.kind in ("", "attr") else None

    def _comparison(self, one: Comparison) -> Condition:
        name = one.name
        attribute = self._attribute(name)
        if attribute is not None:
            return attribute(one)
        if name.kind == "attr":
            hint = f"Attributes are: {', '.join(self._attributes)}."
            what = f"there is no attribute '{printable(name.text, 40)}'{did_you_mean(name.text, self._attributes)}"
            raise ExpressionError(what, self._expression, name.column, hint=_ELSEWHERE.get(name.text, hint))
        return of_value(one, self._named(name), self._around.database, self._around.fewest)

    def _named(self, name: Name) -> int | None:
        """Return the number of a flag's or scalar's name; a bare name is a flag's when there is such a flag."""
        for kind in (name.kind,) if name.kind else ("flag", "scalar"):
            text = as_stored(f"{kind}:{name.text}")
            row = self._around.database.execute("SELECT name FROM name WHERE text = ?", (text,)).fetchone()
            if row is not None:
                return int(row[0])
        if not name.kind:
            raise self._unknown(name)
        self._around.unknown.add(f"{name.kind}:{name.text}")
        return None

    def _unknown(self, name: Name) -> UnknownNameError:
        """Return the error for a bare name that means nothing: `not los > 3` must not find every run."""
        bare = {known.partition(":")[2] for known in value_names(self._around.database)}
        guess = "" if name.text in _ELSEWHERE else did_you_mean(name.text, [*self._attributes, *sorted(bare)])
        what = f"no run has a flag or scalar '{printable(name.text, 40)}', and it is no attribute{guess}"
        hint = f"Attributes are: {', '.join(self._attributes)}. flag:NAME and scalar:NAME may be of no run."
        return UnknownNameError(what, self._expression, name.column, hint=_ELSEWHERE.get(name.text, hint))

    def _error(self, what: str, column: int) -> ExpressionError:
        return ExpressionError(what, self._expression, column)

    # --- Attributes ---------------------------------------------------------------------------------------------------

    def _id(self, one: Comparison) -> Condition:
        return self._beginning(one, "run_id", _ID_BYTES, "an id")

    def _digest(self, one: Comparison) -> Condition:
        return self._beginning(one, "digest", _DIGEST_BYTES, "a digest")

    def _beginning(self, one: Comparison, column: str, longest: int, what: str) -> Condition:
        if one.operator in ("defined", "undefined"):
            return self._there(one, f"run.{column}", "run_by_digest" if column == "digest" else "run_by_id")
        if one.operator not in ("=", "!=", "in", "not in"):
            raise self._error(f"{what} is compared with =, != or in", one.column)
        parts = []
        for value in one.values:
            prefix = value.text.lower()
            if not prefix or not set(prefix) <= _HEXADECIMAL or len(prefix) > 2 * longest:
                raise self._error(f"{what} is at most {2 * longest} hexadecimal digits", value.column)
            parts.append(with_hex_prefix(column, prefix, longest))
        return self._found(one, parts, Condition(f"run.{column} IS NOT NULL"))

    def _found(self, one: Comparison, parts: Sequence[Condition], defined: Condition) -> Condition:
        """Return what equals one of the values; or for `!=` and `not in`, what is there and equals none."""
        found = any_of(parts, self._around.fewest) if parts else NOTHING
        return all_of([defined, none_of(found)]) if one.operator in ("!=", "not in") else found

    def _of_operation(self, one: Comparison, texts: Callable[[OpKey], tuple[str, ...]]) -> Condition:
        ops = [op for op, key in self._around.ops.items() if matches(one, texts(key))]
        if not ops:
            return NOTHING
        among = f"run.op IN ({','.join(map(str, ops))})"
        statement = f"SELECT run FROM run WHERE {among} AND run.place = ?"  # noqa: S608 - whole numbers
        return Condition(among, (), (Drive(statement, (self._around.place,)),))

    def _status(self, one: Comparison) -> Condition:
        if one.operator in ("=", "!=", "in", "not in"):
            for value in one.values:
                if value.text not in STATUSES:
                    hint = did_you_mean(value.text, STATUSES)
                    raise self._error(f"there is no status '{printable(value.text, 40)}'{hint}", value.column)
        numbers = [number for number, status in enumerate(STATUSES) if matches(one, (status,))]
        among = f"run.status IN ({','.join(map(str, numbers))})"
        statement = f"SELECT run FROM run WHERE run.place = ? AND {among}"  # noqa: S608 - whole numbers
        return Condition(among, (), (Drive(statement, (self._around.place,)),))

    def _label(self, one: Comparison) -> Condition:
        if one.operator == "undefined":
            return unlabelled(self._around.place)
        test, values = text_test(one, "run.label")
        # What is not equal is no range; those without a label come first in the index, and are passed by.
        statement = f"SELECT run FROM run INDEXED BY run_by_label WHERE run.label >= '' AND {test}"  # noqa: S608
        return self._narrowed(one, LABELS, Condition(test, values, (Drive(statement, values),)))

    def _narrowed(self, one: Comparison, among: Texts, condition: Condition) -> Condition:
        if one.operator != "contains":
            return condition
        return narrowed(self._around.database, among, condition, [as_stored(one.values[0].text)])

    def _of_rows(self, one: Comparison, table: str, column: str) -> Condition:
        """Return a condition on what a run may have several of: any of them will do, and for `!=` none may be equal."""
        there = Condition(f"EXISTS (SELECT 1 FROM {table} WHERE {table}.run = run.run)")  # noqa: S608 - constants
        if one.operator == "undefined":
            return none_of(there)
        negative = one.operator in ("!=", "not in")
        plain = Comparison(one.name, {"!=": "=", "not in": "in"}.get(one.operator, one.operator), one.values, 0)
        test, values = text_test(plain, f"{table}.{column}")
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE {table}.run = run.run AND {test})"  # noqa: S608 - constants
        drive = Drive(f"SELECT run FROM {table} WHERE {test}", values)  # noqa: S608 - constants
        found = Condition(exists, values, (drive,))
        if table == "tag":
            found = self._narrowed(one, TAGS, found)
        if not negative:
            return found
        everything = Drive(f"SELECT run FROM {table}", ())  # noqa: S608 - constants
        return all_of([Condition(there.test, (), (everything,)), none_of(found)])

    def _truth(self, one: Comparison, of: Callable[[bool], Condition]) -> Condition:
        """Return a condition on a truth value, which every run has."""
        what = one.name.text
        if one.operator in ("defined", "undefined"):
            return EVERYTHING if one.operator == "defined" else NOTHING
        if one.operator not in ("=", "!="):
            raise self._error(f"{what} is compared with = or !=, and true or false", one.column)
        value = one.values[0]
        if value.text.lower() not in (*_YES, *_NO):
            raise self._error(f"{what} is true or false", value.column)
        return of((value.text.lower() in _YES) == (one.operator == "="))

    def _duration(self, one: Comparison) -> Condition:
        """Return a condition on how long a run took, in seconds; the index counts microseconds."""
        self._refuse_contains(one)
        if one.operator in ("defined", "undefined"):
            return self._there(one, "run.stopped", "run_by_stopped")
        for value in one.values:
            if value.number is None:
                raise self._error("a duration is a number of seconds", value.column)
        scaled = replace(one, values=tuple(replace(value, number=_micros(value.number)) for value in one.values))
        test, values = number_test(scaled, "(run.stopped - run.started)")
        statement = f"SELECT run FROM run INDEXED BY run_by_duration WHERE run.stopped IS NOT NULL AND {test}"  # noqa: S608
        return Condition(f"(run.stopped IS NOT NULL AND {test})", values, (Drive(statement, values),))

    def _exit_status(self, one: Comparison) -> Condition:
        self._refuse_contains(one)
        for value in one.values:
            if value.number is None:
                raise self._error("an exit status is a number", value.column)
        test, values = number_test(one, "run.exit_status")
        statement = f"SELECT run FROM run INDEXED BY run_by_exit WHERE run.exit_status IS NOT NULL AND {test}"  # noqa: S608
        if one.operator == "undefined":
            return self._there(one, "run.exit_status", "run_by_exit")
        return Condition(test, values, (Drive(statement, values),))

    def _there(self, one: Comparison, column: str, index: str) -> Condition:
        """Return what has a value in a column, or has none: these come first in the index of it."""
        if one.operator == "defined":
            return Condition(f"{column} IS NOT NULL")
        drive = Drive(f"SELECT run FROM run INDEXED BY {index} WHERE {column} IS NULL", ())  # noqa: S608 - constants
        return Condition(f"{column} IS NULL", (), (drive,))

    def _refuse_contains(self, one: Comparison) -> None:
        if one.operator == "contains":
            raise self._error(f"{one.name.text} is no text", one.column)

    def _time(self, one: Comparison) -> Condition:
        self._refuse_contains(one)
        column = "run.started" if one.name.text == "started" else "run.stopped"
        if one.operator in ("defined", "undefined"):
            if column == "run.started":
                return EVERYTHING if one.operator == "defined" else NOTHING
            return self._there(one, column, "run_by_stopped")
        parts = [self._of_times(self._bounds(one.operator, value), column) for value in one.values]
        return self._found(one, parts, Condition(f"{column} IS NOT NULL"))

    def _bounds(self, operator: str, value: Literal) -> tuple[int | None, int | None] | None:
        """Return where times that compare so with a range lie; None for nowhere."""
        try:
            first, last = time_range(value.text, self._around.now, self._around.zone)
        except TimeRangeError as error:
            raise ExpressionError(error.message, self._expression, value.column, hint=error.hint) from error
        if operator == "<":
            return None if first is None else (None, first)
        if operator == ">":
            return None if last is None else (last, None)
        return {"<=": (None, last), ">=": (first, None)}.get(operator, (first, last))

    def _of_times(self, bounds: tuple[int | None, int | None] | None, column: str) -> Condition:
        return NOTHING if bounds is None else within(column, *bounds, self._around.place)


def _full_name(op: OpKey) -> str:
    return f"{op.model}:{op.operation}"


def _micros(seconds: float | None) -> float:
    """Return microseconds: whole ones, as the index has them, unless they are too many for it."""
    micros = (seconds or 0) * _SECOND
    return round(micros) if -_LONGEST < micros < _LONGEST else float(micros)
