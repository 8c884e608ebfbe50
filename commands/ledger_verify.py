"""`guild ledger verify`: prove that the history is what was written, and the index what follows from it."""

from __future__ import annotations

import click

from commands.app import App
from commands.ledger_files import refuse_no_ledger
from commands.options import json_option
from commands.progress import progress
from commands.terminal import note, say
from ledger.anchors import Anchor, missing, parse_anchor
from ledger.errors import IntegrityError
from ledger.verify import Point, Problem, Report, verify, verify_since
from projections.comparing import difference
from projections.errors import IndexDamagedError, IndexOutrunError
from projections.files import current_file
from projections.index import connect, is_only_read
from projections.verified import load_point, save_point


@click.command("verify")
@click.option("--quick", is_flag=True, help="Read only what was added since the ledger was last verified.")
@click.option("--anchor", "anchor_text", metavar="[SEQ:]HASH", help="Prove that the ledger contains this transaction.")
@json_option
@click.pass_obj
def verify_ledger(app: App, *, quick: bool, anchor_text: str | None, as_json: bool) -> None:
    """Verify the whole ledger: chain, numbering, bodies, triggers, and that the index equals a fresh replay.

    Exits with 3 and names the first broken place when something is not as it was written.

    With --quick, what lies before the last verified point is only vouched for by the hash there, and neither the file
    nor the index is checked.

    \b
    Examples:
      guild ledger verify
      guild ledger verify --quick
      guild ledger verify --anchor "$(tail -n 1 ~/notes/anchors)"
      guild ledger verify --json   for a script; the exit code tells as well
    """
    anchor = None if anchor_text is None else parse_anchor(anchor_text)
    refuse_no_ledger(app)
    point = _point(app) if quick else None
    report = _verified(app, point)
    checked = "not checked: the ledger itself is damaged"
    if not report.problems:
        checked = "not checked (--quick)" if point is not None else _check_index(app, report)
    if anchor is not None and (why := missing(app.ledger.store, anchor)) is not None:
        report.problems.append(Problem(f"anchor {anchor}", why))
    _remember(app, report)
    _say(report, checked, point, anchor, as_json=as_json)
    if report.problems:
        first = report.problems[0]
        raise IntegrityError(
            f"first broken place: {first.where}: {first.what}",
            hint="`guild ledger rebuild` mends an index. A damaged ledger needs a backup: keep the file as it is, and"
            " see `guild ledger salvage --help`.",
        )


def _point(app: App) -> Point | None:
    point = load_point(app.home.index_dir, app.ledger.ledger_id)
    if point is None:
        note("The ledger was not verified before: all of it is read.")
    return point


def _verified(app: App, point: Point | None) -> Report:
    store = app.ledger.store
    before = 0 if point is None else point.position
    with progress("Verifying", max(0, store.head().position - before)) as reached:
        return verify(store, reached) if point is None else verify_since(store, point, reached)


def _remember(app: App, report: Report) -> None:
    """Keep the point that was reached. Of a ledger that is not whole the older one stays: it is evidence."""
    if report.point is not None and not report.problems:
        save_point(app.home.index_dir, report.point)


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
    except IndexOutrunError:
        return "not made anew yet after a merge"
    except IndexDamagedError as error:
        found = f"it cannot be read: {error.message}"
    except IntegrityError as error:
        found = error.message
    if found is None:
        return "equals a fresh replay"
    report.problems.append(Problem("the index", found))
    return "differs from a fresh replay"


def _say(report: Report, index: str, point: Point | None, anchor: Anchor | None, *, as_json: bool) -> None:
    since = None if point is None else point.seq
    if as_json:
        import orjson

        data = {
            "ok": not report.problems,
            "since": since,
            "transactions": report.transactions,
            "events": report.events,
            "head_hash": report.head_hash,
            "index": index,
            "problems": [{"where": problem.where, "what": problem.what} for problem in report.problems],
        }
        say(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
        return
    behind = "" if since is None else f" after transaction {since}, up to which the ledger was verified before"
    say(f"{report.transactions} transactions, {report.events} events{behind}")
    say(f"head: {report.head_hash}")
    say(f"index: {index}")
    for problem in report.problems:
        say(f"BROKEN  {problem.where}: {problem.what}")
    if report.problems:
        return
    if anchor is not None:
        say(f"anchor: the ledger contains {anchor}")
    say("The ledger is whole.")
