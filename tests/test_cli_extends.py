"""`extends: PACKAGE/MODEL` from outside: a wheel that `guild package` built, installed, and a project that extends it.

One environment serves all tests; nobody may change it.
"""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

from tests.cli_kit import Guild

BASE = """\
- package: iris-base
  version: 1.0
  data-files: [iris.csv, settings.yml]
- config: usual
  flags: {lr: 0.1}
- model: cnn
  description: Iris CNN
  params: {module: train}
  flags: {$include: usual}
  resources:
    data: [{file: iris.csv}]
  operations:
    train:
      main: "{{module}}"
      requires: data
      compare: [=lr]
    tune:
      main: tune
      flags-dest: config:settings.yml
      flags-import: all
    both:
      steps: [train, 'cnn:tune depth=9']
    after:
      exec: sh show.sh
      requires: {operation: 'cnn:tune', select: settings.yml}
"""
FILES = {
    "guild.yml": BASE,
    "iris.csv": "5.1,3.5\n",
    "settings.yml": "depth: 3\n",
    "helper.py": "NAME = 'helped'\n",
    "train.py": (
        "import os, helper\n"
        "print('lr', os.environ['FLAG_LR'], open('iris.csv').read().strip(), helper.NAME, os.path.isfile('own.csv'))\n"
    ),
    "tune.py": "print(' '.join(open('settings.yml').read().split()))\n",
    "show.sh": "cat settings.yml\n",
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel of a package into a clean environment; return its folder."""
    folder = tmp_path_factory.mktemp("extends")
    (folder / "base").mkdir()
    for name, text in FILES.items():
        (folder / "base" / name).write_text(text)
    guild = Guild(folder / "home", folder / "base")
    built = guild.ok("package").strip()
    venv.create(folder / "env", symlinks=True)
    guild.with_env(**_active(folder / "env")).ok("install", built)
    return folder / "env"


def _active(env: Path) -> dict[str, str]:
    return {"VIRTUAL_ENV": str(env), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1"}


def project(tmp_path: Path, env: Path, extends: str = "iris-base/cnn", rest: str = "") -> Guild:
    """Return the command in a project whose model `mine` extends a model of the package."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    (folder / "guild.yml").write_text(f"- model: mine\n  extends: {extends}\n{rest}")
    return Guild(tmp_path / "home", folder).with_env(**_active(env))


def test_an_inherited_operation_runs_with_the_modules_and_files_of_its_package(env: Path, tmp_path: Path) -> None:
    """The run is the project's; what the project says over it counts, and `NAME=VALUE` replaces the package's file."""
    guild = project(tmp_path, env, rest="  flags: {lr: 0.5}\n")
    assert guild.ok("operations").split() == ["./mine:after", "./mine:both", "./mine:train", "./mine:tune"]
    assert guild.ok("run", "train", "-y") == "lr 0.5 5.1,3.5 helped False\n"
    assert [(row.op, row.status) for row in guild.rows()] == [("./mine:train", "completed")]
    (guild.cwd / "iris.csv").write_text("mine\n")
    assert guild.ok("run", "train", "-y") == "lr 0.5 5.1,3.5 helped False\n"
    assert guild.ok("run", "train", "data=iris.csv", "lr=2", "-y") == "lr 2 mine helped False\n"
    assert guild.ok("run", "--restart", "0", "-y") == "lr 2 mine helped False\n"
    assert "lr" in guild.ok("compare", "--csv").splitlines()[0]


def test_configuration_files_steps_and_runs_of_neighbours_are_found(env: Path, tmp_path: Path) -> None:
    """`cnn:tune` of the package means the package's own operation, wherever it is said."""
    guild = project(tmp_path, env)
    assert guild.ok("run", "tune", "depth=4", "-y") == "depth: 4 lr: 0.1\n"
    assert "guild run iris-base/cnn:tune" in guild.refused("run", "after", "-y")
    assert "depth: 9 lr: 0.1\n" in guild.ok("run", "both", "-y")
    assert "iris-base/cnn:tune" in [row.op for row in guild.rows("-a")]
    assert guild.ok("run", "after", "-y") == "depth: 9\nlr: 0.1\n"


def test_what_the_project_names_itself_is_the_projects(env: Path, tmp_path: Path) -> None:
    """Its module goes before the package's of the same name, and its file before the package's."""
    guild = project(tmp_path, env, rest="  operations: {train: {main: train}}\n  resources: {data: [own.csv]}\n")
    (guild.cwd / "own.csv").write_text("own\n")
    (guild.cwd / "train.py").write_text("import helper\nprint(open('own.csv').read().strip(), helper.NAME)\n")
    assert guild.ok("run", "train", "-y") == "own helped\n"


@pytest.mark.parametrize(
    ("extends", "expected"),
    [
        ("iris-bas/cnn", "no package 'iris-bas' that carries models is installed: expected one of iris-base (did you"),
        ("iris-base/cn", "package 'iris-base' has no such model: expected one of usual, cnn (did you mean 'cnn'?)"),
    ],
)
def test_a_parent_that_is_not_there_is_named_with_its_place(
    env: Path, tmp_path: Path, extends: str, expected: str
) -> None:
    """Commands that need the model file fail; those that look at runs go on with a warning."""
    guild = project(tmp_path, env, extends)
    message = guild.refused("run", "train", "-y")
    assert f"guild.yml:2:12: model 'mine' extends '{extends}', which is not there: {expected}" in message
    listed = guild("runs")
    assert listed.code == 0
    assert f"WARNING: the model file cannot be used: {guild.cwd}/guild.yml:2:12" in listed.err
