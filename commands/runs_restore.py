"""`guild runs restore`: deleted runs back among the live ones, as they were."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change, execute, same, selector_of
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, run_words, yes_option
from commands.selecting import run_filter, selected
from ledger.events.life import RunRestored
from projections.query import RunRow
from projections.schema import DELETED, LIVE


@click.command("restore", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def restore(app: App, specs: tuple[str, ...], limits: Limits, *, yes: bool, dry_run: bool) -> None:
    """Restore deleted runs: all that match when no RUN is given.

    Indexes are those of `guild runs --deleted` with the same options.

    \b
    Examples:
      guild runs restore 0          the first of `guild runs --deleted`
      guild runs restore 9734f85e   by id
    """
    runs = selected(app, run_filter(app, limits, place=DELETED), specs, list_command="guild runs --deleted")
    execute(app, out_of_trash(runs, specs), yes=yes, dry_run=dry_run)


def out_of_trash(runs: Sequence[RunRow], specs: Sequence[str]) -> Change:
    """Return the plan that restores deleted runs."""
    return Change(
        runs=runs,
        events=same(RunRestored(selector=selector_of(specs))),
        heading="You are about to restore the following runs:",
        question="Restore these runs?",
        done="Restored {count} run(s)",
        nothing="Nothing to restore.",
        place=LIVE,
        weigh=True,
    )
