"""Which of the chosen runs a clean-up keeps, and why: `--older-than`, `--keep-last` and their like.

A rule only ever keeps. What is to go is what no rule keeps, so rules can be given in any order, and adding one never
removes more. Runs that are at work, staged or protected stay whatever the rules say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ledger.dataclass import dataclass
from ledger.errors import GuildError, UsageError
from ledger.text import did_you_mean, printable
from projections.errors import index_errors
from projections.escaping import as_stored
from projections.query import Query, RunRow
from projections.schema import STATUSES

_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND
_UNITS = {"min": 60 * _SECOND, "h": _HOUR, "d": 24 * _HOUR, "w": 7 * 24 * _HOUR, "y": 365 * 24 * _HOUR}
_PART = r"([0-9]{1,6}) ?(min(?:ute)?s?|h(?:ours?)?|d(?:ays?)?|w(?:eeks?)?|y(?:ears?)?)"
_BEST = re.compile(r"(?:(min|max) )?(.+)=([0-9]{1,9})", re.DOTALL)
_UNENDED = ("staged", "running")
_KINDS = ("flag", "scalar", "min", "max", "step")
_LARGEST = 1.7976931348623157e308


class Age(NamedTuple):
    """A length of time: as it was written, and in microseconds."""

    text: str
    microseconds: int


class Best(NamedTuple):
    """So many runs whose scalar ended lowest, or highest."""

    text: str
    name: str
    runs: int
    highest: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What was asked for; what is empty or None keeps nothing.

    Attributes:
        older_than: runs that started since then stay.
        last: so many that started most recently stay.
        best: for each, the runs with the best values of a scalar stay.
        tags: runs with one of these tags stay.
        marked: marked runs stay.
        within: runs that started since then stay: the same as `older_than`, under the name that others know.
    """

    older_than: Age | None = None
    last: int | None = None
    best: tuple[Best, ...] = ()
    tags: tuple[str, ...] = ()
    marked: bool = False
    within: Age | None = None


class Facts(NamedTuple):
    """What a row alone does not tell: for each rule the numbers of the runs that it keeps."""

    last: frozenset[int] = frozenset()
    best: tuple[frozenset[int], ...] = ()
    tags: tuple[frozenset[int], ...] = ()


class Verdict(NamedTuple):
    """What becomes of a run: it stays when there is a reason."""

    row: RunRow
    reasons: tuple[str, ...]


def age(text: str) -> Age:
    """Return a length of time such as `30d`, `12h`, `90min`, `2w`, `1y` or `1d12h`.

    Raises:
        UsageError: it is none.
    """
    words = text.strip().lower()
    if not re.fullmatch(f"(?:{_PART} ?)+", words):
        raise UsageError(
            f"'{printable(text, 80)}' is no length of time",
            hint="A number and a unit: min (minutes), h (hours), d (days), w (weeks), y (365 days); 30d, 1d12h.",
        )
    return Age(
        words,
        sum(int(count) * _UNITS["min" if unit[0] == "m" else unit[0]] for count, unit in re.findall(_PART, words)),
    )


def best(text: str) -> Best:
    """Return what `loss=10`, `min loss=10` (both: the ten lowest) or `max acc=10` (the ten highest) means.

    Raises:
        UsageError: it means nothing, or no run at all.
    """
    found = _BEST.fullmatch(text.strip())
    if found is None or int(found[3]) == 0:
        raise UsageError(
            f"'{printable(text, 80)}' does not say which runs are best",
            hint="SCALAR=N keeps the N lowest, 'max SCALAR=N' the N highest; for example --keep-best loss=10.",
        )
    return Best(" ".join(text.split()), found[2].strip(), int(found[3]), found[1] == "max")


def reasons(row: RunRow, rules: Rules, facts: Facts, now: int) -> tuple[str, ...]:
    """Return why a run stays; nothing when it goes.

    Args:
        row: one of the chosen runs.
        rules: what was asked for.
        facts: see `facts`, of all the chosen runs.
        now: microseconds UTC.
    """
    found = [row.status] if row.status in _UNENDED else []
    if row.protected:
        found.append("protected")
    if rules.older_than is not None and row.started > now - rules.older_than.microseconds:
        found.append(f"younger than {rules.older_than.text}")
    if row.number in facts.last:
        found.append(f"--keep-last {rules.last}")
    found += [f"--keep-best {one.text}" for one, kept in zip(rules.best, facts.best, strict=True) if row.number in kept]
    found += [f"--keep-tag {tag}" for tag, kept in zip(rules.tags, facts.tags, strict=True) if row.number in kept]
    if rules.marked and row.marked:
        found.append("--keep-marked")
    if rules.within is not None and row.started > now - rules.within.microseconds:
        found.append(f"--keep-within {rules.within.text}")
    return tuple(found)


def verdicts(query: Query, chosen: Sequence[RunRow] | None, rules: Rules, now: int) -> Iterator[Verdict]:
    """Yield what becomes of each chosen run, the most recently started first; nothing of them is collected.

    Args:
        query: what scope and filters say.
        chosen: those of its runs that were named; None for all.
        rules: what was asked for.
        now: microseconds UTC.

    Raises:
        UsageError: no run has such a scalar.
        GuildError: none of the chosen runs has a number for it, or has the tag: a rule that keeps nothing is more
            likely a mistake.
    """
    ordered = None if chosen is None else sorted(chosen, key=lambda row: (-row.started, row.number))
    found = facts(query, ordered, rules)
    for row in query.rows() if ordered is None else ordered:
        yield Verdict(row, reasons(row, rules, found, now))


def facts(query: Query, ordered: Sequence[RunRow] | None, rules: Rules) -> Facts:
    """Ask the index which runs the rules keep, a page at a time; raises as `verdicts`."""
    numbers = None if ordered is None else frozenset(row.number for row in ordered)
    last = _last(query.rows() if ordered is None else ordered, rules.last or 0)
    with index_errors():
        tags = tuple(_tagged(query, numbers, tag) for tag in rules.tags)
        return Facts(last, tuple(_best(query, numbers, one) for one in rules.best), tags)


def _last(rows: Iterable[RunRow], count: int) -> frozenset[int]:
    found: set[int] = set()
    for row in rows:
        if len(found) >= count:
            break
        if row.status not in _UNENDED:
            found.add(row.number)
    return frozenset(found)


def _tagged(query: Query, numbers: frozenset[int] | None, tag: str) -> frozenset[int]:
    where, values = query.where()
    rows = query.index.db.execute(
        f"SELECT run.run FROM tag CROSS JOIN run NOT INDEXED ON run.run = tag.run WHERE tag.tag = ? AND {where}",  # noqa: S608
        (as_stored(tag), *values),
    )
    found = frozenset(number for (number,) in rows if numbers is None or number in numbers)
    if not found and (query.count() if numbers is None else numbers):
        known = [text for (text,) in query.index.db.execute("SELECT DISTINCT tag FROM tag")]
        raise GuildError(
            f"none of the runs that were chosen has the tag '{printable(tag, 80)}'{did_you_mean(tag, known)}",
            hint="Nothing was changed. `guild tag --list` shows the tags; leave the rule out if none has it.",
        )
    return found


def _best(query: Query, numbers: frozenset[int] | None, wanted: Best) -> frozenset[int]:
    name = _name(query, wanted)
    where, values = query.where()
    ended = ",".join(str(number) for number, status in enumerate(STATUSES) if status not in _UNENDED)
    few = query.source() != "run"
    source = (
        "run NOT INDEXED CROSS JOIN value AS key" if few else "value AS key INDEXED BY value_by_number CROSS JOIN run"
    )
    rows = query.index.db.execute(
        f"SELECT run.run FROM {source} ON key.run = run.run WHERE key.name = ? AND key.number BETWEEN ? AND ?"  # noqa: S608
        f" AND run.status IN ({ended}) AND {where}"
        f" ORDER BY key.number {'DESC' if wanted.highest else 'ASC'}, run.started DESC, run.run",
        (name, -_LARGEST, _LARGEST, *values),
    )
    found: set[int] = set()
    for (number,) in rows:
        if numbers is None or number in numbers:
            found.add(number)
        if len(found) == wanted.runs:
            break
    if not found and (query.count() if numbers is None else numbers):
        raise GuildError(
            f"none of the runs that were chosen has a number for '{printable(wanted.name, 80)}' (--keep-best)",
            hint="Nothing was changed. `guild runs info` shows a run's scalars; leave the rule out if none has it.",
        )
    return frozenset(found)


def _name(query: Query, wanted: Best) -> int:
    """Return the number of a scalar's name: a bare name is a scalar's, any kind can be said."""
    kind, colon, _ = wanted.name.partition(":")
    text = wanted.name if colon and kind in _KINDS else f"scalar:{wanted.name}"
    row = query.index.db.execute("SELECT name FROM name WHERE text = ?", (as_stored(text),)).fetchone()
    if row is not None:
        return int(row[0])
    known = query.index.db.execute("SELECT substr(text, 8) FROM name WHERE text >= 'scalar:' AND text < 'scalar;'")
    raise UsageError(
        f"no run has a scalar '{printable(wanted.name, 80)}'{did_you_mean(wanted.name, [one for (one,) in known])}",
        hint="Nothing was changed. `guild runs info` shows the scalars of a run.",
    )
