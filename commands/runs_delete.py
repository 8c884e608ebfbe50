"""`guild runs delete` (`rm`): into the trash, or for good with `--permanent`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.change import Change, execute, same, selector_of
from commands.options import SELECTION_HELP, Limits, dry_run_option, json_option, limiting, run_words, yes_option
from commands.protection import refuse_protected
from commands.retention import chosen_runs, retaining
from commands.selecting import run_filter
from commands.stopping import stop_running
from ledger.events.life import RunDeleted, RunPurgeStarted
from projections.query import RunRow
from projections.schema import DELETED, PURGED

if TYPE_CHECKING:
    from projections.retention import Rules


@click.command("delete", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("-p", "--permanent", is_flag=True, help="Remove for good: such runs cannot be restored.")
@limiting
@retaining
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def delete(
    app: App,
    specs: tuple[str, ...],
    limits: Limits,
    rules: Rules | None,
    *,
    permanent: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete runs: all that match when no RUN is given.

    Deleted runs are kept in the trash until they are purged; `guild runs restore` brings them back.
    A run that is still running is stopped first. With a protected run among them nothing is deleted.

    \b
    Examples:
      guild runs rm 0           the most recently started run
      guild runs rm 1:3         runs 1, 2 and 3
      guild runs rm -E          all failed runs
      guild runs rm -Ep         all failed runs, for good
      guild runs rm --older-than 30d --keep-best loss=10 --keep-marked --dry-run
    """
    wanted = run_filter(app, limits)
    runs = chosen_runs(app, wanted, specs, rules, dry_run=dry_run, as_json=as_json)
    if runs is None:
        return
    refuse_protected(runs)
    change = permanently(runs, specs) if permanent else into_trash(runs, specs)
    execute(app, change, yes=yes, dry_run=dry_run, before=stop_running)


def into_trash(runs: Sequence[RunRow], specs: Sequence[str]) -> Change:
    """Return the plan that deletes runs so that they can be restored."""
    return Change(
        runs=runs,
        events=same(RunDeleted(selector=selector_of(specs))),
        heading="You are about to delete the following runs:",
        question="Delete these runs?",
        done="Deleted {count} run(s)",
        nothing="Nothing to delete.",
        place=DELETED,
        weigh=True,
    )


def permanently(runs: Sequence[RunRow], specs: Sequence[str]) -> Change:
    """Return the plan that deletes runs for good, past the trash."""
    selector = selector_of(specs)
    return Change(
        runs=runs,
        events=same(RunDeleted(selector=selector), RunPurgeStarted(selector=selector)),
        heading="WARNING: You are about to permanently delete the following runs:",
        question="Permanently delete these runs?",
        done="Permanently deleted {count} run(s)",
        nothing="Nothing to delete.",
        place=PURGED,
        undoable=False,
        weigh=True,
    )
