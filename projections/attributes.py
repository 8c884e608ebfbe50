"""What runs can be shown, sorted and grouped by: the names of their attributes, flags and scalars.

A bare name is resolved here as the expression language resolves it: an attribute if it is one, else a flag if any run
has such a flag, else a scalar.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ledger.errors import UsageError
from ledger.text import did_you_mean, printable
from projections.escaping import as_stored
from projections.expression import PREFIXES

_OTHER_NAMES = {
    "op": "operation",
    "tags": "tag",
    "comments": "comment",
    "exit-status": "exit_status",
}


def attribute(text: str) -> str:
    """Return the one name of an attribute that has several; any other text as it is, `attr:` left out."""
    name = text.removeprefix("attr:")
    return _OTHER_NAMES.get(name, name)


def value_name(database: sqlite3.Connection, text: str) -> int | None:
    """Return the number of the name of a flag or scalar, 0 when no run has it; None when it is no such name.

    A bare name is a flag's when there is such a flag, else a scalar's. What follows the prefix may be quoted.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind not in PREFIXES[1:]:
        return None
    name = _unquoted(rest if colon else text)
    for full in (f"{kind}:{name}",) if colon else (f"flag:{name}", f"scalar:{name}"):
        row = database.execute("SELECT name FROM name WHERE text = ?", (as_stored(full),)).fetchone()
        if row is not None:
            return int(row[0])
    return 0 if colon and rest else None


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def value_names(database: sqlite3.Connection, kinds: Iterable[str] = PREFIXES[1:]) -> list[str]:
    """Return the names of all flags and scalars that runs have, each with its prefix, sorted; only of these kinds."""
    wanted = set(kinds)
    names = [str(row[0]) for row in database.execute("SELECT text FROM name ORDER BY text")]
    return [name for name in names if name.partition(":")[0] in wanted]


def named_value(database: sqlite3.Connection, text: str, what: str, attributes: Iterable[str]) -> int:
    """Return the number of the name of a flag or scalar; 0 for one with a prefix that no run has.

    Args:
        database: the index.
        text: as typed.
        what: what cannot be done with the runs by an unknown name, such as `sorted by`.
        attributes: those with which it can be done.

    Raises:
        UsageError: it is no flag and no scalar.
    """
    name = value_name(database, text)
    if name is None:
        known = list(attributes)
        names = value_names(database, ("flag", "scalar"))
        guess = did_you_mean(text, [*known, *names, *(one.partition(":")[2] for one in names)])
        raise UsageError(
            f"runs cannot be {what} '{printable(text, 80)}'{guess}",
            hint=f"Columns are {', '.join(known)}, and flag:NAME, scalar:NAME, min:NAME, max:NAME, step:NAME.",
        )
    return name
