"""Listing runs: which project sees which, in what order, by which filters, and as what a program can read."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, lab, make_project, parse_rows, project_of
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture

JSON_KEYS = {
    "id",
    "operation",
    "project",
    "package",
    "model",
    "operation_name",
    "status",
    "exit_status",
    "started",
    "stopped",
    "label",
    "marked",
    "protected",
    "deleted",
    "run_dir",
}


@pytest.fixture
def tulip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the other project."""
    return lab(tmp_path_factory).tulip


def operations(guild: Guild, *args: str) -> list[str]:
    """Return the operations that a listing shows."""
    return [row.op for row in guild.rows(*args)]


def test_a_project_without_runs_says_only_what_is_limited(tmp_path: Path) -> None:
    """No rows on stdout, the scope on stderr, and that is no error."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "iris"))
    assert guild("runs") == (0, "", LOCAL_SCOPE)
    assert guild("runs", "--json") == (0, "[\n]\n", LOCAL_SCOPE)


def test_scope_is_local_only_where_a_model_file_is(guild: Guild, tmp_path: Path) -> None:
    """In a folder without a model file, and in folders below a project, all runs are listed without a note."""
    for folder in (tmp_path, make_project(tmp_path / "p") / "sub"):
        folder.mkdir(exist_ok=True)
        result = guild.at(folder)("runs")
        assert (result.code, result.err, len(parse_rows(result.out))) == (0, "", 6)


def test_the_directory_option_stands_for_the_working_directory(guild: Guild, tmp_path: Path) -> None:
    """`-C P runs` lists what `runs` lists in P, and the note names P as it was typed."""
    relative = os.path.relpath(guild.cwd, tmp_path)
    result = guild.at(tmp_path)("-C", relative, "runs")
    assert result.err == f"Limiting runs to '{relative}' (use --all to include all)\n"
    assert result.out == guild.ok("runs")


@pytest.mark.parametrize(("path", "message"), [("none", "does not exist"), ("file", "is not a directory"), ("", "''")])
def test_the_directory_option_needs_a_directory(tmp_path: Path, path: str, message: str) -> None:
    """A missing path and a file are refused in so many words."""
    (tmp_path / "file").touch()
    assert message in Guild(tmp_path / "home", tmp_path).refused("-C", path, "runs")
    assert not (tmp_path / "home").exists()


def test_each_project_sees_its_runs_and_all_sees_all(guild: Guild, tulip: Path) -> None:
    """Local scope is this project alone; --all and -a widen it; other projects are shown by their way from here."""
    assert set(operations(guild)) == {
        "./iris-cnn:train",
        "./iris-cnn:finetune",
        "./iris-svm:hang",
        "./iris-svm:train",
        "./iris-cnn:test",
    }
    assert operations(guild.at(tulip)) == ["./tulip:grow"]
    for option in ("-a", "--all"):
        result = guild("runs", option)
        assert result.err == ""
        assert [row.op for row in parse_rows(result.out)][4] == "../tulip/tulip:grow"
        assert len(parse_rows(result.out)) == 6
    assert operations(guild.at(tulip.parent))[0] == "./iris/iris-cnn:train"
    assert operations(guild.at(tulip.parent / "empty"))[0] == "../iris/iris-cnn:train"


def test_rows_are_numbered_from_the_most_recently_started(guild: Guild) -> None:
    """Index 0 is the newest; the times descend; each column stands in its place."""
    rows = guild.rows()
    assert [row.index for row in rows] == [0, 1, 2, 3, 4]
    assert [(row.op, row.status, row.label) for row in rows] == [
        ("./iris-cnn:train", "completed", "good one"),
        ("./iris-cnn:finetune", "completed", ""),
        ("./iris-svm:hang", "terminated", ""),
        ("./iris-svm:train", "completed", ""),
        ("./iris-cnn:test", "error", "bad"),
    ]
    started = [row.started for row in rows]
    assert started == sorted(started, reverse=True)
    assert [row.short for row in rows] == [run_id[:8] for run_id in guild.ids()]
    columns = {line.index(row.started) for line, row in zip(guild.ok("runs").splitlines(), rows, strict=True)}
    assert len(columns) == 1


def test_runs_is_short_for_runs_list(guild: Guild) -> None:
    """`runs`, `runs list` and `runs ls` are one command, with every option."""
    assert guild("runs", "ls") == guild("runs")
    for options in ([], ["-aE", "-v"], ["-d"], ["--json", "-n", "2", "-l", "good", "-o", "train"]):
        expected = guild("runs", "list", *options)
        assert guild("runs", *options) == expected
        assert expected.code == 0


def test_times_are_local(guild: Guild) -> None:
    """The zone of the user decides what is shown; machines get UTC."""
    started = guild.json("runs", "-n", "1")[0]["started"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", started)
    utc = guild.rows()[0].started
    assert utc == f"{started[:10]} {started[11:19]}"
    east = guild.with_env(TZ="Etc/GMT-14").rows()[0].started
    assert east != utc
    assert east[14:] == utc[14:]
    assert guild.with_env(TZ="no/such zone").rows()[0].started == utc
    assert f"started: {east}\n" in guild.with_env(TZ="Etc/GMT-14").ok("runs", "info")


@pytest.mark.parametrize("option", ["--op", "-o"])
def test_operations_are_filtered_by_what_is_shown(guild: Guild, option: str) -> None:
    """A part of the shown operation selects; two options mean either; numbers begin at 0 again."""
    assert [(row.index, row.op) for row in guild.rows(option, "train")] == [
        (0, "./iris-cnn:train"),
        (1, "./iris-svm:train"),
    ]
    assert operations(guild, option, "svm:train", option, "test") == ["./iris-svm:train", "./iris-cnn:test"]
    assert operations(guild, "-a", option, "../tulip") == ["../tulip/tulip:grow"]
    assert operations(guild, option, "../tulip") == []
    assert operations(guild, option, "TRAIN") == []


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        (["-E"], ["error"]),
        (["--error"], ["error"]),
        (["-T"], ["terminated"]),
        (["-C"], ["completed"] * 3),
        (["-R"], []),
        (["-ET"], ["terminated", "error"]),
        (["-E", "-T", "-R"], ["terminated", "error"]),
        (["-ETCR"], ["completed", "completed", "terminated", "completed", "error"]),
        (["-C", "--op", "train"], ["completed", "completed"]),
        (["-E", "--op", "train"], []),
        (["-aE"], ["error"]),
    ],
)
def test_statuses_add_up_and_narrow_operations(guild: Guild, options: list[str], statuses: list[str]) -> None:
    """Several statuses mean any of them; statuses and operations together mean both."""
    assert [row.status for row in guild.rows(*options)] == statuses


def test_labels_are_found_beside_runs_without_labels(guild: Guild) -> None:
    """`runs list LABEL` and `-l` list exactly the runs whose label contains the text."""
    for args in (["good one"], ["good"], ["-l", "good"], ["--label", "od on"]):
        assert [(row.index, row.label) for row in guild.rows(*args)] == [(0, "good one")]
    assert [row.label for row in guild.rows("good", "bad")] == ["good one", "bad"]
    assert guild.rows("good", "-E") == []
    assert guild.rows("%") == guild.rows("none of them") == []


def test_a_limit_shows_the_first(guild: Guild) -> None:
    """-n shows so many of the newest; 0 shows none; anything but a number is a usage error."""
    assert [row.index for row in guild.rows("-n", "2")] == [0, 1]
    assert guild.rows("-n", "0") == []
    assert len(guild.rows("-n", "99999999999999999999")) == 5
    for value in ("-1", "x", "", "1.5"):
        assert "--limit" in guild.refused("runs", "-n", value, code=2)


def test_json_holds_the_documented_keys(guild: Guild) -> None:
    """Every run has the same keys; what is not known is null."""
    runs = guild.json("runs", "-a")
    assert [set(run) for run in runs] == [JSON_KEYS] * 6
    newest = runs[0]
    assert newest["operation"] == "./iris-cnn:train"
    assert (newest["model"], newest["operation_name"], newest["package"]) == ("iris-cnn", "train", None)
    assert newest["project"] == str(guild.cwd)
    assert (newest["status"], newest["exit_status"], newest["label"]) == ("completed", 0, "good one")
    assert newest["run_dir"] == str(guild.home / "runs" / newest["id"])
    assert newest["deleted"] is False
    assert newest["started"] < newest["stopped"]
    assert runs[2]["exit_status"] == -15


def test_verbose_tells_more_of_each_run(guild: Guild) -> None:
    """-v adds indented lines below each row."""
    lines = guild.ok("runs", "-v", "-n", "2").splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("  ")] == [
        *("  id", "  operation", "  status", "  started", "  stopped", "  run_dir", "  exit_status"),
        *("  marked", "  protected", "  tags", "  comments"),
    ] * 2
    assert f"  id: {guild.ids()[0]}" in lines


def test_a_pipe_gets_whole_lines(guild: Guild) -> None:
    """What is no terminal is never cut, whatever COLUMNS says, and gets no colours."""
    label = "long " * 60
    guild.ok("label", "0", label)
    narrow = guild.with_env(COLUMNS="60")
    assert narrow.rows()[0].label == (label.rstrip()[:197] + "...")
    assert "\x1b" not in narrow("runs").both
    assert guild.json("runs")[0]["label"] == label


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lab"], "unrecognized command 'lab' (did you mean 'label'?)"),
        (["zzzz"], "unrecognized command 'zzzz'"),
        (["runs", "lst"], "unrecognized command 'lst' (did you mean 'list'?)"),
        (["runs", "good"], "unrecognized command 'good'"),
        (["runs", "--al"], "unrecognized option '--al' (did you mean --all?)"),
        (["--verison"], "unrecognized option '--verison' (did you mean --version?)"),
        (["runs", "--delted"], "unrecognized option '--delted' (did you mean --deleted?)"),
        (["runs", "rm", "--yse"], "unrecognized option '--yse' (did you mean --yes?)"),
        (["runs", "-x"], "unrecognized option '-x'"),
        (["runs", "list", "-n"], "requires an argument"),
        (["runs", "info", "0", "1"], "unexpected extra argument"),
        (["ledger", "verifi"], "unrecognized command 'verifi' (did you mean 'verify'?)"),
        (["-C"], "requires an argument"),
        (["\x1b[2J"], "unrecognized command '\\x1b[2J'"),
        (["runs", "--\x1b[2J"], "unrecognized option '--\\x1b[2J'"),
        (["caf\udce9"], "unrecognized command 'caf\\xe9'"),
    ],
)
def test_what_is_mistyped_is_a_usage_error_with_a_guess(guild: Guild, args: list[str], message: str) -> None:
    """Exit code 2, what was meant if it is near, and where help is."""
    error = guild.refused(*args, code=2)
    assert message in error
    assert "--help' for more information." in error.splitlines()[-1]
    assert "\x1b" not in error


def test_help_is_on_stdout(guild: Guild) -> None:
    """Every command has help; `guild` and a group alone show theirs."""
    for args in ([], ["--help"], ["ledger"], ["runs", "--help"], ["runs", "rm", "--help"], ["label", "--help"]):
        text = guild.ok(*args)
        assert text.startswith("Usage: guild ")
    assert re.fullmatch(r"guild-ledger \d+\.\d+\.\d+\S*\n", guild.ok("--version"))


def test_help_touches_nothing(tmp_path: Path) -> None:
    """Help, version and usage errors make no home."""
    guild = Guild(tmp_path / "home", tmp_path)
    for args in (["--help"], ["--version"], ["runs", "--help"], ["runs", "--nope"], ["run"], []):
        guild(*args)
    assert not guild.home.exists()


def test_a_reading_command_records_nothing(guild: Guild) -> None:
    """Looking leaves the ledger and all directories as they are."""
    before = guild.state()
    for args in (["runs"], ["runs", "-v"], ["runs", "info"], ["runs", "-d"], ["log", "-v"], ["ledger", "verify"]):
        guild.ok(*args)
    assert guild.state() == before


def test_a_broken_model_file_does_not_stop_looking_and_deleting(tmp_path: Path) -> None:
    """Only its presence matters for the scope of `runs`, `rm`, `label` and `info`."""
    guild = project_of(tmp_path, "")
    guild.ok("run", "go", "-y")
    (guild.cwd / "MODELS").write_text("\t{[broken")
    assert len(guild.rows()) == 1
    guild.ok("runs", "info")
    guild.ok("label", "0", "x")
    guild.ok("runs", "rm", "0", "-y")
    guild.ok("runs", "restore", "-y")
    assert guild.rows()[0].label == "x"
    (guild.cwd / "MODELS").unlink()
    (guild.cwd / "MODELS").mkdir()
    assert guild("runs").err == ""


def test_foreign_things_in_the_runs_folder_are_left_alone(guild: Guild) -> None:
    """Folders and files that are no runs neither show nor get in the way, and are never deleted."""
    foreign = guild.home / "runs"
    (foreign / "notes").mkdir()
    (foreign / "notes/mine.txt").write_text("mine")
    (foreign / "file").write_text("mine")
    (foreign / ("0" * 32)).mkdir()
    before = guild.ok("runs", "-a")
    assert len(parse_rows(before)) == 6
    guild.ok("runs", "rm", "-a", "-y")
    guild.ok("runs", "purge", "-a", "-y")
    assert guild.rows("-a") == []
    assert sorted(os.listdir(foreign)) == ["0" * 32, "file", "notes"]
    assert (foreign / "notes/mine.txt").read_text() == "mine"


def test_listings_can_be_read_by_programs(guild: Guild) -> None:
    """JSON stays JSON when piped through a filter line by line."""
    text = guild.ok("runs", "--json")
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("[", "]")
    assert [json.loads(line.rstrip(","))["id"] for line in lines[1:-1]] == guild.ids()
