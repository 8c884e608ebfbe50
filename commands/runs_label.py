"""`guild label` and `guild runs label`: set or clear the label of runs."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change, execute
from commands.lazy import completer
from commands.options import SELECTION_HELP, Limits, dry_run_option, limiting, yes_option
from commands.selecting import open_query, run_filter, selected
from ledger.errors import UsageError
from ledger.events.notes import RunLabeled
from ledger.text import printable
from projections.query import RunRow

_WORDS = completer("commands.completing_runs:runs_or_labels")


@click.command("label", epilog=SELECTION_HELP)
@click.argument("words", metavar="[RUN]... [LABEL]", nargs=-1, shell_complete=_WORDS)
@click.option("-c", "--clear", is_flag=True, help="Remove the label; every word is then a RUN.")
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def label(app: App, words: tuple[str, ...], limits: Limits, *, clear: bool, yes: bool, dry_run: bool) -> None:
    """Set or clear the label of runs: of the latest run when no RUN is given.

    The last word is the label. One run that is named, or none, is labelled at once; several are shown first.

    \b
    Examples:
      guild label good              label the latest run
      guild label 0 good            label run 0
      guild label 1:3 "second try"  label runs 1, 2 and 3
      guild label 0 --clear         remove the label of run 0
    """
    text = None if clear else _label(words)
    specs = words if clear else words[:-1]
    wanted = run_filter(app, limits)
    runs = selected(app, wanted, specs) if specs else list(open_query(app, wanted).rows(limit=1))
    change = set_label(runs, text)
    execute(app, change, yes=yes, dry_run=dry_run, at_once=len(runs) == 1)


def _label(words: tuple[str, ...]) -> str:
    if not words:
        raise UsageError("specify a label", hint="Example: guild label 0 good. To remove a label use --clear.")
    if not words[-1]:
        raise UsageError("the label is empty", hint="To remove a label use --clear.")
    return words[-1]


def set_label(runs: Sequence[RunRow], text: str | None) -> Change:
    """Return the plan that gives runs a label, or takes it away with None."""
    if text is None:
        heading, done = "You are about to clear the labels for the following runs:", "Cleared label for {count} run(s)"
    else:
        heading = f"You are about to label the following runs with '{printable(text, 80)}':"
        done = "Labeled {count} run(s)"
    return Change(
        runs=runs,
        events=lambda _row: (RunLabeled(label=text),),
        heading=heading,
        question="Continue?",
        done=done,
        nothing="No runs to modify.",
    )
