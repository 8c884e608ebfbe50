"""What limits runs, as SQL: a test of one run, and where an index finds those that pass it.

Values are always bound; what is put together as text is made of constants, marks and whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ledger.dataclass import dataclass, replace

Values = tuple[object, ...]


class Drive(NamedTuple):
    """A SELECT of run numbers that an index answers: all runs that pass a test are among them."""

    statement: str
    values: Values


@dataclass(frozen=True, slots=True)
class Condition:
    """A limit on runs.

    Attributes:
        test: an SQL expression about a row of `run`; NULL counts as false.
        values: what is bound in it.
        drives: where runs that pass are found, each alone enough; empty when no index knows.
    """

    test: str
    values: Values = ()
    drives: tuple[Drive, ...] = ()


Fewest = Callable[[Sequence[Drive]], "list[int] | None"]
"""Returns the numbers of the runs that the drive with the fewest finds; None when each finds too many."""

NOTHING = Condition("run.run = -1", (), (Drive("SELECT run FROM run WHERE run = -1", ()),))
EVERYTHING = Condition("1")


def one_of(numbers: Sequence[int]) -> Condition:
    """Return the condition to be one of the runs with these numbers, however many they are."""
    listed = f"[{','.join(map(str, numbers))}]"
    drive = Drive("SELECT value AS run FROM json_each(?)", (listed,))
    return Condition("run.run IN (SELECT value FROM json_each(?))", (listed,), (drive,))


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Return what passes every test: each place where one of them is found will do."""
    parts = list(conditions)
    drives = tuple(drive for part in parts for drive in part.drives)
    return Condition(_joined(parts, " AND "), _values(parts), drives)


def any_of(conditions: Iterable[Condition], fewest: Fewest) -> Condition:
    """Return what passes one of the tests: it is among the fewest runs of each, when these are few for all."""
    parts = list(conditions)
    test = Condition(_joined(parts, " OR "), _values(parts))
    if len(parts) == 1:
        return replace(test, drives=parts[0].drives)
    found: set[int] = set()
    for part in parts:
        runs = fewest(part.drives)
        if runs is None:
            return test
        found.update(runs)
    # By number and not as a union of SELECTs: SQLite reads no statement that is nested deeply.
    among = ",".join(map(str, sorted(found))) or "-1"
    return replace(test, drives=(Drive(f"SELECT run FROM run WHERE run IN ({among})", ()),))  # noqa: S608 - numbers


def none_of(condition: Condition) -> Condition:
    """Return what does not pass a test, or cannot be tested."""
    return Condition(f"NOT ifnull({condition.test}, 0)", condition.values)


def _joined(parts: Sequence[Condition], word: str) -> str:
    return f"({word.join(part.test for part in parts)})"


def _values(parts: Sequence[Condition]) -> Values:
    return tuple(value for part in parts for value in part.values)


def marks(values: Sequence[object]) -> str:
    """Return a placeholder for each value."""
    return ",".join("?" * len(values))


def with_hex_prefix(column: str, prefix: str, longest: int) -> Condition:
    """Return the runs in which a column of bytes (`run_id`, `digest`) begins with hexadecimal digits.

    Args:
        column: the column.
        prefix: hexadecimal digits, in lower case.
        longest: bytes in a value of the column, at most.
    """
    even = len(prefix) + len(prefix) % 2
    first = bytes.fromhex(prefix.ljust(even, "0"))
    last = bytes.fromhex(prefix.ljust(max(even, 2 * longest), "f"))
    statement = f"SELECT run FROM run WHERE {column} BETWEEN ? AND ?"  # noqa: S608 - a constant
    return Condition(f"run.{column} BETWEEN ? AND ?", (first, last), (Drive(statement, (first, last)),))


def labelled(texts: Sequence[str]) -> Condition:
    """Return the runs whose label contains one of the texts."""
    matches = " OR ".join("instr(label, ?)" for _ in texts)
    # Runs without a label come first in the index, and are passed by.
    statement = f"SELECT run FROM run INDEXED BY run_by_label WHERE label >= '' AND ({matches})"  # noqa: S608 - constants
    return Condition(f"({matches})", tuple(texts), (Drive(statement, tuple(texts)),))


def unlabelled(place: int) -> Condition:
    """Return the runs without a label."""
    statement = "SELECT run FROM run INDEXED BY run_by_label WHERE label IS NULL AND place = ?"
    return Condition("run.label IS NULL", (), (Drive(statement, (place,)),))


def tagged(tags: Sequence[str]) -> Condition:
    """Return the runs that have one of the tags."""
    among = f"tag.tag IN ({marks(tags)})"
    test = f"EXISTS (SELECT 1 FROM tag WHERE tag.run = run.run AND {among})"  # noqa: S608 - constants
    return Condition(test, tuple(tags), (Drive(f"SELECT run FROM tag WHERE {among}", tuple(tags)),))  # noqa: S608


def marked(*, is_marked: bool) -> Condition:
    """Return the runs that are marked, or are not."""
    if not is_marked:
        return Condition("run.marked = 0")
    return Condition("run.marked = 1", (), (Drive("SELECT run FROM run INDEXED BY run_by_mark WHERE marked = 1", ()),))


def protected(*, is_protected: bool) -> Condition:
    """Return the runs that are protected, or are not."""
    if not is_protected:
        return Condition("run.protected = 0")
    drive = Drive("SELECT run FROM run INDEXED BY run_by_protection WHERE protected = 1", ())
    return Condition("run.protected = 1", (), (drive,))


def commented(texts: Sequence[str]) -> Condition:
    """Return the runs that have a comment which contains one of the texts."""
    matches = f"({' OR '.join('instr(comment.text, ?)' for _ in texts)})"
    test = f"EXISTS (SELECT 1 FROM comment WHERE comment.run = run.run AND {matches})"  # noqa: S608 - constants
    drive = Drive(f"SELECT run FROM comment WHERE {matches}", tuple(texts))  # noqa: S608 - constants
    return Condition(test, tuple(texts), (drive,))


def within(column: str, first: int | None, last: int | None, place: int) -> Condition:
    """Return the runs with a time from `first` to before `last`, microseconds; None where there is no end.

    Args:
        column: `run.started` or `run.stopped`.
        first: the earliest.
        last: what all are before.
        place: number of the place whose runs are asked for.
    """
    bounds = [(sign, bound) for sign, bound in ((">=", first), ("<", last)) if bound is not None]
    test = " AND ".join(f"{column} {sign} ?" for sign, _ in bounds) or f"{column} IS NOT NULL"
    values = tuple(bound for _, bound in bounds)
    if column == "run.stopped":
        statement = f"SELECT run FROM run INDEXED BY run_by_stopped WHERE {test}"  # noqa: S608 - constants
        return Condition(f"({test})", values, (Drive(statement, values),))
    drive = Drive(f"SELECT run FROM run WHERE run.place = ? AND {test}", (place, *values))  # noqa: S608 - constants
    return Condition(test, values, (drive,) if bounds else ())
