"""The columns that a shell is offered when Tab is pressed; imported only then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from commands.completing import MOST, Items, item
from commands.completing_runs import peeked
from commands.run_columns import ATTRIBUTES
from projections.attributes import value_names
from projections.counting import GROUPS
from projections.sorting import SORTS

if TYPE_CHECKING:
    import click

_BARE = ("flag", "scalar")


def sorts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what runs can be sorted by."""
    return _offered(ctx, SORTS, incomplete)


def groups(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what runs can be grouped by."""
    return _offered(ctx, GROUPS, incomplete)


def scalars(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the scalars that runs have."""
    names = [name.removeprefix("scalar:") for name in _names(ctx) if name.startswith("scalar:")]
    return [item(name) for name in names if name.startswith(incomplete)][:MOST]


def columns(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what can be shown of runs, behind the columns that are typed already."""
    before, comma, last = incomplete.rpartition(",")
    taken = set(before.split(","))
    return [
        item(f"{before}{comma}{one.value}", one.help or "")
        for one in _offered(ctx, ATTRIBUTES, last)
        if one.value not in taken
    ]


def _offered(ctx: click.Context, attributes: Iterable[str], incomplete: str) -> Items:
    """Offer attributes, then flags and scalars: by their bare names until a prefix is typed."""
    known = list(attributes)
    found = [item(name, "attribute") for name in known]
    for full in _names(ctx):
        kind, _, name = full.partition(":")
        if ":" in incomplete:
            found.append(item(full, kind))
        elif kind in _BARE and name not in known:
            found.append(item(name, kind))
            known.append(name)
    return [one for one in found if str(one.value).startswith(incomplete)][:MOST]


def _names(ctx: click.Context) -> list[str]:
    with peeked(ctx) as seen:
        return [] if seen is None else value_names(seen.index.db)
