"""The JSON addresses of `guild view`: lists, runs, series, log, actions; on one server and one home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli_kit import Guild, copied, report
from tests.view_kit import Server, server_fixture  # noqa: F401 - a fixture

GUIDE = (Path(__file__).parent.parent / "docs" / "view-addresses.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command with a home that has runs, one with scalars, a deleted one, and series of odd numbers."""
    guild = copied(tmp_path_factory, tmp_path_factory.mktemp("api"))
    first, second, *_ = guild.ids()
    report(guild, first, loss=0.25, bad=float("nan"))
    guild.ok("runs", "rm", "4", "-y")
    guild.ok("tag", second, "--add", "a", "--add", "b", "-y")
    guild.ok("comment", second, "-m", "well")
    lines = [f"loss,{step},{1_700_000_000 + step}.500000,{1 / (step + 1)!r}" for step in range(2_000)]
    lines += ["odd,,1700000000.000000,nan", "odd,,1700000001.000000,inf", "odd,7,1700000002.000000,-inf", "torn,1"]
    series = guild.home / "runs" / first / ".guild" / "scalars.csv"
    series.write_text("\n".join(["key,step,time,value", *lines]))
    return guild


@pytest.fixture(scope="module")
def ids(server: Server) -> list[str]:
    """Give the ids of the list as it was first."""
    return [str(run["id"]) for run in server.ok("/api/runs")["runs"]]


def short(answer: Any) -> list[str]:
    """Return the beginnings of the ids of a list."""
    return [run["short_id"] for run in answer["runs"]]


LISTS: tuple[tuple[dict[str, object], tuple[str, ...]], ...] = (
    ({}, ()),
    ({"scope": "all"}, ("--all",)),
    ({"place": "deleted"}, ("-d",)),
    ({"op": "train"}, ("--op", "train")),
    ({"op": ["train", "hang"], "status": ["completed"]}, ("--op", "train", "--op", "hang", "-C")),
    ({"status": ["terminated", "error"]}, ("-T", "-E")),
    ({"label": "good"}, ("-l", "good")),
    ({"unlabeled": 1}, ("--unlabeled",)),
    ({"tag": "b"}, ("--tag", "b")),
    ({"marked": 0}, ("--unmarked",)),
    ({"comment": "ell"}, ("--comment", "ell")),
    ({"started": "last 2 days"}, ("--started", "last 2 days")),
    ({"filter": ["epochs >= 3", "status = completed"]}, ("-F", "epochs >= 3", "-F", "status = completed")),
    ({"filter": "loss < 1"}, ("-F", "loss < 1")),
)


@pytest.mark.parametrize(("params", "options"), LISTS)
def test_lists_are_those_of_the_command(
    guild: Guild, server: Server, params: dict[str, object], options: tuple[str, ...]
) -> None:
    """Each filter means what the option of that name means, and the total is that of the list."""
    listed = server.ok("/api/runs", **params)
    assert [run["id"] for run in listed["runs"]] == guild.ids(*options)
    assert (listed["total"], listed["exact"]) == (len(listed["runs"]), True)
    assert [run["index"] for run in listed["runs"]] == list(range(len(listed["runs"])))


def test_pages_sorting_and_selection(server: Server, ids: list[str]) -> None:
    """Pages join without gap; a sorted or selected list has no indexes; what is selected can be sorted and filtered."""
    first, second = (server.ok("/api/runs", offset=offset, limit=2) for offset in (0, 2))
    assert [run["id"] for run in first["runs"] + second["runs"]] == ids
    assert [run["index"] for run in second["runs"]] == [2, 3]
    behind = server.ok("/api/runs", after=ids[1], limit=1)
    assert ([run["id"] for run in behind["runs"]], behind["runs"][0]["index"]) == ([ids[2]], None)
    by = server.ok("/api/runs", sort="operation", reverse=1)
    assert [run["operation"] for run in by["runs"]] == sorted((run["operation"] for run in by["runs"]), reverse=True)
    assert {run["index"] for run in by["runs"]} == {None}
    for words, expected in ((f"{ids[3]} {ids[0][:9]}", [ids[0], ids[3]]), ("1:2", ids[1:3]), ("3", ids[3:])):
        found = server.ok("/api/runs", select=words)
        assert ([run["id"] for run in found["runs"]], found["total"]) == (expected, len(expected))
    assert short(server.ok("/api/runs", select="0:3", sort="started", reverse=1)) == [one[:8] for one in ids[::-1]]
    assert server.ok("/api/runs", select=" ".join(ids), filter="loss < 1")["total"] == 1
    assert server.ok("/api/runs", limit=0)["total"] == 4


def test_rows_have_what_a_list_shows(guild: Guild, server: Server, ids: list[str]) -> None:
    """Times, durations, tags, comments; flags and scalars when they are asked for, with NaN as text."""
    rows = server.ok("/api/runs", columns=1)["runs"]
    plain = {run["id"]: run for run in guild.json("runs")}
    for row in rows:
        same = (
            "id",
            "operation",
            "project",
            "status",
            "exit_status",
            "started",
            "stopped",
            "label",
            "marked",
            "protected",
        )
        assert {key: row[key] for key in same} == {key: plain[row["id"]][key] for key in same}
        assert (row["short_id"], row["deleted"], row["duration"] >= 0) == (row["id"][:8], False, True)
    assert (rows[0]["flags"], rows[0]["scalars"]) == ({"epochs": 5}, {"bad": "nan", "loss": 0.25})
    assert (rows[1]["tags"], rows[1]["comments"], rows[1]["scalars"]) == (["a", "b"], 1, {})
    assert server.ok("/api/runs")["runs"][0]["flags"] == {}
    names = {"flags": ["base", "epochs", "rate"], "scalars": ["bad", "loss"], "more": False}
    operations = sorted({run["operation"].partition(":")[2] or run["operation"] for run in rows})
    assert server.ok("/api/columns") == {**names, "operations": operations, "tags": ["a", "b"]}
    names = {"flags": ["base", "rate"], "scalars": [], "more": False}
    assert server.ok("/api/columns", op="finetune") == {**names, "operations": ["finetune"], "tags": ["a", "b"]}
    assert server.ok("/api/columns", select=ids[0])["scalars"] == ["bad", "loss"]


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("/api/runs", {"filter": "loss >"}, "expected a value"),
        ("/api/runs", {"sort": "nix"}, "cannot be sorted by 'nix'"),
        ("/api/runs", {"started": "someday"}, "someday"),
        ("/api/runs", {"digest": "xyz"}, "is not the beginning of a digest"),
        ("/api/runs", {"limit": 501}, "'limit' is a whole number from 0 to 500"),
        ("/api/runs", {"limit": "1e3"}, "'limit' is a whole number"),
        ("/api/runs", {"offset": -1}, "'offset'"),
        ("/api/runs", {"status": "dead"}, "'status' is one of"),
        ("/api/runs", {"scope": "world"}, "'scope' is one of project, all"),
        ("/api/runs", {"marked": "yes"}, "'marked' is one of 0, 1"),
        ("/api/runs", {"sorted": "x"}, "there is no parameter 'sorted' (did you mean 'sort'?)"),
        ("/api/runs", {"sort": ["a", "b"]}, "'sort' can be given once"),
        ("/api/runs", {"select": "3:1"}, "range 3:1 selects nothing"),
        ("/api/runs", {"select": "0 99"}, "could not find a run matching '99'"),
        ("/api/columns", {"select": "0:x"}, "could not find a run matching '0:x'"),
        ("/api/series", {"key": "loss"}, "'ids' and 'key' say which series"),
        ("/api/series", {"ids": "x", "key": "loss"}, "is not a run ID"),
        ("/api/series", {"ids": ",".join(["0" * 32] * 201), "key": "loss"}, "more than 200 runs"),
        ("/api/log", {"type": "nix"}, "is no type of event"),
        ("/api/log", {"limit": 0}, "'limit'"),
        ("/api/events", {"run": "x"}, "is not a run ID"),
    ],
)
def test_what_is_not_understood_is_told(server: Server, path: str, params: dict[str, object], words: str) -> None:
    """Never left out in silence: a message, and for an expression where it is wrong."""
    answer = server.get(path, **params)
    assert answer.status == 400, answer
    assert words in answer.json()["error"]
    assert ("column" in answer.json()) == ("filter" in params)


def test_a_run_is_told_as_the_command_tells_it(guild: Guild, server: Server, ids: list[str]) -> None:
    """Everything of `runs info --json` but the environment, with scalars as they were recorded; deleted ones too."""
    told = guild.json("runs", "info", ids[0])
    found = server.ok(f"/api/runs/{ids[0]}")
    told.pop("environment")
    told["scalars"]["bad"]["last"][0] = "nan"
    assert {key: found[key] for key in told} == told
    assert found["version"] > 0
    (gone,) = server.ok("/api/runs", place="deleted")["runs"]
    assert server.ok(f"/api/runs/{gone['id']}")["deleted"] is True
    assert server.ok(f"/api/runs/{gone['id']}/output")["text"].startswith("working")
    assert server.ok(f"/api/runs/{ids[1]}/history") == guild.json("history", ids[1])
    server.refused(404, f"/api/runs/{'0' * 32}/history")


def test_output_comes_in_pieces(guild: Guild, server: Server, ids: list[str]) -> None:
    """Pieces join to the whole, no character is cut in two, and the end can be asked for."""
    path = guild.home / "runs" / ids[1] / ".guild" / "output"
    whole = "".join(f"größer {number} ✓\n" for number in range(200))
    path.write_text(whole, encoding="utf-8")
    text, at = "", 0
    while not (piece := server.ok(f"/api/runs/{ids[1]}/output", offset=at, limit=101))["ended"]:
        text, at = text + piece["text"], piece["next"]
    assert (text + piece["text"], piece["next"], piece["size"]) == (whole, path.stat().st_size, path.stat().st_size)
    for back in range(1, 9):
        tail = server.ok(f"/api/runs/{ids[1]}/output", offset=-back)
        assert whole.endswith(tail["text"].lstrip("\ufffd"))
        assert "\ufffd" not in tail["text"]
    path.write_bytes(b"abc\xff\xe2\x82")
    assert server.ok(f"/api/runs/{ids[1]}/output")["text"] == "abc\ufffd\ufffd"


def test_source_is_listed_and_shown(server: Server, ids: list[str]) -> None:
    """The snapshot of the run: names, and the text of one; no path leads out of it."""
    listed = server.ok(f"/api/runs/{ids[0]}/source")
    assert [one["name"] for one in listed["files"]] == ["MODELS", "work.py"]
    shown = server.ok(f"/api/runs/{ids[0]}/source", path="work.py")
    assert (shown["binary"], shown["truncated"]) == (False, False)
    assert shown["text"].startswith("import os, signal, sys\n")
    assert server.ok(f"/api/runs/{ids[0]}/source", path="work.py", limit=6)["text"] == "import"
    for path in ("../manifest", "../../../ledger.db", "nothing.py"):
        server.refused(404, f"/api/runs/{ids[0]}/source", path=path)


def test_series_are_thinned_out_and_exact_where_it_matters(server: Server, ids: list[str]) -> None:
    """First, last, lowest and highest points stay; numbers that JSON has not travel as text; others have none."""
    found = server.ok("/api/series", ids=f"{ids[0]},{ids[1]}", key=["loss", "odd", "nix"], points=100)["series"]
    assert [(one["id"], one["key"]) for one in found] == [(ids[0], "loss"), (ids[0], "odd")]
    assert server.refused(404, "/api/series", ids=f"{ids[0]},{'0' * 32}", key="loss")["error"].startswith(
        "there is no run"
    )
    loss, odd = found
    assert len(loss["steps"]) == len(loss["values"]) == len(loss["times"]) <= 100
    assert (loss["steps"][0], loss["values"][0], loss["times"][0]) == (0, 1.0, 1_700_000_000.5)
    assert (loss["steps"][-1], loss["values"][-1]) == (1_999, 1 / 2_000)
    assert (odd["steps"], odd["values"]) == ([None, None, 7], ["nan", "inf", "-inf"])


def test_series_that_grow_are_read_on(guild: Guild, server: Server, ids: list[str]) -> None:
    """The next answer has what was appended, and a file that was replaced is read anew."""
    path = guild.home / "runs" / ids[2] / ".guild" / "scalars.csv"
    path.write_text("key,step,time,value\nloss,1,1.0,3.0\n")
    read = [server.ok("/api/series", ids=ids[2], key="loss")["series"][0]["values"]]
    with path.open("a") as file:
        file.write("loss,2,2.0,2.0\nloss,3,3.0,1")
    read.append(server.ok("/api/series", ids=ids[2], key="loss")["series"][0]["values"])
    path.unlink()
    path.write_text("key,step,time,value\nloss,1,1.0,9.0\n")
    read.append(server.ok("/api/series", ids=ids[2], key="loss")["series"][0]["values"])
    assert read == [[3.0], [3.0, 2.0], [9.0]]


def test_actions_are_transactions_of_the_actor(guild: Guild, server: Server, ids: list[str]) -> None:
    """Shown first, then one transaction with who and how; undo and redo from the page; the log tells all of it."""
    shown = server.done("/api/actions/preview", {"action": "delete", "ids": ids[2:4]})
    assert (shown["count"], shown["asks"], shown["bytes"] > 0) == (2, True, True)
    assert [run["id"] for run in shown["runs"]] == list(shown["versions"]) == ids[2:4]
    done = server.done("/api/actions", {"action": "delete", "ids": ids[2:4], "versions": shown["versions"]})
    assert (done["said"], done["count"], done["of"], done["again"]) == ("Deleted 2 run(s)", 2, 2, False)
    newest = json.loads(guild.ok("log", "-n", "1", "--json"))
    assert (newest["seq"], newest["actor"], newest["command"][:2]) == (done["seq"], "ada", ["guild", "view"])
    assert [(event["type"], event["stream"]) for event in newest["events"]] == [
        ("run.deleted", f"run/{one}") for one in ids[2:4]
    ]
    back = server.done("/api/undo", {"seq": done["undo"]})
    assert (back["said"], back["again"]) == (f"Took back transaction {done['seq']}: restored 2 run(s)", True)
    assert guild.ids() == ids
    log = server.ok("/api/log", limit=2)["transactions"]
    assert [(one["seq"], one["undoable"], one["undone_by"], one["undoes"]) for one in log] == [
        (back["seq"], True, None, done["seq"]), (done["seq"], False, back["seq"], None),
    ]  # fmt: skip
    assert (log[1]["summary"], log[1]["runs"], log[1]["count"]) == ("deleted 2 runs", ids[2:4], 2)
    again = server.done("/api/undo", {"redo": True})
    assert (again["said"], again["again"]) == (f"Did transaction {done['seq']} again: deleted 2 run(s)", False)
    assert guild.ids() == ids[:2]
    server.done("/api/undo", {})
    assert guild.ids() == ids


def test_refusals_are_those_of_the_commands(guild: Guild, server: Server, ids: list[str]) -> None:
    """Protected, changed since it was shown, already so, unknown: told with a hint, and nothing is changed."""
    server.done("/api/actions", {"action": "protect", "ids": ids[:1]})
    shown = server.done("/api/actions/preview", {"action": "mark", "ids": ids[1:2]})
    guild.ok("label", ids[1], "other")
    before = guild.history()
    for status, body in (
        (409, {"action": "delete", "ids": ids[:2]}),
        (409, {"action": "mark", "ids": ids[1:2], "versions": shown["versions"]}),
        (409, {"action": "restore", "ids": ids[:1]}),
        (404, {"action": "mark", "ids": ["0" * 32]}),
        (400, {"action": "mark", "ids": ["../x"]}),
        (400, {"action": "rm", "ids": ids[:1]}),
        (400, {"action": "tag", "ids": ids[:1], "value": "-x"}),
        (400, {"action": "comment", "ids": ids[:1], "value": "x" * 70_000}),
        (400, {"action": "mark", "ids": ids[:1], "versions": {"x": "y"}}),
        (400, {"ids": ids[:1]}),
        (400, {"action": "label", "ids": ids[:1]}),
        (400, {"action": "mark", "ids": ids[:1], "value": "x"}),
    ):
        answer = server.post("/api/actions", body)
        assert (answer.status, bool(answer.json()["error"])) == (status, True), answer
    assert server.post("/api/undo", {"seq": 1}).status == 409
    assert server.post("/api/undo", {"seq": 10**9}).status == 409
    assert server.post("/api/undo", {"seq": "1"}).status == 400
    assert guild.history() == before
    again = server.done("/api/actions", {"action": "protect", "ids": ids[:1]})
    assert (again["seq"], again["undo"], again["said"]) == (None, None, "No runs to modify.")


def test_the_log_comes_in_pages_and_filtered(guild: Guild, server: Server, ids: list[str]) -> None:
    """Pages join without gap; of one run, of somebody, of a type."""
    seqs, before = [], 0
    while True:
        page = server.ok("/api/log", limit=3, **({"before": before} if before else {}))
        seqs += [one["seq"] for one in page["transactions"]]
        if not page["more"]:
            break
        before = page["before"]
    assert seqs == list(range(seqs[0], 0, -1))
    for params, options in (
        ({"run": ids[0]}, ("--run", ids[0])), ({"type": "deleted"}, ("--type", "deleted")),
        ({"actor": "ada"}, ("--actor", "ada")), ({"actor": "nobody"}, ("--actor", "nobody")),
    ):  # fmt: skip
        found = [one["seq"] for one in server.ok("/api/log", limit=500, **params)["transactions"]]
        assert found == [json.loads(line)["seq"] for line in guild.ok("log", "--json", *options).splitlines()]


def test_every_field_is_documented(server: Server, ids: list[str]) -> None:
    """Each key that an address answers with stands in the page of addresses."""
    run = f"/api/runs/{ids[0]}"
    paths = (
        "/api/config", "/api/runs?columns=1", "/api/columns", run, f"{run}/history", f"{run}/output", f"{run}/files",
        f"{run}/source", f"{run}/source?path=work.py", f"/api/series?ids={ids[0]}&key=loss", "/api/log",
    )  # fmt: skip
    answers = [server.ok(path) for path in paths]
    answers.append(server.done("/api/actions/preview", {"action": "mark", "ids": ids[:1]}))
    answers.append(server.done("/api/actions", {"action": "mark", "ids": ids[:1]}))
    missing = {key for answer in answers for key in _keys(answer) if f"`{key}`" not in GUIDE}
    assert missing == set()


def _keys(value: Any) -> Iterator[str]:
    """Yield the keys of an answer, and of the objects in its lists."""
    for key, item in value.items():
        yield key
        if isinstance(item, list) and item and isinstance(item[0], dict):
            yield from _keys(item[0])


def test_nothing_is_before_the_first_transaction(server: Server) -> None:
    """A program that goes back page by page ends, rather than begin again."""
    assert server.ok("/api/log?before=0") == {"transactions": [], "more": False, "before": None}
    assert [one["seq"] for one in server.ok("/api/log?before=2")["transactions"]] == [1]
