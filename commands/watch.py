"""`guild watch`: show the output of a run as it comes, from its beginning, until the run has ended."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import click

from artifacts.lease import is_held
from artifacts.output import OUTPUT
from commands.app import App
from commands.options import SELECTION_HELP, Limits, limiting, run_words
from commands.reaping import reap
from commands.run_folder import one_run
from commands.selecting import open_query, run_filter
from commands.terminal import note, say_bytes
from ledger.dataclass import replace
from ledger.errors import GuildError
from ledger.ids import RunId
from projections.query import runs_by_id

_PAUSE_SECONDS = 0.1
_PIECE = 65_536


@click.command("watch", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@limiting
@click.option("--no-follow", is_flag=True, help="Show what there is, and do not wait for more.")
@click.pass_obj
def watch(app: App, spec: str | None, limits: Limits, *, no_follow: bool) -> None:
    """Show the output of a run as it comes: the latest running one when no RUN is given.

    Ctrl-C ends the watching, not the run.

    \b
    Examples:
      guild watch
      guild watch 3 --no-follow
    """
    run_id = _chosen(app, spec, limits)
    app.close()  # a long reader would keep the ledger's log from being folded in
    note(f"Watching run {run_id[:8]}")
    try:
        _follow(app, run_id, follow=not no_follow)
    except KeyboardInterrupt:
        note(f"\nThe run goes on; `guild stop {run_id[:8]}` ends it.")
        return
    if not no_follow:
        reap(app)  # its supervisor may have been killed: then nobody has recorded the end yet
        row = runs_by_id(app.index, [run_id]).get(run_id)
        if row is not None:
            note(f"Run {run_id[:8]} is {row.status}")


def _chosen(app: App, spec: str | None, limits: Limits) -> RunId:
    if spec is not None:
        return one_run(app, spec, limits).run_id
    wanted = run_filter(app, limits)
    rows = list(open_query(app, replace(wanted, statuses=("running",))).rows(limit=1))
    if not rows:
        raise GuildError("no run is running", hint="Name a run to see its output: guild watch RUN.")
    return rows[0].run_id


def _follow(app: App, run_id: RunId, *, follow: bool) -> None:
    """Copy the output to stdout until nobody supervises the run any more."""
    path = os.path.join(app.home.run_dir(run_id), ".guild", OUTPUT)
    lease = app.home.lease_path(run_id)
    at = 0
    while True:
        ended = not is_held(lease)  # asked first: what comes in between is read below
        with suppress(FileNotFoundError), open(path, "rb") as file:
            file.seek(at)
            while piece := file.read(_PIECE):
                at += len(piece)
                if not say_bytes(piece):
                    return
        if ended or not follow:
            return
        time.sleep(_PAUSE_SECONDS)
