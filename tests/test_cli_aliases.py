"""Commands that start an operation by an alias: `guild train`, and those that a model file declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import IRIS, Guild, make_project

ALIASES = """\
- name: net-a
  operations:
    fit: {cmd: work, alias: grow, description: Fit it, flags: {lr: 1}}
    score: {cmd: work, alias: measure}
- name: net-b
  operations:
    fit: {cmd: work b, flags: {lr: 2}}
    check: {cmd: work, alias: measure}
    show: {cmd: work, alias: runs}
- name: base
  private: yes
  operations: {hidden: {cmd: work, alias: hide}}
"""


@pytest.fixture
def iris(tmp_path: Path) -> Guild:
    """Give the project whose two models both have `train`."""
    return Guild(tmp_path / "home", make_project(tmp_path / "iris", IRIS))


@pytest.fixture
def nets(tmp_path: Path) -> Guild:
    """Give a project that declares aliases."""
    return Guild(tmp_path / "home", make_project(tmp_path / "nets", ALIASES))


@pytest.mark.parametrize(
    ("words", "equal"),
    [
        (["iris-cnn"], ["iris-cnn:train"]),
        (["./iris-svm"], ["./iris-svm:train"]),
        (["cnn", "epochs=5"], ["cnn:train", "epochs=5"]),
        (["svm", "--help-op"], ["svm:train", "--help-op"]),
    ],
)
def test_train_equals_run_train(iris: Guild, words: list[str], equal: list[str]) -> None:
    """With a model, a part of its name, flags and every option of `guild run`."""
    assert iris("train", *words, "--print-cmd") == iris("run", *equal, "--print-cmd")
    assert iris("train", *words, "--print-cmd").code == 0


def test_train_alone_runs_the_only_train(tmp_path: Path) -> None:
    """A first word with `=` is a flag, not a model."""
    text = "{name: tulip, operations: {train: {cmd: work, flags: {epochs: 3}}, test: work}}\n"
    guild = Guild(tmp_path / "home", make_project(tmp_path / "tulip", text))
    guild.ok("train", "-y")
    assert "--epochs 5" in guild.ok("train", "epochs=5", "-y")
    assert [row.op for row in guild.rows()] == ["./tulip:train"] * 2


def test_train_is_refused_as_run_train_is(iris: Guild) -> None:
    """Several models, an unknown one, no operation of that name."""
    error = iris.refused("train")
    assert "  ./iris-cnn:train\n  ./iris-svm:train\n" in error
    assert iris.refused("train") == iris.refused("run", "train")
    assert "cannot find a model matching 'rose'" in iris.refused("train", "rose")
    assert "is not the name of a model" in iris.refused("train", "cnn:train", code=2)
    assert "is not the name of a model" in iris.refused("train", "", code=2)


def test_the_exit_code_of_an_alias_is_the_processs(tmp_path: Path) -> None:
    """As with `guild run`."""
    text = "{name: m, operations: {train: work --exit 3}}\n"
    assert Guild(tmp_path / "home", make_project(tmp_path / "m", text))("train", "-y").code == 3


def test_a_declared_alias_is_a_command_in_its_directory(nets: Guild, tmp_path: Path) -> None:
    """It means the operation that declares it; with a model, that model's operation of the name."""
    assert nets.ok("grow", "-y") == "working --lr 1\n"
    assert nets.ok("grow", "lr=3", "-y") == "working --lr 3\n"
    assert nets.ok("grow", "net-b", "-y") == "working b --lr 2\n"
    assert nets.rows()[0].op == "./net-b:fit"
    assert "Fit it\n" in nets.ok("grow", "--help")
    (tmp_path / "empty").mkdir()
    assert "unrecognized command 'grow'" in nets.at(tmp_path / "empty").refused("grow", code=2)
    assert "--lr 1" in nets.at(tmp_path / "empty").ok("-C", str(nets.cwd), "grow", "--print-cmd")


def test_an_alias_of_several_operations_needs_a_model(nets: Guild) -> None:
    """The message lists what can be typed instead."""
    error = nets.refused("measure", "-y")
    assert "several operations have the alias 'measure'" in error
    assert "  guild run ./net-a:score\n  guild run ./net-b:check\n" in error
    nets.ok("measure", "net-b", "-y")
    nets.ok("measure", "a", "-y")
    assert [row.op for row in nets.rows()] == ["./net-a:score", "./net-b:check"]


def test_a_command_of_guild_wins_over_an_alias(nets: Guild) -> None:
    """`guild runs` lists runs whatever a model file says, and a private model declares nothing."""
    assert nets.ok("runs", "--all") == ""
    assert "unrecognized command 'hide'" in nets.refused("hide", code=2)


@pytest.mark.parametrize(("typed", "meant"), [("gorw", "grow"), ("operatoins", "operations"), ("trian", "train")])
def test_an_unknown_command_is_answered_with_a_guess(nets: Guild, typed: str, meant: str) -> None:
    """Among guild's own and the declared ones."""
    assert f"unrecognized command '{typed}' (did you mean '{meant}'?)" in nets.refused(typed, code=2)


def test_a_broken_model_file_is_told_to_those_who_may_mean_an_alias(tmp_path: Path) -> None:
    """An unknown command may be one that cannot be read; commands of guild are not disturbed."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "bad", "- name: [\n"))
    error = guild.refused("grow", code=2)
    assert "WARNING: no aliases: " in error
    assert "unrecognized command 'grow'" in error
    assert guild("log", "-n", "1").err == ""
