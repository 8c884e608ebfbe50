"""Proves that projects of the early format run as they did: the exact arguments of their processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project

FIT = """\
import json, os, sys

print(json.dumps([sys.argv[1:], sorted(name for name in os.listdir(".") if name != ".guild")]))
for name in ("model.txt", "more.log"):
    with open(name, "w") as file:
        file.write("fitted")
"""

SMALLEST = """\
name: rose
operations:
  train: fit
  score: fit --score-only
"""

NET = """\
- name: rose-net
  description: |
    Small leaf classifier.
    Trains on a CSV file.
  flags: {batch: 32}
  resources:
    leaves: {description: Leaf measurements, path: input, sources: [{file: leaves.csv}]}
    fitted: {sources: [{operation: train, select: model.txt}]}
  operations:
    train:
      cmd: fit --out .
      requires: leaves
      flags:
        epochs: {description: Passes over the data, default: 4, arg-name: num_epochs}
        opt:
          default: sgd
          options:
            - value: sgd
            - {value: adam, description: Adam with decay, args: {optimizer: adam, decay: 0.9}}
        tag: {description: Name of this experiment, required: yes, arg-skip: yes}
        quiet: no
        loud: yes
        nothing:
    score: {cmd: fit, requires: fitted}
    named:
      cmd: fit --epochs 1 --data ${data}
      requires: '${data}'
      flags: {data: leaves, epochs: 2, ref: 'on ${data}'}

- name: hidden
  private: yes
  operations: {train: fit}
"""

DEEP = """\
- name: shared
  private: yes
  params: {depth: 2}
  flags: {lr: 0.05, epochs: {default: 3, description: How long}}
  operations: {train: {cmd: "fit --depth={{depth}}"}}
- {name: shallow, extends: shared}
- name: deep
  extends: [shared]
  params: {depth: 8}
  flags: {$include: shared, lr: 0.01}
- name: wide
  operations:
    train:
      cmd: fit
      flags: {$include: 'deep:train', width: 9}
"""


def ran(guild: Guild, *words: str) -> tuple[list[str], list[str]]:
    """Run an operation; return the arguments of its process, and the names that it found in its directory."""
    argv, names = json.loads(guild.ok("run", *words, "-y"))
    return argv, names


def project(folder: Path, models: str) -> Guild:
    """Return the command in a new project."""
    made = make_project(folder / "project", models, fit=FIT)
    (made / "leaves.csv").write_text("1,2\n")
    return Guild(folder / "home", made)


def test_the_smallest_file_runs(tmp_path: Path) -> None:
    """An operation may be nothing but its command, in a file named MODEL as well."""
    guild = project(tmp_path, SMALLEST)
    (guild.cwd / "MODELS").rename(guild.cwd / "MODEL")
    assert ran(guild, "train") == ([], [])
    assert ran(guild, "rose:score") == (["--score-only"], [])


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (["tag=t1"], "--out . --batch 32 --loud --num_epochs 4 --opt sgd --quiet False"),
        (
            ["tag=0", "opt=adam", "epochs=9"],
            "--out . --batch 32 --decay 0.9 --loud --num_epochs 9 --optimizer adam --quiet False",
        ),
        (
            ["tag=", "loud=no", "nothing=1", "batch=8"],
            "--out . --batch 8 --loud False --nothing 1 --num_epochs 4 --opt sgd --quiet False",
        ),
    ],
)
def test_flags_are_sorted_arguments(tmp_path: Path, words: list[str], argv: str) -> None:
    """By the names that the process knows; some are left out, some are replaced by others; files are in their place."""
    assert ran(project(tmp_path, NET), "train", *words) == (argv.split(), ["input"])


def test_resources_are_required_by_name(tmp_path: Path) -> None:
    """Of a file, of a run that has to be completed, and by a name that a flag says."""
    guild = project(tmp_path, NET)
    said = guild.refused("run", "score", "-y")
    assert "there is no completed run of train" in said
    assert guild.rows() == []

    ran(guild, "train", "tag=x")

    assert ran(guild, "score") == (["--batch", "32"], ["model.txt"])
    assert [one["resource"] for one in guild.json("runs", "info")["dependencies"]] == ["fitted"]
    result = guild("run", "named", "-y")
    assert json.loads(result.out) == [
        ["--epochs", "1", "--data", "leaves", "--batch", "32", "--ref", "on leaves"],
        ["input"],
    ]
    assert "flag epochs=2 is ignored: the cmd of operation 'named' already sets --epochs" in result.err
    assert "requires 'twigs'" in guild.refused("run", "named", "data=twigs", "-y")


def test_a_missing_flag_and_a_wrong_choice_are_refused(tmp_path: Path) -> None:
    """With what is missing and what is supported; nothing is recorded."""
    guild = project(tmp_path, NET)
    assert "  tag  Name of this experiment" in guild.refused("run", "train", "-y")
    assert "adam  Adam with decay" in guild.refused("run", "train", "tag=x", "opt=other", "-y")
    assert "hidden" not in guild.refused("run", "nothing", "-y")
    assert guild.rows() == []


def test_models_inherit(tmp_path: Path) -> None:
    """Commands, flags and parameters; what a model says itself wins, and includes keep what they do not change."""
    guild = project(tmp_path, DEEP)
    assert ran(guild, "deep:train")[0] == ["--depth=8", "--epochs", "3", "--lr", "0.01"]
    assert ran(guild, "shallow:train", "lr=1")[0] == ["--depth=2", "--epochs", "3", "--lr", "1"]
    assert "epochs  How long (default is 3)" in guild.ok("run", "deep:train", "--help-op")
    assert "several models have an operation 'train'" in guild.refused("run", "train", "-y")
