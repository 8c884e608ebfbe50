"""`guild runs purge`: deleted runs removed for good; what was known of them stays in the ledger."""

from __future__ import annotations

import click

from commands.app import App
from commands.change import Change, execute, same, selector_of
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, run_words, yes_option
from commands.protection import refuse_protected
from commands.selecting import run_filter, selected
from ledger.events.life import RunPurgeStarted
from projections.schema import DELETED, PURGED


@click.command("purge", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def purge(app: App, specs: tuple[str, ...], limits: Limits, *, yes: bool, dry_run: bool) -> None:
    """Permanently delete deleted runs, to free their disk space: all that match when no RUN is given.

    Indexes are those of `guild runs --deleted` with the same options. This cannot be undone.

    \b
    Examples:
      guild runs purge              empty the trash
      guild runs purge -E           only failed runs
    """
    runs = selected(app, run_filter(app, limits, place=DELETED), specs, list_command="guild runs --deleted")
    refuse_protected(runs)
    change = Change(
        runs=runs,
        events=same(RunPurgeStarted(selector=selector_of(specs))),
        heading="WARNING: You are about to permanently delete the following runs:",
        question="Permanently delete these runs?",
        done="Permanently deleted {count} run(s)",
        nothing="Nothing to purge.",
        place=PURGED,
        weigh=True,
    )
    execute(app, change, yes=yes, dry_run=dry_run)
