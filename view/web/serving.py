"""The server's process: a socket on loopback, and uvicorn until a signal ends it."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import uvicorn

from ledger.errors import GuildError, UsageError
from ledger.text import printable

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

_BACKLOG = 128
_USUAL_PORT = 80
_LAST_SECONDS = 5
"""What an answer that is under way may still take when the server ends."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens: from now on nobody is turned away.

    Args:
        host: `localhost` or an address of loopback.
        port: which one; 0 for a free one.

    Raises:
        UsageError: the host is not on loopback.
        GuildError: the port is taken, or may not be had.
    """
    family, address = _loopback(host)
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port is free again as soon as its server is gone; two servers never have the same one.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address, port))
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise _explained(error, address, port) from error
    return found


def _loopback(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(
            f"'{printable(host, 80)}' is not an address of this machine alone",
            hint="Runs are served on loopback only: 127.0.0.1, ::1 or localhost. From elsewhere: ssh -L.",
        )
    return (socket.AF_INET if address.version == 4 else socket.AF_INET6), str(address)  # noqa: PLR2004 - IPv4


def _explained(error: OSError, address: str, port: int) -> GuildError:
    if error.errno == errno.EADDRINUSE:
        return GuildError(
            f"port {port} is in use", hint="Choose another with --port, or leave it out for one that is free."
        )
    return GuildError(
        f"cannot listen on {address} port {port}: {error.strerror or error}", hint="Leave --port out for a free one."
    )


def hosts_of(listening: socket.socket) -> list[str]:
    """Return how a browser may name this server: the address first that is printed."""
    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    # A browser leaves the usual port out, of the address and of its origin.
    ports = (f":{port}", "") if port == _USUAL_PORT else (f":{port}",)
    return [f"{name}{end}" for end in ports for name in (shown, "localhost")]


class _Server(uvicorn.Server):
    """Uvicorn, that lets streams end when it ends."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End: called by a signal."""
        super().handle_exit(sig, frame)
        self._ending()


def serve(app: ASGIApp, listening: socket.socket, ending: Callable[[], None]) -> None:
    """Answer requests until a signal comes; the signal is raised again when all is closed.

    Args:
        app: what answers them.
        listening: where they come from.
        ending: called when it ends, by a signal handler: what goes on for ever must end then.
    """
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    options: dict[str, Any] = {
        "log_config": None, "access_log": False, "server_header": False, "date_header": True, "ws": "none",
        "lifespan": "off", "proxy_headers": False, "http": "h11", "loop": "asyncio",
        "timeout_graceful_shutdown": _LAST_SECONDS,
    }  # fmt: skip
    _Server(uvicorn.Config(app, **options), ending).run(sockets=[listening])
