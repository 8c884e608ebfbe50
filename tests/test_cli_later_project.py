"""A project of the later kind: its flags, files and runs reach the operations as its model file says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli_kit import Guild
from tests.later_project_kit import (
    SEPALS,
    guild_fixture,  # noqa: F401 - a fixture
    home_fixture,  # noqa: F401 - a fixture
    server_fixture,  # noqa: F401 - a fixture
)


def told(out: str) -> dict[str, Any]:
    """Return what the only witness among the processes of a run has seen."""
    (line,) = [line for line in out.splitlines() if line.startswith("WITNESS ")]
    seen: dict[str, Any] = json.loads(line.removeprefix("WITNESS "))
    return seen


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (["args"], ["--own", "first", "--lr", "0.1", "--opt", "sgd", "--random-seed", "1"]),
        (
            ["args", "opt=adam", "lr=1"],
            ["--own", "first", "--decay", "0.9", "--lr", "1.0", "--optimizer", "adam", "--random-seed", "1"],
        ),
        (["argparse"], ["--rows", "2", "--sep", ";"]),
        (["argparse", "rows=1", "sep=,"], ["--rows", "1", "--sep", ","]),
        (["click", "lr=2", "fast=yes"], ["--fast", "--lr", "2.0"]),
        (["types", "name=007"], ["--name", "007", "--pair", "1", "2", "--whole", "1"]),
        (
            ["types", "name=", "on=yes", "some=1", "kind=bee", "pair=[3,4]", "whole=0"],
            ["--kind", "b", "--name", "", "--on", "--pair", "3", "4", "--some", "1.0", "--whole", "0"],
        ),
    ],
)
def test_flags_arrive_as_arguments(guild: Guild, words: list[str], argv: list[str]) -> None:
    """Sorted, behind the operation's own words; a choice with arguments is replaced by them."""
    assert told(guild.ok("run", *words, "-y"))["argv"] == argv


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["globals", "lr=0.5", "warm=yes", "layers=[1,2]"], {"values": [0.5, 3, [1, 2], True, "none"], "argv": []}),
        (["some-flags", "lr=2"], {"values": [2, 9, [64, 32], False, "none"]}),
        (["no-flags"], {"values": [0.1, 3, [64, 32], False, "none"]}),
        (["one-dict", "lr=3"], {"params": {"lr": 3, "opt": "sgd"}, "args": {"lr": 0.1, "net": "cnn"}}),
        (["namespace", "lr=3"], {"params": {"lr": 0.2, "opt": "sgd"}, "args": {"lr": 3, "net": "rnn"}}),
        (["listed"], {"params": {"lr": 0.2, "opt": "sgd", "sizes": [1, 2]}}),
        (["yaml", "net.depth=7"], {"text": "net:\n  depth: 7\n  width: 8\nlr: 0.1\n", "files": ["conf/net.yml"]}),
        (["ini", "net.depth=7"], {"text": "[net]\ndepth = 7\nname = a\n\n", "files": ["net.ini"]}),
        (["types", "name=x", "hidden=y"], {"env": {"MY_HIDDEN": "y"}}),
    ],
)
def test_flags_arrive_where_they_are_sent(guild: Guild, words: list[str], seen: Mapping[str, Any]) -> None:
    """Variables of the script, entries of one dict, attributes, a configuration file, the environment."""
    got = told(guild.ok("run", *words, "-y"))
    if "env" in seen:
        assert seen["env"].items() <= got["env"].items()
        seen = {}
    assert {key: got[key] for key in seen} == seen


def test_flags_arrive_in_a_json_file(guild: Guild) -> None:
    """With everything else that the file says."""
    got = told(guild.ok("run", "json", "lr=4", "-y"))
    assert json.loads(got["text"]) == {"net": {"depth": 2}, "lr": 4}


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["exec", "opt=adam"], "<--decay><0.9><--lr><0.1><--optimizer><adam><--random-seed><1>"),
        (["shell"], "two words!:two words:5 more"),
        (["script"], "go --twice"),
        (["config", "depth=4"], "depth: 4\nnet:\n  name: n-4"),
        (["chosen"], "a"),
        (["forms:prepare"], "another"),
    ],
)
def test_commands_other_than_python_run(guild: Guild, words: list[str], out: str) -> None:
    """With references filled in as whole words, and arguments only where the command asks for them."""
    assert guild.ok("run", *words, "-y").strip() == out


def test_a_file_is_there_with_the_digest_that_it_must_have(guild: Guild) -> None:
    """So are a folder and what is selected of one, renamed, in its own place."""
    got = told(guild.ok("run", "files", "-y"))
    assert got["files"] == ["data/a.csv", "data/in/b.csv", "petals.csv", "picked/c.csv"]
    kinds = [(one["source"], one["kind"]) for one in guild.json("runs", "info")["dependencies"]]
    assert kinds == [("file:petals.csv", "file"), ("file:data", "file"), ("file:data", "file")]


def test_a_download_is_there(guild: Guild, server: str) -> None:
    """In its place; the run knows the address."""
    got = told(guild.ok("run", "web", "-y"))
    assert got["files"] == ["down/sepals.csv"]
    assert (Path(got["cwd"]) / "down/sepals.csv").read_bytes() == SEPALS
    assert [one["from"] for one in guild.json("runs", "info")["dependencies"]] == [f"{server}/sepals.csv"]


def test_an_operation_uses_what_another_has_made(guild: Guild) -> None:
    """The default operation, from preparation on: files, flags, environment, label, tags, source code, dependencies."""
    made = told(guild.ok("run", "petals:prepare", "-y"))
    assert (made["rows"], made["sep"], made["env"]["MY_THREADS"]) == (4, ",", "2")

    got = told(guild.ok("run", "lr=0.5", "-y"))

    assert got["values"] == [0.5, 3, [64, 32], False, "none"]
    assert got["files"] == ["input/notes.txt", "input/table.tsv"]
    assert (Path(got["cwd"]) / "input/table.tsv").read_text() == "a,b\n" * 4
    assert got["env"] == {
        "MY_THREADS": "2",
        "MY_RATE": "at 0.5",
        "FLAG_LR": "0.5",
        "FLAG_EPOCHS": "3",
        "FLAG_LAYERS": "[64,32]",
        "FLAG_WARM": "false",
    }
    info = guild.json("runs", "info")
    run = Path(made["cwd"]).name
    assert (info["operation"], info["label"], info["status"]) == ("./petals:train", "lr=0.5", "completed")
    assert info["flags"] == {"lr": 0.5, "epochs": 3, "layers": [64, 32], "warm": False}
    assert [(one["source"], one["from"]) for one in info["dependencies"]] == [("operation:prepare", run)]
    sources = guild.home / "sources" / info["sources"]["digest"] / "files"
    kept = {str(path.relative_to(sources)) for path in sources.rglob("*") if path.is_file()}
    assert {"guild.yml", "train.py", "petals.csv"} <= kept
    assert not {"ignored.txt", "README.md"} & kept
    assert f"  operation:prepare: {run}\n" in guild.ok("runs", "info")


def test_files_of_a_run_may_be_linked(guild: Guild) -> None:
    """The link leads into the run that they are of."""
    made = told(guild.ok("run", "petals:prepare", "-y"))
    got = told(guild.ok("run", "linked", "-y"))
    link = Path(got["cwd"]) / "table.csv"
    assert link.is_symlink()
    assert link.resolve() == (Path(made["cwd"]) / "table.csv").resolve()


def test_another_run_or_folder_may_stand_in(guild: Guild) -> None:
    """By the name of the source and the start of the ID of a run, or a path from here."""
    first = Path(told(guild.ok("run", "petals:prepare", "rows=1", "-y"))["cwd"])
    guild.ok("run", "petals:prepare", "rows=2", "-y")
    folder = guild.cwd / "mine"
    folder.mkdir()
    (folder / "own.csv").write_text("mine")

    got = told(guild.ok("run", "train", f"prepared={first.name[:8]}", "-y"))
    other = told(guild.ok("run", "train", "prepared=mine", "-y"))

    assert (Path(got["cwd"]) / "input/table.tsv").read_text() == "a,b\n"
    assert other["files"] == ["input/own.tsv"]
    assert guild.json("runs", "info")["dependencies"][0]["from"] == str(folder)


def test_a_pipeline_runs_its_steps(guild: Guild) -> None:
    """One after the other, with flags of the whole; each is a run, reachable from the pipeline's own directory."""
    result = guild("run", "pipeline", "rows=6", "-y")
    assert result.code == 0, result
    train, prepare, whole = guild.json("runs")
    assert [run["operation"] for run in (train, prepare, whole)] == [
        "./petals:train",
        "./petals:prepare",
        "./petals:pipeline",
    ]
    assert {run["status"] for run in (train, prepare, whole)} == {"completed"}
    assert (prepare["label"], train["label"]) == ("6 rows", "piped")
    folder = Path(whole["run_dir"])
    assert (folder / "prepare").resolve() == Path(prepare["run_dir"]).resolve()
    assert (folder / "second").resolve() == Path(train["run_dir"]).resolve()
    info = guild.json("runs", "info", "0")
    assert info["flags"]["lr"] == 0.2
    assert info["dependencies"][0]["from"] == prepare["id"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-file"], "could not resolve 'file:gone.csv' .*gone.csv' does not exist"),
        (
            ["chosen", "which=b"],
            "could not resolve 'file:data/b.csv' in data/b.csv resource: .*/data/b.csv' does not exist",
        ),
        (["damaged"], "petals.csv' has another sha256 than it must have"),
        (["no-module"], "has no module 'no_such_module'"),
        (["train"], "there is no completed run of prepare\nRun it first: guild run petals:prepare. .* prepared=RUN"),
        (["train", "prepared=nothing"], "'nothing' is neither the ID of a run nor a directory"),
        (["args", "lr=2"], "flag 'lr' is '2': expected a number from 0 to 1"),
        (["args", "lr=x"], "flag 'lr' is 'x': expected a number"),
        (["args", "opt=adm"], "(?s)Unsupported value for 'opt'.*adam  Adam with decay.*did you mean 'adam'"),
        (["args", "op=adam"], r"operation 'args' has no flag 'op' \(did you mean 'opt'\?\)"),
        (["types"], "(?s)requires the following missing flags:.*  name"),
        (["types", "name=x", "whole=1.5"], "flag 'whole' is '1.5': expected an integer"),
        (["types", "name=x", "whole=10"], "flag 'whole' is '10': expected a number from 0 to 9"),
        (["types", "name=x", "place=none"], "flag 'place' is 'none': expected a path that exists"),
        (["types", "name=x", "file=a/b"], "flag 'file' is 'a/b': expected the name of a file"),
        (["types", "name=x", "on=maybe"], "flag 'on' is 'maybe': expected yes, no"),
        (["no-flags", "lr=1"], "operation 'no-flags' has no flag 'lr'"),
        (["forms:pipeline"], "pipeline"),
        (["petals:trian"], r"did you mean 'train'\?"),
    ],
)
def test_what_cannot_be_is_refused_before_it_starts(guild: Guild, words: list[str], message: str) -> None:
    """With the reason; nothing is recorded, and no directory is made."""
    before = guild.state() if (guild.home / "ledger.db").exists() else None
    said = guild.refused("run", *words, "-y")
    assert re.search(message, said), said
    if before is not None:
        assert guild.state() == before


@pytest.mark.parametrize("word", ["name=0", "name=no", "name=", "name=false"])
def test_a_required_flag_may_be_given_as_nothing_much(guild: Guild, word: str) -> None:
    """0, no and the empty text are values."""
    argv = told(guild.ok("run", "types", word, "-y"))["argv"]
    assert argv[argv.index("--name") + 1] == word.partition("=")[2]


def test_keys_that_are_not_supported_are_named_once(guild: Guild) -> None:
    """Each with file and line; the operation runs, and stdout has only what its process says."""
    path = guild.cwd / "guild.yml"
    path.write_text("go:\n  exec: echo gone\n  plugins: all\n  wrongkey: 1\n")
    result = guild("run", "go", "-y")
    assert (result.code, result.out) == (0, "gone\n")
    assert result.err.splitlines() == [
        f"WARNING: {path}:3: key 'plugins' of operation 'go' is not supported and is ignored",
        f"WARNING: {path}:4: key 'wrongkey' of operation 'go' is not known and is ignored",
    ]
