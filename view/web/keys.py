"""Who may look: the token of the printed address, and the cookie and the page's own token that it is exchanged for."""

from __future__ import annotations

import secrets
import time
from threading import Lock

_BYTES = 32
_ONCE_SECONDS = 120.0
"""A browser that has to be started first is slow."""


class Keys:
    """The secrets of one server; they end with it.

    The token stands in an address, and so in a terminal and in a browser's history; the cookie stands nowhere else.
    But a browser sends the cookie to every port of this machine, and another user may listen on one. So whatever tells
    or changes anything takes a token as well: that of the printed address, or that of the page, which a browser keeps
    for pages of this very port.
    An address that another program is started with can be read by everybody on the machine: it gets a token of its own,
    which opens the page once.

    Attributes:
        cookie_name: of this server alone: cookies do not tell ports apart.
        token: for the address that is printed.
        page_token: for the page.
    """

    def __init__(self, port: int) -> None:
        self.cookie_name = f"guild-view-{port}"
        self.token = secrets.token_urlsafe(_BYTES)
        self.page_token = secrets.token_urlsafe(_BYTES)
        self._session = secrets.token_urlsafe(_BYTES)
        self._once: dict[str, float] = {}
        self._lock = Lock()

    def once(self) -> str:
        """Return a token that can be used a single time, within two minutes."""
        with self._lock:
            token = secrets.token_urlsafe(_BYTES)
            self._once[token] = time.monotonic() + _ONCE_SECONDS
            return token

    def opens(self, token: str) -> bool:
        """Tell whether a token is one of ours; one that is for a single use is used up by that."""
        if _same(token, self.token):
            return True
        with self._lock:
            found = next((one for one in self._once if _same(token, one)), None)
            return found is not None and self._once.pop(found) > time.monotonic()

    def is_held(self, token: str) -> bool:
        """Tell whether who asks holds a token, besides the cookie."""
        return _same(token, self.token) or _same(token, self.page_token)

    def set_cookie(self) -> str:
        """Return the header that gives a browser the cookie."""
        return f"{self.cookie_name}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def is_known(self, cookie: str) -> bool:
        """Tell whether a request's Cookie header holds ours."""
        # Not parsed by the book: what other servers on this host have set must not hide ours.
        pairs = (part.strip().partition("=") for part in cookie.split(";"))
        return any(name == self.cookie_name and _same(value, self._session) for name, _, value in pairs)


def _same(given: str, own: str) -> bool:
    """Compare without telling by the time it takes how much of it is right."""
    return secrets.compare_digest(given.encode("utf-8", "surrogateescape"), own.encode())
