"""The application: which address is answered by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from ledger.errors import GuildError
from view.web.acting import act, preview, undo
from view.web.answers import answer, problem, refusal, unforeseen
from view.web.auditing import log
from view.web.feed import Feed, events
from view.web.files import file, files, text
from view.web.guard import Guard
from view.web.listing import columns, runs
from view.web.params import Params
from view.web.run_page import details, history, output, source
from view.web.series import Followers, series
from view.web.statics import page, static

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from view.web.keys import Keys
    from view.web.site import Site


def application(site: Site, feed: Feed, keys: Keys, hosts: Sequence[str]) -> ASGIApp:
    """Return what answers the requests of one server.

    Args:
        site: the home.
        feed: tells pages what happens.
        keys: the secrets.
        hosts: what the Host header may say, port included.
    """
    routes = [
        Route("/", page, methods=["GET"]),
        Route("/static/{path:path}", static, methods=["GET"]),
        Route("/api/config", config, methods=["GET"]),
        Route("/api/runs", runs, methods=["GET"]),
        Route("/api/columns", columns, methods=["GET"]),
        Route("/api/runs/{run_id}", details, methods=["GET"]),
        Route("/api/runs/{run_id}/history", history, methods=["GET"]),
        Route("/api/runs/{run_id}/output", output, methods=["GET"]),
        Route("/api/runs/{run_id}/files", files, methods=["GET"]),
        Route("/api/runs/{run_id}/file", file, methods=["GET"]),
        Route("/api/runs/{run_id}/text", text, methods=["GET"]),
        Route("/api/runs/{run_id}/source", source, methods=["GET"]),
        Route("/api/series", series, methods=["GET"]),
        Route("/api/log", log, methods=["GET"]),
        Route("/api/events", events, methods=["GET"]),
        Route("/api/actions/preview", preview, methods=["POST"]),
        Route("/api/actions", act, methods=["POST"]),
        Route("/api/undo", undo, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={GuildError: _refused, Exception: _unforeseen, 404: _unknown, 405: _unknown},
    )
    app.router.redirect_slashes = False
    app.state.site = site
    app.state.feed = feed
    app.state.followers = Followers()
    app.state.scopes = tuple(site.config()["scopes"])  # type: ignore[arg-type]  # names
    return Guard(app, keys, hosts)


def config(request: Request) -> Response:
    """Return what the page needs before anything else."""
    Params(request, ())
    site: Site = request.app.state.site
    return answer(site.config())


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GuildError)  # noqa: S101 - that is what it is registered for
    return refusal(error)


async def _unforeseen(_request: Request, error: Exception) -> Response:
    return unforeseen(error)


async def _unknown(request: Request, _error: Exception) -> Response:
    return problem(404, f"there is nothing at {request.method} {request.url.path}", "See the list of addresses.")
