"""From options and arguments to runs: scope, filters, then selection; resolved once, before any prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from commands.app import App
from commands.options import Limits
from commands.reaping import reap
from commands.terminal import note
from ledger.errors import UsageError
from ledger.text import did_you_mean, printable
from projections.errors import IndexDamagedError
from projections.query import Query, RunFilter, RunRow
from projections.schema import LIVE
from projections.selection import select

_DIGEST_DIGITS = 64
_ID_LENGTH = 32


def run_filter(app: App, limits: Limits, *, place: str = LIVE) -> RunFilter:
    """Return what a command is about, and say so when the working directory limits it.

    Raises:
        UsageError: the past of an archive was asked for.
    """
    from operations.model_file_path import find_model_file

    app.fresh, app.at, app.archive = limits.fresh, limits.at, limits.archive
    if app.at and app.archive:
        raise UsageError(
            "--archive and --at cannot be given together",
            hint="An archive holds its runs as they were when it was made.",
        )
    path = None if limits.everywhere or limits.archive else find_model_file(app.cwd)
    local = path is not None
    if path is not None:
        where = "the current directory" if app.directory is None else f"'{app.directory}'"
        note(f"Limiting runs to {where} (use --all to include all)")
        from commands.model_check import warn_of_broken_model_file

        warn_of_broken_model_file(path, app.home.cache_dir)
    now = None if app.then is None else app.then.now
    return filter_of(limits, place, app.cwd, app.cwd if local else None, now)


def filter_of(limits: Limits, place: str, cwd: str, project: str | None, now: int | None = None) -> RunFilter:
    """Return what the options say, as a filter.

    Args:
        limits: the options.
        place: `live` or `deleted`.
        cwd: directory that displayed operations are relative to.
        project: see `RunFilter`.
        now: what `today` is measured by, microseconds UTC; None for the clock.

    Raises:
        UsageError: a digest that is none.
        TimeRangeError: a range of time that is none.
    """
    return RunFilter(
        place=place,
        project=project,
        operations=limits.operations,
        statuses=limits.statuses,
        labels=limits.labels,
        cwd=cwd,
        unlabeled=limits.unlabeled,
        tags=limits.tags,
        marked=limits.marked,
        comments=limits.comments,
        started_words=limits.started,
        digest=_digest(limits.digest),
        **_timed(limits, now),
    )


class _Timed(TypedDict, total=False):
    """What of a filter depends on the time."""

    started: tuple[int | None, int | None]
    expression: str
    now: int


def _timed(limits: Limits, now: int | None) -> _Timed:
    timed: _Timed = {}
    if limits.started or limits.expression:
        if now is None:
            from ledger.ids import system_clock

            now = system_clock()
        timed = {"expression": limits.expression, "now": now}
        if limits.started:
            from projections.time_ranges import time_range

            bounds = time_range(limits.started, now)
            timed["started"] = bounds.first, bounds.last
    return timed


def _digest(text: str) -> str:
    if not set(text.lower()) <= set("0123456789abcdef") or len(text) > _DIGEST_DIGITS:
        raise UsageError(
            f"'{printable(text, 80)}' is not the beginning of a digest",
            hint="A digest is 64 hexadecimal digits: `guild runs info` shows it.",
        )
    return text.lower()


def open_query(app: App, wanted: RunFilter) -> Query:
    """Return the filter as a query on the caught-up index, in which no dead run still looks running."""
    for last_try in (False, True):
        try:
            if not app.is_elsewhere:
                reap(app)
            query = Query(app.index, wanted)
            query.most()
        except IndexDamagedError as error:
            if last_try:
                raise
            app.rebuild_index(error.message)
        else:
            _note_unknown(app, query)
            return query
    raise AssertionError("not reached")


def _note_unknown(app: App, query: Query) -> None:
    """Say which names of the expression no run has, once in a command."""
    for name, words in unknown_names(query):
        if name not in app.noted:
            app.noted.add(name)
            note(words)


def unknown_names(query: Query) -> Iterator[tuple[str, str]]:
    """Yield the names of the expression that no run has, each with what is to be said of it.

    They match nothing but `is undefined`.
    """
    for name in query.unknown_names():
        yield name, no_run_has(query, name)


def no_run_has(query: Query, name: str) -> str:
    """Return what is to be said of a name of a flag or scalar that no run has."""
    from projections.attributes import value_names

    return f"No run has {printable(name, 80)}{did_you_mean(name, value_names(query.index.db))}"


def selected(app: App, wanted: RunFilter, specs: Sequence[str], *, list_command: str = "guild runs") -> list[RunRow]:
    """Return the runs that `specs` name; all that match when there are none.

    When an index means another run than the user was shown, that is noted in `app.moved`.

    Raises:
        SelectionError: a spec names no run or several; nothing is selected.
    """
    query = open_query(app, wanted)
    try:
        rows = _resolve(query, specs, list_command)
    except IndexDamagedError as error:
        query = Query(app.rebuild_index(error.message), wanted)
        rows = _resolve(query, specs, list_command)
    if any(not is_whole_id(spec) for spec in specs) and not (app.fresh or app.is_elsewhere):
        from commands.positions import moved

        app.moved += moved(app, query, specs, rows)
    return rows


def is_whole_id(spec: str) -> bool:
    """Tell whether a word can only be a run's whole id, so that no list is needed to know which run it is."""
    return len(spec) == _ID_LENGTH and not spec.isdecimal()


def tell_moved(app: App) -> None:
    """Say what has moved since the user was shown the list; for commands that change nothing and go on."""
    for line in app.moved:
        note(f"Note: {line}")


def _resolve(query: Query, specs: Sequence[str], list_command: str) -> list[RunRow]:
    return select(query, specs, list_command) if specs else list(query.rows())


def listed(app: App, query: Query, limit: int | None, sort: str = "", *, reverse: bool = False) -> Iterator[RunRow]:
    """Yield the rows of a listing; when the index proves damaged on the way, go on in a new one.

    On behind the last row shown, not by number: runs may have started meanwhile.

    Raises:
        UsageError: runs cannot be sorted by that.
    """
    shown, last = 0, None
    sort = sort or "started"
    try:
        for row in query.rows(limit=limit, sort=sort, reverse=reverse):
            yield row
            shown, last = shown + 1, row
    except IndexDamagedError as error:
        rest = Query(app.rebuild_index(error.message), query.filter)
        left = None if limit is None else limit - shown
        yield from rest.rows(after=last, limit=left, sort=sort, reverse=reverse)
