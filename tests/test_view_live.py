"""What pages are told as it happens: server-sent events of one server, to which real commands give something to say."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.cli_kit import PATIENCE, Guild, project_of, wait_until
from tests.view_kit import Server, server_fixture  # noqa: F401 - a fixture

CODE = """\
import os, time
def wait(name):
    while not os.path.exists(os.environ["SIGN"] + name):
        time.sleep(0.02)
print("begun", flush=True)
wait("1")
print("step 1", flush=True)
with open(".guild/scalars.csv", "a") as file:
    file.write("key,step,time,value\\nloss,1,1.0,0.5\\n")
wait("2")
"""


class Page:
    """A page that listens."""

    def __init__(self, server: Server, query: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self._connection.request("GET", f"/api/events{query}", headers=server.own(**headers))
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        assert self._response.headers["content-type"].startswith("text/event-stream")

    def next(self) -> tuple[str, Any, str]:
        """Return the next event: its type, data and id."""
        fields = {"event": "", "data": "null", "id": ""}
        while line := self._response.readline().decode().rstrip("\n"):
            name, _, text = line.partition(": ")
            fields[name] = text
        if not fields["event"]:
            assert not self._response.isclosed(), "the stream has ended"
            return self.next()
        return fields["event"], json.loads(fields["data"]), fields["id"]

    def until(self, kind: str) -> Any:
        """Return the data of the next event of a kind."""
        while True:
            found, data, _ = self.next()
            if found == kind:
                return data

    def close(self) -> None:
        """Go away without a word."""
        self._response.close()
        self._connection.close()


def is_told(told: Any, run_id: str) -> bool:
    """Tell whether an event lets a page know of a change of a run: by its id, or by asking to read all anew."""
    return run_id in told["runs"] or told["more"]


@contextmanager
def page(server: Server, query: str = "", **headers: str) -> Iterator[Page]:
    """Give a page that listens, and that has been greeted."""
    listening = Page(server, query, **headers)
    try:
        yield listening
    finally:
        listening.close()


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a project whose operation waits for signs, in a home with one run that has ended."""
    guild = project_of(tmp_path_factory.mktemp("live"), CODE)
    for name in "12":
        (guild.cwd / f"done{name}").touch()
    guild.with_env(SIGN=str(guild.cwd / "done")).ok("run", "go", "-y")
    return guild


def test_what_other_commands_do_is_told_to_every_page(guild: Guild, server: Server) -> None:
    """Each page hears of each transaction, with the runs that it is about; a page that left is forgotten."""
    (run_id,) = guild.ids()
    with page(server) as one, page(server) as other:
        pages = (one, other)
        greetings = [listening.next() for listening in pages]
        assert [kind for kind, *_ in greetings] == ["hello", "hello"]
        seq = greetings[0][1]["seq"]
        assert seq == server.ok("/api/runs")["seq"]
        one.close()
        guild.ok("mark", "0")
        kind, told, number = other.next()
        assert (kind, told["seq"], number) == ("ledger", seq + 1, str(seq + 1))
        assert is_told(told, run_id)
        server.done("/api/undo", {"seq": seq + 1})
        assert other.until("ledger") == {"seq": seq + 2, "runs": [run_id], "more": False}


def test_a_page_that_was_cut_off_is_told_what_it_missed(guild: Guild, server: Server) -> None:
    """The browser says what it heard last; what came since is told at once, or that all is to be read anew."""
    (run_id,) = guild.ids()
    guild.ok("label", "0", f"label {server.ok('/api/runs')['seq']}")
    seq = server.ok("/api/runs")["seq"]
    with page(server, Last_Event_ID=str(seq - 1)) as listening:
        assert listening.next()[:2] == ("hello", {"seq": seq, "version": server.ok("/api/config")["version"]})
        assert listening.next() == ("ledger", {"seq": seq, "runs": [run_id], "more": False}, str(seq))
    with page(server, Last_Event_ID=str(seq + 100)) as listening:
        assert listening.until("ledger") == {"seq": seq, "runs": [], "more": True}
    for nothing in (str(seq), "x", "9" * 30):
        with page(server, Last_Event_ID=nothing) as listening:
            assert listening.next()[0] == "hello"
            guild.ok("label", "0", f"{nothing} {seq}")
            assert is_told(listening.until("ledger"), run_id)
            seq += 1


def test_a_run_is_followed_while_it_goes_on(guild: Guild, server: Server) -> None:
    """Its start, its output, its series and its end reach the page as they come."""
    process = guild.with_env(SIGN=str(guild.cwd / "new")).start("run", "go", "-y")
    try:
        wait_until(lambda: server.ok("/api/runs", status="running")["runs"])
        (run,) = server.ok("/api/runs", status="running")["runs"]
        output = f"/api/runs/{run['id']}/output"
        wait_until(lambda: server.ok(output)["text"] == "begun\n")
        with page(server, f"?run={run['id']}") as listening:
            assert listening.until("output") == {"id": run["id"], "size": 6}
            (guild.cwd / "new1").touch()
            grown: dict[str, Any] = {}
            while {"output", "series"} - grown.keys():  # on a slow machine the ledger is told of the number meanwhile
                kind, grown[kind], _ = listening.next()
            assert (grown["output"]["id"], grown["series"]["id"]) == (run["id"], run["id"])
            assert grown.keys() <= {"output", "series", "ledger"}
            assert (server.ok(output)["text"], server.ok(output)["ended"]) == ("begun\nstep 1\n", False)
            assert server.ok("/api/series", ids=run["id"], key="loss")["series"][0]["values"] == [0.5]
            (guild.cwd / "new2").touch()
            assert is_told(listening.until("ledger"), run["id"])
        wait_until(lambda: server.ok(output)["ended"])
        process.communicate(timeout=PATIENCE)
        assert server.ok(f"/api/runs/{run['id']}")["status"] == "completed"
    finally:
        process.kill()
        process.communicate()
    guild.ok("runs", "rm", run["id"], "-y")


def test_a_run_whose_supervisor_was_killed_is_told_to_be_over(guild: Guild, server: Server) -> None:
    """Nobody recorded its end: the look for what is new finds it, and the running run can be deleted from the page."""
    process = guild.with_env(SIGN=str(guild.cwd / "never")).start("run", "go", "-y")
    wait_until(lambda: server.ok("/api/runs", status="running")["runs"])
    (run,) = server.ok("/api/runs", status="running")["runs"]
    with page(server) as listening:
        assert listening.next()[0] == "hello"
        process.kill()
        process.communicate()
        assert is_told(listening.until("ledger"), run["id"])
    assert server.ok(f"/api/runs/{run['id']}")["status"] == "terminated"
    assert server.done("/api/actions", {"action": "delete", "ids": [run["id"]]})["said"] == "Deleted 1 run(s)"


def test_a_running_run_is_stopped_before_it_is_deleted(guild: Guild, server: Server) -> None:
    """The preview says so; its process has ended when the answer comes."""
    process = guild.with_env(SIGN=str(guild.cwd / "never")).start("run", "go", "-y")
    wait_until(lambda: server.ok("/api/runs", status="running")["runs"])
    (run,) = server.ok("/api/runs", status="running")["runs"]
    body = {"action": "delete", "ids": [run["id"]]}
    shown = server.done("/api/actions/preview", body)
    assert shown["warnings"] == ["One or more runs are still running and will be stopped before being deleted."]
    assert server.done("/api/actions/preview", {**body, "action": "stop"})["count"] == 1
    assert server.done("/api/actions", body)["said"] == "Deleted 1 run(s)"
    process.communicate(timeout=PATIENCE)
    (gone,) = (one for one in server.ok("/api/runs", place="deleted")["runs"] if one["id"] == run["id"])
    assert gone["status"] == "terminated"


def test_trouble_is_told_and_its_end(guild: Guild, server: Server) -> None:
    """While the ledger cannot be read pages hear why, once; when it can be again, that all is to be read anew."""
    aside = guild.home.with_name("aside")
    with page(server) as listening:
        assert listening.next()[0] == "hello"
        guild.home.rename(aside)
        while "the ledger is gone" not in listening.until("trouble")["error"]:
            pass  # a look that was under way may have met something else
        aside.rename(guild.home)
        assert listening.until("ledger")["more"] is True


def test_pages_that_left_hold_nothing(server: Server) -> None:
    """However many come and go, the server has as many files open as before."""

    def held() -> int:
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    server.ok("/api/runs")
    before = held()
    for _ in range(20):
        with page(server) as listening:
            listening.next()
    wait_until(lambda: held() <= before)
    assert server.ok("/api/config")


def test_ledger_can_be_folded_in_while_pages_listen(guild: Guild, server: Server) -> None:
    """Listening holds no view of the ledger: its log can be emptied, and a backup can take its place."""
    with page(server) as listening:
        assert listening.next()[0] == "hello"
        guild.ok("label", "0", "before the backup")
        listening.until("ledger")
        backup = guild.home.with_name("backup.db")
        guild.ok("ledger", "backup", str(backup))
        guild.ok("label", "0", "after it")
        listening.until("ledger")
        with closing(guild.database()) as database:
            assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        guild.ok("ledger", "restore-backup", str(backup), "--force", "-y")
        assert listening.until("ledger")["seq"] == server.ok("/api/runs")["seq"]
    assert server.ok("/api/runs")["runs"][0]["label"] == "before the backup"
