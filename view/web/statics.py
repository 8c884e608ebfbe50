"""The page itself: the files beside this module, and no others."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from starlette.responses import Response

from view.web.answers import problem

if TYPE_CHECKING:
    from starlette.requests import Request

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


def page(request: Request) -> Response:
    """Return the page."""
    return _file(request, "index.html")


def static(request: Request) -> Response:
    """Return a file that the page is made of."""
    return _file(request, request.path_params["path"])


def _file(request: Request, name: str) -> Response:
    """Return a file by its name; names are compared with those that are there, so that none leads out."""
    path = _files().get(name)
    if path is None:
        return problem(404, "there is no such file")
    status = os.stat(path)
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in (request.headers.get("if-none-match") or ""):
        return Response(status_code=304, headers=headers)
    with open(path, "rb") as file:
        data = file.read()
    return Response(data, headers=headers, media_type=_TYPES[os.path.splitext(path)[1]])


def _files() -> dict[str, str]:
    found = {}
    for folder, _, names in os.walk(_FOLDER):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1] in _TYPES and stat.S_ISREG(os.lstat(path).st_mode):
                found[os.path.relpath(path, _FOLDER)] = path
    return found
