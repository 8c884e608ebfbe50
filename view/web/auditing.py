"""The audit log as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from view.web.answers import answer
from view.web.params import Params
from view.web.site import LogAsked, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_PAGE, _MOST = 50, 500
_BEYOND = 1 << 60


def log(request: Request) -> Response:
    """Return a page of transactions, newest first."""
    params = Params(request, ("before", "limit", "run", "actor", "type"))
    before = params.number("before", 0, 0, _BEYOND) if params.text("before") else None
    asked = LogAsked(
        before, params.number("limit", _PAGE, 1, _MOST), params.text("run"), params.text("actor"), params.texts("type")
    )
    site: Site = request.app.state.site
    return answer(asking(site, lambda session: session.log(asked)))
