"""From what was typed to one run and its directory: common to the commands that are about a single run."""

from __future__ import annotations

import os

import click

from artifacts.findings import shell_word
from commands.app import App
from commands.options import Limits
from commands.selecting import open_query, run_filter, selected, tell_moved
from ledger.errors import GuildError
from projections.query import RunRow
from projections.schema import DELETED, LIVE
from projections.selection import SelectionError

deleted_option = click.option(
    "-d", "--deleted", is_flag=True, help="A deleted run; indexes are those of `guild runs --deleted`."
)


def one_run(app: App, spec: str | None, limits: Limits, *, deleted: bool = False) -> RunRow:
    """Return the run that `spec` names; the latest that the options leave when it is None.

    Raises:
        SelectionError: there is none, or it names several.
    """
    wanted = run_filter(app, limits, place=DELETED if deleted else LIVE)
    command = "guild runs --deleted" if deleted else "guild runs"
    if app.archive:
        command += f" --archive {shell_word(app.archive)}"
    if spec is None:
        rows = list(open_query(app, wanted).rows(limit=1))
    else:
        rows = selected(app, wanted, [spec], list_command=command)
        tell_moved(app)
    if not rows:
        raise SelectionError("no run matches", hint=f"`{command} --all` lists all runs.")
    if len(rows) > 1:
        ids = "\n".join(f"  {row.run_id[:8]}" for row in rows)
        raise SelectionError(f"'{spec}' matches multiple runs:\n{ids}", hint="Name one run.")
    return rows[0]


def folder_of(app: App, row: RunRow) -> str:
    """Return the directory of a run.

    Raises:
        GuildError: there is none.
    """
    folder = app.home.run_dir(row.run_id) if row.place == LIVE else app.home.trash_run_dir(row.run_id)
    if row.status == "staged":
        raise GuildError(
            f"run {row.run_id[:8]} has not started: it has no files yet",
            hint=f"`guild run --start {row.run_id[:8]}` starts it.",
        )
    if not os.path.isdir(folder):
        raise GuildError(
            f"run {row.run_id[:8]} has no directory in this home",
            hint="It was started in another home, or its files were removed by hand.",
        )
    return folder
