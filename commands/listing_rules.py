"""Which options of a list go together; imported only when a rarer one is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from commands.listing_options import Layout
from commands.selecting import no_run_has
from commands.terminal import is_screen, note
from ledger.errors import UsageError
from projections.attributes import attribute, named_value
from projections.counting import GROUPS
from projections.sorting import SORTS

if TYPE_CHECKING:
    from commands.options import Limits
    from projections.query import Query

_ROWS = ("--limit", "--more", "--sort", "--reverse", "--columns", "--csv", "--simple", "--verbose")
_APART = {
    "--count": (*_ROWS, "--group-by", "--watch"),
    "--group-by": (*_ROWS, "--watch"),
    "--watch": ("--json", "--csv", "--verbose"),
    "--csv": ("--json", "--verbose", "--simple"),
    "--simple": ("--json", "--verbose", "--columns"),
    "--columns": ("--verbose",),
}
_HINTS = {
    "--count": "--count prints one number for all runs that match.",
    "--group-by": "--group-by counts all runs that match, a line for each kind; --json prints it for programs.",
    "--watch": "--watch shows a list on the terminal; leave it out to print one.",
    "--csv": "--columns says what --csv holds.",
    "--simple": "--simple is a layout of its own.",
    "--columns": "--columns says what is shown of each run.",
}


def check(layout: Layout) -> None:
    """Refuse options that mean nothing together.

    Raises:
        UsageError: two of them do not, or --watch without a terminal.
    """
    given = _given(layout)
    for option, others in _APART.items():
        for other in others:
            if option in given and other in given:
                raise UsageError(f"{option} and {other} cannot be given together", hint=_HINTS[option])
    if layout.watch:
        _need_terminal()


def check_moment(layout: Layout, limits: Limits) -> None:
    """Refuse to watch what does not change: the past, or an archive.

    Raises:
        UsageError: it was asked for.
    """
    if layout.watch and limits.at:
        raise UsageError("--watch and --at cannot be given together", hint="The past does not change any more.")
    if layout.watch and limits.archive:
        raise UsageError("--watch and --archive cannot be given together", hint="An archive does not change any more.")


def check_names(query: Query, layout: Layout) -> None:
    """Refuse columns that there are not, before anything is printed; note flags and scalars that no run has.

    Raises:
        UsageError: there is no such column, or runs cannot be sorted or grouped by it.
    """
    if layout.columns:
        from commands.run_columns import columns_of

        for one in columns_of(query, layout):
            _note_unknown(query, one.header, one.value)
    for name, known, what in ((layout.sort, SORTS, "sorted by"), (layout.group_by, GROUPS, "grouped by")):
        if name and attribute(name) not in known:
            _note_unknown(query, name, named_value(query.index.db, name, what, known))


def _note_unknown(query: Query, name: str, number: int | None) -> None:
    if number == 0:
        note(no_run_has(query, name))


def _need_terminal() -> None:
    if not is_screen(sys.stdin, sys.stdout):
        raise UsageError(
            "--watch needs a terminal whose cursor can be moved",
            hint="Leave --watch out to print the list once, or use `guild watch` to follow the output of a run.",
        )


def _given(layout: Layout) -> set[str]:
    options = {
        "--limit": layout.limit is not None,
        "--more": layout.more,
        "--sort": layout.sort,
        "--reverse": layout.reverse,
        "--columns": layout.columns,
        "--simple": layout.simple,
        "--verbose": layout.verbose,
        "--json": layout.as_json,
        "--csv": layout.as_csv,
        "--count": layout.count,
        "--group-by": layout.group_by is not None,
        "--watch": layout.watch,
    }
    return {option for option, is_given in options.items() if is_given}
