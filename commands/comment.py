"""`guild comment` and `guild runs comment`: write about runs, and read what was written, by whom and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from commands.app import App
from commands.change import Change, execute, same
from commands.notes import NOTHING, noted_runs, notes_of, refuse_past, written
from commands.options import (
    SELECTION_HELP,
    Limits,
    archive_option,
    at_option,
    dry_run_option,
    json_option,
    limiting,
    run_words,
    yes_option,
)
from commands.selecting import tell_moved
from commands.table import SHORT_ID, preview
from commands.terminal import page
from ledger.errors import GuildError, UsageError
from ledger.events.notes import RunCommented
from ledger.text import printable
from projections.query import RunRow, displayed

LONGEST = 65_536
"""Characters: a comment stays in the ledger for ever."""

_SHOWN_LINE = 4_000
_HEAD = """

# Write the comment above these lines; lines that begin with # are left out.
# With nothing written, nothing is recorded. The comment is for:
#
"""


@click.command("comment", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("-m", "--add", "text", metavar="TEXT", help="The comment; without it an editor is opened.")
@click.option("--list", "is_list", is_flag=True, help="Show the comments.")
@limiting
@at_option
@archive_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def comment(
    app: App,
    specs: tuple[str, ...],
    limits: Limits,
    *,
    text: str | None,
    is_list: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a comment on runs, or show theirs with --list: on the latest run when no RUN is given.

    Without a text $VISUAL or $EDITOR is opened. Author and time are recorded with it. What is in the ledger stays as
    it was written, so a comment cannot be edited: a correction is another comment, and `guild undo` withdraws one.

    \b
    Examples:
      guild comment 0 -m "diverged after step 300"
      guild comment 1:3             write in the editor
      guild comment 0 --list
    """
    if is_list and text is not None:
        raise UsageError("-m and --list cannot be used together", hint="Give one of them.")
    if as_json and not is_list:
        raise UsageError("--json goes with --list", hint="Example: guild comment 0 --list --json.")
    if not is_list:
        refuse_past(limits, "guild comment 0 --list --at yesterday")
    if text is not None:
        check_comment(text)
    runs = noted_runs(app, limits, specs)
    if is_list:
        tell_moved(app)
        page(_json_lines(app, runs) if as_json else _lines(app, runs))
        return
    execute(
        app,
        comment_change(runs, text or ""),
        yes=yes,
        dry_run=dry_run,
        # The editor shows the runs, and leaving it empty is a no.
        at_once=len(runs) == 1 or text is None,
        before=_written if text is None else None,
    )


def comment_change(rows: Sequence[RunRow], text: str) -> Change:
    """Return the plan that adds a comment to runs."""
    return Change(
        runs=rows,
        events=same(RunCommented(text=text)),
        heading="You are about to comment on the following runs:",
        question="Continue?",
        done="Commented on {count} run(s)",
        nothing=NOTHING,
        # True whatever was done to the run meanwhile: what somebody typed for minutes must not be thrown away.
        guarded=False,
    )


def check_comment(text: str) -> None:
    """Refuse a comment that is empty or too long.

    Raises:
        UsageError: it is.
    """
    if not text.strip():
        raise UsageError("the comment is empty", hint="Nothing was recorded.")
    if len(text) > LONGEST:
        raise UsageError(
            f"the comment has {len(text)} characters, more than {LONGEST}", hint="Put it into a file of the run."
        )


def _written(app: App, change: Change, _yes: bool) -> Change:
    """Return the plan with the text that the user writes; asked for last, so that no refusal throws it away."""
    return comment_change(change.runs, _edited(app, change.runs))


def _edited(app: App, rows: Sequence[RunRow]) -> str:
    """Return what the user wrote in an editor."""
    import os
    import sys

    has_editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not has_editor and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("specify a comment", hint='Example: guild comment 0 -m "looks good".')
    listed = "".join(f"#{line}\n" for line in preview(rows, app.cwd))
    # The preview escapes what is no text; the editor gets nothing else from outside.
    try:
        text = click.edit(_HEAD + listed, require_save=False, extension=".txt")
    except UnicodeDecodeError as error:
        raise GuildError("the comment is not UTF-8 text", hint="Nothing was recorded.") from error
    kept = [line for line in (text or "").split("\n") if not line.startswith("#")]
    found = "\n".join(kept).strip()
    check_comment(found)
    return found


def _lines(app: App, rows: Sequence[RunRow]) -> Iterator[str]:
    """Yield the comments of runs, oldest first below each run."""
    notes = notes_of(app, rows)
    for row in rows:
        yield f"[{row.run_id[:SHORT_ID]}]  {printable(displayed(row.op, app.cwd), 300)}"
        for one in notes[row.run_id].comments:
            said = written(app, one)
            yield f"  {said.head}"
            for line in said.text.split("\n"):
                yield f"    {printable(line, _SHOWN_LINE)}".rstrip()


def _json_lines(app: App, rows: Sequence[RunRow]) -> Iterator[str]:
    """Yield a JSON array of comments, one line each."""
    from ledger.canonical import encode

    notes = notes_of(app, rows)
    before = "["
    for row in rows:
        for one in notes[row.run_id].comments:
            yield before
            before = f"  {encode({'run': row.run_id, **written(app, one).values()}).decode()},"
    yield before.removesuffix(",")
    yield "]"
