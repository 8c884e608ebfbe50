"""One comparison of an expression: as SQL about a column or a named value, or of texts in memory.

Numbers compare with numbers and texts with texts, case-sensitively. What is not there matches nothing but `undefined`;
`!=` and `not in` match what is there and equals none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import eq, ge, gt, le, lt

from ledger.dataclass import replace
from projections.conditions import (
    EVERYTHING,
    NOTHING,
    Condition,
    Drive,
    Fewest,
    Values,
    all_of,
    any_of,
    marks,
    none_of,
)
from projections.distinct import narrowed, values_of
from projections.escaping import as_stored
from projections.expression import Comparison

_EQUALITY = ("=", "!=", "in", "not in")
_BEYOND = {"=": "<>", "!=": "<>", "<": (">=",), "<=": ">", ">": ("<=",), ">=": "<"}
"""What compares with a value beyond a comparison: for equality of both kinds what is less, and what is greater."""
_ORDER = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def matches(one: Comparison, texts: Sequence[str]) -> bool:
    """Tell whether a comparison holds for something that has these texts: any of them will do."""
    if one.operator in ("defined", "undefined"):
        return bool(texts) == (one.operator == "defined")
    values = [as_stored(value.text) for value in one.values]
    if one.operator in _EQUALITY:
        is_equal = not set(values).isdisjoint(texts)
        return bool(texts) and is_equal == (one.operator in ("=", "in"))
    if one.operator == "contains":
        return any(values[0] in text for text in texts)
    return any(_ORDER[one.operator](text, values[0]) for text in texts)


def text_test(one: Comparison, column: str) -> tuple[str, Values]:
    """Return an SQL test of a column of texts, and its values."""
    if one.operator == "contains":
        return f"instr({column}, ?)", (as_stored(one.values[0].text),)
    return _test(one.operator, column, tuple(as_stored(value.text) for value in one.values))


def number_test(one: Comparison, column: str) -> tuple[str, Values]:
    """Return an SQL test of a column of numbers, and its values; texts among them equal no number."""
    return _test(one.operator, column, tuple(value.number for value in one.values if value.number is not None))


def _test(operator: str, column: str, values: Values) -> tuple[str, Values]:
    if operator in ("defined", "undefined"):
        return f"{column} IS {'NOT ' * (operator == 'defined')}NULL", ()
    if operator in ("in", "not in"):
        return f"({column} IS NOT NULL AND {column} {operator.upper()} ({marks(values)}))", values
    return f"{column} {operator} ?", values


def of_value(one: Comparison, name: int | None, database: sqlite3.Connection, fewest: Fewest) -> Condition:
    """Return the condition of a comparison of a flag or scalar.

    Args:
        one: the comparison.
        name: number of its name in the index; None when no run has such a value.
        database: the index.
        fewest: names the runs that an index finds, when they are few.
    """
    if name is None:
        return EVERYTHING if one.operator == "undefined" else NOTHING
    if one.operator == "undefined":
        return _undefined(name, database)
    is_negative = one.operator in ("!=", "not in")
    if one.operator == "contains":
        return _containing(database, name, as_stored(one.values[0].text))
    found = [] if one.operator == "defined" else _compared(one, name)
    if one.operator != "defined" and not is_negative:
        return any_of(found, fewest)
    there = Condition(*_exists("1", (name,)), (_either(_places(one, name)),))
    return all_of([there, none_of(any_of(found, fewest))]) if is_negative and found else there


def without_value(one: Comparison, name: int | None, database: sqlite3.Connection, fewest: Fewest) -> Condition:
    """Return the condition that a comparison of a flag or scalar does not hold; arguments as for `of_value`.

    Such a run has no such value, or one beyond what the comparison asks for: both are looked up.
    """
    excluded = none_of(of_value(one, name, database, fewest))
    if name is None or one.operator not in _BEYOND:
        return excluded
    beyond = Condition("1", (), (_either(_places(one, name)),))
    return replace(excluded, drives=any_of([_undefined(name, database), beyond], fewest).drives)


def _undefined(name: int, database: sqlite3.Connection) -> Condition:
    """Return the condition to have no such value: only where not all runs of an operation have one."""
    rows = database.execute(
        "SELECT op FROM total GROUP BY op"
        " HAVING sum(runs) <> ifnull((SELECT used.runs FROM used WHERE used.op = total.op AND used.name = ?), 0)",
        (name,),
    )
    ops = ",".join(str(row[0]) for row in rows)
    if not ops:
        return NOTHING
    test, values = _exists("1", (name,))
    among = f"run.op IN ({ops})"
    return Condition(f"({among} AND NOT {test})", values, (Drive(f"SELECT run FROM run WHERE {among}", ()),))  # noqa: S608


def _either(places: Sequence[Drive]) -> Drive:
    """Return where all runs are that one of these finds."""
    statement = " UNION ALL ".join(drive.statement for drive in places)
    return Drive(statement, tuple(value for drive in places for value in drive.values))


def _places(one: Comparison, name: int) -> list[Drive]:
    """Return where all runs are that have a value for which a comparison, or the `=` of a `!=`, does not hold."""
    wholes = {column: [_drive(column, name, f"value.{column} IS NOT NULL", ())] for column in ("number", "text")}
    if one.operator in _BEYOND:
        value = one.values[0]
        column, unwanted = ("text", as_stored(value.text)) if value.number is None else ("number", value.number)
        signs = _BEYOND[one.operator]
        wholes[column] = [_drive(column, name, f"value.{column} {sign} ?", (unwanted,)) for sign in signs]
    return [*wholes["number"], *wholes["text"]]


def _containing(database: sqlite3.Connection, name: int, part: str) -> Condition:
    condition = _column(name, "text", "value.text IS NOT NULL AND instr(value.text, ?)", (part,))
    return narrowed(database, values_of(name), condition, [part])


def _compared(one: Comparison, name: int) -> list[Condition]:
    """Return what equals or compares with one of the values, `!=` and `not in` taken as `=` and `in`."""
    numbers: Values = tuple(value.number for value in one.values if value.number is not None)
    texts: Values = tuple(as_stored(value.text) for value in one.values if value.number is None)
    found = []
    for column, values in (("number", numbers), ("text", texts)):
        if values:
            # A list of one is not always looked up in the index.
            sign = "=" if one.operator in _EQUALITY else one.operator
            test = f"{sign} ?" if len(values) == 1 else f"IN ({marks(values)})"
            found.append(_column(name, column, f"value.{column} {test}", values))
    return found or [NOTHING]


def _column(name: int, column: str, test: str, values: Values) -> Condition:
    return Condition(*_exists(test, (name, *values)), (_drive(column, name, test, values),))


def _drive(column: str, name: int, test: str, values: Values) -> Drive:
    statement = (
        f"SELECT run FROM value INDEXED BY value_by_{column}"  # noqa: S608 - constants
        f" WHERE value.name = ? AND {test}"
    )
    return Drive(statement, (name, *values))


def _exists(test: str, values: Values) -> tuple[str, Values]:
    text = f"EXISTS (SELECT 1 FROM value WHERE value.run = run.run AND value.name = ? AND {test})"  # noqa: S608
    return text, values
