"""`guild label` and `guild runs label`: set, change or clear the label of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import click

from commands.app import App
from commands.change import Change
from commands.lazy import completer
from commands.notes import NOTHING, carry_out, noted_runs, notes_of
from commands.options import SELECTION_HELP, Limits, dry_run_option, label_words, limiting, yes_option
from ledger.errors import UsageError
from ledger.events.notes import RunLabeled
from ledger.text import printable
from projections.query import RunRow

Edit = Callable[[str], str]
"""From a label (empty when there is none) to the label that takes its place."""

_WORDS = completer("commands.completing_runs:runs_or_labels")


@click.command("label", epilog=SELECTION_HELP)
@click.argument("words", metavar="[RUN]... [LABEL]", nargs=-1, shell_complete=_WORDS)
@click.option("--set", "set_", metavar="TEXT", shell_complete=label_words, help="Make TEXT the label.")
@click.option("--append", metavar="TEXT", help="Put TEXT behind the label, with a blank between.")
@click.option("--prepend", metavar="TEXT", help="Put TEXT before the label, with a blank between.")
@click.option(
    "--remove", metavar="TEXT", shell_complete=label_words, help="Take TEXT out of the label wherever it stands."
)
@click.option("-c", "--clear", is_flag=True, help="Remove the label.")
@limiting
@yes_option
@dry_run_option
@click.pass_obj
def label(
    app: App,
    words: tuple[str, ...],
    limits: Limits,
    *,
    set_: str | None,
    append: str | None,
    prepend: str | None,
    remove: str | None,
    clear: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Set, change or clear the label of runs: of the latest run when no RUN is given.

    The last word is the label; with --set, --append, --prepend, --remove or --clear every word is a RUN. One run that
    is named, or none, is labelled at once; several are shown first. A run that has the label already is left out.

    \b
    Examples:
      guild label good                label the latest run
      guild label 0 good              label run 0
      guild label 1:3 "second try"    label runs 1, 2 and 3
      guild label : --append checked  add a word to the labels of all runs
      guild label 0 --clear           remove the label of run 0
    """
    texts = {"set": set_, "append": append, "prepend": prepend, "remove": remove, "clear": "" if clear else None}
    specs, kind, text = _asked(words, {name: text for name, text in texts.items() if text is not None})
    runs = noted_runs(app, limits, specs)
    carry_out(app, runs, lambda rows: label_change(app, rows, kind, text), yes=yes, dry_run=dry_run)


def _asked(words: Sequence[str], options: dict[str, str]) -> tuple[Sequence[str], str, str]:
    """Return which runs, what to do with their labels, and the text for that."""
    if not options:
        if not words:
            raise UsageError("specify a label", hint="Example: guild label 0 good. To remove a label use --clear.")
        options, words = {"set": words[-1]}, words[:-1]
    if len(options) > 1:
        first, second, *_ = options
        raise UsageError(f"--{first} and --{second} cannot be used together", hint="Give one of them.")
    ((kind, text),) = options.items()
    if kind == "set" and not text.strip():
        raise UsageError("the label is empty", hint="To remove a label use --clear.")
    if kind in ("append", "prepend", "remove") and not text.strip():
        raise UsageError(f"the text of --{kind} is empty", hint="To remove a label use --clear.")
    return words, kind, text


def label_change(app: App, rows: Sequence[RunRow], kind: str, text: str) -> Change:
    """Return the plan that changes labels; runs whose label would stay as it is are left out.

    Args:
        app: the command's context.
        rows: the runs.
        kind: `set`, `append`, `prepend`, `remove` or `clear`.
        text: what to set, add or take out.
    """
    edit = _edit(kind, text)
    old = {run_id: notes.label for run_id, notes in notes_of(app, rows).items()}
    new = {run_id: edit(label or "") or None for run_id, label in old.items()}
    changed = [row for row in rows if new[row.run_id] != old[row.run_id]]
    return Change(
        runs=changed,
        events=lambda row: (RunLabeled(label=new[row.run_id]),),
        heading=_heading(kind, printable(text, 80)),
        question="Continue?",
        done="Cleared label for {count} run(s)" if kind == "clear" else "Labeled {count} run(s)",
        nothing=NOTHING,
    )


def _edit(kind: str, text: str) -> Edit:
    edits: dict[str, Edit] = {
        "set": lambda _label: text,
        "append": lambda label: f"{label} {text}" if label else text,
        "prepend": lambda label: f"{text} {label}" if label else text,
        "remove": lambda label: re.sub(" {2,}", " ", label.replace(text, "")).strip() if text in label else label,
        "clear": lambda _label: "",
    }
    return edits[kind]


def _heading(kind: str, text: str) -> str:
    if kind == "clear":
        return "You are about to clear the labels for the following runs:"
    if kind == "set":
        return f"You are about to label the following runs with '{text}':"
    what, where = {
        "append": ("append", "to"), "prepend": ("prepend", "to"), "remove": ("remove", "from"),
    }[kind]  # fmt: skip
    return f"You are about to {what} '{text}' {where} the labels of the following runs:"
