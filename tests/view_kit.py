"""The server of `guild view` as a process of its own, and what a browser or a program says to it over HTTP."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cli_kit import PATIENCE, Guild

ADDRESS = re.compile(r"Running Guild View at http://(?P<host>[^/]+):(?P<port>\d+)/\?token=(?P<token>[\w-]{40,})\n")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, which must be JSON."""
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)


@dataclass
class Server:
    """A running server, and the cookie of a browser that has opened its page."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    token: str
    cookie: str = ""

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://{self.host}:{self.port}"

    def raw(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Send exactly this, `Host` and `Cookie` only as given, and return the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def own(self, **more: str) -> dict[str, str]:
        """Return the headers of a page of this server; those given in addition or instead, `_` for `-`."""
        headers = {"Host": f"{self.host}:{self.port}", "Cookie": self.cookie, "X-Guild-Token": self.token}
        return {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}

    def get(self, path: str, /, **params: object) -> Answer:
        """Ask for an address as the page does, with parameters; a list is repeated."""
        query = urlencode({name.rstrip("_"): value for name, value in params.items()}, doseq=True)
        return self.raw("GET", f"{path}?{query}" if query else path, self.own())

    def ok(self, path: str, /, **params: object) -> Any:
        """Return the JSON of an answer that must be good."""
        answer = self.get(path, **params)
        assert answer.status == 200, answer
        return answer.json()

    def refused(self, status: int, path: str, /, **params: object) -> Any:
        """Return the JSON of an answer that must be an error with this status."""
        answer = self.get(path, **params)
        assert answer.status == status, answer
        found = answer.json()
        assert found["error"]
        return found

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """Send JSON as the page does; headers given are added or put in place, empty ones left out."""
        own = self.own(Origin=self.origin, X_Guild_View="1", Content_Type="application/json")
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.raw("POST", path, {name: value for name, value in own.items() if value}, data)

    def done(self, path: str, body: object) -> Any:
        """Return the JSON of an action that must be done."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        return answer.json()

    def open_page(self) -> None:
        """Exchange the token for the cookie, as a browser does."""
        answer = self.raw("GET", f"/?token={self.token}", {"Host": f"{self.host}:{self.port}"})
        assert answer.status == 200, answer
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it with a signal; return its code, and what it said on stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err.decode()


def start(guild: Guild, *args: str) -> Server:
    """Start `guild view -n` and wait until it has said where it is."""
    process = guild.start("view", "-n", *args)
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = ADDRESS.fullmatch(line)
    if found is None:
        process.kill()
        raise AssertionError((line, process.communicate()))
    return Server(process, found["host"], int(found["port"]), found["token"])


@contextmanager
def serving(guild: Guild, *args: str) -> Iterator[Server]:
    """Give a server whose page was opened; it must end without a traceback."""
    server = start(guild, *args)
    try:
        server.open_page()
        yield server
    finally:
        _, err = server.stop()
        assert "Traceback" not in err, err


@pytest.fixture(name="server", scope="module")
def server_fixture(guild: Guild) -> Iterator[Server]:
    """Give the server of a file's home."""
    with serving(guild) as running:
        yield running
