"""`guild runs purge`: deleted runs removed for good; what was known of them stays in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.change import Change, execute, same, selector_of
from commands.options import SELECTION_HELP, Limits, dry_run_option, json_option, limiting, run_words, yes_option
from commands.protection import refuse_protected
from commands.retention import chosen_runs, retaining
from commands.selecting import run_filter
from ledger.events.life import RunPurgeStarted
from projections.schema import DELETED, PURGED

if TYPE_CHECKING:
    from projections.retention import Rules


@click.command("purge", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@limiting
@retaining
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def purge(
    app: App, specs: tuple[str, ...], limits: Limits, rules: Rules | None, *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Permanently delete deleted runs, to free their disk space: all that match when no RUN is given.

    Indexes are those of `guild runs --deleted` with the same options. This cannot be undone.

    \b
    Examples:
      guild runs purge              empty the trash
      guild runs purge -E           only failed runs
      guild runs purge --older-than 30d --keep-tag paper --dry-run
    """
    wanted = run_filter(app, limits, place=DELETED)
    runs = chosen_runs(app, wanted, specs, rules, dry_run=dry_run, as_json=as_json)
    if runs is None:
        return
    refuse_protected(runs)
    change = Change(
        runs=runs,
        events=same(RunPurgeStarted(selector=selector_of(specs))),
        heading="WARNING: You are about to permanently delete the following runs:",
        question="Permanently delete these runs?",
        done="Permanently deleted {count} run(s)",
        nothing="Nothing to purge.",
        place=PURGED,
        undoable=False,
        weigh=True,
    )
    execute(app, change, yes=yes, dry_run=dry_run)
