"""Downloads: fetched once, whole, verified, and never from elsewhere than a URL may name."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from artifacts.downloads import DownloadError, cached_path, check_url, fetch, local_path, size_text
from ledger.errors import GuildError

CONTENT = b"petal,sepal\n1,2\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves a few paths, each with its own way of going wrong."""

    asked: list[str]
    release: threading.Event

    def do_GET(self) -> None:
        """Answer one request."""
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path == "/short":
            self._send(200, CONTENT, length=len(CONTENT) + 5)
        elif path == "/open":
            self._send(200, CONTENT, length=None)
        elif path == "/huge":
            self._send(200, b"x", length=1 << 62)
        elif path == "/stall":
            self._send(200, b"x", length=100)
            self.wfile.flush()
            self.release.wait(20)
        elif path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path.removeprefix("/to/"))
            self.end_headers()
        elif path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif path == "/garbage":
            self.wfile.write(b"not http at all\r\n\r\n")
        elif path.endswith(".csv"):
            self._send(200, CONTENT, length=len(CONTENT))
        else:
            self._send(404, b"nothing here", length=12)

    def _send(self, code: int, body: bytes, length: int | None) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the server uses
        """Say nothing."""


class Server:
    """A server of this machine for one test."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = threading.Event()
        handler = type("Bound", (Handler,), {"asked": self.asked, "release": self.release})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = False
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        """Start it."""
        self.thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        """Stop it."""
        self.release.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Give a server that no proxy stands before."""
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        yield running


def quiet(_line: str) -> None:
    """Tell nothing."""


def files(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once_and_found_afterwards(server: Server, tmp_path: Path) -> None:
    """The second time nothing is asked of the server; the user is told of the size the first time."""
    lines: list[str] = []
    url = f"{server.url}/data/iris.csv"
    path, before = fetch(url, str(tmp_path), sha256=DIGEST, told=lines.append)
    assert not before
    assert Path(path).read_bytes() == CONTENT
    assert os.path.basename(path) == "iris.csv"
    assert fetch(url, str(tmp_path), sha256=DIGEST, told=lines.append) == (path, True)
    assert len(server.asked) == 1
    assert lines == [f"Downloading {url} (16 bytes)"]


def test_different_urls_never_share_a_file(server: Server, tmp_path: Path) -> None:
    """Equal names of different places or questions lie side by side."""
    paths = {
        fetch(f"{server.url}/{rest}", str(tmp_path), sha256=None, told=quiet)[0]
        for rest in ("a/x.csv", "b/x.csv", "a/x.csv?version=2")
    }
    assert len(paths) == 3


def test_a_file_without_an_announced_size_is_fetched(server: Server, tmp_path: Path) -> None:
    """The end of the connection is its end."""
    path, _ = fetch(f"{server.url}/open", str(tmp_path), sha256=DIGEST, told=quiet)
    assert Path(path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/none", "the server says 404"),
        ("/short", "ended after 16 of 21 bytes"),
        ("/huge", "of the disk are free"),
        ("/loop", "the server says 302"),
        ("/garbage", "not http"),
        ("/to/file:///etc/passwd", "is not allowed"),
        ("/to/ftp://127.0.0.1/x", "which is not fetched"),
    ],
)
def test_what_cannot_be_fetched_is_told_and_leaves_nothing(path: str, why: str, server: Server, tmp_path: Path) -> None:
    """The message names the URL and what the server did; the cache stays empty."""
    with pytest.raises(DownloadError, match=why) as caught:
        fetch(server.url + path, str(tmp_path), sha256=None, told=quiet)
    assert server.url in caught.value.message
    assert files(tmp_path) == []


def test_a_redirect_to_another_http_address_is_followed(server: Server, tmp_path: Path) -> None:
    """The name in the cache is that of the URL that was asked for."""
    path, _ = fetch(f"{server.url}/to//x.csv", str(tmp_path), sha256=DIGEST, told=quiet)
    assert server.asked == ["/to//x.csv", "/x.csv"]
    assert Path(path).read_bytes() == CONTENT


def test_a_server_that_stalls_is_given_up(server: Server, tmp_path: Path) -> None:
    """A run must not wait for ever."""
    with pytest.raises(DownloadError, match=r"said nothing for 0\.3 s"):
        fetch(f"{server.url}/stall", str(tmp_path), sha256=None, told=quiet, stall_seconds=0.3)
    assert files(tmp_path) == []


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the reason of the system."""
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch("http://127.0.0.1:9/x.csv", str(tmp_path), sha256=None, told=quiet)


def test_a_wrong_digest_is_refused_and_nothing_kept(server: Server, tmp_path: Path) -> None:
    """The message says both digests."""
    with pytest.raises(DownloadError, match=f"expected {'0' * 64}, found {DIGEST}"):
        fetch(f"{server.url}/x.csv", str(tmp_path), sha256="0" * 64, told=quiet)
    assert files(tmp_path) == []


def test_a_damaged_file_in_the_cache_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    """The digest is checked each time it is used."""
    url = f"{server.url}/x.csv"
    path, _ = fetch(url, str(tmp_path), sha256=DIGEST, told=quiet)
    Path(path).write_bytes(b"damaged")
    assert fetch(url, str(tmp_path), sha256=DIGEST.upper(), told=quiet) == (path, False)
    assert Path(path).read_bytes() == CONTENT


def test_many_threads_may_fetch_the_same_file_at_once(server: Server, tmp_path: Path) -> None:
    """Each gets the whole file, and one copy stays."""
    url, results = f"{server.url}/x.csv", []

    def one() -> None:
        results.append(Path(fetch(url, str(tmp_path), sha256=DIGEST, told=quiet)[0]).read_bytes())

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 8
    assert files(tmp_path) == ["x.csv"]


def test_what_a_killed_download_left_is_cleared_a_day_later(server: Server, tmp_path: Path) -> None:
    """And what another process may be writing now is left alone."""
    url = f"{server.url}/x.csv"
    folder = Path(cached_path(str(tmp_path), url)).parent
    folder.mkdir(parents=True)
    for name in (".part-old", ".part-new"):
        (folder / name).write_bytes(b"x")
    os.utime(folder / ".part-old", (0, time.time() - 100_000))
    fetch(url, str(tmp_path), sha256=None, told=quiet)
    assert files(tmp_path) == [".part-new", "x.csv"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/x", "scheme"),
        ("s3://bucket/x", "scheme"),
        ("data.csv", "scheme"),
        ("javascript:x", "scheme"),
        ("http:///x", "names no server"),
        ("http://host:0/x", "names no server"),
        ("http://host:99999/x", "is not a URL"),
        ("http://[::1/x", "is not a URL"),
        ("http://host/a b", "blanks"),
        ("http://host/a\r\nX: y", "blanks"),
        ("http://host/\udcff", "no UTF-8"),
        ("https://me:secret@host/x", "password"),
        ("file://elsewhere/x", "this machine"),
        ("file:x", "this machine"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_asked(url: str, why: str) -> None:
    """Other schemes, nothing to ask, passwords, and bytes that would change the request."""
    with pytest.raises(GuildError, match=why) as caught:
        check_url(url)
    assert "secret" not in caught.value.message


def test_a_file_url_names_a_path() -> None:
    """With its escapes undone."""
    check_url("file:///a%20b/c")
    assert local_path("file:///a%20b/c") == "/a b/c"
    assert local_path("http://host/a") is None


@pytest.mark.parametrize("rest", ["", "/", "/..", "/%2e%2e", "/a%2Fb", "/.part-1", "/%00", "/" + "x" * 300])
def test_any_path_has_a_name_in_its_own_folder_of_the_cache(rest: str) -> None:
    """What a URL says can never lead out of the folder, or be taken for a download that is under way."""
    folder, name = os.path.split(cached_path("/cache", "http://host" + rest))
    assert os.path.dirname(folder) == "/cache/resources"
    assert len(os.path.basename(folder)) == 64
    assert name not in {"", ".", ".."}
    assert len(name) <= 200
    assert not name.startswith(".part-")


def test_sizes_are_written_for_people() -> None:
    """Bytes as they are, more with one decimal."""
    assert [size_text(count) for count in (0, 999, 1000, 12_345_678)] == ["0 bytes", "999 bytes", "1.0 KB", "12.3 MB"]
