"""What the server of `guild view` does not do: one way in at a time, over real HTTP; all on one server and one home."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from tests.cli_kit import Guild, project_of, wait_until
from tests.view_kit import Answer, Server, server_fixture  # noqa: F401 - a fixture

HIDDEN = "a-value-of-the-environment"
OUTSIDE = b"nobody outside may read this"
CODE = """\
import os, socket
print("\\x1b[2Jworking")
os.makedirs("sub/deep")
for name in ("evil.html", "evil.svg", "evil.pdf", "evil.js", "evil.xml", "evil.xhtml", "evil", "evil.HTM"):
    open(f"sub/{name}", "w").write("<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>")
open("plain.txt", "w").write("0123456789")
open("image.png", "wb").write(b"\\x89PNG")
os.symlink("sub/deep/../../plain.txt", "inner")
os.symlink(os.path.abspath("plain.txt"), "inner-absolute")
os.symlink("../../outside", "link-out")
os.symlink("/etc/passwd", "link-absolute")
os.symlink("..", "up")
os.symlink("loop", "loop")
os.symlink("sub/deep/../../.guild", "own")
os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("sock")
with open("huge", "wb") as file:
    file.truncate(1 << 40)
open(b"b\\xff.txt", "w").write("bytes")
"""


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a home with a run that left traps behind, started with a secret in its environment."""
    guild = project_of(tmp_path_factory.mktemp("hostile"), CODE).with_env(
        CUDA_VISIBLE_DEVICES=HIDDEN, LD_LIBRARY_PATH=HIDDEN, MY_TOKEN=HIDDEN
    )
    guild.ok("run", "go", "-y")
    (guild.home / "outside").write_bytes(OUTSIDE)
    (guild.home / "runs" / "outside").write_bytes(OUTSIDE)
    return guild


@pytest.fixture(scope="module")
def run(server: Server) -> str:
    """Give the address of the run."""
    return f"/api/runs/{server.ok('/api/runs')['runs'][0]['id']}"


def test_nothing_is_told_without_the_cookie(server: Server) -> None:
    """Neither the page nor its files nor any address; a token that is wrong, empty or cut is refused."""
    for path in ("/static/app.js", "/api/config", "/api/runs", "/api/events", "/nothing"):
        for cookie in ("", "guild-view=x", f"guild-view-{server.port}=", f"guild-view-{server.port}={server.token}"):
            answer = server.raw("GET", path, server.own(Cookie=cookie))
            assert (answer.status, list(answer.json())) == (403, ["error", "hint"]), path
    page = server.raw("GET", "/", server.own(Cookie=""))
    assert (page.status, b"<script" in page.body) == (403, False)
    for given in ("", "x", server.token[:-1], server.token + "x", "%00", "%C3%A9", "%FF"):
        answer = server.raw("GET", f"/?token={given}", server.own(Cookie=""))
        assert (answer.status, "set-cookie" in answer.headers) == (403, False)


def test_the_cookie_is_for_this_server_alone(server: Server) -> None:
    """It is named by the port, out of reach of scripts and of other sites; other servers' cookies do not hide it."""
    answer = server.raw("GET", f"/?token={server.token}", server.own(Cookie=""))
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["HttpOnly", "SameSite=Strict", "Path=/"]
    assert cookie.startswith(f"guild-view-{server.port}=")
    assert server.token not in cookie
    assert server.token.encode() not in answer.body
    beside = f'other={{"a":"b;c"}}; x; {cookie}; =; y="'
    assert server.raw("GET", "/api/config", server.own(Cookie=beside)).status == 200


def test_the_cookie_alone_tells_nothing(guild: Guild, server: Server, run: str) -> None:
    """A browser sends it to every port of this machine: who is sent it there lacks the token, and changes nothing."""
    body = {"action": "mark", "ids": [run.rpartition("/")[2]]}
    before = guild.history()
    for path in ("/api/config", "/api/runs", "/api/events", f"{run}/file?path=plain.txt", f"{run}/source", "/nothing"):
        for token in ("", "x", server.cookie.partition("=")[2]):
            assert server.raw("GET", path, server.own(X_Guild_Token=token)).status == 403, path
        link = "&" if "?" in path else "?"
        assert server.raw("GET", f"{path}{link}token=x", server.own(X_Guild_Token="")).status == 403, path
    assert server.post("/api/actions", body, X_Guild_Token="").status == 403
    assert guild.history() == before
    headers = {name: value for name, value in server.own().items() if name != "X-Guild-Token"}
    shown = server.raw("GET", f"{run}/file?path=plain.txt&token={server.token}", headers)
    assert (shown.status, shown.body) == (200, b"0123456789")


def test_the_page_is_given_a_token_that_no_server_is_told(server: Server) -> None:
    """It stands behind the # of the address, is that of this server, and is not the one that was printed."""
    answer = server.raw("GET", f"/?token={server.token}", server.own(Cookie=""))
    (token,) = set(re.findall(r"/#token=([\w-]{40,})", answer.body.decode()))
    assert token not in (server.token, server.cookie.partition("=")[2])
    assert server.raw("GET", "/api/config", server.own(X_Guild_Token=token)).status == 200
    assert server.raw("GET", f"/?token={token}", server.own(Cookie="")).status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil.example:{port}", None]
)
def test_only_its_own_name_is_answered(server: Server, host: str | None) -> None:
    """A page elsewhere whose name was pointed at this machine sends that name, and gets nothing."""
    headers = server.own(Host="" if host is None else host.format(port=server.port))
    if host is None:
        del headers["Host"]
    answer = server.raw("GET", "/api/config", headers)
    assert answer.status in (400, 403)
    assert b"home" not in answer.body


def test_localhost_is_its_own_name_too(server: Server) -> None:
    """The page may be opened by either."""
    assert server.raw("GET", "/api/config", server.own(Host=f"localhost:{server.port}")).status == 200


def test_two_host_headers_are_none(server: Server) -> None:
    """What could be read in two ways is refused."""
    own = [f"{name}: {value}" for name, value in server.own().items()]
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall("\r\n".join(["GET /api/config HTTP/1.1", "Host: evil", *own, "", ""]).encode())
        assert re.match(rb"HTTP/1.1 40[03]", raw.recv(4096))


def test_no_other_page_is_let_in(server: Server) -> None:
    """A browser says which page asks: another origin, no origin, or another site, is refused even with the cookie."""
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{server.port + 1}", f"https://{server.host}", ""):
        assert server.raw("GET", "/api/config", server.own(Origin=origin)).status == 403
    for site in ("cross-site", "same-site", "unheard-of"):
        answer = server.raw("GET", "/api/config", server.own(Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors"))
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    assert server.raw("GET", "/api/config", server.own(Sec_Fetch_Site="same-origin")).status == 200
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert server.raw("GET", f"/?token={server.token}", server.own(**visit)).status == 200
    assert server.raw("GET", "/api/config", server.own(**visit)).status == 403
    assert server.raw("GET", "/", server.own(**{**visit, "Sec_Fetch_Dest": "iframe"})).status == 403


def test_changes_cannot_be_forged(guild: Guild, server: Server, run: str) -> None:
    """Without own origin, header and type nothing is changed: a form of another page can send none of them."""
    before = guild.history()
    body = {"action": "delete", "ids": [run.rpartition("/")[2]]}
    for wrong in (
        {"Origin": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"X_Guild_View": ""},
        {"X_Guild_View": "2"}, {"Content_Type": "text/plain"}, {"Content_Type": ""}, {"Cookie": "x"},
        {"Sec_Fetch_Site": "same-site"}, {"Host": "evil.example"},
    ):  # fmt: skip
        for path in ("/api/actions", "/api/actions/preview", "/api/undo"):
            assert server.post(path, body, **wrong).status in (403, 415), wrong
    assert server.raw("GET", "/api/actions", server.own()).status == 404
    assert guild.history() == before


def test_other_methods_are_refused(server: Server) -> None:
    """There is no way to put, remove or trace anything, and no preflight is answered for other origins."""
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT", "NONSENSE"):
        answer = server.raw(method, "/api/runs", server.own())
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert "access-control-allow-methods" not in answer.headers
    assert server.raw("HEAD", "/api/runs", server.own()).body == b""


def test_a_request_has_bounds(server: Server) -> None:
    """What is too large is refused before it is read, announced or not; broken JSON is told."""
    big = server.post("/api/actions", b" " * (1 << 20) + b"x")
    assert big.status == 413
    head = server.own(Origin=server.origin, X_Guild_View="1", Content_Type="application/json")
    lines = ["POST /api/actions HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall("\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode())
        for _ in range(17):
            raw.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")
    for bad in (b"{", b"[]", b'"x"', b"\xff", b"{" * 5_000, b'{"action": 1, "ids": []}', b'{"x": 1}', b""):
        answer = server.post("/api/actions", bad)
        assert (answer.status, "error" in answer.json()) == (400, True), bad
    assert server.get("/api/runs?" + "&".join(["op=x"] * 2_000)).status == 400


def test_every_answer_forbids_what_a_page_does_not_need(server: Server, run: str) -> None:
    """Frames, scripts of others, guessing of types, referrers and caches: on pages, data and errors alike."""
    for path in ("/", "/api/config", "/api/runs?x=1", "/nothing", f"{run}/file?path=plain.txt", "/static/nothing.js"):
        headers = server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert (
            "default-src 'self'" in headers["content-security-policy"]
            or "sandbox" in headers["content-security-policy"]
        )
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
        assert "server" not in headers
    assert "frame-ancestors 'none'" in server.get("/").headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["../../outside", "..", "sub/../../../outside", "/etc/passwd", "//etc/passwd", "link-out", "link-absolute",
     "up/outside", "up", "loop", "own/output", "own", ".guild/output", ".guild", "./.guild/output",
     "sub//../.guild/output", "pipe", "sock", "a\0b", "x" * 5_000, "plain.txt/x", "sub", "", "no-such",
     "..%2f..%2foutside", "....//outside"],
)  # fmt: skip
def test_no_path_leads_out_of_a_run(server: Server, run: str, path: str) -> None:
    """Dots, absolute paths, links, pipes, guild's own folder: neither read nor waited for, also percent-encoded."""
    for way in ("file", "text"):
        answer = server.get(f"{run}/{way}", path=path)
        assert answer.status == 404, answer
        assert OUTSIDE not in answer.body
        assert set(answer.json()) == {"error", "hint"}
    answer = server.get(f"{run}/files", path=path)
    assert answer.status == (200 if path in ("", "sub") else 404)
    encoded = "".join(f"%{byte:02x}" for byte in path.encode())
    assert server.raw("GET", f"{run}/file?path={encoded}", server.own()).status == 404


def test_links_that_stay_in_the_run_are_followed(server: Server, run: str) -> None:
    """Relative and absolute ones; a name that is no text can be asked for as it is listed."""
    for path in ("inner", "inner-absolute", "plain.txt", "./sub/../plain.txt"):
        answer = server.get(f"{run}/file", path=path)
        assert answer.status == (404 if ".." in path else 200)
        assert path.startswith("./") or answer.body == b"0123456789"
    listed = {entry["name"]: entry for entry in server.ok(f"{run}/files")["entries"]}
    assert ".guild" not in listed
    assert (listed["pipe"]["kind"], listed["link-out"]["kind"], listed["sub"]["kind"]) == ("other", "link", "dir")
    odd = next(entry for name, entry in listed.items() if name.startswith("b\\"))
    assert odd["path"] == "b%FF.txt"
    assert server.raw("GET", f"{run}/file?path={odd['path']}", server.own()).body == b"bytes"


@pytest.mark.parametrize(
    "target",
    ["/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/routes.py", "/static/..%2froutes.py", "/static/",
     "/static//etc/passwd", "/static", "/../etc/passwd", "/api/runs/../config", "/api/runs/%2e%2e",
     "/api/runs/..%2f..%2f/file?path=x", "/api/runs/0", "/api/runs/" + "0" * 32, "/api/runs/" + "0" * 33,
     "/api/runs/" + "A" * 32 + "/history"],
)  # fmt: skip
def test_no_address_leads_elsewhere(server: Server, target: str) -> None:
    """Only the files of the page, and whole ids of runs that are there; all else is JSON."""
    answer = server.raw("GET", target, server.own())
    assert answer.status == 404, answer
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "name", ["evil.html", "evil.HTM", "evil.svg", "evil.pdf", "evil.js", "evil.xml", "evil.xhtml", "evil"]
)
def test_a_hostile_file_can_do_nothing(server: Server, run: str, name: str) -> None:
    """Saved, or as plain text; shown only in a sandbox without scripts, requests or an origin."""
    answers = [server.get(f"{run}/file", path=f"sub/{name}", show=show) for show in (0, 1)]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'; ")
        assert "allow-" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    saved, shown = answers
    kind, way = saved.headers["content-type"], saved.headers["content-disposition"].partition(";")[0]
    assert way == "attachment" or kind == "text/plain; charset=utf-8"
    if name in ("evil.pdf", "evil.xhtml"):
        assert shown.headers["content-disposition"].startswith("attachment")


def test_a_part_of_a_file_can_be_asked_for(server: Server, run: str) -> None:
    """Of a file of a terabyte as much as is wanted; a range that is not there is told."""

    def part(path: str, wanted: str) -> Answer:
        return server.raw("GET", f"{run}/file?path={path}", server.own(Range=wanted))

    for wanted, body in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89"), ("bytes=8-99", b"89")):
        answer = part("plain.txt", wanted)
        assert (answer.status, answer.body) == (206, body)
    assert part("plain.txt", "bytes=0-1").headers["content-range"] == "bytes 0-1/10"
    assert part("plain.txt", "bytes=10-").status == 416
    for odd in ("bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=x"):
        assert (part("plain.txt", odd).status, part("plain.txt", odd).body) == (200, b"0123456789")
    answer = part("huge", f"bytes={1 << 39}-{(1 << 39) + 4}")
    assert (answer.status, answer.body) == (206, b"\0" * 5)
    assert server.ok(f"{run}/text", path="huge") == {"text": "", "truncated": True, "binary": True, "size": 1 << 40}


def test_who_leaves_a_large_file_is_not_read_for(server: Server, run: str) -> None:
    """The server goes on answering, and holds nothing open, when a reader of a terabyte goes away."""

    def held() -> int:
        return sum(1 for fd in os.listdir(f"/proc/{server.process.pid}/fd"))

    before = held()
    lines = [
        f"GET {run}/file?path=huge HTTP/1.1",
        *(f"{name}: {value}" for name, value in server.own().items()),
        "",
        "",
    ]
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall("\r\n".join(lines).encode())
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    wait_until(lambda: held() <= before)
    assert server.ok("/api/config")


def test_no_environment_is_told_anywhere(guild: Guild, server: Server, run: str) -> None:
    """It is recorded, and `guild runs info --env` shows it; no address of the server does."""
    assert HIDDEN in guild.ok("runs", "info", "--env")
    for path in (
        "/api/config", "/api/runs?columns=1", "/api/columns", run, f"{run}/history", f"{run}/output", f"{run}/files",
        f"{run}/source", "/api/log",
    ):  # fmt: skip
        answer = server.get(path)
        assert answer.status == 200, path
        assert HIDDEN.encode() not in answer.body, path
    found = server.done("/api/actions/preview", {"action": "delete", "ids": [run.rpartition("/")[2]]})
    assert HIDDEN not in json.dumps(found)


def test_what_a_run_printed_is_text_and_nothing_else(server: Server, run: str) -> None:
    """Control characters come through as JSON text: it is the page that must not take them for more."""
    answer = server.get(f"{run}/output")
    assert (answer.headers["content-type"], answer.json()["text"]) == ("application/json", "\x1b[2Jworking\n")


def test_a_link_in_place_of_guilds_own_folder_is_not_followed(
    guild: Guild, server: Server, run: str, tmp_path: Path
) -> None:
    """Output and series are read from the run's own folder or not at all."""
    folder = guild.home / run.removeprefix("/api/")
    (tmp_path / "output").write_bytes(OUTSIDE)
    (tmp_path / "scalars.csv").write_text("key,step,time,value\nloss,1,1.0,2.0\n")
    (folder / ".guild").rename(folder / "kept")
    (folder / ".guild").symlink_to(tmp_path)
    try:
        assert server.ok(f"{run}/output")["text"] == ""
        assert server.ok("/api/series", ids=run.rpartition("/")[2], key="loss") == {"series": []}
    finally:
        (folder / ".guild").unlink()
        (folder / "kept").rename(folder / ".guild")
