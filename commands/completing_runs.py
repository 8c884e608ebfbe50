"""Runs, labels and recorded operations to offer at the Tab key; imported only then."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from commands.app import App
from commands.completing import MOST, Items, app_of, item
from commands.options import taken_limits
from commands.selecting import filter_of
from commands.table import SHORT_ID, cells
from ledger.dataclass import replace
from operations.model_file_path import find_model_file
from projections.peek import Peek, labels_with_prefix, peek, tags_with_prefix
from projections.query import Query, RunFilter, RunRow, displayed
from projections.schema import DELETED, LIVE

if TYPE_CHECKING:
    import click

Found = list[tuple[str, CompletionItem[str]]]
"""Words with the id of the run that each means."""

_HEXADECIMAL = frozenset("0123456789abcdef")
_LONGEST_ID = 32
_ENDED = ("completed", "error", "terminated", "staged")


def runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the runs that the options before the cursor leave."""
    return _runs(ctx, incomplete)


def staged_runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the runs that `--start` takes."""
    return _runs(ctx, incomplete, statuses=("staged",))


def ended_runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the runs that `--restart` takes; they are numbered among all."""
    return _runs(ctx, incomplete, shown=_ENDED)


def runs_or_labels(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `guild label` takes: runs, and labels that are in use."""
    return [*_runs(ctx, incomplete), *_labels(ctx, incomplete)]


def running_runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the runs that can be stopped or watched."""
    return _runs(ctx, incomplete, statuses=("running",))


def labels(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer labels that are in use."""
    return _labels(ctx, incomplete)


def tags(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer tags that are in use."""
    return _tags(ctx, incomplete)


def runs_or_tags(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `guild tag` takes: runs, and tags that are in use."""
    return [*_runs(ctx, incomplete), *_tags(ctx, incomplete)]


def recorded_operations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `--op` can find: names of operations that have runs, from short to full."""
    with peeked(ctx) as seen:
        if seen is None:
            return []
        query = Query(seen.index, _filter(ctx, app_of(ctx), operations=()))
        ops = query.wanted_ops()
    names = [op.operation for op in ops]
    names += [f"{op.model}:{op.operation}" for op in ops if op.model]
    if incomplete.startswith((".", "/")):
        names = [displayed(op, query.filter.cwd) for op in ops]
    return [item(name) for name in sorted(set(names)) if name.startswith(incomplete)][:MOST]


def _labels(ctx: click.Context, incomplete: str) -> Items:
    with peeked(ctx) as seen:
        return [] if seen is None else [item(label) for label in labels_with_prefix(seen.index, incomplete, MOST)]


def _tags(ctx: click.Context, incomplete: str) -> Items:
    with peeked(ctx) as seen:
        return [] if seen is None else [item(tag) for tag in tags_with_prefix(seen.index, incomplete, MOST)]


def _runs(
    ctx: click.Context, incomplete: str, *, statuses: tuple[str, ...] | None = None, shown: tuple[str, ...] = ()
) -> Items:
    app = app_of(ctx)
    if ctx.params.get("at"):
        return []  # a replay takes longer than somebody waits for the Tab key, and the numbers of now are others
    with peeked(ctx) as seen:
        if seen is None:
            return []
        query = Query(seen.index, _filter(ctx, app, statuses=statuses))
        found = list(_numbered(query, incomplete, app.cwd, shown)) if seen.is_current else []
        found += _by_id(query, incomplete, app.cwd, shown)
    return _mixed(found, is_open=not incomplete)


def _numbered(
    query: Query, incomplete: str, cwd: str, shown: tuple[str, ...]
) -> Iterator[tuple[str, CompletionItem[str]]]:
    if incomplete and not incomplete.isdecimal():
        return
    for number, row in enumerate(query.rows(limit=MOST)):
        if str(number).startswith(incomplete) and (not shown or row.status in shown):
            yield row.run_id, item(str(number), _about(row, cwd))


def _by_id(query: Query, incomplete: str, cwd: str, shown: tuple[str, ...]) -> Found:
    if not set(incomplete) <= _HEXADECIMAL or len(incomplete) > _LONGEST_ID:
        return []
    rows = query.with_prefix(incomplete, MOST, held=True) if incomplete else query.rows(limit=MOST)
    length = max(SHORT_ID, len(incomplete))
    return [
        (row.run_id, item(row.run_id if length > SHORT_ID else row.run_id[:length], _about(row, cwd)))
        for row in rows
        if not shown or row.status in shown
    ]


def _mixed(found: Found, *, is_open: bool) -> Items:
    """Return at most as many items as are read at a glance, of each run all or none while nothing is typed."""
    if not is_open:
        return [one for _, one in found[:MOST]]
    kept = list(dict.fromkeys(run_id for run_id, _ in found))
    while kept and sum(run_id in kept for run_id, _ in found) > MOST:
        kept.pop()
    return [one for run_id, one in found if run_id in kept]


def _about(row: RunRow, cwd: str) -> str:
    return "  ".join(cell for cell in cells(row, cwd) if cell)


@contextmanager
def peeked(ctx: click.Context) -> Iterator[Peek | None]:
    """Give a look at the index of the home that the global options name; None when there is none."""
    if ctx.params.get("in_archive"):
        yield None  # other runs than those of the home; and reading an archive may take long
        return
    home = app_of(ctx).home
    with peek(home.index_dir, None if os.environ.get("GUILD_LEDGER") else home.ledger_path) as seen:
        yield seen


def _filter(
    ctx: click.Context,
    app: App,
    *,
    statuses: tuple[str, ...] | None = None,
    operations: Iterable[str] | None = None,
) -> RunFilter:
    """Return the runs that a command would be about: the options before the cursor, read as the command reads them."""
    limits = taken_limits(dict(ctx.params))
    if ctx.command.name == "label":
        limits = replace(limits, labels=())
    if statuses is not None:
        limits = replace(limits, statuses=statuses)
    if operations is not None:
        limits = replace(limits, operations=tuple(operations))
    is_deleted = ctx.params.get("deleted") or ctx.command.name in ("restore", "purge")
    is_local = not limits.everywhere and find_model_file(app.cwd) is not None
    return filter_of(limits, DELETED if is_deleted else LIVE, app.cwd, app.cwd if is_local else None)
