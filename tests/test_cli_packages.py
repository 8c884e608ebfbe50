"""Packages from outside: built, installed into a clean environment, listed, run, required from, and removed again.

No index is asked but folders. The clean environments have no pip of their own: guild uses its own on them.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_kit import ROOT, Guild, make_project
from tests.packages_kit import MODEL, declare

MODELS = """\
- package: iris-models
  version: 1.0
  description: Irises, modelled
  data-files: [iris.csv]
- name: iris-cnn
  description: Iris CNN
  operations:
    train:
      description: Train it
      main: train
      flags: {lr: 0.1}
      requires: data
  resources:
    data: [{file: iris.csv}]
"""
TRAIN = """\
import argparse, os
import helper
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
print("lr is", parser.parse_args().lr, "and", open("iris.csv").read().strip(), helper.NAME)
"""
WHEEL = "iris_models-1.0-py3-none-any.whl"


def environment(folder: Path) -> Path:
    """Make a clean environment; return its folder."""
    venv.create(folder, symlinks=True)
    return folder


def site_packages(env: Path) -> Path:
    """Return the folder of an environment that packages are installed in."""
    return next(env.glob("lib/python*/site-packages"))


def in_environment(folder: Path, env: Path) -> Guild:
    """Return the command in an empty directory with an environment active."""
    (folder / "empty").mkdir()
    settings = {"VIRTUAL_ENV": str(env), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1"}
    return Guild(folder / "home", folder / "empty").with_env(**settings)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a small project."""
    folder = tmp_path_factory.mktemp("wheel")
    project = make_project(folder / "project", MODELS, train=TRAIN, helper="NAME = 'helped'\n")
    (project / "iris.csv").write_text("5.1,3.5\n")
    out = Guild(folder / "home", project).ok("package")
    assert out == f"dist/{WHEEL}\n"
    return project / "dist" / WHEEL


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a clean environment, which nobody may change; return its folder."""
    folder = tmp_path_factory.mktemp("installed")
    env = environment(folder / "env")
    assert "Successfully installed iris-models-1.0" in in_environment(folder, env).ok("install", str(wheel))
    return env


@pytest.fixture
def guild(installed: Path, tmp_path: Path) -> Guild:
    """Give the command in an empty directory, with the package installed in the active environment."""
    return in_environment(tmp_path, installed)


@pytest.fixture
def declaring(tmp_path: Path) -> Callable[..., Guild]:
    """Give what makes the command with an environment of hand-made packages active."""

    def make(*names: str, models: str | None = MODEL) -> Guild:
        env = environment(tmp_path / "env")
        for name in names:
            declare(site_packages(env), name, models)
            (site_packages(env) / name.replace("-", "_") / "train.py").write_text(f"print('trained by {name}')\n")
        return in_environment(tmp_path, env)

    return make


def test_a_package_is_listed_where_it_is_installed(guild: Guild, installed: Path) -> None:
    """A row has name, version, summary and location; JSON also the models; a filter limits both."""
    row = f"iris-models  1.0  Irises, modelled  {site_packages(installed)}\n"
    assert guild.ok("packages") == row
    assert guild.ok("packages", "CNN", "x") == row
    assert guild.ok("packages", "tulip") == ""
    assert guild.json("packages") == [
        {
            "name": "iris-models",
            "version": "1.0",
            "summary": "Irises, modelled",
            "location": str(site_packages(installed)),
            "models": ["iris-models/iris-cnn"],
        }
    ]


def test_without_packages_a_note_says_so(tmp_path: Path) -> None:
    """Nothing on stdout, a note on stderr, and no error; `--all` lists what carries no models too."""
    guild = in_environment(tmp_path, environment(tmp_path / "env"))
    result = guild("packages")
    assert (result.code, result.out) == (0, "")
    assert "No package" in result.err
    info = site_packages(tmp_path / "env") / "plain-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 2.0\n")
    assert guild.ok("packages").strip() == ""
    assert guild.ok("packages", "-a").split()[:2] == ["plain", "2.0"]


@pytest.mark.parametrize("name", ["train", "cnn:train", "iris-models/iris-cnn:train"])
def test_an_operation_of_a_package_runs_by_any_part_of_its_name(guild: Guild, name: str) -> None:
    """Its code, its helper modules and its data are found from anywhere; the run bears the package's name."""
    assert guild.ok("run", name, "lr=0.5", "-y") == "lr is 0.5 and 5.1,3.5 helped\n"
    (row,) = guild.rows()
    assert (row.op, row.status) == ("iris-models/iris-cnn:train", "completed")


def test_what_a_package_can_do_is_listed_and_explained(guild: Guild, tmp_path: Path) -> None:
    """Operations and models are listed by their full names, also beside those of a project, and have help."""
    assert guild.ok("operations") == "iris-models/iris-cnn:train  Train it\n"
    assert guild.ok("models") == "iris-models/iris-cnn  Iris CNN\n"
    project = make_project(tmp_path / "project")
    assert "iris-models/" not in guild.at(project).ok("operations")
    assert "iris-models/iris-cnn:train  " in guild.at(project).ok("operations", "--all")
    text = guild.at(project).ok("help", "iris-models")
    assert "'iris-models' package" in text
    assert "Iris CNN" in text


def test_an_alias_takes_the_model_of_a_package(guild: Guild, tmp_path: Path) -> None:
    """`guild train PACKAGE/MODEL` starts the package's operation, from a project with such a model too."""
    project = make_project(tmp_path / "project")
    assert guild.at(project).ok("train", "iris-models/iris-cnn", "lr=2", "-y").startswith("lr is 2.0 and ")


def test_a_run_of_a_package_belongs_to_no_project(guild: Guild, tmp_path: Path) -> None:
    """It is listed everywhere but in the scope of a project, and can be started again."""
    guild.ok("run", "train", "-y")
    project = make_project(tmp_path / "project")
    assert guild.at(project).rows() == []
    assert [row.op for row in guild.at(project).rows("-a")] == ["iris-models/iris-cnn:train"]
    guild.ok("run", "--restart", "0", "-y")
    assert [row.op for row in guild.rows()] == ["iris-models/iris-cnn:train"]


def test_the_model_file_comes_before_packages(guild: Guild, tmp_path: Path) -> None:
    """What the directory defines wins; the full name still means the package."""
    project = make_project(tmp_path / "project")
    here = guild.at(project)
    assert "working" in here.ok("run", "iris-svm:train", "-y")
    assert "working" in here.ok("run", "cnn:train", "-y")
    assert "lr is" in here.ok("run", "iris-models/iris-cnn:train", "-y")


def test_a_project_can_require_a_resource_of_a_package(guild: Guild, tmp_path: Path) -> None:
    """`requires: PACKAGE/RESOURCE` brings the package's file into the run directory."""
    models = "{name: m, operations: {show: {main: show, requires: iris-models/iris-cnn:data}}}\n"
    project = make_project(tmp_path / "project", models, show="print(open('iris.csv').read())\n")
    assert "5.1,3.5" in guild.at(project).ok("run", "show", "-y")
    models = models.replace("iris-models/", "tulips/")
    assert "no package that is installed has that resource" in guild.at(
        make_project(tmp_path / "other", models, show="")
    ).refused("run", "show", "-y")


def test_packages_are_found_in_the_environment_that_guild_itself_lives_in(installed: Path, tmp_path: Path) -> None:
    """Without an active environment the packages beside guild are those that count."""
    settings = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{sysconfig.get_path('purelib')}",
    }
    command = [str(installed / "bin/python"), "-m", "guild_ledger"]
    for arguments, expected in (
        (["packages", "iris"], "iris-models  1.0"),
        (["run", "iris-models/iris-cnn:train", "-y"], "lr is 0.1"),
    ):
        printed = subprocess.check_output([*command, *arguments], cwd=tmp_path, env=settings, text=True)
        assert expected in printed


def test_steps_and_trials_of_a_package_are_runs_of_the_package(declaring: Callable[..., Guild]) -> None:
    """What an operation with steps starts, and each trial of a batch, bears the package's name as well."""
    models = (
        "{name: cnn, operations: {train: {cmd: train, flags: {lr: 1}}, both: {steps: [train, 'cnn:train lr=2']}}}\n"
    )
    guild = declaring("one", models=models)
    guild.ok("run", "both", "-y")
    guild.ok("run", "train", "lr=[3,4]", "-y")
    assert {row.op for row in guild.rows()} == {"one/cnn:both", "one/cnn:train"}
    assert len(guild.rows()) == 5


def test_what_was_run_stays_when_the_package_goes(wheel: Path, tmp_path: Path) -> None:
    """Uninstalling takes nothing from the history; the operation is not there any more, and the message says so."""
    guild = in_environment(tmp_path, environment(tmp_path / "env"))
    guild.ok("install", str(wheel))
    guild.ok("run", "train", "-y")
    before = guild.history()
    assert "Successfully uninstalled iris-models-1.0" in guild.ok("uninstall", "iris-models", "-y")
    assert guild.ok("packages") == ""
    assert [row.op for row in guild.rows()] == ["iris-models/iris-cnn:train"]
    assert guild.history() == before
    guild.refused("run", "iris-models/iris-cnn:train", "-y")
    assert "iris-models" in guild.refused("run", "--restart", "0", "-y")


def test_a_broken_package_breaks_nothing_else(declaring: Callable[..., Guild], tmp_path: Path) -> None:
    """Its model file is told of with a warning; other packages and the project's own operations run."""
    guild = declaring("good")
    declare(site_packages(tmp_path / "env"), "bad", "{name: cnn, operations: {train: {cmd: [}}")
    result = guild("run", "cnn:train", "-y")
    assert (result.code, result.out) == (0, "trained by good\n")
    assert "WARNING: the models of package bad 1.0 cannot be used" in result.err
    assert [row.split()[0] for row in guild.ok("packages").splitlines()] == ["bad", "good"]
    own = guild.at(make_project(tmp_path / "project"))("run", "cnn:train", "-y")
    assert own.code == 0
    assert "WARNING" not in own.err


def test_the_same_model_in_two_packages_needs_its_full_name(declaring: Callable[..., Guild]) -> None:
    """What two packages have is ambiguous; both full names are offered, and each of them works."""
    guild = declaring("one", "two")
    message = guild.refused("run", "cnn:train", "-y")
    assert "one/cnn:train" in message
    assert "two/cnn:train" in message
    assert guild.ok("run", "two/cnn:train", "-y") == "trained by two\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["install", "--", "--index-url=http://localhost/"],
        ["install", "-e", "-r/etc/passwd"],
        ["install", "x", "--", "-rrequirements.txt"],
        ["uninstall", "-y", "--", "-r/etc/passwd"],
        ["search", "--", "--log=/tmp/x"],
        ["install", ""],
        ["install"],
    ],
)
def test_no_option_reaches_pip_as_a_name(guild: Guild, arguments: list[str]) -> None:
    """A word that pip would take for an option of its own is wrong usage."""
    assert guild(*arguments).code == 2


def test_the_exit_code_of_pip_is_passed_on(guild: Guild) -> None:
    """What pip says is shown, and its failure is the command's."""
    result = guild("install", "no-such-package-anywhere")
    assert result.code == 1
    assert "No matching distribution found" in result.err


def test_without_pip_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    """Where neither the environment nor guild has pip, nothing is tried."""
    env = environment(tmp_path / "env")
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("click", "yaml", "orjson"):
        (libraries / name).symlink_to(Path(sysconfig.get_path("platlib"), name))
    result = subprocess.run(
        [str(env / "bin/python"), "-m", "guild_ledger", "install", "x"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{libraries}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "guild: there is no pip in the environment" in result.stderr
    assert "ensurepip" in result.stderr


def test_search_finds_what_is_installed_and_versions_in_the_index(guild: Guild, wheel: Path, tmp_path: Path) -> None:
    """Installed packages are searched by word, the index by exact name."""
    page = tmp_path / "simple/iris-models/index.html"
    page.parent.mkdir(parents=True)
    names = [WHEEL, WHEEL.replace("1.0", "1.1")]
    page.write_text("".join(f'<a href="file://{wheel.parent}/{name}">{name}</a>\n' for name in names))
    index = ["--index-url", f"file://{tmp_path}/simple"]
    allowed = guild.with_env(PIP_NO_INDEX=None)
    out = allowed.ok("search", "iris-models", *index)
    assert "Installed:\n  iris-models  1.0" in out
    assert "Available:\n  iris-models  1.1, 1.0\n" in out
    assert "no package was found" in allowed.refused("search", "zebra", *index)
    assert guild.ok("search", "Irises", "-i").startswith("Installed:\n  iris-models")
    assert guild.json("search", "IRIS", "-i")["installed"][0]["models"] == ["iris-models/iris-cnn"]


def test_search_without_a_network_fails_clearly(guild: Guild) -> None:
    """An index that does not answer is no proof that there is nothing."""
    offline = guild.with_env(PIP_NO_INDEX=None)
    assert "the index gave no answer" in offline.refused("search", "zebra", "--index-url", "http://127.0.0.1:9/simple")
    assert "no package was found" in guild.refused("search", "zebra", "--installed")


def test_an_environment_that_is_broken_is_named(tmp_path: Path) -> None:
    """A Python that does not start is an error where packages are listed, and a warning where they may help."""
    python = tmp_path / "env/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho broken beyond repair >&2\nexit 1\n")
    python.chmod(0o755)
    guild = in_environment(tmp_path, tmp_path / "env")
    assert "broken beyond repair" in guild.refused("packages")
    assert "WARNING: packages are not looked at" in guild.refused("run", "train", "-y")


def test_a_project_is_packaged_from_elsewhere_into_a_folder_of_choice(tmp_path: Path) -> None:
    """`-C` names the project, `-d` the folder, relative to the project; the printed path is where the wheel is."""
    make_project(tmp_path / "project", MODELS.replace("  data-files: [iris.csv]\n", ""), train="")
    guild = Guild(tmp_path / "home", tmp_path)
    assert guild.ok("-C", "project", "package", "-d", "out") == f"project/out/{WHEEL}\n"
    assert "The same wheel" in guild("-C", "project", "package", "-d", "out").err
    (tmp_path / "project/train.py").write_text("1\n")
    assert "there already" in guild.refused("-C", "project", "package", "-d", "out")
    guild.ok("-C", "project", "package", "-d", "out", "--force")
    assert "no model file" in guild.refused("package")
