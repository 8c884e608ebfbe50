"""`guild compare`: runs side by side, on the whole terminal, as a table, as CSV or as JSON."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from commands.app import App
from commands.comparing import Choice, Compared, column_named
from commands.lazy import completer
from commands.options import SELECTION_HELP, Limits, at_option, json_option, limiting, refuse_no_column, run_words
from commands.terminal import is_screen, note, page
from ledger.errors import UsageError
from ledger.text import printable

if TYPE_CHECKING:
    from commands.compare_printing import GroupLines, RunLines

_RUN = re.compile(r"[0-9]{0,18}:[0-9]{0,18}|[0-9a-f]{1,32}")
"""What can only, or may, be a RUN: `--csv 0:3` is CSV of four runs, not a file named `0:3`."""

STDOUT = "-"
_NEEDING = (("--min", "least"), ("--max", "greatest"), ("--columns", "columns"), ("--strict-columns", "strict"))
_COLUMNS = completer("commands.completing_compare:columns")
_GROUPS = completer("commands.completing_compare:groups")


@click.command("compare", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("-t", "--table", "as_table", is_flag=True, help="Print a table.")
@click.option(
    "--csv", "csv", is_flag=False, flag_value=STDOUT, type=click.Path(), metavar="[FILE]",
    help="Print CSV, or write it to FILE. What may be a RUN is one: write ./0 for a file of that name.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write over FILE if it is there already.")
@json_option
@click.option(
    "-c", "--columns", "--cols", "columns", metavar="COLUMN,...", multiple=True, shell_complete=_COLUMNS,
    help="Show these columns as well.",
)  # fmt: skip
@click.option(
    "--strict-columns", "--strict-cols", "strict", metavar="COLUMN,...", multiple=True, shell_complete=_COLUMNS,
    help="Show these columns only.",
)  # fmt: skip
@click.option("-r", "--skip-core", is_flag=True, help="Leave out run, operation, started, time, status and label.")
@click.option("-p", "--skip-op-cols", "skip_op", is_flag=True, help="Leave out the columns of the operations.")
@click.option("--min", "least", metavar="COLUMN", shell_complete=_COLUMNS, help="The lowest values of COLUMN first.")
@click.option(
    "--max", "greatest", metavar="COLUMN", shell_complete=_COLUMNS, help="The highest values of COLUMN first."
)
@click.option("-n", "--top", "--limit", "most", type=click.IntRange(min=0), metavar="N", help="The first N only.")
@click.option(
    "--group-by", metavar="FLAG,...", shell_complete=_GROUPS,
    help="A line for all runs with the same FLAG: how many, and of each scalar the mean and its standard deviation.",
)  # fmt: skip
@click.option("-d", "--deleted", is_flag=True, help="Compare deleted runs (those that can be restored).")
@limiting
@at_option
@click.pass_obj
def compare(
    app: App, /, specs: tuple[str, ...], limits: Limits, *, as_table: bool, csv: str | None, as_json: bool, force: bool,
    group_by: str | None, **choice: Any,
) -> int:  # fmt: skip
    """Compare runs: all that match when no RUN is given.

    On a terminal it opens a table that can be sorted, filtered and changed; ? in it shows the keys. Elsewhere, and
    with --table, it prints one.

    A COLUMN is a scalar (`loss`), perhaps with `first`, `min`, `max`, `mean`, `total` or `count` before it, and with
    `step` behind it for the step of that value; a flag with an equals sign before it (`=lr`), or an attribute with a
    dot before it (`.label`). `as HEADING` may follow; names with blanks are quoted.

    \b
    Examples:
      guild compare                                       all runs of this directory
      guild compare -C --table --max acc --top 5          the five best completed runs
      guild compare --csv runs.csv 0:9                    the last ten runs, for a spreadsheet
      guild compare -c 'min loss, min loss step as best'  two more columns
      guild compare --strict-columns '.label,=lr,loss' --json
      guild compare --group-by lr --min loss              repeats together: mean ± standard deviation
    """
    if csv is not None and csv != STDOUT and _RUN.fullmatch(csv):
        specs, csv = (csv, *specs), STDOUT
    if group_by is not None:
        refuse_no_column("--group-by", group_by, example="lr")
    wanted = _checked(Choice(runs=specs, **_some(choice)))
    _check_forms(as_table=as_table, csv=csv, as_json=as_json, force=force)
    compared = Compared(limits, wanted)
    is_plain = as_table or csv is not None or as_json or group_by is not None
    if not is_plain and is_screen(sys.stdin, sys.stdout, sys.stderr):
        return _show(app, limits, wanted, compared)
    from commands.csv_file import checked_path, write_csv

    path = None if csv is None or csv == STDOUT else checked_path(csv, force=force)
    lines = _lines(app, compared, group_by, wanted)
    if path is not None:
        count = write_csv(path, lines.csv(), force=force) - 1
        note(f"Wrote {count} line{'' if count == 1 else 's'} to {printable(path, 400)}")
    else:
        page(lines.csv() if csv is not None else lines.json() if as_json else lines.table())
    return 0


def _some(choice: dict[str, Any]) -> dict[str, Any]:
    """Return the options with empty texts for those that were not given; an empty text that was given is refused."""
    for option, name in _NEEDING:
        given = choice[name]
        if given is None:
            choice[name] = ""
        else:
            refuse_no_column(option, *(given if isinstance(given, tuple) else (given,)), example="'min loss'")
    return choice


def _checked(choice: Choice) -> Choice:
    """Refuse options that mean nothing together."""
    if choice.least and choice.greatest:
        raise UsageError("--min and --max cannot be given together", hint="There is one order.")
    if choice.strict and (choice.columns or choice.skip_core or choice.skip_op):
        other = "--columns" if choice.columns else "--skip-core" if choice.skip_core else "--skip-op-cols"
        raise UsageError(
            f"--strict-columns and {other} cannot be given together",
            hint="--strict-columns names all columns; --columns those that are shown beside the usual ones.",
        )
    return choice


def _check_forms(*, as_table: bool, csv: str | None, as_json: bool, force: bool) -> None:
    forms = [name for name, given in (("--table", as_table), ("--csv", csv is not None), ("--json", as_json)) if given]
    if len(forms) > 1:
        raise UsageError(f"{forms[0]} and {forms[1]} cannot be given together", hint="One form at a time.")
    if force and csv in (None, STDOUT):
        raise UsageError("--force is about the FILE of --csv", hint="Example: guild compare --csv runs.csv --force.")


def _lines(app: App, compared: Compared, group_by: str | None, choice: Choice) -> RunLines | GroupLines:
    if group_by is None:
        from commands.compare_printing import RunLines

        return RunLines(compared.comparison(app))
    from commands.compare_groups import grouped

    return grouped(compared.runs(app), group_by, choice)


def _show(app: App, limits: Limits, choice: Choice, compared: Compared) -> int:
    """Open the full screen; return the exit code."""
    from commands.compare_screen import show
    from commands.limit_words import limit_words
    from view.terminal.port import Question, Start

    # Asked for once before the screen is taken: what is wrong is told where it was typed.
    found = compared.comparison(app)
    text = choice.least or choice.greatest
    sort = column_named(found, text).spec if text else ""
    question = Question(limits.expression, sort, bool(choice.greatest), choice.deleted)
    words = limit_words(limits, choice.runs)
    past = ""
    if app.then is not None:
        from commands.as_of import told

        past = f"as of {told(app.then.end)}"
    start = Start((*choice.columns, *choice.strict), question, words, past)
    return show(app, start, compared.base)
