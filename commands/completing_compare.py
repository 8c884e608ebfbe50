"""The columns that a shell is offered for a comparison when Tab is pressed; imported only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from commands.completing import MOST, Items, item
from commands.completing_runs import peeked
from projections.attributes import value_names
from projections.cells import ATTRIBUTES
from projections.column_specs import quoted
from projections.comparison_columns import CORE

if TYPE_CHECKING:
    import click

_KINDS = {"scalar": "", "flag": "="}


def columns(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer scalars, flags and attributes, behind the columns that are typed already, and behind `min` and the like."""
    before, comma, last = incomplete.rpartition(",")
    qualifier, blank, name = last.rpartition(" ")
    start = f"{before}{comma}{qualifier}{blank}"
    is_scalar = bool(qualifier.strip())
    found = (one for one in _specs(ctx) if one[1] == "scalar" or not is_scalar)
    return [item(f"{start}{spec}", kind) for spec, kind in found if spec.startswith(name)][:MOST]


def groups(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer flags, behind those that are typed already."""
    before, comma, last = incomplete.rpartition(",")
    names = [spec[1:] for spec, kind in _specs(ctx) if kind == "flag"]
    return [item(f"{before}{comma}{name}") for name in names if name.startswith(last)][:MOST]


def _specs(ctx: click.Context) -> Iterator[tuple[str, str]]:
    with peeked(ctx) as seen:
        names = [] if seen is None else value_names(seen.index.db, _KINDS)
    for kind, mark in _KINDS.items():
        yield from ((mark + quoted(one.partition(":")[2]), kind) for one in names if one.startswith(f"{kind}:"))
    others = [name for name in ATTRIBUTES if name not in ("id", "duration")]
    yield from ((f".{name}", "attribute") for name in dict.fromkeys((*CORE, *others)))
