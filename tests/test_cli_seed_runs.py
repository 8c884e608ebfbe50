"""Looking at runs and acting on them as the page that this program was built after describes it, command by command."""

from __future__ import annotations

import csv
import io
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, Result, Row, make_project, parse_rows, report

MODELS = """\
- name: slim-resnet-101
  operations:
    train: {cmd: work, flags: {end: kill}}
- name: slim-resnet-50
  operations:
    export: work
    predict: {cmd: work, flags: {end: {default: ''}}}
"""
WORK = """\
import os, signal, sys
print("working")
with open("model.bin", "wb") as file:
    file.write(b"weights")
if "kill" in sys.argv:
    os.kill(os.getpid(), signal.SIGTERM)
if "fail" in sys.argv:
    sys.exit(1)
"""
OPERATIONS = ["./slim-resnet-101:train", "./slim-resnet-50:export", *["./slim-resnet-50:predict"] * 2]
STATUSES = ["terminated", "completed", "completed", "error"]


class World(NamedTuple):
    """The directories of the page: `Home` without a model file, `Models/mnist` and another project with one."""

    folder: Path
    home: Path
    mnist: Path
    other: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Start the runs of the page's list, and one of another project; nobody changes this home."""
    folder = tmp_path_factory.mktemp("page")
    mnist = make_project(folder / "Models" / "mnist", MODELS, work=WORK)
    other = make_project(folder / "Models" / "iris", "{name: iris, operations: {train: work}}\n", work="")
    (folder / "Home").mkdir()
    guild = Guild(folder / "guild", mnist)
    assert guild("run", "predict", "end=fail", "-y").code == 1
    guild.ok("run", "predict", "-y")
    guild.ok("run", "export", "-y")
    guild.at(other).ok("run", "train", "-y")
    assert guild("run", "slim-resnet-101:train", "-y").code == 128 + signal.SIGTERM
    guild.ok("runs")
    return World(folder, guild.home, mnist, other)


@pytest.fixture
def guild(made: World, tmp_path: Path) -> Guild:
    """Give the command in the project of the page, with a copy of the home."""
    shutil.copytree(made.home, tmp_path / "guild")
    return Guild(tmp_path / "guild", made.mnist)


@pytest.fixture
def ids(guild: Guild) -> list[str]:
    """Give the short ids of the page's list, in its order."""
    return [row.short for row in guild.rows()]


def shorts(rows: list[Row]) -> list[str]:
    """Return the ids of rows."""
    return [row.short for row in rows]


def shown(result: Result) -> list[str]:
    """Return the ids in the preview of a command that asks."""
    return re.findall(r"^  \[([0-9a-f]{8})\]  ", result.out, re.MULTILINE)


# --- Run directory ----------------------------------------------------------------------------------------------------


def test_every_run_has_a_directory_below_the_home(guild: Guild) -> None:
    """`guild run` makes one, `runs info` tells it, `runs list` counts it, `runs delete` takes it away."""
    guild.ok("run", "export", "-y")
    run = guild.json("runs", "info")
    folder = guild.home / "runs" / run["id"]
    assert run["run_dir"] == str(folder)
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert (folder / ".guild" / "output").read_text() == "working\n"
    assert len(guild.rows()) == 5
    guild.ok("runs", "delete", "0", "-y")
    assert not folder.exists()
    assert len(guild.rows()) == 4


# --- Limiting runs ----------------------------------------------------------------------------------------------------


def test_scope_is_local_where_a_model_is_defined_and_global_elsewhere(guild: Guild, made: World) -> None:
    """From `Models/mnist` only its runs and a message; from `Home` all and none; from another project that one's."""
    local = guild("runs")
    assert local.err == LOCAL_SCOPE
    assert [row.op for row in parse_rows(local.out)] == OPERATIONS
    everywhere = guild.at(made.folder / "Home")("runs")
    assert everywhere.err == ""
    assert len(parse_rows(everywhere.out)) == 5
    other = guild.at(made.other)("runs")
    assert (other.err, [row.op for row in parse_rows(other.out)]) == (LOCAL_SCOPE, ["./iris:train"])


@pytest.mark.parametrize("option", ["--all", "-a"])
def test_all_applies_global_scope(guild: Guild, option: str) -> None:
    """It shows every run, says nothing of limits, and numbers the longer list anew."""
    result = guild("runs", option)
    assert result.err == ""
    rows = parse_rows(result.out)
    assert [row.index for row in rows] == [0, 1, 2, 3, 4]
    assert rows[1].op == "../iris/iris:train"


@pytest.mark.parametrize("option", ["--op", "-o"])
def test_an_operation_filter_comes_after_the_scope(guild: Guild, made: World, option: str) -> None:
    """`guild runs --op train`: operations that contain the text, in local scope those of the directory only."""
    result = guild("runs", option, "train")
    assert result.err == LOCAL_SCOPE
    assert [row.op for row in parse_rows(result.out)] == ["./slim-resnet-101:train"]
    assert len(parse_rows(guild.at(made.folder / "Home").ok("runs", option, "train"))) == 2


@pytest.mark.parametrize(
    ("options", "kept"), [(["-T"], [0]), (["-C"], [1, 2]), (["-E"], [3]), (["-R"], []), (["-C", "--op", "export"], [1])]
)
def test_runs_are_filtered_by_status(guild: Guild, ids: list[str], options: list[str], kept: list[int]) -> None:
    """Status and operation are attributes to filter by, and the result is numbered from 0."""
    rows = guild.rows(*options)
    assert shorts(rows) == [ids[number] for number in kept]
    assert [row.index for row in rows] == list(range(len(kept)))


@pytest.mark.parametrize("option", ["--deleted", "-d"])
def test_deleted_runs_are_a_list_of_their_own(guild: Guild, ids: list[str], option: str) -> None:
    """Live runs and deleted ones are never in one list; filters apply to either."""
    assert guild.rows(option) == []
    guild.ok("runs", "rm", "0:1", "-y")
    assert shorts(guild.rows(option)) == ids[:2]
    assert shorts(guild.rows(option, "-C")) == ids[1:2]
    assert shorts(guild.rows()) == ids[2:]


# --- Selecting runs ---------------------------------------------------------------------------------------------------


def test_the_list_looks_as_on_the_page(guild: Guild) -> None:
    """`[INDEX:ID]  OPERATION  STARTED  STATUS`, the most recently started first."""
    lines = guild.ok("runs").splitlines()
    row = r"\[{}:[0-9a-f]{{8}}\]  {} +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  {}"
    for number, line in enumerate(lines):
        assert re.fullmatch(row.format(number, re.escape(OPERATIONS[number]), STATUSES[number]), line), line


@pytest.mark.parametrize(
    ("specs", "deleted"),
    [
        (["0"], [0]),
        (["1:2"], [1, 2]),
        ([":"], [0, 1, 2, 3]),
        ([":1"], [0, 1]),
        (["2:"], [2, 3]),
        (["3", "0"], [3, 0]),
    ],
)
def test_runs_are_selected_by_index_and_range(
    guild: Guild, ids: list[str], specs: list[str], deleted: list[int]
) -> None:
    """`guild runs rm 0`, `rm 1:2`, `rm :`: both ends are meant; without a start it is 0, without a stop the last."""
    result = guild("runs", "rm", *specs, stdin="y\n")
    assert shown(result) == [ids[number] for number in deleted]
    assert result.code == 0
    assert shorts(guild.rows()) == [one for number, one in enumerate(ids) if number not in deleted]


@pytest.mark.parametrize("length", [8, 7, 6])
def test_runs_are_selected_by_id(guild: Guild, ids: list[str], length: int) -> None:
    """`guild runs rm ID ID`, whole or as much of the beginning as is unique."""
    guild.ok("runs", "rm", ids[2][:length], ids[3][:length], "-y")
    assert shorts(guild.rows()) == ids[:2]


def test_a_partial_id_of_several_runs_selects_none(guild: Guild) -> None:
    """Only a unique beginning names a run; the message lists those that it may mean."""
    for _ in range(100):
        rows = shorts(guild.rows("-a"))
        twice = [one for one in rows if one[0].isalpha() and sum(other[0] == one[0] for other in rows) > 1]
        if twice:
            break
        guild.ok("run", "export", "-y")
    error = guild.refused("runs", "rm", twice[0][0], "-a", "-y")
    assert all(f"  {one}\n" in error for one in rows if one[0] == twice[0][0])
    assert shorts(guild.rows("-a")) == rows


def test_indexes_count_in_the_list_of_the_same_scope_and_filter(guild: Guild, made: World) -> None:
    """Run 1 is another one with --all, with a filter, and in another directory."""
    seen = {guild.json("runs", "info", "1", *words)["operation"] for words in ([], ["--all"], ["--op", "predict"])}
    assert seen == {"./slim-resnet-50:export", "../iris/iris:train", "./slim-resnet-50:predict"}
    assert guild.at(made.folder / "Home").json("runs", "info", "1")["operation"] == "../Models/iris/iris:train"


# --- List runs and get run information --------------------------------------------------------------------------------


def test_runs_is_shorthand_for_runs_list(guild: Guild, made: World) -> None:
    """Also from another directory, where the list is another one."""
    for here in (guild, guild.at(made.folder / "Home")):
        assert here("runs") == here("runs", "list")
    assert guild.ok("runs") != guild.at(made.folder / "Home").ok("runs")


def test_info_shows_the_latest_run_or_the_one_that_is_named(guild: Guild, ids: list[str]) -> None:
    """`guild runs info`, with an index of the list, and with an id."""
    latest = guild.ok("runs", "info")
    assert f"id: {ids[0]}" in latest
    assert "operation: ./slim-resnet-101:train\nstatus: terminated\n" in latest
    assert guild.ok("runs", "info", "0") == guild.ok("runs", "info", ids[0]) == latest
    assert guild.ok("runs", "info", "2") == guild.ok("runs", "info", ids[2]) != latest


# --- Label ------------------------------------------------------------------------------------------------------------


def test_runs_are_compared_as_a_table_and_as_csv(guild: Guild, ids: list[str]) -> None:
    """`guild compare` displays the runs of the list with their status and metrics; `--csv` is for a spreadsheet."""
    report(guild, guild.ids()[1], accuracy=0.9321, loss=0.25)
    guild.ok("label", "0", 'a, "b"', "-y")
    table = guild.ok("compare", "--table").splitlines()
    assert table[0].split() == ["run", "operation", "started", "time", "status", "label", "end", "accuracy", "loss"]
    assert [line.split()[0] for line in table[1:]] == ids
    assert table[2].split()[-2:] == ["0.9321", "0.25"]
    found = list(csv.DictReader(io.StringIO(guild.ok("compare", "--csv"), newline="")))
    assert [row["run"] for row in found] == guild.ids()
    assert [row["operation"] for row in found] == OPERATIONS
    assert [row["status"] for row in found] == STATUSES
    assert (found[0]["label"], found[1]["accuracy"], found[1]["loss"]) == ('a, "b"', "0.9321", "0.25")


def test_a_label_is_set_listed_and_cleared(guild: Guild, ids: list[str]) -> None:
    """`guild runs label` sets or clears it, `guild runs list LABEL` lists the runs that have it."""
    guild.ok("runs", "label", "1", "good")
    guild.ok("runs", "label", ids[3], "good")
    assert shorts(guild.rows("good")) == [ids[1], ids[3]]
    assert [row.label for row in guild.rows()] == ["", "good", "", "good"]
    guild.ok("runs", "label", "1", "--clear")
    assert shorts(guild.rows("good")) == [ids[3]]


# --- Delete, restore, purge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["delete", "rm"])
def test_deleting_lists_the_runs_and_goes_on_after_y(guild: Guild, ids: list[str], command: str) -> None:
    """Both names are one command; anything but y and ENTER leaves the runs as they are."""
    for answer in ("n\n", "\n", "x\n"):
        refused = guild("runs", command, "0:1", stdin=answer)
        assert shown(refused) == ids[:2]
        assert shorts(guild.rows()) == ids
    assert guild("runs", command, "0:1", stdin="y\n").out.endswith("Deleted 2 run(s)\n")
    assert shorts(guild.rows()) == ids[2:]


def test_all_failed_runs_are_deleted_and_come_back(guild: Guild, ids: list[str]) -> None:
    """`guild runs rm -E`, then `guild runs restore`: with files, label and status as they were."""
    guild.ok("label", "-E", "tried")
    before = guild.ok("runs", "info", ids[3])
    assert shown(guild("runs", "rm", "-E", stdin="y\n")) == [ids[3]]
    assert shorts(guild.rows()) == ids[:3]
    assert shown(guild("runs", "restore", stdin="y\n")) == [ids[3]]
    assert guild.ok("runs", "info", ids[3]) == before
    assert guild.ok("cat", ids[3], "model.bin") == "weights"


def test_all_failed_runs_are_deleted_for_good(guild: Guild, ids: list[str]) -> None:
    """`guild runs rm -Ep` says that it is permanent; then there is nothing to restore."""
    result = guild("runs", "rm", "-Ep", stdin="y\n")
    assert "permanently delete" in result.out
    assert shown(result) == [ids[3]]
    assert guild.rows("--deleted") == []
    assert guild("runs", "restore", ids[3], "-y").code == 1
    assert shorts(guild.rows()) == ids[:3]


def test_failed_and_terminated_runs_are_listed_or_deleted(guild: Guild, ids: list[str]) -> None:
    """`guild runs -ET` lists them, as every `guild runs` does; `guild runs rm -ET` deletes them."""
    before = guild.state()
    assert shorts(guild.rows("-ET")) == [ids[0], ids[3]]
    assert [row.status for row in parse_rows(guild.ok("runs", "-ET"))] == ["terminated", "error"]
    assert guild.state() == before
    guild.ok("runs", "rm", "-ET", "-y")
    assert shorts(guild.rows()) == ids[1:3]


@pytest.mark.parametrize(
    ("specs", "restored"),
    [
        (lambda _: [], [0, 1, 2, 3]),
        (lambda _: ["1"], [1]),
        (lambda ids: [ids[3], ids[0]], [0, 3]),
        (lambda _: ["1:2"], [1, 2]),
        (lambda _: ["-C"], [1, 2]),
    ],
)
def test_deleted_runs_are_restored(
    guild: Guild, ids: list[str], specs: Callable[[list[str]], list[str]], restored: list[int]
) -> None:
    """`guild runs restore [RUN...]`: by index of `guild runs --deleted`, by id, by filter, or all."""
    guild.ok("runs", "rm", ":", "-y")
    result = guild("runs", "restore", *specs(ids), stdin="y\n")
    assert result.code == 0
    assert shorts(guild.rows()) == [ids[number] for number in restored]
    assert shorts(guild.rows("--deleted")) == [one for number, one in enumerate(ids) if number not in restored]


def test_deleted_runs_are_purged(guild: Guild, ids: list[str]) -> None:
    """`guild runs purge` asks, and then there are none in `guild runs --deleted` and nothing on the disk."""
    guild.ok("runs", "rm", "1:", "-y")
    asked = guild("runs", "purge", stdin="n\n")
    assert shown(asked) == ids[1:]
    assert "(y/N)" in asked.err
    assert shorts(guild.rows("--deleted")) == ids[1:]
    assert guild("runs", "purge", stdin="y\n").out.endswith("Permanently deleted 3 run(s)\n")
    assert guild.rows("--deleted") == []
    assert list((guild.home / "trash").iterdir()) == list((guild.home / "purging").iterdir()) == []
    assert shorts(guild.rows()) == ids[:1]
