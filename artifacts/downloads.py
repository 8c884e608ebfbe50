"""Files of the net, fetched once for all runs: kept in the home's cache under a digest of their URL.

A file has its name in the cache only when all of it is there, so that what is found can be used. Of two processes that
fetch the same file both do, and one copy stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from artifacts.placing import PlacingError, check_digest
from ledger.errors import GuildError
from ledger.seams import seam
from ledger.text import printable

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO
    from urllib.request import OpenerDirector, Request

SCHEMES = ("http", "https", "file")
"""What a URL may start with."""

STALL_SECONDS = 30.0
"""So long a server may say nothing."""

_CHUNK = 1 << 20
_LONGEST_NAME = 200
_STALE_SECONDS = 24 * 60 * 60
_PARTIAL = ".part-"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1000

Told = Callable[[str], None]
"""Takes one line for the user, without a line end."""


class DownloadError(GuildError):
    """A URL cannot be used, or what it names cannot be fetched."""


def check_url(url: str) -> None:
    """Look at a URL without using it.

    Raises:
        DownloadError: its scheme is another than `SCHEMES`, it names no server or file, or it holds a password,
            which would be recorded with the run for ever.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as error:
        raise DownloadError(f"'{printable(url)}' is not a URL: {error}") from error
    if parts.scheme not in SCHEMES:
        raise DownloadError(
            f"'{printable(url)}' has a scheme that cannot be fetched", hint=f"These can: {', '.join(SCHEMES)}."
        )
    if parts.username is not None or parts.password is not None:
        raise DownloadError(
            "the URL holds a user name or password, which would be recorded with the run",
            hint="Fetch the file yourself and name it with `file`.",
        )
    if any(letter <= " " or letter == "\x7f" for letter in url):
        raise DownloadError(f"'{printable(url)}' holds blanks or control characters", hint="Write a blank as %20.")
    if any("\ud800" <= letter <= "\udfff" for letter in url):
        raise DownloadError(f"'{printable(url)}' holds bytes that are no UTF-8", hint="Write each as % and two digits.")
    if parts.scheme == "file":
        if parts.hostname not in {None, "localhost"} or not parts.path.startswith("/"):
            raise DownloadError(f"'{printable(url)}' names no file of this machine", hint="Write file:///PATH.")
    elif not parts.hostname or not port_is_fine:
        raise DownloadError(f"'{printable(url)}' names no server")


def local_path(url: str) -> str | None:
    """Return the path that a `file` URL names, None for others."""
    parts = urlsplit(url)
    return unquote(parts.path, errors="surrogateescape") if parts.scheme == "file" else None


def cached_path(cache_dir: str, url: str) -> str:
    """Return where the file of a URL is kept, whether it is there or not."""
    import hashlib

    name = os.path.basename(unquote(urlsplit(url).path, errors="surrogateescape").rstrip("/"))
    name = name.replace("\0", "")[-_LONGEST_NAME:]
    if name in {"", ".", ".."} or name.startswith(_PARTIAL):
        name = "download"
    return os.path.join(cache_dir, "resources", hashlib.sha256(url.encode()).hexdigest(), name)


def fetch(
    url: str, cache_dir: str, *, sha256: str | None, told: Told, stall_seconds: float = STALL_SECONDS
) -> tuple[str, bool]:
    """Make sure that the cache holds the file of `url`; return its path and whether it was there before.

    A file that is there with another digest than `sha256` is fetched anew.

    Args:
        url: of `http` or `https`, as `check_url` accepts it.
        cache_dir: the home's; made when it is missing.
        sha256: digest that the file must have; None for any.
        told: takes a line about what is fetched and how large it is.
        stall_seconds: how long the server may say nothing.

    Raises:
        DownloadError: the server cannot be reached, refuses, stalls or sends less than it said; or the digest is
            another. Nothing of it is kept.
        OSError: the cache cannot be written.
    """
    path = cached_path(cache_dir, url)
    if os.path.isfile(path):
        with suppress(PlacingError):
            if sha256 is not None:
                check_digest(path, sha256)
            return path, True
    folder = os.path.dirname(path)
    seam("download.mkdir")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _clear_stale(folder)
    partial = os.path.join(folder, _PARTIAL + os.urandom(8).hex())
    try:
        _receive(url, partial, told, stall_seconds)
        if sha256 is not None:
            _check(partial, url, sha256)
        seam("download.rename")
        os.rename(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
    return path, False


def size_text(count: int) -> str:
    """Return a number of bytes for people: `12.3 MB`."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def _check(partial: str, url: str, sha256: str) -> None:
    try:
        check_digest(partial, sha256)
    except PlacingError as error:
        found = error.message.rpartition(" ")[2]
        raise DownloadError(
            f"what {printable(url)} holds has another sha256 than it must have: "
            f"expected {printable(sha256)}, found {found}",
            hint=error.hint,
        ) from error


def _receive(url: str, partial: str, told: Told, stall_seconds: float) -> None:
    """Write what the server sends to a new file."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    try:
        with _opener().open(_request(url), timeout=stall_seconds) as response:
            size = _announced(response, url, partial, told)
            _store(response, partial, url, size)
    except HTTPError as error:
        error.close()
        raise DownloadError(f"{printable(url)}: the server says {error.code} {printable(str(error.reason))}") from error
    except TimeoutError as error:
        raise _stalled(url, stall_seconds) from error
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _stalled(url, stall_seconds) from error
        raise DownloadError(f"{printable(url)} cannot be reached: {printable(str(error.reason))}") from error
    except (HTTPException, ConnectionError, ValueError) as error:
        raise DownloadError(f"{printable(url)}: {printable(str(error) or type(error).__name__)}") from error


def _stalled(url: str, seconds: float) -> DownloadError:
    return DownloadError(f"{printable(url)}: the server said nothing for {seconds:g} s")


def _request(url: str) -> Request:
    from urllib import request

    return request.Request(url, headers={"User-Agent": "guild-ledger", "Accept-Encoding": "identity"})  # noqa: S310


def _opener() -> OpenerDirector:
    """Return what opens `http` and `https` and nothing else, also when a server sends it elsewhere."""
    from urllib import request

    class _Redirects(request.HTTPRedirectHandler):
        def redirect_request(  # noqa: PLR0917 - as the library calls it
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            target = urlsplit(newurl).scheme
            if target not in {"http", "https"} or (req.type == "https" and target != "https"):
                fp.close()
                raise DownloadError(f"{printable(req.full_url)} leads to '{printable(newurl)}', which is not fetched")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    opener = request.OpenerDirector()
    for handler in (
        *(request.ProxyHandler(), request.HTTPHandler(), request.HTTPSHandler(), request.HTTPDefaultErrorHandler()),
        *(request.HTTPErrorProcessor(), request.UnknownHandler(), _Redirects()),
    ):
        opener.add_handler(handler)
    return opener


def _announced(response: HTTPResponse, url: str, partial: str, told: Told) -> int | None:
    """Tell what comes; return its size when the server says it."""
    header = response.headers.get("Content-Length", "")
    size = int(header) if header.isascii() and header.isdigit() else None
    told(f"Downloading {printable(url)}" + (f" ({size_text(size)})" if size is not None else ""))
    disk = os.statvfs(os.path.dirname(partial))
    free = disk.f_bavail * disk.f_frsize
    if size is not None and size > free:
        raise DownloadError(f"{printable(url)} has {size_text(size)}, and {size_text(free)} of the disk are free")
    return size


def _store(response: HTTPResponse, partial: str, url: str, size: int | None) -> None:
    received = 0
    seam("download.write")
    fd = os.open(partial, _FLAGS, 0o600)
    try:
        while chunk := response.read(_CHUNK):
            received += len(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)
    if size is not None and received != size:
        raise DownloadError(f"{printable(url)} ended after {received} of {size} bytes", hint="Try again.")


def _clear_stale(folder: str) -> None:
    """Remove what downloads that were killed more than a day ago left behind."""
    oldest = time.time() - _STALE_SECONDS
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with suppress(OSError):
            if name.startswith(_PARTIAL) and os.lstat(path).st_mtime < oldest:
                os.unlink(path)
