"""The rules of a clean-up on the command line: `--older-than`, `--keep-last` and their like, for `rm` and `purge`.

Apart from what carries them out: who gives no rule does not wait for the import of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from commands.app import App
from commands.options import in_place_of
from commands.selecting import selected
from ledger.errors import UsageError
from projections.query import RunFilter, RunRow
from projections.schema import LIVE

if TYPE_CHECKING:
    from projections.retention import Rules

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--older-than", metavar="AGE", multiple=True,
        help="Only runs that started longer ago, such as 30d, 12h or 2w; of several the longest counts.",
    ),
    click.option(
        "--keep-last", type=click.IntRange(min=1), metavar="N", multiple=True,
        help="Keep the N most recently started runs; of several N the largest counts.",
    ),
    click.option(
        "--keep-best", metavar="SCALAR=N", multiple=True,
        help="Keep the N runs in which SCALAR ended lowest; highest: 'max SCALAR=N'. May be repeated.",
    ),
    click.option("--keep-tag", metavar="TAG", multiple=True, help="Keep runs with TAG; may be repeated (any of them)."),
    click.option("--keep-marked", is_flag=True, help="Keep marked runs."),
    click.option(
        "--keep-within", metavar="AGE", multiple=True,
        help="Keep runs that started within this time, such as 7d; of several the longest counts.",
    ),
)  # fmt: skip


def retaining(command: F) -> F:
    """Add the rules to a command; it receives them as one `rules` argument."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return command(*args, rules=_taken(kwargs), **kwargs)

    return in_place_of(command, wrapped, _OPTIONS)


def _taken(params: dict[str, Any]) -> Rules | None:
    """Take the rules out of the parameters of a command; None when there are none."""
    older_than, last, best = (params.pop(name) for name in ("older_than", "keep_last", "keep_best"))
    tags, marked, within = (params.pop(name) for name in ("keep_tag", "keep_marked", "keep_within"))
    if "" in tags:
        raise UsageError("--keep-tag needs a text, and got an empty one", hint="Leave the option out for no tag.")
    if not (older_than or last or best or tags or marked or within):
        return None
    from projections import retention

    def longest(texts: Sequence[str]) -> retention.Age | None:
        return max(map(retention.age, texts), key=lambda age: age.microseconds, default=None)

    # Of one that is given twice, what keeps more: a rule that is added never removes a run.
    return retention.Rules(
        older_than=longest(older_than),
        last=max(last, default=None),
        best=tuple(map(retention.best, best)),
        tags=tuple(dict.fromkeys(tags)),
        marked=marked,
        within=longest(within),
    )


def chosen_runs(
    app: App, wanted: RunFilter, specs: Sequence[str], rules: Rules | None, *, dry_run: bool, as_json: bool
) -> list[RunRow] | None:
    """Return the runs that were chosen and that no rule keeps; None when the plan was shown and that is all.

    Raises:
        UsageError: `--json` without `--dry-run`.
        GuildError: see `projections.retention` and `selected`; or there is nothing to show.
    """
    if as_json and not dry_run:
        raise UsageError("--json goes with --dry-run", hint="It prints the plan; nothing is changed then.")
    list_command = "guild runs" if wanted.place == LIVE else "guild runs --deleted"
    if rules is None and not as_json:
        return selected(app, wanted, specs, list_command=list_command)
    from commands.cleaning import cleaning, left_to_go, show_plan

    plan = cleaning(app, wanted, specs, rules, list_command)
    if not dry_run:
        return left_to_go(app, plan)
    show_plan(app, plan, as_json=as_json)
    return None
