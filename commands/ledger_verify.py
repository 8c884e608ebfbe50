"""`guild ledger verify`: prove that the history is what was written, and the index what follows from it."""

from __future__ import annotations

import click

from commands.app import App
from commands.options import json_option
from commands.progress import progress
from commands.terminal import say
from ledger.errors import IntegrityError
from ledger.verify import Problem, Report, verify
from projections.comparing import difference
from projections.errors import IndexDamagedError
from projections.files import current_file
from projections.index import connect, is_only_read


@click.command("verify")
@json_option
@click.pass_obj
def verify_ledger(app: App, *, as_json: bool) -> None:
    """Verify the whole ledger: chain, numbering, bodies, triggers, and that the index equals a fresh replay.

    Exits with 3 and names the first broken place when something is not as it was written.

    \b
    Examples:
      guild ledger verify
      guild ledger verify --json   for a script; the exit code tells as well
    """
    ledger = app.ledger
    with progress("Verifying", ledger.store.head().position) as reached:
        report = verify(ledger.store, reached)
    checked = "not checked: the ledger itself is damaged"
    if not report.problems:
        checked = _check_index(app, report)
    _say(report, checked, as_json=as_json)
    if report.problems:
        first = report.problems[0]
        raise IntegrityError(
            f"first broken place: {first.where}: {first.what}",
            hint="`guild ledger rebuild` mends an index. A damaged ledger needs a backup: keep the file as it is.",
        )


def _check_index(app: App, report: Report) -> str:
    """Compare the index, as it is on disk, with a fresh replay."""
    path = current_file(app.home.index_dir)
    if path is None:
        return "none yet"
    if is_only_read(app.home.index_dir, app.ledger):
        return "not checked: it is read-only"
    try:
        index = connect(path)
        try:
            index.catch_up(app.ledger)
            found = difference(index, app.ledger)
        finally:
            index.close()
    except IndexDamagedError as error:
        found = f"it cannot be read: {error.message}"
    except IntegrityError as error:
        found = error.message
    if found is None:
        return "equals a fresh replay"
    report.problems.append(Problem("the index", found))
    return "differs from a fresh replay"


def _say(report: Report, index: str, *, as_json: bool) -> None:
    if as_json:
        import orjson

        data = {
            "ok": not report.problems,
            "transactions": report.transactions,
            "events": report.events,
            "head_hash": report.head_hash,
            "index": index,
            "problems": [{"where": problem.where, "what": problem.what} for problem in report.problems],
        }
        say(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
        return
    say(f"{report.transactions} transactions, {report.events} events")
    say(f"head: {report.head_hash}")
    say(f"index: {index}")
    for problem in report.problems:
        say(f"BROKEN  {problem.where}: {problem.what}")
    if not report.problems:
        say("The ledger is whole.")
