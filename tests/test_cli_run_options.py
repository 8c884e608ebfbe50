"""The options of `run`, one after the other: prototypes, labels, tags, places, previews, and those that contradict."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.batch_kit import batch_project, statuses
from tests.cli_kit import Guild, make_project
from tests.run_options_kit import (
    bodies,
    guild_fixture,  # noqa: F401 - a fixture
    info,
    output,
)


@pytest.mark.parametrize("words", [["x=[1,2]", "s=007"], ["l=[]", "n="], ["n=null", "s=1e3", 'x="12"']])
def test_a_prototype_gives_its_flags_as_they_are(guild: Guild, words: list[str]) -> None:
    """Lists, null over a default, text that looks like a number: equal flags; those given win, the rest counts."""
    words = [word.replace("x=[1,2]", "x=[[1,2]]") for word in words]
    guild.ok("run", "t", *words, "-y")
    first = info(guild)
    guild.ok("run", "--proto", "0", "-y")
    second = info(guild)
    assert second["flags"] == first["flags"]
    assert (second["proto"], second["batch"]) == (first["id"], None)
    guild.ok("run", "--proto", "0", "code=0", "n=6", "-y")
    assert info(guild)["flags"] == {**first["flags"], "n": 6}
    guild.ok("run", "u", "--proto", "0", "-y")
    assert info(guild)["flags"] == {"x": first["flags"]["x"]}


def test_words_and_files_win_over_a_prototype(guild: Guild) -> None:
    """A file of trials names the flags that differ; the prototype gives the others."""
    guild.ok("run", "t", "x=4", "n=9", "-y")
    (guild.cwd / "t.csv").write_text("x\n5\n6\n")
    table = guild.ok("run", "--proto", "0", "@t.csv", "--print-trials").splitlines()
    column = table[0].split().index("x")
    assert [line.split()[column] for line in table[1:]] == ["5", "6"]
    assert all(" 9 " in line for line in table[1:])


def test_a_run_of_another_project_is_a_prototype_by_its_id(guild: Guild, tmp_path: Path) -> None:
    """Its operation is looked for in its own project; when that is gone, the message says so."""
    other = guild.at(make_project(tmp_path / "other", "{name: o, operations: {go: {cmd: w, flags: {q: 1}}}}", w=""))
    other.ok("run", "go", "q=5", "-y")
    run_id = other.ids()[0]
    guild.ok("run", "--proto", run_id[:8], "-y")
    other_ids = other.ids()
    assert len(other_ids) == 2
    assert info(other)["flags"] == {"q": 5}
    os.rename(tmp_path / "other", tmp_path / "moved")
    assert "not there any more" in guild.refused("run", "--proto", run_id, "-y")


def test_a_deleted_run_is_no_prototype(guild: Guild) -> None:
    """The message names the run; after its restoration it is one again."""
    guild.ok("run", "t", "-y")
    run_id = guild.ids()[0]
    guild.ok("runs", "rm", "0", "-y")
    assert run_id[:8] in guild.refused("run", "--proto", run_id[:8], "-y")
    guild.ok("runs", "restore", run_id, "-y")
    guild.ok("run", "--proto", run_id[:8], "-y")


def test_what_has_run_is_not_needed_again(guild: Guild) -> None:
    """An equal run that completed counts, one that failed does not; of a batch only the others are started."""
    guild.ok("run", "t", "x=1", "-y")
    told = guild("run", "t", "--needed", "-y")
    assert (told.code, told.out) == (0, "")
    assert "Not needed" in told.err
    assert guild("run", "t", "code=4", "--needed", "-y").code == 4
    assert guild("run", "t", "code=4", "--needed", "-y").code == 4
    guild.ok("run", "t", "x=[1,2]", "--needed", "-y")
    assert sorted(info(guild, run_id)["flags"]["x"] for run_id in guild.ids("--completed")) == [1, 2]


def test_a_run_is_stopped_when_its_time_is_up(guild: Guild) -> None:
    """It is terminated, the reason tells why; in a batch it counts as failed and the next goes on."""
    assert guild("run", "slow", "--stop-after", "0.2s", "-y").code == 128 + signal.SIGTERM
    found = info(guild)
    assert (found["status"], found["reason"]) == ("terminated", "stopped because its time was up")
    told = guild("run", "slow", "x=[1,2]", "--stop-after", "0.2s", "-y")
    assert (told.code, "2 failed" in told.out) == (1, True)
    assert statuses(guild) == {"terminated": 3}


def test_devices_and_output_are_as_asked_for(guild: Guild) -> None:
    """--gpus and --no-gpus set what the run sees; --quiet hides the output and captures it all the same."""
    assert "cuda=0,1\n" in guild.ok("run", "t", "--gpus", "0,1", "-y")
    assert "cuda=\n" in guild.with_env(CUDA_VISIBLE_DEVICES="3").ok("run", "t", "--no-gpus", "-y")
    told = guild("run", "t", "x=5", "-q", "-y")
    assert (told.out, told.err) == ("", "")
    assert "run x=5" in output(guild, info(guild)["id"])
    guild.ok("run", "t", "--stage", "-y")
    assert "cuda=7\n" in guild.ok("run", "--start", "0", "--gpus", "7", "-y")


def test_labels_come_from_the_template_or_the_option(guild: Guild) -> None:
    """Each trial has its own; -l replaces them all."""
    guild.ok("run", "t", "x=[1,2]", "-y")
    assert [row.label for row in guild.rows()] == ["x is 2", "x is 1"]
    guild.ok("run", "t", "x=[1,2]", "-l", "mine", "-y", "-j", "2")
    assert [row.label for row in guild.rows()][:2] == ["mine", "mine"]


def test_tags_are_in_the_ledger(guild: Guild) -> None:
    """Of a single run and of every trial of a batch, once each."""
    guild.ok("run", "t", "-t", "a", "-t", "b", "-t", "a", "-y")
    guild.ok("run", "t", "x=[1,2]", "-t", "c", "-y")
    assert [event["added"] for event in bodies(guild, "run.tagged")] == [["a", "b"], ["c"], ["c"]]


def test_a_run_in_a_directory_of_ones_own_is_not_recorded(guild: Guild) -> None:
    """Files and output are there; the ledger hears nothing; a file, or a batch, is refused."""
    guild.ok("runs")
    before = guild.history()
    assert "run x=1" in guild.ok("run", "t", "--run-dir", "here", "-y")
    assert (guild.cwd / "here" / "kept").read_text() == "line\n"
    (guild.cwd / "file").touch()
    assert "cannot be used" in guild.refused("run", "t", "--run-dir", "file", "-y")
    assert "--run-dir" in guild.refused("run", "t", "x=[1,2]", "--run-dir", "here", "-y", code=2)
    assert guild.history() == before
    assert guild.ids() == []


def test_the_environment_that_is_shown_is_only_what_is_added(guild: Guild) -> None:
    """Nothing of the user's own, which may hold secrets; the lines can be read by a shell."""
    shown = guild.with_env(MY_OWN="s3cret", CUDA_VISIBLE_DEVICES="1").ok(
        "run", "t", "s=a b'c", "--print-env", "--gpus", "0"
    )
    assert "s3cret" not in shown
    assert all(line.startswith("export ") for line in shown.splitlines())
    program = shown + 'printf "%s %s" "$FLAG_S" "$CUDA_VISIBLE_DEVICES"'
    read = subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, check=True)
    assert read.stdout == "a b'c 0"
    assert guild.ids() == []


@pytest.mark.parametrize("option", ["--print-cmd", "--print-env"])
@pytest.mark.parametrize("way", ["--start", "--restart", "--proto"])
def test_what_only_shows_starts_nothing(guild: Guild, way: str, option: str) -> None:
    """Also of runs that are there already."""
    guild.ok("run", "t", *(["--stage"] if way == "--start" else []), "-y")
    before = guild.history()
    shown = guild.ok("run", way, "0", option)
    assert ("sh -c" if option == "--print-cmd" else "export FLAG_X=1") in shown
    assert guild.history() == before


def editor(guild: Guild, folder: Path, code: str) -> Guild:
    """Return the command with an editor that is a shell script; the file is $1."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return guild.with_env(EDITOR=str(path), VISUAL=None)


def test_flags_are_edited_in_the_users_editor(guild: Guild, tmp_path: Path) -> None:
    """What is there when the editor is left counts; what is wrong is told, and nothing starts."""
    change = editor(guild, tmp_path, "grep -q 'The one that matters' $1 && sed 's/\"x\": 2/\"x\": 9/' $1 > n; cp n $1")
    guild.ok("runs")
    edited = change("run", "t", "x=2", "s=007", "--edit-flags", "-y")
    assert edited.code == 0, edited
    assert (info(guild)["flags"]["x"], info(guild)["flags"]["s"]) == (9, "007")
    before = guild.history()
    wrong = editor(guild, tmp_path, "echo '[1, 2' > $1")
    assert "cannot be read" in wrong.refused("run", "t", "--edit-flags", "-y")
    assert "mapping" in editor(guild, tmp_path, "echo '- 1' > $1").refused("run", "t", "--edit-flags", "-y")
    assert "no flag 'nix'" in editor(guild, tmp_path, "echo 'nix: 1' > $1").refused("run", "t", "--edit-flags", "-y")
    left = editor(guild, tmp_path, "true").refused("run", "t", "--edit-flags", "-y")
    assert "the flags were not saved in the editor, so nothing was started" in left
    assert "no flags were left" in editor(guild, tmp_path, "echo '# x' > $1").refused("run", "t", "--edit-flags", "-y")
    assert guild("run", "t", "x=[1,2]", "--edit-flags", "-y").code == 1
    assert guild.history() == before


@pytest.mark.parametrize(
    "words",
    [
        "t --stage --start 0",
        "--start 0 --restart 0",
        "t --stage --run-dir d",
        "t --stage --background",
        "t --stage --stop-after 5",
        "t --stage --gpus 0",
        "t --background --run-dir d",
        "--proto 0 --start 0",
        "--proto 0 --restart 0",
        "--restart 0 --background",
        "--start 0 --needed",
        "--restart 0 --edit-flags",
        "t --gpus 0 --no-gpus",
        "t --label=",
        "t --tag=",
        "t --start 0",
        "--start 0 x=2",
        "t --stop-after soon",
        "t -j 0",
        "t --max-trials 0",
        "--start : --save-trials f",
        "--start : --help-op",
        "--restart 0 --help-model",
    ],
)
def test_options_that_contradict_each_other_are_refused(guild: Guild, words: str) -> None:
    """As wrong usage, before anything is recorded or shown."""
    result = guild("run", *words.split(), "-y")
    assert (result.code, result.out) == (2, ""), result
    assert not (guild.home / "ledger.db").exists() or guild.ids() == []


def test_a_default_operation_takes_words_and_files(tmp_path: Path) -> None:
    """`guild run x=2` and `guild run @trials.csv` need no name where there is a default."""
    guild = batch_project(tmp_path, "- model: m\n  operations: {t: {exec: 'true', default: yes, flags: {x: 1}}}\n")
    guild.ok("run", "x=2", "-y")
    (guild.cwd / "t.csv").write_text("x\n5\n6\n")
    guild.ok("run", "@t.csv", "-y")
    assert [info(guild, run_id)["flags"]["x"] for run_id in guild.ids()] == [6, 5, 2]


def test_a_run_directory_of_ones_own_may_be_used_again(tmp_path: Path) -> None:
    """What an operation requires is put there anew each time."""
    guild = batch_project(tmp_path, "- model: m\n  operations: {t: {exec: cat a, requires: [{file: a}]}}\n")
    for text in ("one\n", "two\n"):
        (guild.cwd / "a").write_text(text)
        assert guild.ok("run", "t", "--run-dir", str(tmp_path / "own"), "-y") == text


def test_a_run_that_is_only_staged_does_not_make_another_needless(guild: Guild) -> None:
    """Nobody knows whether it will ever be started."""
    guild.ok("run", "t", "--stage", "-y")
    guild.ok("run", "t", "--needed", "-y")
    assert statuses(guild) == {"staged": 1, "completed": 1}


def test_a_step_that_is_not_needed_is_linked(tmp_path: Path) -> None:
    """The equal run that is taken instead has the step's name, so that later steps find its files."""
    steps = "[{run: 'one x=[1,2]', needed: yes, name: all}, {run: one x=2, needed: yes, name: two}]"
    model = f"- model: m\n  operations: {{one: {{exec: touch made, flags: {{x: 1}}}}, both: {{steps: {steps}}}}}\n"
    guild = batch_project(tmp_path, model)
    guild.ok("run", "one", "x=2", "-y")
    run_id = guild.ids()[0]
    guild.ok("run", "both", "-y")
    assert statuses(guild) == {"completed": 3}
    found = guild.home / "runs" / str(guild.json("runs", "list", "--op", "both")[0]["id"])
    assert (found / "two" / "made").exists()
    assert {(found / name).resolve().name for name in ("two", "all-2")} == {run_id}
    assert (found / "all-1" / "made").exists()
