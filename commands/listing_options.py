"""The options of a list of runs, once, for `guild runs` and `guild runs list`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from commands.lazy import completer
from commands.options import in_place_of, json_option, refuse_no_column
from ledger.dataclass import dataclass

F = TypeVar("F", bound=Callable[..., Any])

_STEP = 20
"""How many runs `--more` adds when -n does not say."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the options say about how runs are listed.

    Attributes:
        deleted: those in the trash.
        limit: `-n`, None for all.
        more: how often `--more` was given.
        sort: the column of `--sort`; empty for the usual order.
        reverse: the other way round.
        columns: `--columns`, as given.
        simple: `-s`.
        verbose: `-v`.
        as_json: `--json`.
        as_csv: `--csv`.
        count: only how many.
        group_by: the column of `--group-by`, None for none.
        watch: shown live.
    """

    deleted: bool = False
    limit: int | None = None
    more: int = 0
    sort: str = ""
    reverse: bool = False
    columns: tuple[str, ...] = ()
    simple: bool = False
    verbose: bool = False
    as_json: bool = False
    as_csv: bool = False
    count: bool = False
    group_by: str | None = None
    watch: bool = False

    def most(self) -> int | None:
        """Return how many rows are listed at most, None for all."""
        if not self.more:
            return self.limit
        return (1 + self.more) * (_STEP if self.limit is None else self.limit)

    def is_sorted(self) -> bool:
        """Tell whether the order is not the usual one, in which alone runs have indexes."""
        return self.reverse or self.sort not in ("", "started", "attr:started")

    def is_plain(self) -> bool:
        """Tell whether the usual rows are asked for, in the usual order."""
        return not (
            self.sort or self.reverse or self.columns or self.simple or self.as_csv or self.count
            or self.group_by is not None or self.watch
        )  # fmt: skip

    def given(self) -> bool:
        """Tell whether any option was."""
        return self != _NONE


_NONE = Layout()


def listing_options(command: F) -> F:
    """Add the options of a list to a command; it receives them as one `layout` argument."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        taken = {name: kwargs.pop(name) for name in Layout.__slots__}
        for option, name in (("--sort", "sort"), ("--group-by", "group_by")):
            if taken[name] is not None:
                refuse_no_column(option, taken[name], example="status")
        taken["sort"] = taken["sort"] or ""
        return command(*args, layout=Layout(**taken), **kwargs)

    return in_place_of(command, wrapped, _options())


def _options() -> list[Callable[[Any], Any]]:
    sorts, groups, columns = (
        completer(f"commands.completing_columns:{kind}") for kind in ("sorts", "groups", "columns")
    )
    return [
        click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N runs."),
        click.option("-m", "--more", count=True, help=f"N more runs than -n says ({_STEP}); may be repeated."),
        click.option("--sort", metavar="COLUMN", shell_complete=sorts, help="Sort by an attribute, flag or scalar."),
        click.option("--reverse", is_flag=True, help="The other way round; alone: the oldest first."),
        click.option(
            "--columns", metavar="COLUMN,...", multiple=True, shell_complete=columns,
            help="Show these attributes, flags and scalars of each run.",
        ),
        click.option("-s", "--simple", is_flag=True, help="Show operation and label only."),
        click.option("-v", "--verbose", is_flag=True, help="Show more of each run."),
        click.option("-d", "--deleted", is_flag=True, help="List deleted runs (those that can be restored)."),
        json_option,
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV."),
        click.option("--count", is_flag=True, help="Print how many runs there are, and nothing else."),
        click.option("--group-by", metavar="COLUMN", shell_complete=groups, help="Count the runs of each kind."),
        click.option("--watch", is_flag=True, help="Show the list as it changes, until q is pressed."),
    ]  # fmt: skip
