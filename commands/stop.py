"""`guild stop`: end running runs, each with all that it started, and wait until that is recorded."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import NothingToDoError, refuse_moved
from commands.lazy import completer
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, yes_option
from commands.reaping import reap
from commands.selecting import run_filter, selected
from commands.stopping import stop_run
from commands.table import preview
from commands.terminal import confirm, note, say, warn, width
from ledger.dataclass import replace
from ledger.errors import GuildError
from projections.query import RunRow

_RUNNING = ("running",)
_RUNS = completer("commands.completing_runs:running_runs")


@click.command("stop", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=_RUNS)
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def stop(app: App, specs: tuple[str, ...], limits: Limits, *, yes: bool, dry_run: bool) -> None:
    """Stop running runs: those that are named, or all that match.

    A run is asked to end (SIGTERM), killed when it does not within ten seconds, and recorded as terminated. Runs
    of its batch that were not started yet stay staged.

    \b
    Examples:
      guild stop 0
      guild stop --op train -y
    """
    rows = _running(app, limits, specs)
    if not dry_run:
        refuse_moved(app, yes=yes)
    if dry_run or not yes:
        say("You are about to stop the following runs:")
        for line in preview(rows, app.cwd, width()):
            say(line)
        for line in app.moved:
            warn(line)
    if dry_run:
        note("Nothing was changed (--dry-run).")
        return
    if not (yes or confirm("Stop these runs?")):
        return
    _stop(app, rows)


def _running(app: App, limits: Limits, specs: tuple[str, ...]) -> list[RunRow]:
    """Return the running runs that are meant; there is at least one."""
    if limits.statuses and not set(limits.statuses) & set(_RUNNING):
        raise NothingToDoError("Nothing to stop.", hint="Only running runs can be stopped.")
    wanted = run_filter(app, replace(limits, statuses=_RUNNING))
    rows = selected(app, wanted, specs, list_command="guild runs --running")
    if not rows:
        raise NothingToDoError("Nothing to stop.")
    return rows


def _stop(app: App, rows: list[RunRow]) -> None:
    failed = stop_all(app, rows)
    say(f"Stopped {len(rows) - failed} run(s)")
    if failed:
        raise GuildError(f"{failed} of {len(rows)} runs could not be stopped", hint="The reasons stand above.")


def stop_all(app: App, rows: Sequence[RunRow]) -> int:
    """Stop runs one after the other, and warn of those that cannot be stopped; returns how many these are."""
    failed = 0
    for row in rows:
        try:
            stop_run(app, row)
        except GuildError as error:
            warn(f"{error.message}. {error.hint}" if error.hint else error.message)
            failed += 1
    reap(app)  # a supervisor that had to be killed has recorded nothing
    return failed
