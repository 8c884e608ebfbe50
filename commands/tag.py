"""`guild tag` and `guild runs tag`: add tags to runs and take them away."""

from __future__ import annotations

from collections.abc import Sequence

import click

from commands.app import App
from commands.change import Change
from commands.lazy import completer
from commands.notes import NOTHING, carry_out, checked_tag, noted_runs, notes_of, refuse_past
from commands.options import (
    SELECTION_HELP,
    Limits,
    archive_option,
    at_option,
    dry_run_option,
    json_option,
    limiting,
    tag_words,
    yes_option,
)
from ledger.errors import UsageError
from ledger.events.notes import RunTagged
from ledger.ids import RunId
from ledger.text import printable
from projections.query import RunRow

_WORDS = completer("commands.completing_runs:runs_or_tags")


@click.command("tag", epilog=SELECTION_HELP)
@click.argument("words", metavar="[RUN]... [TAG]", nargs=-1, shell_complete=_WORDS)
@click.option("--add", metavar="TAG", multiple=True, shell_complete=tag_words, help="Add TAG; may be repeated.")
@click.option(
    "--remove", metavar="TAG", multiple=True, shell_complete=tag_words, help="Take TAG away; may be repeated."
)
@click.option("--list", "is_list", is_flag=True, help="List all tags, each with how many runs have it.")
@json_option
@click.option("-c", "--clear", is_flag=True, help="Take away all tags; those of --add take their place.")
@limiting
@at_option
@archive_option
@yes_option
@dry_run_option
@click.pass_obj
def tag(
    app: App,
    words: tuple[str, ...],
    limits: Limits,
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    clear: bool,
    is_list: bool,
    as_json: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Tag runs: the latest run when no RUN is given.

    A run has one label and any number of tags. The last word is the tag to add; with --add, --remove or --clear every
    word is a RUN. A tag is at most 100 characters long, has no comma and no line break, and does not begin with '-'.
    One run that is named, or none, is tagged at once; several are shown first.

    \b
    Examples:
      guild tag 0 baseline                    add a tag to run 0
      guild tag 1:3 --add paper --remove todo
      guild tag : --clear                     no tags any more
      guild tag --list                        which tags there are
    """
    if is_list or as_json:
        given = bool(words or add or remove or clear or yes or dry_run)
        _list(app, limits, is_list=is_list, given=given, as_json=as_json)
        return
    refuse_past(limits, "guild tag --list --at yesterday")
    if not (add or remove or clear):
        if not words:
            raise UsageError("specify a tag", hint="Example: guild tag 0 baseline.")
        add, words = words[-1:], words[:-1]
    added, removed = _checked(add), _checked(remove)
    both = [name for name in added if name in removed]
    if both:
        raise UsageError(f"'{printable(both[0])}' cannot be added and removed at once", hint="Nothing was changed.")
    runs = noted_runs(app, limits, words)
    carry_out(app, runs, lambda rows: tag_change(app, rows, added, removed, clear=clear), yes=yes, dry_run=dry_run)


def _list(app: App, limits: Limits, *, is_list: bool, given: bool, as_json: bool) -> None:
    """Print the tags of all runs that match, the most frequent first."""
    from commands.run_counts import show_kinds
    from commands.selecting import open_query, run_filter
    from projections.counting import tag_counts

    if not is_list:
        raise UsageError("--json needs --list", hint="guild tag --list --json lists the tags.")
    if given:
        raise UsageError(
            "--list takes no RUN, no TAG and no change", hint="Filters limit the runs: guild tag --list -E."
        )
    counts = tag_counts(open_query(app, run_filter(app, limits)))
    show_kinds(counts, as_json=as_json, field="tag")


def _checked(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(checked_tag, tags)))


def tag_change(
    app: App, rows: Sequence[RunRow], added: Sequence[str], removed: Sequence[str], *, clear: bool
) -> Change:
    """Return the plan that adds and removes tags; runs whose tags would stay as they are are left out.

    Args:
        app: the command's context.
        rows: the runs.
        added: tags to add.
        removed: tags to take away, none of them in `added`.
        clear: whether all tags that are not in `added` are taken away.
    """
    events: dict[RunId, RunTagged] = {}
    for run_id, notes in notes_of(app, rows).items():
        gone = [name for name in notes.tags if (clear or name in removed) and name not in added]
        new = [name for name in added if name not in notes.tags]
        if gone or new:
            events[run_id] = RunTagged(added=tuple(new), removed=tuple(gone))
    changed = [row for row in rows if row.run_id in events]
    return Change(
        runs=changed,
        events=lambda row: (events[row.run_id],),
        heading=f"You are about to {_plan(added, removed, clear=clear)} the following runs:",
        question="Continue?",
        done="Changed tags of {count} run(s)" if removed or clear else "Tagged {count} run(s)",
        nothing=NOTHING,
    )


def _plan(added: Sequence[str], removed: Sequence[str], *, clear: bool) -> str:
    """Return what will be done, up to the runs."""
    add, remove = (", ".join(f"'{printable(name, 80)}'" for name in names) for names in (added, removed))
    if clear:
        return f"replace all tags by {add} for" if added else "take away all tags from"
    if added and removed:
        return f"add tag(s) {add} to and take {remove} from"
    return f"add tag(s) {add} to" if added else f"take tag(s) {remove} from"
