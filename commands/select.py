"""`guild select`: the id of one run, for a pipe; on a terminal it can be picked."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from commands.app import App
from commands.lazy import completer
from commands.options import SELECTION_HELP, Limits, archive_option, at_option, json_option, limiting, run_words
from commands.run_folder import one_run
from commands.run_json import json_lines
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.table import SHORT_ID
from commands.terminal import is_screen, say
from ledger.errors import UsageError
from projections.query import Query, RunRow
from projections.selection import SelectionError

_SCALARS = completer("commands.completing_columns:scalars")


@click.command("select", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@click.option("--short", is_flag=True, help=f"Print the first {SHORT_ID} digits only.")
@click.option("--min", "least", metavar="SCALAR", shell_complete=_SCALARS, help="The run in which SCALAR ended lowest.")
@click.option("--max", "most", metavar="SCALAR", shell_complete=_SCALARS, help="The run in which SCALAR ended highest.")
@click.option("--each", is_flag=True, help="The ids of all runs that match, one a line.")
@limiting
@at_option
@archive_option
@json_option
@click.pass_obj
def select_run(
    app: App,
    spec: str | None,
    limits: Limits,
    *,
    short: bool,
    least: str | None,
    most: str | None,
    each: bool,
    as_json: bool,
) -> None:
    """Print the id of a run: of the latest that matches, when no RUN is given.

    On a terminal the run is picked from a list, unless RUN or an option says which: type to find, move with the
    arrows, Enter prints the id. RUN 0 is the latest without being asked. SCALAR may also be flag:NAME, or min:NAME,
    max:NAME and step:NAME of a scalar.

    \b
    Examples:
      guild runs info $(guild select -o train)
      guild label $(guild select --min loss) best
      guild select --max min:accuracy -o train
      guild select -E --each
    """
    if sum(given for given in (spec is not None and not each, least is not None, most is not None, each)) > 1:
        raise UsageError("only one of RUN, --min, --max and --each can be given", hint="Filters limit the runs.")
    for option, scalar in (("--min", least), ("--max", most)):
        if scalar is not None and not scalar.strip():
            raise UsageError(
                f"{option} needs the name of a scalar, and got an empty one", hint="Example: guild select --min loss."
            )
    if each:
        rows = iter(selected(app, run_filter(app, limits), [spec] if spec is not None else []))
        tell_moved(app)
    elif least is not None or most is not None:
        name = least if least is not None else most or ""
        rows = iter([_best(open_query(app, run_filter(app, limits)), name, least=least is not None)])
    elif spec is None and not (short or as_json) and is_screen(sys.stdin, sys.stderr):
        # Somebody can see a list and press keys; where the id goes does not matter.
        rows = iter([_picked(app, limits)])
    else:
        rows = iter([one_run(app, spec, limits)])
    _say(app, rows, short=short, as_json=as_json)


def _say(app: App, rows: Iterator[RunRow], *, short: bool, as_json: bool) -> None:
    lines = json_lines(rows, app) if as_json else (row.run_id[:SHORT_ID] if short else row.run_id for row in rows)
    for line in lines:
        if not say(line):
            return


def _picked(app: App, limits: Limits) -> RunRow:
    from commands.picker import MOST, pick

    rows = list(open_query(app, run_filter(app, limits)).rows(limit=MOST))
    if not rows:
        raise SelectionError("no run matches", hint="`guild runs --all` lists all runs.")
    app.close()  # nobody shall wait for a person who is choosing
    return pick(rows, app.cwd)


def _best(query: Query, spec: str, *, least: bool) -> RunRow:
    """Return the run of `query` in which the last value of a scalar is lowest, or highest; of equals the latest.

    Raises:
        SelectionError: no run has such a number.
    """
    from projections.best import best, no_such_scalar

    row = best(query, spec, least=least)
    if row is None:
        raise SelectionError(
            no_such_scalar(query, spec),
            hint="`guild runs` with the same options lists the runs that were looked at.",
        )
    return row
