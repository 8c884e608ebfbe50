"""`guild help`: models of a directory, of a package, and commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import IRIS, Guild, make_project


@pytest.fixture
def iris(tmp_path: Path) -> Guild:
    """Give a project."""
    return Guild(tmp_path / "home", make_project(tmp_path / "iris", IRIS))


def test_the_models_of_the_current_directory_are_explained(iris: Guild) -> None:
    """Overview, models, their operations and flags; nothing on stderr."""
    result = iris("help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(
        "OVERVIEW\n\n  You are viewing help for models defined in the current directory.\n\n  To run"
    )
    for text in ("\nMODELS\n", "  iris-cnn\n", "    Operations:\n", "base  Base checkpoint (required)"):
        assert text in result.out
    assert iris.ok("help", "--no-pager") == iris.ok("help", ".") == result.out


def test_another_directory_can_be_named(iris: Guild, tmp_path: Path) -> None:
    """By a path or with -C; it is named in the text as it was given."""
    outside = iris.at(tmp_path)
    assert "for models defined in './iris'." in outside.ok("help", "./iris")
    assert "for models defined in 'iris'." in outside.ok("-C", "iris", "help")
    assert "Base checkpoint" in outside.ok("help", str(tmp_path / "iris"))


def test_flags_of_scripts_and_configuration_files_are_explained(tmp_path: Path) -> None:
    """As `run OPERATION --help-op` does; where they cannot be read, the other operations are explained all the same."""
    models = (
        "- model: m\n  flags: {seed: 1}\n  operations:\n    fit: {main: fit, flags-import: all}\n"
        "    tune: {main: tune, flags-import: all, flags-dest: 'config:c.yml', flags: {depth: {description: Deep}}}\n"
        "    broken: {main: broken}\n"
    )
    fit = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=0.1, help='How fast')\n"
        "p.parse_args()\n"
    )
    guild = Guild(tmp_path / "home", make_project(tmp_path / "p", models, fit=fit, tune="", broken="x = = 1"))
    (tmp_path / "p" / "c.yml").write_text("depth: 3\nwidth: 4\n")
    result = guild("help")
    shown = [line.strip() for line in result.out.split("Operations:\n")[1].splitlines() if line.strip()]
    assert shown == [
        "broken", "fit", "Flags:", "lr  How fast (default is 0.1)",
        "tune", "Flags:", "depth  Deep (number) (default is 3)", "width  (number) (default is 4)",
        "Model flags:", "seed  (default is 1)",
    ]  # fmt: skip
    assert result.code == 0
    assert result.err.startswith("WARNING: flags of broken are missing here: ")


def test_a_directory_without_a_model_file_has_no_help(iris: Guild, tmp_path: Path) -> None:
    """The message says so and what to do, and the exit code is 1."""
    (tmp_path / "empty").mkdir()
    empty = iris.at(tmp_path / "empty")
    assert "No help available (the current directory does not contain a model file)\n" in empty.refused("help")
    assert "No help available ('../empty' does not contain a model file)\n" in iris.refused("help", "../empty")


def test_a_name_that_is_nothing_is_refused(iris: Guild) -> None:
    """Neither a directory nor a package nor a command."""
    error = iris.refused("help", "nothing")
    assert "cannot find a model package matching 'nothing'\n" in error
    assert "Try 'guild models -a'" in error


def test_a_project_of_private_models_has_no_help(tmp_path: Path) -> None:
    """There is a model file, so the message does not say that there is none."""
    project = make_project(tmp_path / "p", "{name: x, private: yes, operations: {go: work}}\n")
    assert "the current directory does not define a model" in Guild(tmp_path / "home", project).refused("help")


def test_a_command_can_be_named(iris: Guild) -> None:
    """People type `guild help run`; also with the commands of a group, and those that the directory declares."""
    assert iris.ok("help", "run") == iris.ok("run", "--help")
    assert iris.ok("help", "runs", "rm").startswith("Usage: guild runs rm ")
    assert "unknown" not in iris.refused("help", "runs", "nothing")


def test_a_directory_with_a_model_file_goes_before_a_command(iris: Guild, tmp_path: Path) -> None:
    """And a command before a directory without one."""
    (tmp_path / "runs").mkdir()
    outside = iris.at(tmp_path)
    assert outside.ok("help", "runs").startswith("Usage: guild runs ")
    make_project(tmp_path / "runs", IRIS)
    assert outside.ok("help", "runs").startswith("OVERVIEW\n")
