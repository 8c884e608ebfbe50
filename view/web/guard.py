"""What stands before every request: which host, which browser, which page it comes from, and how large it may be.

The server listens on loopback, where every other program of the machine, and every page in the user's browser, can send
requests. So it answers only requests that name it by its own address (a page elsewhere whose name was pointed at
127.0.0.1 has another), that bring the cookie which the token was exchanged for, and a token, and that no other page
caused.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response

from view.web.answers import TooLargeError, problem, unforeseen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from view.web.keys import Keys

MOST_BODY = 1 << 20
"""Bytes of a request: ids of some 25,000 runs."""

_TOO_LARGE = f"a request has at most {MOST_BODY} bytes"
_METHODS = ("GET", "HEAD", "POST")
_APP_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; object-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-security-policy", _APP_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
"""Of every answer that does not say otherwise."""

_PAGE = "<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{head}<title>Guild View</title><p>{text}"
_LOCKED = "This page opens with the address that <code>guild view</code> printed, token included."


class Guard:
    """The application, behind these checks.

    Args:
        app: what answers requests that pass.
        keys: the secrets.
        hosts: what the Host header may say, port included.
    """

    def __init__(self, app: ASGIApp, keys: Keys, hosts: Sequence[str]) -> None:
        self._app = app
        self._keys = keys
        self._hosts = frozenset(hosts)
        self._origins = frozenset(f"http://{host}" for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; no error of ours leaves as anything but JSON."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        guarded = _Answer(send)
        headers = _headers_of(scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        try:
            await self._app(scope, _Body(receive), guarded)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a message instead of a traceback
            if not guarded.has_begun:
                await unforeseen(error)(scope, receive, guarded)
            elif not guarded.is_complete:
                raise ConnectionAbortedError from None  # the client finds that it is too short

    def _refused(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """Return why a request is not answered; None for one that is."""
        method, path = scope["method"], scope["path"]
        if headers.get("host", "").lower() not in self._hosts:
            return problem(403, "this server is not the host that was asked for", "Open the address that was printed.")
        if method not in _METHODS:
            answer = problem(405, f"{method} is not among the methods here")
            answer.headers["allow"] = ", ".join(_METHODS)
            return answer
        if _is_from_elsewhere(headers) and not (path == "/" and _is_visit(method, headers)):
            return problem(403, "another page sent this request")
        if path == "/" and method == "GET" and (given := _token(scope)) is not None:
            return self._exchanged(given)
        is_known = self._keys.is_known(headers.get("cookie", ""))
        if path == "/" and not is_known:
            return HTMLResponse(_PAGE.format(head="", text=_LOCKED), 403)
        is_held = path == "/" or path.startswith("/static/") or self._keys.is_held(_held(scope, headers))
        if not (is_known and is_held):
            return problem(403, "the token is missing", "Open the address that `guild view` printed.")
        return self._forged(method, headers) or _oversized(headers)

    def _exchanged(self, token: str) -> Response:
        """Return what a token is exchanged for: the cookie, and the way to the page without the token in its address.

        By a page and not by a redirect: a browser takes a redirect for part of what led here, and then keeps a strict
        cookie to itself when that was another page. What stands behind `#` no server is told.
        """
        if not self._keys.opens(token):
            return HTMLResponse(_PAGE.format(head="", text=f"The token is not valid (any more). {_LOCKED}"), 403)
        place = f"/#token={self._keys.page_token}"
        head = f'<meta http-equiv="refresh" content="0; url={place}">'
        answer = HTMLResponse(_PAGE.format(head=head, text=f'<a href="{place}">Guild View</a>'))
        answer.headers["set-cookie"] = self._keys.set_cookie()
        return answer

    def _forged(self, method: str, headers: Mapping[str, str]) -> Response | None:
        """Return why a request may be another page's, made with the user's cookie."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return problem(403, "another page sent this request")
        if method != "POST":
            return None
        if origin is None or headers.get("x-guild-view") != "1":
            return problem(403, "changes need the headers Origin and X-Guild-View: 1")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return problem(415, "changes are sent as application/json")
        return None


def _headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers; one that must be there once counts as missing when it is there twice."""
    found: dict[str, str] = {}
    twice = set()
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        twice.update({key} & found.keys())
        found[key] = f"{found[key]}; {value.decode('latin-1')}" if key in found else value.decode("latin-1")
    for key in twice - {"cookie"}:
        found[key] = ""
    return found


def _is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser says that something else than our own page, or the user, wants this."""
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a link was followed, in a window of its own."""
    return (
        method == "GET" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )


def _token(scope: Scope) -> str | None:
    found = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return found[0] if found else None


def _held(scope: Scope, headers: Mapping[str, str]) -> str:
    """Return the token that a request holds: for pictures, frames and streams of events no page can set headers."""
    return headers.get("x-guild-token") or _token(scope) or ""


class _Body:
    """What a client sends, up to `MOST_BODY`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MOST_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLargeError(_TOO_LARGE)
        return message


class _Answer:
    """What is sent to a client, with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            _complete(message)
        await self._send(message)
        self.is_complete = message["type"] == "http.response.body" and not message.get("more_body")


def _complete(message: MutableMapping[str, Any]) -> None:
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    there = {name.lower() for name, _ in headers}
    headers += [(name.encode(), text.encode()) for name, text in _HEADERS if name.encode() not in there]
    message["headers"] = headers


def _oversized(headers: Mapping[str, str]) -> Response | None:
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length[:20]) <= MOST_BODY:
        return None
    return problem(413, _TOO_LARGE)
