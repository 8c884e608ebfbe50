"""From the words of a command line to the trials they ask for: lists, rules, ranges to draw from, files of rows.

The plan is made before anything runs, from nothing but its arguments, so that the same words and the same seed always
give the same trials.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, TypeAlias

from ledger.dataclass import dataclass
from ledger.text import printable
from operations.flags import TEXT_TYPES, FlagError, parse_value, split_assignments
from operations.sequences import MOST_VALUES, Space, count_text, rule_of
from operations.trial_files import Typed, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from operations.definitions import FlagDef, FlagValue, OperationDef

DRAWN_TRIALS = 20
"""How many trials are drawn at random when the command does not say."""

_Values: TypeAlias = "list[FlagValue] | Space"


@dataclass(frozen=True, slots=True)
class Trials:
    """What is to run.

    Attributes:
        rows: for each trial, the values that are given, which still have to go through `resolve_flags`.
        is_batch: whether the words ask for trials at all, be it only one; otherwise `rows` is a plain run.
        random: whether values were drawn at random, so that another seed gives other values.
        total: how many trials the words ask for; more than `rows` when a limit took a sample of them.
    """

    rows: tuple[dict[str, FlagValue], ...]
    is_batch: bool = False
    random: bool = False
    total: int = 1


@dataclass(frozen=True, slots=True)
class _Grid:
    """All combinations of some values: the first flag changes slowest, the last fastest."""

    values: Mapping[str, _Values]

    @property
    def has_spaces(self) -> bool:
        """Whether some values are to be drawn."""
        return any(isinstance(values, Space) for values in self.values.values())

    @property
    def size(self) -> int:
        """How many combinations there are."""
        return math.prod(len(values) for values in self.values.values() if isinstance(values, list))

    def row(self, number: int) -> dict[str, FlagValue]:
        """Return one combination, without making those before it."""
        row: dict[str, FlagValue] = {}
        for name, values in reversed([*self.values.items()]):
            if isinstance(values, list):
                number, position = divmod(number, len(values))
                row[name] = values[position]
        return {name: row[name] for name in self.values}

    def drawn(self, random: Random, *, is_first: bool) -> dict[str, FlagValue]:
        """Return one combination by chance; the first takes the values that are said to come first."""
        row: dict[str, FlagValue] = {}
        for name, values in self.values.items():
            if isinstance(values, list):
                row[name] = random.choice(values)
            else:
                drawn = values.draw(random)
                row[name] = values.first if is_first and values.first is not None else drawn
        return row


def plan_trials(
    operation: OperationDef,
    words: Sequence[str],
    *,
    cwd: str,
    max_trials: int | None = None,
    seed: int = 0,
    base: Mapping[str, FlagValue] | None = None,
) -> Trials:
    """Return the trials that the words of a command line ask for.

    A list for a flag means one trial for each of its items, and so do `range[1:5]`, `linspace[0:1:5]` and
    `logspace[-4:-1:4]`; several of them give all combinations, the last flag changing fastest. For a flag whose
    default is a list, or which is passed as several arguments, a list is one value, and a list of lists is trials.
    An empty list is a value everywhere. A flag whose type is text has lists, but no rules. A default may be a rule
    as well; it counts when the flag is not given.

    `[0.1:0.5]`, `uniform[...]` and `loguniform[...]` are drawn from, `max_trials` times; lists beside them are drawn
    from as well, and rows of files take turns. Without them, `max_trials` takes a sample of the combinations.

    `@FILE` adds the rows of a file, each combined with the other words, which win.

    Args:
        operation: the operation that is to run; says which values are text, and which are lists by nature.
        words: `NAME=VALUE` and `@FILE`, as typed.
        cwd: absolute directory that files are relative to.
        max_trials: the most trials; None for 20 when values are drawn, else for all.
        seed: what chance begins with.
        base: values that take the place of defaults, each as it is; words and files win over them.

    Raises:
        FlagError: a word is neither, a file or a rule cannot be used, or there would be more than 100,000 trials.
    """
    if max_trials is not None and not 1 <= max_trials <= MOST_VALUES:
        raise FlagError(f"{max_trials} trials cannot be run: expected 1 to {MOST_VALUES}")
    flags = {flag.name: flag for flag in operation.flags}
    files = [word[1:] for word in words if word.startswith("@")]
    typed = split_assignments(word for word in words if not word.startswith("@"))
    given = {name: _typed_values(name, text, flags.get(name)) for name, text in typed.items()}
    rows = [row for file in files for row in read_rows(os.path.join(cwd, file), file)] or [{}]
    taken = {name: _One([value]) for name, value in (base or {}).items()}
    ruled = _ruled_defaults(flags, {**given, **taken})
    grids = [_Grid({**ruled, **taken, **_row_values(row, flags, given), **given}) for row in rows]
    if not (files or ruled) and all(isinstance(values, _One) for values in given.values()):
        return Trials((grids[0].row(0),))
    if any(grid.has_spaces for grid in grids):
        count = DRAWN_TRIALS if max_trials is None else max_trials
        return Trials(tuple(_drawn(grids, count, seed)), is_batch=True, random=True, total=count)
    total = sum(grid.size for grid in grids)
    return Trials(tuple(_combined(grids, _wanted(total, max_trials, seed))), is_batch=True, total=total)


class _One(list["FlagValue"]):
    """The only value of a flag that asks for no trials."""


def _typed_values(name: str, text: str, flag: FlagDef | None) -> _Values:
    """Return what a flag's text asks for."""
    if flag is not None and flag.type in TEXT_TYPES:
        return _listed_texts(text) or _One([text])
    rule = rule_of(name, text)
    return _fitted(rule, flag) if rule is not None else _value_values(parse_value(text), flag)


def _ruled_defaults(flags: Mapping[str, FlagDef], given: Mapping[str, object]) -> dict[str, _Values]:
    """Return what the defaults that are rules ask for, such as `loguniform[1e-5:0.1]`."""
    result: dict[str, _Values] = {}
    for name, flag in flags.items():
        if name not in given and isinstance(flag.default, str) and flag.type not in TEXT_TYPES:
            rule = rule_of(name, flag.default)
            if rule is not None:
                result[name] = _fitted(rule, flag)
    return result


def _value_values(value: FlagValue, flag: FlagDef | None) -> _Values:
    if not isinstance(value, list) or not value:
        return _One([value])
    by_nature = flag is not None and (isinstance(flag.default, list) or flag.arg_split is not None)
    if by_nature and not all(isinstance(item, list) for item in value):
        return _One([value])
    return value


def _listed_texts(text: str) -> list[FlagValue]:
    """Return the items of a list as they are spelled, because a text keeps its zeros; none when it is no list."""
    if not isinstance(parse_value(text), list):
        return []
    from operations.nodes import ScalarNode, SequenceNode, compose

    node = compose(text.strip())
    items = node.items if isinstance(node, SequenceNode) else ()
    texts: list[FlagValue] = [item.text for item in items if isinstance(item, ScalarNode)]
    return texts if len(texts) == len(items) else []


def _fitted(rule: _Values, flag: FlagDef | None) -> _Values:
    """Return a space whose numbers are what the flag wants: whole ones for `int`, any for a default of 0.1."""
    if flag is None or not isinstance(rule, Space):
        return rule
    is_whole = rule.is_whole
    if flag.type is not None and flag.type != "auto":
        is_whole = flag.type == "int" or (is_whole and flag.type != "float")
    elif isinstance(flag.default, float):
        is_whole = False
    low, high = (math.ceil(rule.low), math.floor(rule.high)) if is_whole else (rule.low, rule.high)
    if low > high:
        raise FlagError(f"flag '{printable(flag.name)}' has no integer from {rule.low} to {rule.high}")
    return Space(low, high, rule.is_log, rule.first, is_whole)


def _row_values(
    row: Mapping[str, FlagValue], flags: Mapping[str, FlagDef], given: Mapping[str, object]
) -> dict[str, _Values]:
    """Return what a row of a file asks for, apart from flags that the command line gives."""
    result: dict[str, _Values] = {}
    for name, value in row.items():
        flag = flags.get(name)
        if name in given:
            continue
        if isinstance(value, Typed):
            result[name] = _typed_values(name, str(value), flag)
        elif isinstance(value, str):
            rule = None if flag is not None and flag.type in TEXT_TYPES else rule_of(name, value)
            result[name] = _fitted(rule, flag) if rule is not None else _One([value])
        else:
            result[name] = _value_values(value, flag)
    return result


def _wanted(total: int, max_trials: int | None, seed: int) -> Sequence[int]:
    """Return the numbers of the combinations to run, in order."""
    if max_trials is None or max_trials >= total:
        if total > MOST_VALUES:
            raise FlagError(
                f"these flags ask for {count_text(total)} trials: expected at most {MOST_VALUES}",
                hint="Give fewer values, or run a sample of them with --max-trials.",
            )
        return range(total)
    from random import Random

    random = Random(seed)  # noqa: S311 - picks trials, not secrets
    if total <= sys.maxsize:
        return sorted(random.sample(range(total), max_trials))
    chosen: set[int] = set()
    while len(chosen) < max_trials:  # `sample` takes no range that is longer than a list can be
        chosen.add(random.randrange(total))
    return sorted(chosen)


def _combined(grids: Sequence[_Grid], wanted: Sequence[int]) -> Iterator[dict[str, FlagValue]]:
    position = start = 0
    for number in wanted:
        while number >= start + grids[position].size:
            start += grids[position].size
            position += 1
        yield grids[position].row(number - start)


def _drawn(grids: Sequence[_Grid], count: int, seed: int) -> Iterator[dict[str, FlagValue]]:
    from random import Random

    random = Random(seed)  # noqa: S311 - picks values, not secrets
    for number in range(count):
        yield grids[number % len(grids)].drawn(random, is_first=number < len(grids))
