"""`guild operations` and `guild models`: what can be run, filtered, in detail and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import IRIS, Guild, make_project
from tests.packages_kit import MODEL, declare
from tests.test_cli_packages import environment, in_environment, site_packages

SCOPE = "Limiting models to the current directory (use --all to include all)\n"
FULL = """\
- name: tulip
  description: |
    Petal classifier.
    Trains on a CSV file.
  operations:
    train:
      description: |
        Train it
        for a while
      cmd: work
      alias: fit
      flags:
        epochs: {default: 5, description: Number of epochs}
        base: {required: yes}
        size: {options: [{value: s, description: small}, {value: l}]}
    score: {cmd: work --score-only, alias: runs}
  references: [https://example.org/tulip]
- name: shared
  private: yes
  operations: {train: work}
"""
SCRIPT = '''\
"""Fit a line.

To points.
"""
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1, help="how fast")
parser.parse_args()
'''


@pytest.fixture
def iris(tmp_path: Path) -> Guild:
    """Give the project of the user guide."""
    return Guild(tmp_path / "home", make_project(tmp_path / "iris", IRIS))


@pytest.fixture
def tulip(tmp_path: Path) -> Guild:
    """Give a project with descriptions, an alias and a private model."""
    return Guild(tmp_path / "home", make_project(tmp_path / "tulip", FULL))


def test_packages_are_listed_outside_a_project_and_on_demand(tmp_path: Path) -> None:
    """As `PACKAGE/MODEL:OPERATION`; `-i` lists nothing else, and `guild help` explains a package by any part of it."""
    env = environment(tmp_path / "env")
    for name in ("pkg-a", "pkg-b"):
        declare(site_packages(env), name, MODEL)
    guild = in_environment(tmp_path, env)
    rows = "pkg-a/cnn:train\npkg-b/cnn:train\n"
    assert guild("ops") == (0, rows, "")
    assert guild.ok("models") == "pkg-a/cnn\npkg-b/cnn\n"
    local = guild.at(make_project(tmp_path / "iris", "{name: iris, operations: {go: work}}\n"))
    assert local.ok("ops") == "./iris:go\n"
    assert local("ops", "-a") == (0, f"./iris:go\n{rows}", "")
    assert local("ops", "-i") == (0, rows, "")
    assert guild.json("ops", "a/")[0]["package"] == "pkg-a"
    assert "You are viewing help for the 'pkg-a' package." in local.ok("help", "pkg-a")
    assert "for the 'pkg-b' package." in local.ok("help", "b/cnn")
    error = local.refused("help", "cnn")
    assert "multiple packages match 'cnn'\n" in error
    assert "models: pkg-a/cnn, pkg-b/cnn\n" in error
    asked = guild.with_env(COMP_WORDS="guild run pkg-b", COMP_CWORD="2", _GUILD_COMPLETE="bash_complete")
    assert asked() == (0, "plain,pkg-b/cnn:train\n", "")


@pytest.mark.parametrize("command", ["operations", "ops"])
def test_operations_are_listed_by_full_name(iris: Guild, command: str) -> None:
    """Sorted rows with the first line of the description on stdout, the scope on stderr."""
    result = iris(command)
    assert (result.code, result.err) == (0, SCOPE)
    assert result.out == (
        "./iris-cnn:finetune\n./iris-cnn:test\n./iris-cnn:train     Train it\n./iris-svm:hang\n./iris-svm:train\n"
    )


def test_the_scope_is_said_where_it_limits(iris: Guild, tmp_path: Path) -> None:
    """Not with --all, not without a model file; with -C the directory is named."""
    assert iris("ops", "--all").err == ""
    assert iris("ops", "--all").out == iris("ops").out
    (tmp_path / "empty").mkdir()
    assert iris.at(tmp_path / "empty")("ops") == (0, "", "")
    assert "Limiting models to '../iris' (" in iris.at(tmp_path / "empty")("-C", "../iris", "ops").err
    assert iris("models", "-i") == (0, "", "")


def test_every_filter_must_match_name_or_description(iris: Guild) -> None:
    """Case does not matter; nothing found is no error."""
    assert iris.ok("ops", "CNN", "tRAIN") == "./iris-cnn:train  Train it\n"
    assert iris.ok("ops", "train it") == "./iris-cnn:train  Train it\n"
    assert iris.ok("ops", "cnn", "svm") == ""
    assert iris.ok("models", "SVM") == "./iris-svm\n"


def test_private_models_are_left_out(tulip: Guild) -> None:
    """Neither they nor their operations are listed."""
    assert tulip.ok("models") == "./tulip  Petal classifier.\n"
    assert "shared" not in tulip.ok("ops")


def test_verbose_shows_what_an_operation_is(tulip: Guild) -> None:
    """Its command, its flags with defaults, its alias, and the rest of its description."""
    assert tulip.ok("ops", "-v", "train") == (
        "./tulip:train  Train it\n"
        "  cmd: work\n"
        "  flags:\n"
        "    base: (required)\n"
        "    epochs: Number of epochs (default is 5)\n"
        "    size:\n"
        "  alias: guild fit\n"
        "  details:\n"
        "    for a while\n"
    )
    assert tulip.ok("ops", "-v", "score").splitlines()[1:3] == ["  cmd: work --score-only", "  flags: -"]


def test_verbose_shows_what_a_model_is(tulip: Guild) -> None:
    """Its file, its operations, and the rest of its description."""
    assert tulip.ok("models", "-v") == (
        "./tulip  Petal classifier.\n"
        f"  source: {tulip.cwd}/MODELS\n"
        "  operations: train, score\n"
        "  details:\n"
        "    Trains on a CSV file.\n"
    )


def test_programs_get_json(tulip: Guild) -> None:
    """A list of objects with everything a form for a run needs."""
    score, train = tulip.json("ops")
    assert score["name"] == "./tulip:score"
    assert train["project"] == str(tulip.cwd)
    assert (train["model"], train["operation"], train["kind"], train["command"]) == ("tulip", "train", "cmd", "work")
    assert (train["alias"], train["default"], train["package"]) == ("fit", False, None)
    flags = {flag["name"]: flag for flag in train["flags"]}
    assert flags["epochs"]["default"] == 5
    assert flags["base"]["required"] is True
    assert flags["size"]["choices"] == [{"value": "s", "description": "small"}, {"value": "l", "description": ""}]
    (model,) = tulip.json("models")
    assert model["operations"] == ["train", "score"]
    assert model["references"] == ["https://example.org/tulip"]
    assert tulip.json("models", "nothing") == []


def test_an_alias_that_is_a_command_of_guild_is_warned_of(tulip: Guild) -> None:
    """It could never be used: the command of guild wins."""
    assert "WARNING: the alias 'runs' of operation 'score' is the name of a guild command\n" in tulip("ops").err


def test_operations_without_a_model_have_no_model_in_their_name(tmp_path: Path) -> None:
    """They are listed as `./train`, and are no model; flags of their script are shown."""
    (tmp_path / "guild.yml").write_text("train: {main: fit}\nprepare: {exec: ./prepare.sh}\n")
    (tmp_path / "fit.py").write_text(SCRIPT)
    guild = Guild(tmp_path / "home", tmp_path)
    assert guild.ok("ops") == "./prepare\n./train\n"
    assert guild.ok("models") == ""
    assert "    lr: how fast (float) (default is 0.1)\n" in guild.ok("ops", "-v", "train")
    assert "  exec: ./prepare.sh\n" in guild.ok("ops", "-v", "prepare")


def test_scripts_of_a_directory_without_a_model_file_are_listed(tmp_path: Path) -> None:
    """Those with a parser or a main part, with their docstring; they are read, and never run."""
    (tmp_path / "fit.py").write_text(SCRIPT + "open('was-run', 'w')\n")
    (tmp_path / "main.py").write_text("if __name__ == '__main__':\n    open('was-run', 'w')\n")
    (tmp_path / "helper.py").write_text("lr = 0.1\n")
    (tmp_path / "broken.py").write_text("import argparse\ndef (\n")
    (tmp_path / ".hidden.py").write_text(SCRIPT)
    (tmp_path / "folder.py").mkdir()
    guild = Guild(tmp_path / "home", tmp_path)
    result = guild("ops")
    assert (result.out, result.err) == ("fit.py   Fit a line.\nmain.py\n", "")
    assert not (tmp_path / "was-run").exists()
    assert guild.json("ops")[0]["flags"][0]["name"] == "lr"
    assert guild.ok("ops", "-v", "fit").endswith(
        "    lr: how fast (float) (default is 0.1)\n  details:\n    To points.\n"
    )
    assert guild.ok("ops", "--installed") == ""


def test_a_listed_script_that_is_broken_costs_a_warning_only(tmp_path: Path) -> None:
    """The operation is listed all the same, with the flags that its model file gives it."""
    (tmp_path / "guild.yml").write_text("train: {main: fit}\n")
    (tmp_path / "fit.py").write_text("def (\n")
    result = Guild(tmp_path / "home", tmp_path)("ops", "-v")
    assert result.code == 0
    assert "  flags: -\n" in result.out
    assert "WARNING: cannot read the flags of script" in result.err


@pytest.mark.parametrize("command", ["ops", "models", "help"])
def test_a_broken_model_file_is_a_clear_error(tmp_path: Path, command: str) -> None:
    """It names the file and the line."""
    error = Guild(tmp_path / "home", make_project(tmp_path / "bad", "- name: x\n  operations: [\n")).refused(command)
    assert "MODELS" in error
    assert "line" in error


def test_a_terminal_is_not_commanded_by_a_model_file(tmp_path: Path) -> None:
    """Escapes in descriptions are shown, not sent."""
    text = '- name: x\n  operations: {go: {cmd: work, description: "red \\e[31m"}}\n'
    assert "\x1b" not in Guild(tmp_path / "home", make_project(tmp_path / "red", text)).ok("ops", "-v")


@pytest.mark.parametrize(
    ("words", "guess"),
    [(["trian"], "train"), (["cnn:tset"], "test"), (["finetune", "bose=1"], "base"), (["iris-cmn:train"], "iris-cnn")],
)
def test_a_slip_in_an_operation_or_flag_is_answered_with_a_guess(iris: Guild, words: list[str], guess: str) -> None:
    """`guild run` names what may have been meant."""
    assert f"did you mean '{guess}'" in iris.refused("run", *words, "-y")


def test_a_slip_in_a_choice_is_answered_with_the_choices(tulip: Guild) -> None:
    """All values are listed."""
    error = tulip.refused("run", "train", "base=1", "size=x", "-y")
    assert "small" in error
