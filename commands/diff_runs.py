"""`guild diff RUN RUN`: which two runs are meant, and what of them is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import click

from commands.diff_files import Files, Output, Source
from commands.diff_unified import safe
from commands.diff_values import One, Pair, Values, value_sections
from commands.run_folder import folder_of
from commands.run_json import as_object
from commands.runs_info import run_details
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.table import cells
from commands.terminal import note, page
from ledger.errors import GuildError, UsageError
from ledger.ids import run_stream
from ledger.text import printable
from projections.query import Query, RunRow
from projections.schema import DELETED, LIVE
from projections.selection import SelectionError

if TYPE_CHECKING:
    from commands.app import App
    from commands.diff import Asked
    from commands.options import Limits
    from ledger.canonical import Value

Section = Values | Source | Output | Files
_TWO = 2


def show_runs(app: App, specs: Sequence[str], limits: Limits, asked: Asked, *, deleted: bool, as_json: bool) -> int:
    """Show what differs between two runs; returns the exit code.

    Raises:
        GuildError: they are not two runs, or a path is in neither.
    """
    _check(specs, asked, as_json=as_json)
    pair = _pair(app, specs, limits, deleted=deleted)
    found = sections(app, pair, asked.paths)
    wanted = asked.sections or (("files",) if asked.paths else tuple(found))
    _check_paths(pair, found, wanted, asked.paths)
    if asked.program is not None:
        from commands.diff_program import compare_with

        return compare_with(app, pair, found, asked)
    in_full = bool(asked.sections or asked.paths) and not asked.only_counts
    objects = {"from": as_object(pair.before.row, app), "to": as_object(pair.after.row, app)}
    app.close()  # a long reader would keep the ledger's log from being folded in
    chosen = [found[name] for name in wanted]
    page(_json_lines(objects, chosen, in_full=in_full) if as_json else _lines(app, pair, chosen, in_full=in_full))
    return 0


def sections(app: App, pair: Pair, paths: Sequence[str]) -> dict[str, Section]:
    """Return all sections by their names, in the order in which they are shown."""
    parts: list[Section] = [Source(app.home, pair, paths), Output(pair), Files(pair, paths)]
    return {**value_sections(pair), **{part.name: part for part in parts}}


def _check(specs: Sequence[str], asked: Asked, *, as_json: bool) -> None:
    if len(specs) > _TWO:
        raise UsageError(f"diff compares two runs, and {len(specs)} were given", hint="Example: guild diff 1 0.")
    if "" in asked.paths:
        raise UsageError("--path needs a path, and got an empty one", hint="`guild ls` shows the files of a run.")
    if asked.program is not None and (as_json or asked.only_counts):
        raise UsageError("--cmd cannot be used with --json or --stat", hint="Leave one of them out.")
    if asked.program is not None and len(asked.sections) > 1:
        raise UsageError("--cmd compares one thing at a time", hint="Example: guild diff 1 0 --source --cmd meld.")


def _check_paths(pair: Pair, found: Mapping[str, Section], wanted: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse a path that is in neither run, when it is files that are compared."""
    files = found["files"]
    if "files" not in wanted or not isinstance(files, Files):
        return
    for path in paths:
        if not files.has(path):
            raise GuildError(
                f"neither run {pair.before.name} nor run {pair.after.name} has a file '{printable(path)}'",
                hint="`guild ls RUN` shows the files of a run; with --source, PATH is in its source code.",
            )


def _pair(app: App, specs: Sequence[str], limits: Limits, *, deleted: bool) -> Pair:
    before, after = (_one(app, row) for row in _rows(app, specs, limits, deleted=deleted))
    return Pair(before, after)


def _one(app: App, row: RunRow) -> One:
    try:
        folder, trouble = folder_of(app, row), ""
    except GuildError as error:
        folder, trouble = None, error.message
    return One(row, run_details(app, row), folder, trouble)


def _rows(app: App, specs: Sequence[str], limits: Limits, *, deleted: bool) -> list[RunRow]:
    """Return the two runs that are meant, from the first to the second."""
    wanted = run_filter(app, limits, place=DELETED if deleted else LIVE)
    command = "guild runs --deleted" if deleted else "guild runs"
    if not specs:
        rows = list(open_query(app, wanted).rows(limit=_TWO))
        if len(rows) < _TWO:
            what = f"only run {rows[0].run_id[:8]} matches" if rows else "no run matches"
            raise SelectionError(f"{what}: there is nothing to compare", hint=f"`{command} --all` lists all runs.")
        return rows[::-1]
    try:
        rows = selected(app, wanted, specs, list_command=command)
    except SelectionError as error:
        raise _of_purged(app, specs) or error from error
    tell_moved(app)
    if len(specs) == 1 and len(rows) == 1:
        before = list(Query(app.index, wanted).rows(after=rows[0], limit=1))
        if not before:
            raise SelectionError(
                f"there is no run before run {rows[0].run_id[:8]} to compare it with", hint="Name two runs."
            )
        return [before[0], rows[0]]
    if len(rows) != _TWO:
        what = f"both are run {rows[0].run_id[:8]}" if len(rows) == 1 else f"these are {len(rows)} runs"
        raise SelectionError(f"diff compares two runs: {what}", hint="Name two runs: guild diff 1 0.")
    return rows if len(specs) == _TWO else rows[::-1]


def _of_purged(app: App, specs: Sequence[str]) -> GuildError | None:
    """Return what is to be said when one of the runs was purged: who removed it, when, and how much it was."""
    from commands.change_words import who
    from commands.event_words import purged_words
    from commands.table import local_time
    from ledger.registry import current_body
    from ledger.transaction import Header
    from projections.rows import RunFilter

    for spec in specs:
        if not set(spec) <= set("0123456789abcdef") or not 4 <= len(spec) <= 32:  # noqa: PLR2004 - as in selections
            continue
        for row in Query(app.index, RunFilter()).with_prefix(spec, _TWO):
            events = app.ledger.store.stream_events([run_stream(row.run_id)])
            gone = [event for event in events if event.type == "run.purged"]
            txn = app.ledger.store.txn(gone[-1].txn_seq) if gone else None
            if txn is None:
                continue
            body = {} if gone[-1].body is None else current_body(gone[-1].type, gone[-1].schema_version, gone[-1].body)
            by = who(Header.from_bytes(txn.header))
            return GuildError(
                f"run {row.run_id[:8]} was removed for good on {local_time(txn.recorded_at)} by {by}:"
                f" {purged_words(body)}; there is nothing left to compare",
                hint=f"`guild history {row.run_id[:8]}` tells what is known of it.",
            )
    return None


def _lines(app: App, pair: Pair, chosen: Sequence[Section], *, in_full: bool) -> Iterator[str]:
    is_empty = True
    for section in chosen:
        for line in section.lines(in_full=in_full):
            if is_empty:
                yield from _heads(app, pair)
            is_empty = False
            yield line
    if is_empty:
        note(f"Nothing differs between run {pair.before.name} and run {pair.after.name}.")


def _heads(app: App, pair: Pair) -> Iterator[str]:
    for one, mark, color in ((pair.before, "-", "red"), (pair.after, "+", "green")):
        shown = "  ".join(cell for cell in cells(one.row, app.cwd) if cell)
        yield click.style(safe(f"{mark} [{one.name}]  {shown}"), fg=color)
    yield ""


def _json_lines(objects: Mapping[str, object], chosen: Sequence[Section], *, in_full: bool) -> Iterator[str]:
    """Yield one JSON object, a section on each line."""
    from ledger.canonical import encode

    yield "{"
    parts = [(name, cast("Value", value)) for name, value in objects.items()]
    for name, value in parts:
        yield f'  "{name}": {encode(value).decode()},'
    for number, section in enumerate(chosen, 1):
        comma = "" if number == len(chosen) else ","
        yield f'  "{section.name}": {encode(section.data(in_full=in_full)).decode()}{comma}'
    yield "}"
