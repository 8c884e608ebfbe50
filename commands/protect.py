"""`guild protect` and `guild unprotect`: runs that cannot be deleted or purged."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change, same
from commands.notes import NOTHING, carry_out, noted_runs
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, run_words, yes_option
from ledger.events.notes import RunProtected
from projections.query import RunRow
from projections.schema import DELETED, LIVE

_deleted = click.option(
    "-d", "--deleted", is_flag=True, help="Deleted runs; indexes are those of `guild runs --deleted`."
)


@click.command("protect", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@_deleted
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def protect(app: App, specs: tuple[str, ...], limits: Limits, *, deleted: bool, yes: bool, dry_run: bool) -> None:
    """Protect runs: they cannot be deleted or purged until `guild unprotect`. The latest run when no RUN is given.

    One run that is named, or none, is protected at once; several are shown first.

    \b
    Examples:
      guild protect 0
      guild protect -l paper :   all runs labelled paper
      guild protect -d 0         a deleted run, which then cannot be purged
    """
    runs = noted_runs(app, limits, specs, place=DELETED if deleted else LIVE)
    carry_out(app, runs, lambda rows: protect_change(rows, protected=True), yes=yes, dry_run=dry_run)


@click.command("unprotect", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@_deleted
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def unprotect(app: App, specs: tuple[str, ...], limits: Limits, *, deleted: bool, yes: bool, dry_run: bool) -> None:
    """Lift the protection of runs, so that they can be deleted: of the latest run when no RUN is given.

    One run that is named, or none, is unprotected at once; several are shown first.

    \b
    Examples:
      guild unprotect 0
      guild unprotect -l paper :   all runs labelled paper
    """
    runs = noted_runs(app, limits, specs, place=DELETED if deleted else LIVE)
    carry_out(app, runs, lambda rows: protect_change(rows, protected=False), yes=yes, dry_run=dry_run)


def protect_change(rows: Sequence[RunRow], *, protected: bool) -> Change:
    """Return the plan that protects runs, or lifts that; runs that are as wanted are left out."""
    changed = [row for row in rows if bool(row.protected) != protected]
    what = "protect" if protected else "unprotect"
    return Change(
        runs=changed,
        events=same(RunProtected(protected=protected)),
        heading=f"You are about to {what} the following runs:",
        question="Continue?",
        done=f"{what.capitalize()}ed {{count}} run(s)",
        nothing=NOTHING,
    )
