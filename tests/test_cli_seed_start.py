"""Starting runs as the page that this program was built after describes it, command by command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project
from tests.test_cli_packages import environment, in_environment

MODELS = """\
- package: iris
  description: The iris models
- name: iris-cnn
  description: Iris CNN
  operations:
    train:
      description: Train the model
      main: work
      flags: {epochs: 3}
    finetune:
      description: Train it further
      main: work
      flags:
        base: {default: none, description: Checkpoint to begin with}
        rate: {default: 0.5, description: How fast}
    test: {description: Measure it, main: work}
"""
WORK = """\
import argparse
parser = argparse.ArgumentParser()
for name in ("--epochs", "--base", "--rate"):
    parser.add_argument(name)
print({name: value for name, value in vars(parser.parse_args()).items() if value is not None})
"""
NAMES = ["iris/iris-cnn:finetune", "iris/iris-cnn:test", "iris/iris-cnn:train"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package `iris` into a clean environment; return the environment."""
    folder = tmp_path_factory.mktemp("iris")
    project = make_project(folder / "project", MODELS, work=WORK)
    Guild(folder / "home", project).ok("package")
    env = environment(folder / "env")
    wheel = next((project / "dist").glob("*.whl"))
    in_environment(folder, env).ok("install", str(wheel))
    return env


@pytest.fixture
def outside(installed: Path, tmp_path: Path) -> Guild:
    """Give the command in an empty directory, where the only models are those of the package `iris`."""
    return in_environment(tmp_path, installed)


@pytest.fixture
def inside(tmp_path: Path) -> Guild:
    """Give the command in the project itself."""
    project = make_project(tmp_path / "project", MODELS, work=WORK)
    return Guild(tmp_path / "home", project)


def started(guild: Guild, *words: str) -> str:
    """Start a run, and return the operation that the list then shows."""
    guild.ok(*words, "-y")
    return guild.rows()[0].op


def test_operations_lists_what_can_be_run(outside: Guild, inside: Guild) -> None:
    """`guild operations` prints the full name of every operation; that of a package begins with the package's."""
    assert [line.split()[0] for line in outside.ok("operations").splitlines()] == NAMES
    local = [name.replace("iris/", "./") for name in NAMES]
    assert [line.split()[0] for line in inside.ok("operations").splitlines()] == local


@pytest.mark.parametrize("spec", ["finetune", "iris-cnn:finetune", "iris/iris-cnn:finetune", "cnn:finetune"])
def test_any_part_of_a_name_that_is_unique_starts_the_operation(outside: Guild, spec: str) -> None:
    """`guild run finetune`, with the model, with the package, with a part of the model's name."""
    assert started(outside, "run", spec) == "iris/iris-cnn:finetune"


@pytest.mark.parametrize("spec", ["finetune", "iris-cnn:finetune", "./iris-cnn:finetune", "cnn:finetune"])
def test_the_same_holds_for_the_models_of_the_current_directory(inside: Guild, spec: str) -> None:
    """A project's own operations have the same short forms."""
    assert started(inside, "run", spec) == "./iris-cnn:finetune"


def test_part_of_the_model_is_enough(inside: Guild) -> None:
    """`guild run cnn:train`."""
    assert started(inside, "run", "cnn:train") == "./iris-cnn:train"


@pytest.mark.parametrize("words", [["train"], ["train", "iris-cnn"], ["train", "cnn"], ["train", "epochs=5"]])
def test_train_is_an_alias(inside: Guild, words: list[str]) -> None:
    """`guild train`, `guild train MODEL` with any unique part, and flags as usual."""
    assert started(inside, *words) == "./iris-cnn:train"
    assert inside.json("runs", "info")["flags"] == {"epochs": 5 if "epochs=5" in words else 3}


@pytest.mark.parametrize("words", [["train"], ["train", "iris/iris-cnn"], ["train", "cnn"]])
def test_train_finds_the_models_of_packages(outside: Guild, words: list[str]) -> None:
    """`guild train PACKAGE/MODEL`, and whatever is unique."""
    assert started(outside, *words) == "iris/iris-cnn:train"


def test_flags_are_given_as_name_and_value(inside: Guild) -> None:
    """They reach the process as arguments and are on record."""
    assert inside.ok("run", "train", "epochs=10", "-y") == "{'epochs': '10'}\n"
    assert inside.json("runs", "info")["flags"] == {"epochs": 10}


def test_help_of_an_operation_tells_its_flags(inside: Guild) -> None:
    """`guild run OPERATION --help-op`."""
    text = inside.ok("run", "finetune", "--help-op")
    assert "Train it further" in text
    assert "base  Checkpoint to begin with" in text
    assert "rate  How fast (default is 0.5)" in text


def test_help_tells_of_the_models_of_the_current_directory(inside: Guild) -> None:
    """`guild help`."""
    text = inside.ok("help")
    assert "defined in the current directory" in text
    assert all(
        word in text for word in ("iris-cnn", "Iris CNN", "train", "finetune", "test", "Checkpoint to begin with")
    )


@pytest.mark.parametrize("name", ["iris", "iris-cnn"])
def test_help_tells_of_a_package(outside: Guild, name: str) -> None:
    """`guild help PACKAGE`."""
    text = outside.ok("help", name)
    assert "'iris' package" in text
    assert all(word in text for word in ("iris-cnn", "Iris CNN", "train", "finetune", "test"))


@pytest.mark.parametrize("words", [["run", "finetune"], ["tune"]])
def test_a_required_flag_that_is_left_out_is_an_error(tmp_path: Path, words: list[str]) -> None:
    """`run`, and an alias as well, names the flag and its description, and starts nothing."""
    models = MODELS.replace("{default: none, description:", "{required: yes, description:")
    models = models.replace("description: Train it further", "alias: tune")
    guild = Guild(tmp_path / "home", make_project(tmp_path / "project", models, work=WORK))
    error = guild.refused(*words, "-y")
    assert "Operation requires the following missing flags:\n\n  base  Checkpoint to begin with\n" in error
    assert guild.ok("runs") == ""
