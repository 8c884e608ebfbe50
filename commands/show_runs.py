"""How a list of runs is printed: the usual rows here, rarer forms in modules that are imported only for them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from commands.selecting import listed, open_query, run_filter
from commands.table import listing
from commands.terminal import page, width
from ledger.dataclass import replace
from projections.schema import DELETED, LIVE

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from commands.options import Limits
    from projections.query import Query, RunRow


def show_runs(app: App, limits: Limits, labels: tuple[str, ...], layout: Layout) -> None:
    """Print the list.

    Raises:
        UsageError: options that do not go together, or a column that there is not.
    """
    if not layout.is_plain():
        from commands.listing_rules import check, check_names

        check(layout)
    wanted = run_filter(app, limits, place=DELETED if layout.deleted else LIVE)
    wanted = replace(wanted, labels=(*wanted.labels, *labels))
    if layout.watch:
        from commands.run_watch import watch_runs

        check_names(open_query(app, wanted), layout)
        watch_runs(app, limits, wanted, layout)
        return
    query = open_query(app, wanted)
    if not layout.is_plain():
        check_names(query, layout)
    if layout.count or layout.group_by is not None:
        from commands.run_counts import show_counts

        show_counts(query, layout)
        return
    rows = listed(app, query, layout.most(), layout.sort, reverse=layout.reverse)
    if sys.stdout is None or not sys.stdout.isatty() or layout.as_json or layout.as_csv:
        page(lines_of(app, query, rows, layout))
        return
    from commands.seen import Seen

    seen = Seen(app, query, layout)
    try:
        page(lines_of(app, query, seen.taken(rows), layout))
    finally:
        seen.remember()
    seen.tell_more()


def lines_of(app: App, query: Query, rows: Iterable[RunRow], layout: Layout) -> Iterable[str]:
    """Return the lines of a list."""
    if layout.as_csv:
        from commands.run_csv import csv_lines

        return csv_lines(app, query, rows, layout)
    if layout.as_json:
        from commands.run_json import json_lines

        if not layout.columns:
            return json_lines(rows, app)
        from commands.run_columns import json_of_columns

        return json_of_columns(app, query, rows, layout)
    if layout.verbose:
        rows = list(rows)
    lines = rows_as_lines(app, query, rows, layout)
    if layout.verbose:
        from commands.verbose_runs import verbose

        lines = verbose(app, list(rows), lines)
    return lines


def rows_as_lines(app: App, query: Query, rows: Iterable[RunRow], layout: Layout) -> Iterator[str]:
    """Return a line for each run, below a header when columns were chosen.

    Raises:
        UsageError: a column that there is not.
    """
    if layout.columns or layout.simple or layout.is_sorted():
        from commands.run_table import table

        return table(app, query, rows, layout)
    most = layout.most()
    count = query.most()
    return listing(rows, query, count if most is None else min(count, most), width())
