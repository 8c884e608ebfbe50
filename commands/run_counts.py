"""How many runs a list has, and how many there are of each kind: `--count` and `--group-by`; imported only for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.run_json import array_lines, json_text
from commands.terminal import page, say
from ledger.text import printable

if TYPE_CHECKING:
    from commands.listing_options import Layout
    from projections.query import Query

NONE = "(none)"
_LONGEST = 200


def show_counts(query: Query, layout: Layout) -> None:
    """Print how many runs match, or how many there are of each kind.

    Raises:
        UsageError: runs cannot be grouped by that.
    """
    if layout.count:
        say(json_text({"runs": query.count()}) if layout.as_json else str(query.count()))
        return
    show_kinds(query.counts(layout.group_by or ""), as_json=layout.as_json)


def show_kinds(counts: Iterable[tuple[str | None, int]], *, as_json: bool, field: str = "value") -> None:
    """Print kinds of runs, each with how many there are.

    Args:
        counts: what runs have, None for having nothing, and how many have it.
        as_json: print JSON.
        field: name of what runs have, in JSON.
    """
    page(array_lines({field: kind, "runs": runs} for kind, runs in counts) if as_json else _lines(list(counts)))


def _lines(counts: Sequence[tuple[str | None, int]]) -> Iterator[str]:
    wide = max((len(str(runs)) for _, runs in counts), default=0)
    for kind, runs in counts:
        yield f"{runs:>{wide}}  {NONE if kind is None else printable(kind, _LONGEST)}".rstrip()
