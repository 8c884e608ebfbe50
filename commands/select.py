"""`guild select`: the id of one run, for a pipe; on a terminal it can be picked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from commands.app import App
from commands.options import SELECTION_HELP, Limits, json_option, limiting, run_words
from commands.run_folder import one_run
from commands.run_json import json_lines
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.table import SHORT_ID
from commands.terminal import say
from ledger.errors import UsageError
from ledger.ids import run_of, run_stream
from ledger.registry import VERSIONS, current_body
from ledger.text import did_you_mean, printable
from projections.query import Query, RunRow
from projections.selection import SelectionError

_CHUNK = 500


@click.command("select", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@click.option("--short", is_flag=True, help=f"Print the first {SHORT_ID} digits only.")
@click.option("--min", "least", metavar="SCALAR", help="The run in which SCALAR ended lowest.")
@click.option("--max", "most", metavar="SCALAR", help="The run in which SCALAR ended highest.")
@click.option("--each", is_flag=True, help="The ids of all runs that match, one a line.")
@limiting
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
    arrows, Enter prints the id. RUN 0 is the latest without being asked.

    \b
    Examples:
      guild runs info $(guild select -o train)
      guild label $(guild select --min loss) best
      guild select -E --each
    """
    if sum(given for given in (spec is not None and not each, least is not None, most is not None, each)) > 1:
        raise UsageError("only one of RUN, --min, --max and --each can be given", hint="Filters limit the runs.")
    if each:
        rows = iter(selected(app, run_filter(app, limits), [spec] if spec is not None else []))
        tell_moved(app)
    elif least is not None or most is not None:
        name = least if least is not None else most or ""
        rows = iter([_best(app, open_query(app, run_filter(app, limits)), name, least is not None)])
    elif spec is None and not (short or as_json) and _is_interactive():
        rows = iter([_picked(app, limits)])
    else:
        rows = iter([one_run(app, spec, limits)])
    _say(app, rows, short=short, as_json=as_json)


def _say(app: App, rows: Iterator[RunRow], *, short: bool, as_json: bool) -> None:
    lines = json_lines(rows, app) if as_json else (row.run_id[:SHORT_ID] if short else row.run_id for row in rows)
    for line in lines:
        if not say(line):
            return


def _is_interactive() -> bool:
    """Tell whether somebody can see a list and press keys; where the id goes does not matter."""
    streams = (sys.stdin, sys.stderr)
    return os.environ.get("TERM", "dumb") != "dumb" and all(one is not None and one.isatty() for one in streams)


def _picked(app: App, limits: Limits) -> RunRow:
    from commands.picker import MOST, pick

    rows = list(open_query(app, run_filter(app, limits)).rows(limit=MOST))
    if not rows:
        raise SelectionError("no run matches", hint="`guild runs --all` lists all runs.")
    app.close()  # nobody shall wait for a person who is choosing
    return pick(rows, app.cwd)


def _best(app: App, query: Query, name: str, least: bool) -> RunRow:
    """Return the run of `query` in which the last value of a scalar is lowest, or highest; of equals the latest.

    Raises:
        SelectionError: no run has such a number.
    """
    best: tuple[float, RunRow] | None = None
    known: set[str] = set()
    for row, scalars in _scalars(app, query):
        known.update(scalars)
        value = scalars.get(name)
        if value is None or value != value:  # noqa: PLR0124 - what is not a number compares with nothing
            continue
        if best is None or (value < best[0] if least else value > best[0]):
            best = value, row
    if best is None:
        raise SelectionError(
            f"no run has a scalar '{printable(name, 80)}'{did_you_mean(name, known)}",
            hint="`guild runs` with the same options lists the runs that were looked at.",
        )
    return best[1]


def _scalars(app: App, query: Query) -> Iterator[tuple[RunRow, dict[str, float]]]:
    """Yield the runs, latest first, each with the last values of its scalars, as the ledger's events have them."""
    rows = list(query.rows())
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        found: dict[str, dict[str, float]] = {row.run_id: {} for row in chunk}
        for event in app.ledger.store.stream_events(run_stream(row.run_id) for row in chunk):
            if event.type in ("run.started", "run.restarted"):
                found[run_of(event.stream) or ""].clear()  # what an earlier try reported is not the run's any more
            is_known = event.schema_version <= VERSIONS.get(event.type, 0)
            if event.type == "run.scalars_recorded" and event.body is not None and is_known:
                body = current_body(event.type, event.schema_version, event.body)
                found[run_of(event.stream) or ""].update(_last_values(body.get("scalars")))
        yield from ((row, found[row.run_id]) for row in chunk)


def _last_values(scalars: object) -> Iterator[tuple[str, float]]:
    for key, summary in scalars.items() if isinstance(scalars, dict) else ():
        last = summary.get("last") if isinstance(summary, dict) else None
        value = last[0] if isinstance(last, (list, tuple)) and last else last
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield str(key), float(value)
