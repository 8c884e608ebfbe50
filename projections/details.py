"""What a listing shows of runs beyond a row: flags, scalars, tags, comments, digests; read for a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

from projections.errors import index_errors
from projections.index import Index
from projections.query import numbers
from projections.values import Cell

Value = bool | int | float | str
"""A flag or a scalar as it was recorded, lists and mappings as their text."""

_NAN = float("nan")


def values_of(index: Index, runs: Sequence[int], names: Sequence[int]) -> dict[tuple[int, int], Value]:
    """Return the flags and scalars of runs, by the numbers of run and name; what a run does not have is left out.

    A scalar is always a number: one that the index holds as the text `nan` is not a number, and no text.
    """
    statement = (
        f"SELECT run, name, number, text FROM value WHERE run IN ({numbers(runs)})"  # noqa: S608 - numbers
        f" AND name IN ({numbers(names)})"
    )
    flags = f"SELECT name FROM name WHERE name IN ({numbers(names)}) AND substr(text, 1, 5) = 'flag:'"  # noqa: S608
    with index_errors():
        texts = {name for (name,) in index.db.execute(flags)}
        return {
            (run, name): _NAN if text == "nan" and name not in texts else value((number, text))
            for run, name, number, text in index.db.execute(statement)
        }


def value(cell: Cell) -> Value:
    """Return what the index holds of a value as what it was."""
    number, text = cell
    if text is None:
        return 0 if number is None else number
    if number is None:
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text, 0)  # an integer with more bits than SQLite has


def tags_of(index: Index, runs: Sequence[int]) -> dict[int, list[str]]:
    """Return the tags of runs, sorted; a run without any is left out."""
    statement = f"SELECT run, tag FROM tag WHERE run IN ({numbers(runs)}) ORDER BY tag"  # noqa: S608 - numbers
    found: dict[int, list[str]] = {}
    with index_errors():
        for run, tag in index.db.execute(statement):
            found.setdefault(run, []).append(tag)
    return found


def all_tags(index: Index, most: int) -> list[str]:
    """Return the tags that runs have, sorted, at most so many; each is looked up behind the one before it."""
    statement = (
        "WITH RECURSIVE known(tag) AS (SELECT min(tag) FROM tag UNION ALL"
        " SELECT (SELECT min(tag) FROM tag WHERE tag > known.tag) FROM known WHERE known.tag IS NOT NULL LIMIT ?)"
        " SELECT tag FROM known WHERE tag IS NOT NULL"
    )
    with index_errors():
        return [str(tag) for (tag,) in index.db.execute(statement, (most,))]


def comment_counts(index: Index, runs: Sequence[int]) -> dict[int, int]:
    """Return how many comments runs have; a run without any is left out."""
    statement = f"SELECT run, count(*) FROM comment WHERE run IN ({numbers(runs)}) GROUP BY run"  # noqa: S608 - numbers
    with index_errors():
        return dict(index.db.execute(statement).fetchall())


def digests_of(index: Index, runs: Sequence[int]) -> dict[int, str]:
    """Return the digests of the sources of runs; a run without one is left out."""
    statement = f"SELECT run, digest FROM run WHERE run IN ({numbers(runs)}) AND digest IS NOT NULL"  # noqa: S608
    with index_errors():
        return {run: digest.hex() for run, digest in index.db.execute(statement)}


def all_values_of(index: Index, runs: Sequence[int], most: int) -> dict[int, dict[str, Value]]:
    """Return the flags of runs and the last values of their scalars, by names with their prefix.

    Args:
        index: the index.
        runs: their numbers; one without any value is left out.
        most: how many of a run, the first by name.
    """
    statement = (
        "SELECT run, name.text, number, value.text FROM value JOIN name USING (name)"  # noqa: S608 - numbers
        f" WHERE run IN ({numbers(runs)}) AND (name.text >= 'flag:' AND name.text < 'flag;'"
        " OR name.text >= 'scalar:' AND name.text < 'scalar;') ORDER BY run, name.text"
    )
    found: dict[int, dict[str, Value]] = {}
    with index_errors():
        for run, name, number, text in index.db.execute(statement):
            known = found.setdefault(run, {})
            if len(known) < most:
                known[name] = _NAN if text == "nan" and name.startswith("scalar:") else value((number, text))
    return found


def names_of(index: Index, runs: Sequence[int] | None) -> list[str]:
    """Return the names of all flags and scalars that runs have, with their prefix, sorted; None: that any run has."""
    among = "" if runs is None else f" WHERE name IN (SELECT name FROM value WHERE run IN ({numbers(runs)}))"  # noqa: S608
    with index_errors():
        found = index.db.execute(f"SELECT text FROM name{among} ORDER BY text").fetchall()  # noqa: S608 - numbers
    return [str(text) for (text,) in found if str(text).startswith(("flag:", "scalar:"))]
