"""What a page asks to be done: shown first, then done as the command of that name does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import orjson
from starlette.concurrency import run_in_threadpool

from view.actions import ACTIONS, Outcome, Preview
from view.web.answers import BadRequestError, answer
from view.web.listing import row_objects
from view.web.params import field, texts_field
from view.web.site import Session, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_WITH_VALUE = ("label", "tag", "untag", "comment")
_MOST_SHOWN = 200
"""Runs of a preview that are listed."""


async def preview(request: Request) -> Response:
    """Return what an action would do."""
    body = await _body(request, ("action", "ids", "value"))
    action, ids, value = _action(body)
    site: Site = request.app.state.site

    def shown() -> Mapping[str, object]:
        found = site.actions.preview(action, ids, value)
        return asking(site, lambda session: _shown(session, found))

    return answer(await run_in_threadpool(shown))


def _shown(session: Session, found: Preview) -> Mapping[str, object]:
    return {
        "action": found.action,
        "heading": found.heading,
        "question": found.question,
        "runs": row_objects(session, found.runs[:_MOST_SHOWN]),
        "count": len(found.runs),
        "versions": {row.run_id: row.version for row in found.runs},
        "details": found.details,
        "bytes": found.size,
        "asks": found.asks,
        "warnings": found.warnings,
    }


async def act(request: Request) -> Response:
    """Do it."""
    body = await _body(request, ("action", "ids", "value", "versions"))
    action, ids, value = _action(body)
    versions = _versions(body)
    site: Site = request.app.state.site
    return await _done(lambda: site.actions.perform(action, ids, value, versions=versions))


async def undo(request: Request) -> Response:
    """Take a transaction back, or do again what was taken back."""
    body = await _body(request, ("seq", "redo"))
    seq = cast("int | None", field(body, "seq", int))
    redo = bool(field(body, "redo", bool))
    if redo and seq is not None:
        raise BadRequestError("'redo' takes no 'seq': it does again what was taken back last")
    site: Site = request.app.state.site
    return await _done(site.actions.redo if redo else lambda: site.actions.undo(seq))


async def _done(work: Callable[[], Outcome]) -> Response:
    done = await run_in_threadpool(work)
    return answer(
        {
            "seq": done.seq, "count": done.count, "of": done.of, "said": done.said, "undo": done.undo,
            "again": done.again, "warnings": done.warnings,
        }
    )  # fmt: skip


async def _body(request: Request, names: tuple[str, ...]) -> Mapping[str, object]:
    try:
        body = orjson.loads(await request.body())
    except ValueError as error:
        raise BadRequestError(f"the request is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError("a JSON object is expected")
    unknown = [name for name in body if name not in names]
    if unknown:
        raise BadRequestError(f"there is no field '{unknown[0][:80]}'", hint=f"Fields are {', '.join(names)}.")
    return body


def _action(body: Mapping[str, object]) -> tuple[str, list[str], str | None]:
    action = field(body, "action", str)
    if action is None:
        raise BadRequestError("'action' is missing")
    value = cast("str | None", field(body, "value", str))
    if value is None and action in _WITH_VALUE:
        raise BadRequestError(f"'{action}' needs a 'value'", hint="An empty label clears it.")
    if value and action in ACTIONS and action not in _WITH_VALUE:
        raise BadRequestError(f"'{action}' takes no 'value'")
    return cast("str", action), texts_field(body, "ids"), value


def _versions(body: Mapping[str, object]) -> Mapping[str, int] | None:
    found = cast("dict[str, object] | None", field(body, "versions", dict))
    if found is not None and not all(type(version) is int for version in found.values()):
        raise BadRequestError("'versions' are whole numbers by the ids of runs")
    return cast("dict[str, int] | None", found)
