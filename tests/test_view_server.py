"""`guild view` as a process: what it prints, how it ends, what it refuses, and what a page gets when a home breaks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from ledger.errors import UsageError
from tests.cli_kit import Guild, copied, wait_until
from tests.view_kit import Server, server_fixture, serving, start  # noqa: F401 - a fixture
from view.web.serving import hosts_of, listen


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command with a home that has runs; each test leaves it as it was."""
    return copied(tmp_path_factory, tmp_path_factory.mktemp("server"))


def test_interrupted_it_ends_as_other_commands_do(guild: Guild) -> None:
    """Ctrl-C is code 130, even while a page listens; the port is free again at once."""
    running = start(guild)
    running.open_page()
    with socket.create_connection(("127.0.0.1", running.port)) as page:
        own = [f"{name}: {value}" for name, value in running.own().items()]
        lines = ("GET /api/events HTTP/1.1", *own, "", "")
        page.sendall("\r\n".join(lines).encode())
        assert page.recv(4096).startswith(b"HTTP/1.1 200")
        code, err = running.stop(signal.SIGINT)
    assert (code, err.splitlines()[1:]) == (130, ["(Type Ctrl-C to quit)", "", "guild: interrupted"])
    with serving(guild, "--port", str(running.port)) as again:
        assert again.port == running.port


def test_without_a_browser_it_says_so_and_ends_when_it_is_told_to(guild: Guild) -> None:
    """Without a screen nothing is started that would take the terminal; SIGTERM ends it as it does others."""
    process = guild.start("view", "--all")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    said = [process.stderr.readline().decode() for _ in range(2)]
    assert said[-1] == "There is no browser to open here: open the address yourself.\n"
    assert Server(process, "", 0, "").stop(signal.SIGTERM) == (-signal.SIGTERM, "")


def test_two_at_once_have_their_own_port_token_and_cookie(guild: Guild, server: Server) -> None:
    """What opens one is of no use for the other; a port that is taken is told."""
    with serving(guild) as other:
        assert other.port != server.port
        assert other.cookie.partition("=")[0] == f"guild-view-{other.port}" != server.cookie.partition("=")[0]
        assert other.ok("/api/config")["home"] == server.ok("/api/config")["home"]
        assert other.raw("GET", f"/?token={server.token}", other.own(Cookie="")).status == 403
        assert other.raw("GET", "/api/config", other.own(Cookie=server.cookie)).status == 403
        told = guild.refused("view", "-n", "--port", str(other.port))
    assert told.splitlines()[-2:] == [
        f"guild: port {other.port} is in use", "Choose another with --port, or leave it out for one that is free.",
    ]  # fmt: skip


def test_only_loopback_is_served(guild: Guild) -> None:
    """Any other address is wrong usage, whatever the network is like; the names of loopback are taken."""
    everywhere = ".".join("0000")
    for host in (everywhere, "::", "example.org", "192.168.1.1", ""):
        with pytest.raises(UsageError, match="is not an address of this machine alone"):
            listen(host, 0)
    for host in ("localhost", "127.0.0.1", "127.0.0.2"):
        with closing(listen(host, 0)) as found:
            assert ip_address(found.getsockname()[0]).is_loopback
    with closing(listen("127.0.0.1", 0)) as found:
        assert hosts_of(found) == [f"127.0.0.1:{found.getsockname()[1]}", f"localhost:{found.getsockname()[1]}"]
    assert "is not an address of this machine alone" in guild.refused("view", "-n", "--host", everywhere, code=2)


def test_options_of_lists_are_what_the_page_begins_with(guild: Guild) -> None:
    """The page gets them as parameters of its own list; runs that are named are named by their whole ids."""
    ids = guild.ids()
    with serving(guild, "0", "-C", "--op", "train", "-F", "epochs > 1", "--sort", "label", "--all") as running:
        query = running.ok("/api/config")["query"]
        listed = running.raw("GET", f"/api/runs?{query}", running.own()).json()
    trains = [row.short for row in guild.rows("-C", "--op", "train", "-F", "epochs > 1", "--all")]
    assert query.startswith("scope=all&op=train&status=completed&filter=epochs+%3E+1&sort=label&select=")
    assert [run["short_id"] for run in listed["runs"]] == trains == [ids[0][:8]]
    assert "could not find a run matching '77'" in guild.refused("view", "-n", "77")
    assert "expected a value" in guild.refused("view", "-n", "-F", "x >", code=2)
    assert "cannot be sorted by 'nix'" in guild.refused("view", "-n", "--sort", "nix", code=2)


def test_the_browser_is_given_an_address_that_works_once(guild: Guild, tmp_path: Path) -> None:
    """Other users see the command line of a browser: what stands there is used up by the page that was opened."""
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o755)
    process = guild.with_env(BROWSER=str(browser)).start("view")
    assert process.stdout is not None
    port = int(process.stdout.readline().decode().partition("/?token=")[0].rpartition(":")[2])
    running = Server(process, "127.0.0.1", port, "")
    try:
        wait_until(seen.exists)
        target = "/" + seen.read_text().partition(f":{port}/")[2]
        answers = [running.raw("GET", target, running.own(Cookie="")) for _ in range(2)]
    finally:
        running.stop()
    assert [answer.status for answer in answers] == [200, 403]
    assert "set-cookie" in answers[0].headers
    assert "set-cookie" not in answers[1].headers


def test_an_empty_home_is_served_and_fills(tmp_path: Path) -> None:
    """The first look makes the home, as that of `guild runs` does; its list is empty."""
    guild = Guild(tmp_path / "home", tmp_path)
    with serving(guild) as running:
        assert running.ok("/api/runs")["runs"] == []
        assert running.ok("/api/config")["scopes"] == ["all"]
        none: dict[str, object] = {key: [] for key in ("flags", "scalars", "operations", "tags")}
        assert running.ok("/api/columns") == {**none, "more": False}


def test_a_home_that_vanishes_is_told_and_not_made_anew(guild: Guild, server: Server) -> None:
    """Every address answers with JSON; when the home is back, so are the runs."""
    runs = server.ok("/api/runs")
    run_id = runs["runs"][0]["id"]
    aside = guild.home.with_name("aside")
    guild.home.rename(aside)
    for path in ("/api/runs", f"/api/runs/{run_id}", f"/api/runs/{run_id}/output", "/api/log", "/api/columns"):
        assert "the ledger is gone" in server.refused(503, path)["error"]
    posted = server.post("/api/actions", {"action": "mark", "ids": [run_id]})
    assert posted.status == 503
    assert not guild.home.exists()
    aside.rename(guild.home)
    assert server.ok("/api/runs") == runs


def test_a_damaged_ledger_is_told_as_json(guild: Guild, server: Server) -> None:
    """A file that is no database, or one that lost history, is an error with a hint, and no trace."""
    kept = guild.home.with_name("kept.db")
    shutil.copy(guild.home / "ledger.db", kept)
    for bad in (b"not a database" * 100, b""):
        (guild.home / "ledger.db").write_bytes(bad)
        answer = server.get("/api/runs")
        assert answer.status in (409, 500), answer
        assert set(answer.json()) == {"error", "hint"}
        assert b"Traceback" not in answer.body
    os.replace(kept, guild.home / "ledger.db")
    assert server.ok("/api/runs")["total"] == 5


def test_the_index_may_be_rebuilt_or_broken_meanwhile(guild: Guild, server: Server) -> None:
    """A rebuild beside the server changes nothing; an index that is damaged is made anew without a word."""
    before = server.ok("/api/runs")
    guild.ok("ledger", "rebuild")
    assert server.ok("/api/runs") == before
    for path in (guild.home / "index").glob("*.db*"):
        path.unlink(missing_ok=True)  # an index that is closed takes its log along
    assert server.ok("/api/runs") == before
    (path,) = (guild.home / "index").glob("*.db")
    path.write_bytes(b"nonsense" * 1_000)
    assert server.ok("/api/runs") == before
