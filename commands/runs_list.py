"""`guild runs list`: runs in scope that match, most recently started first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import click

from commands.app import App
from commands.options import Limits, json_option, label_words, limiting
from commands.selecting import listed, open_query, run_filter
from commands.table import listing, local_time, utc_time
from commands.terminal import page, width
from ledger.dataclass import replace
from ledger.text import printable
from projections.query import Query, RunRow, displayed
from projections.schema import DELETED, LIVE

_CHUNK = 500
_VERBOSE = (
    *("id", "operation", "status", "started", "stopped", "run_dir", "exit_status"),
    *("marked", "protected", "tags", "comments"),
)

F = TypeVar("F", bound=Callable[..., Any])


def listing_options(command: F) -> F:
    """Add the options of a list to a command."""
    for option in (
        click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N runs."),
        json_option,
        click.option("-v", "--verbose", is_flag=True, help="Show more of each run."),
        click.option("-d", "--deleted", is_flag=True, help="List deleted runs (those that can be restored)."),
    ):
        option(command)
    return command


@click.command("list")
@click.argument("labels_or_names", metavar="[LABEL]...", nargs=-1, shell_complete=label_words)
@limiting
@listing_options
@click.pass_obj
def list_runs(
    app: App,
    labels_or_names: tuple[str, ...],
    limits: Limits,
    *,
    deleted: bool,
    verbose: bool,
    as_json: bool,
    limit: int | None,
) -> None:
    """List runs, the most recently started first, numbered from 0.

    In a directory with a model file only runs of its models are listed; --all lists all.
    With LABEL, only runs whose label contains it.

    \b
    Examples:
      guild runs list good      runs labelled good
      guild runs list -ET       runs that failed or were stopped
      guild runs list -d        deleted runs
    """
    show_runs(app, limits, labels_or_names, deleted=deleted, verbose=verbose, as_json=as_json, limit=limit)


def show_runs(
    app: App,
    limits: Limits,
    labels: tuple[str, ...],
    *,
    deleted: bool,
    verbose: bool,
    as_json: bool,
    limit: int | None,
) -> None:
    """Print the list."""
    wanted = run_filter(app, limits, place=DELETED if deleted else LIVE)
    query = open_query(app, replace(wanted, labels=(*wanted.labels, *labels)))
    rows = listed(app, query, limit)
    if as_json:
        page(json_lines(rows, app))
        return
    if sys.stdout is not None and sys.stdout.isatty():
        rows = _remembered(app, query, rows)
    lines: Iterable[str] = listing(rows, query, query.count(), width())
    if verbose:
        lines = _verbose(app, list(listed(app, query, limit)), lines)
    page(lines)


def _remembered(app: App, query: Query, rows: Iterable[RunRow]) -> Iterator[RunRow]:
    """Yield the rows, and keep what a person was shown of them, so that an index can be held to it."""
    from commands.positions import MOST_SHOWN, remember

    shown: list[RunRow] = []
    complete = False
    try:
        for row in rows:
            if len(shown) <= MOST_SHOWN:
                shown.append(row)
            yield row
        complete = len(shown) == query.count()
    finally:
        remember(app, query, shown, complete=complete)


def json_lines(rows: Iterable[RunRow], app: App) -> Iterator[str]:
    """Yield a JSON array of runs, one line each, without collecting it."""
    yield "["
    before = ""
    for row in rows:
        if before:
            yield before + ","
        before = "  " + _json(as_object(row, app))
    if before:
        yield before
    yield "]"


def _json(run: dict[str, object]) -> str:
    import orjson

    try:
        return orjson.dumps(run).decode()
    except TypeError:  # a path that is no text, which JSON cannot say: in the form that the ledger's bodies have
        from ledger.canonical import Value, encode

        return encode(cast("dict[str, Value]", run)).decode()


def as_object(row: RunRow, app: App) -> dict[str, object]:
    """Return a run as the documented JSON object."""
    return {
        "id": row.run_id,
        "operation": displayed(row.op, app.cwd),
        "project": row.op.project,
        "package": row.op.package,
        "model": row.op.model,
        "operation_name": row.op.operation,
        "status": row.status,
        "exit_status": row.exit_status,
        "started": utc_time(row.started),
        "stopped": utc_time(row.stopped),
        "label": row.label,
        "marked": bool(row.marked),
        "protected": bool(row.protected),
        "deleted": row.place != LIVE,
        "run_dir": app.home.run_dir(row.run_id) if row.place == LIVE else app.home.trash_run_dir(row.run_id),
    }


def _verbose(app: App, rows: list[RunRow], lines: Iterable[str]) -> Iterator[str]:
    from commands.notes import notes_of

    notes = notes_of(app, ())
    for number, (row, line) in enumerate(zip(rows, lines, strict=False)):
        if number % _CHUNK == 0:
            notes = notes_of(app, rows[number : number + _CHUNK])
        yield line
        details = as_object(row, app)
        details["started"], details["stopped"] = local_time(row.started), local_time(row.stopped)
        details["marked"], details["protected"] = ("yes" if flag else "no" for flag in (row.marked, row.protected))
        details["tags"] = ", ".join(notes[row.run_id].tags)
        details["comments"] = len(notes[row.run_id].comments)
        for key in _VERBOSE:
            value = details[key]
            yield f"  {key}: {'' if value is None else printable(str(value), 4_000)}".rstrip()
