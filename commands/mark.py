"""`guild mark` and `guild runs mark`: set the runs that matter apart, and take that back."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change, same
from commands.notes import NOTHING, carry_out, noted_runs
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, run_words, yes_option
from ledger.events.notes import RunMarked
from projections.query import RunRow


@click.command("mark", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("-c", "--clear", is_flag=True, help="Remove the mark.")
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def mark(app: App, specs: tuple[str, ...], limits: Limits, *, clear: bool, yes: bool, dry_run: bool) -> None:
    """Mark runs, to find them again among many: the latest run when no RUN is given.

    One run that is named, or none, is marked at once; several are shown first.

    \b
    Examples:
      guild mark            mark the latest run
      guild mark 3 5:7      mark runs 3, 5, 6 and 7
      guild mark 3 --clear  remove the mark of run 3
    """
    runs = noted_runs(app, limits, specs)
    carry_out(app, runs, lambda rows: mark_change(rows, marked=not clear), yes=yes, dry_run=dry_run)


def mark_change(rows: Sequence[RunRow], *, marked: bool) -> Change:
    """Return the plan that marks runs, or removes their marks; runs that are as wanted are left out."""
    changed = [row for row in rows if bool(row.marked) != marked]
    return Change(
        runs=changed,
        events=same(RunMarked(marked=marked)),
        heading=f"You are about to {'mark' if marked else 'unmark'} the following runs:",
        question="Continue?",
        done=f"{'Marked' if marked else 'Unmarked'} {{count}} run(s)",
        nothing=NOTHING,
    )
