"""The list of runs, a page at a time: what a page costs does not depend on how many runs there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from artifacts.home import check_run_id
from ledger.dataclass import replace
from ledger.ids import RunId, is_run_id
from ledger.text import utc_time
from projections.details import all_tags, all_values_of, comment_counts, names_of, tags_of
from projections.errors import index_errors
from projections.query import Query, RunFilter, RunRow, displayed, runs_by_id
from projections.schema import LIVE
from projections.selection import SelectionError, chosen
from projections.sorting import STARTED
from view.web.answers import BadRequestError, answer
from view.web.params import FILTERS, Params
from view.web.site import Session, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST = 500
"""Runs on a page."""

MOST_SELECTED = 4_000
"""Runs that a selection may name."""

MOST_COUNTED = 10_000
"""Where no total is kept, so many runs behind the page are counted one by one: of more is told that there are more."""

_MOST_VALUES = 500
_MOST_NAMES = 200
_LOOKED_AT = 2_000
_SHORT = 8
_MICROSECONDS = 1_000_000
_BEYOND = 10**12


def runs(request: Request) -> Response:
    """Return a page of the list."""
    params = Params(request, (*FILTERS, "sort", "reverse", "select", "offset", "limit", "after", "columns"))
    site: Site = request.app.state.site
    asked = params.asked(request.app.state.scopes)
    sort, reverse = params.text("sort") or STARTED, bool(params.flag("reverse"))
    offset, limit = params.number("offset", 0, 0, _BEYOND), params.number("limit", 100, 0, MOST)
    specs, after = params.text("select").split(), params.text("after")
    with_values = bool(params.flag("columns"))

    def page(session: Session) -> Mapping[str, object]:
        session.reap()
        wanted = site.wanted(asked)
        with session.index.reading():
            query = _query(session, wanted, specs)
            behind = None if not after else known(session, check_run_id(after))
            found = list(query.rows(offset=offset, limit=limit, after=behind, sort=sort, reverse=reverse))
            total, exact = _total(query, offset + len(found))
            objects = row_objects(session, found, with_values=with_values)
            seq = session.index.checkpoint().seq
        has_indexes = sort in (STARTED, f"attr:{STARTED}") and not (reverse or specs or after)
        for number, one in enumerate(objects, offset):
            one["index"] = number if has_indexes else None
        return {
            "seq": seq, "total": total, "exact": exact, "offset": offset, "runs": objects,
            "unknown": query.unknown_names(),
        }  # fmt: skip

    return answer(asking(site, page))


def columns(request: Request) -> Response:
    """Return the flags and scalars that the runs of a list have, and what else its filters can be about."""
    params = Params(request, (*FILTERS, "select"))
    site: Site = request.app.state.site
    asked = params.asked(request.app.state.scopes)
    specs = params.text("select").split()

    def names(session: Session) -> Mapping[str, object]:
        wanted = site.wanted(asked)
        with session.index.reading():
            query = _query(session, wanted, specs)
            is_all = wanted == RunFilter(cwd=wanted.cwd) and not specs
            newest = None if is_all else [row.number for row in query.rows(limit=_LOOKED_AT)]
            operations = sorted({key.operation for key in query.wanted_ops()})[:_MOST_NAMES]
            tags = all_tags(session.index, _MOST_NAMES)
            return {**_told(names_of(session.index, newest)), "operations": operations, "tags": tags}

    return answer(asking(site, names))


def _told(names: Sequence[str]) -> dict[str, object]:
    flags, scalars = (
        [name.partition(":")[2] for name in names if name.startswith(kind)] for kind in ("flag:", "scalar:")
    )
    more = len(flags) > _MOST_NAMES or len(scalars) > _MOST_NAMES
    return {"flags": flags[:_MOST_NAMES], "scalars": scalars[:_MOST_NAMES], "more": more}


def _query(session: Session, wanted: RunFilter, specs: Sequence[str]) -> Query:
    """Return what is asked for: of the filter's runs those that are selected."""
    query = Query(session.index, wanted)
    if not specs:
        return query
    if all(map(is_run_id, specs)):
        rows = list(runs_by_id(session.index, [RunId(spec) for spec in dict.fromkeys(specs)]).values())
    else:
        rows = _chosen(query, specs)
    if len(rows) > MOST_SELECTED:
        raise BadRequestError(f"{len(rows)} runs are selected, more than {MOST_SELECTED}", hint="Use filters instead.")
    return Query(session.index, replace(wanted, only=tuple(row.number for row in rows)))


def _chosen(query: Query, specs: Sequence[str]) -> list[RunRow]:
    """Return the runs that a selection names; one that names none is a parameter that is wrong, not an address."""
    try:
        return chosen(query, specs)
    except SelectionError as error:
        raise BadRequestError(error.message, hint=error.hint) from error


def known(session: Session, run_id: RunId) -> RunRow:
    """Return a run by its whole id.

    Raises:
        SelectionError: there is none.
    """
    row = runs_by_id(session.index, [run_id]).get(run_id)
    if row is None:
        raise SelectionError("there is no such run")
    return row


def _total(query: Query, shown: int) -> tuple[int, bool]:
    """Return how many runs match, and whether that is exact: with conditions it is counted up to some thousands."""
    if not query.filter.has_conditions():
        return query.most(), True
    most = shown + MOST_COUNTED
    where, values = query.where()
    statement = f"SELECT count(*) FROM (SELECT 1 FROM {query.source()} WHERE {where} LIMIT ?)"  # noqa: S608 - conditions
    with index_errors():
        count = int(query.index.db.execute(statement, (*values, most + 1)).fetchone()[0])
    return min(count, most), count <= most


def row_objects(session: Session, rows: Sequence[RunRow], *, with_values: bool = False) -> list[dict[str, object]]:
    """Return runs as the documented JSON objects."""
    numbers = [row.number for row in rows]
    tags, comments = tags_of(session.index, numbers), comment_counts(session.index, numbers)
    values = all_values_of(session.index, numbers, _MOST_VALUES) if with_values else {}
    return [
        {
            **_object(row, session.cwd),
            "tags": tags.get(row.number, []),
            "comments": comments.get(row.number, 0),
            "flags": _of_kind(values.get(row.number, {}).items(), "flag:"),
            "scalars": _of_kind(values.get(row.number, {}).items(), "scalar:"),
        }
        for row in rows
    ]


def _of_kind(values: Iterable[tuple[str, object]], kind: str) -> dict[str, object]:
    return {name.removeprefix(kind): value for name, value in values if name.startswith(kind)}


def _object(row: RunRow, cwd: str) -> dict[str, object]:
    return {
        "index": None,
        "id": row.run_id,
        "short_id": row.run_id[:_SHORT],
        "version": row.version,
        "operation": displayed(row.op, cwd),
        "project": row.op.project,
        "status": row.status,
        "exit_status": row.exit_status,
        "started": utc_time(row.started),
        "stopped": utc_time(row.stopped),
        "duration": None if row.stopped is None else (row.stopped - row.started) / _MICROSECONDS,
        "label": row.label,
        "marked": bool(row.marked),
        "protected": bool(row.protected),
        "deleted": row.place != LIVE,
    }
