"""Proves how what an operation says of its flags and what its script knows become one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations.config_files import ConfigFileError
from operations.definitions import ChoiceDef, FlagDef, OperationDef, SourceCodeDef
from operations.importing import script_path, with_imported_flags
from operations.script_flags import ScriptError

ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", default=0.1, type=float, help="Learning rate")
p.add_argument("--data", required=True)
p.add_argument("--no-cuda", action="store_true")
p.parse_args()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with scripts of every kind."""
    for name, text in {
        "train.py": ARGPARSE,
        "variables.py": "lr = 0.1\nepochs = 5\nparams = {'a': 1}\n",
        "pkg/mod.py": "inner = 1\n",
        "pkg/sub/__main__.py": "main = 1\n",
        "cli.py": "import click\n@click.command()\n@click.option('--lr', default=1)\ndef f(lr): pass\n",
        "other.py": "import typer\nx = 1\n",
        "bad.py": "x = = 1\n",
        "c.yml": "lr: 0.5\nmodel: {depth: 2}\n",
        "site/installed.py": "z = 1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def imported(project: Path, operation: OperationDef) -> tuple[str | None, dict[str, object]]:
    """Return the destination, and the default of each flag."""
    done = with_imported_flags(operation, str(project), [str(project / "site")])
    return done.flags_dest, {flag.name: flag.default for flag in done.flags}


@pytest.mark.parametrize(
    ("main", "found"),
    [
        ("train", "train.py"),
        ("train.py --data x", "train.py"),
        ("pkg.mod", "pkg/mod.py"),
        ("pkg/mod", "pkg/mod.py"),
        ("pkg.sub", "pkg/sub/__main__.py"),
        ("pkg/sub", "pkg/sub/__main__.py"),
        ("installed", "site/installed.py"),
        ("none", None),
        ("none.py", None),
        ("${script}", None),
        ("", None),
        ("'open", None),
    ],
)
def test_main_names_a_script(project: Path, main: str, found: str | None) -> None:
    """A module, a module of a directory, a package with `__main__`, or a file."""
    path = script_path(OperationDef("t", main=main), str(project), [str(project / "site")])
    assert path == (found and str(project / found))


def test_the_root_of_the_source_code_and_the_python_path_are_searched(project: Path) -> None:
    """As the process itself will search them."""
    own = OperationDef("t", main="mod", python_path=("pkg",))
    assert script_path(own, str(project), ()) == f"{project}/pkg/mod.py"
    (project / "mod.py").write_text("")
    assert script_path(own, str(project), ()) == f"{project}/pkg/mod.py", "Python finds that one first"
    rooted = OperationDef("t", main="mod", sourcecode=SourceCodeDef(root="pkg"))
    assert script_path(rooted, str(project), ()) == f"{project}/pkg/mod.py"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (OperationDef("t", main="train"), ("args", {"lr": 0.1, "data": None, "no-cuda": False})),
        (OperationDef("t", main="train --data x"), ("args", {"lr": 0.1, "no-cuda": False})),
        (
            OperationDef("t", main="train", flags_import="all", flags_import_skip=("data",)),
            ("args", {"lr": 0.1, "no-cuda": False}),
        ),
        (OperationDef("t", main="train", flags_import=("no-cuda", "x")), ("args", {"no-cuda": False, "x": None})),
        (OperationDef("t", main="train", flags_import=()), ("args", {})),
        (OperationDef("t", main="train", flags=(FlagDef("x", 1), FlagDef("lr"))), ("args", {"x": 1, "lr": 0.1})),
        (
            OperationDef("t", main="train", flags=(FlagDef("x", 1),), flags_import="all", flags_import_skip=("lr",)),
            ("args", {"x": 1, "data": None, "no-cuda": False}),
        ),
        (OperationDef("t", main="variables"), ("globals", {"lr": 0.1, "epochs": 5})),
        (OperationDef("t", main="variables", flags_dest="args"), ("args", {})),
        (OperationDef("t", main="train", flags_dest="globals"), ("globals", {})),
        (OperationDef("t", main="variables", flags_dest="global:params"), ("global:params", {"a": 1})),
        (OperationDef("t", main="cli"), ("args:click", {"lr": 1})),
        (OperationDef("t", main="cli", flags_dest="args"), ("args", {"lr": 1})),
        (OperationDef("t", main="other"), ("args", {})),
        (OperationDef("t", main="none"), ("args", {})),
        (OperationDef("t", main="none", flags_dest="globals"), ("globals", {})),
        (OperationDef("t", cmd="train"), ("args", {})),
        (OperationDef("t", exec="train.py"), ("args", {})),
        (OperationDef("t", main="train", flags_dest="config:c.yml"), ("config:c.yml", {"lr": 0.5, "model.depth": 2})),
        (OperationDef("t", exec="x", flags_dest="config:c.yml"), ("config:c.yml", {"lr": 0.5, "model.depth": 2})),
        (OperationDef("t", main="train", flags_dest="config:c.yml", flags_import=()), ("config:c.yml", {})),
        (OperationDef("t", main="train", flags_dest="config:later.yml"), ("config:later.yml", {})),
    ],
)  # fmt: skip
def test_what_is_imported_is_said_by_the_operation(
    project: Path, operation: OperationDef, expected: tuple[str, dict[str, object]]
) -> None:
    """All, some or none; from where its destination is; the early format imports nothing."""
    assert imported(project, operation) == expected


def test_own_definitions_win_attribute_by_attribute(project: Path) -> None:
    """What the operation does not say is filled in from the script."""
    own = OperationDef("t", main="train", flags=(FlagDef("lr", 0.5, choices=(ChoiceDef(0.5),)), FlagDef("data", "d")))
    assert with_imported_flags(own, str(project), ()).flags == (
        FlagDef("lr", 0.5, "Learning rate", type="float", choices=(ChoiceDef(0.5),)),
        FlagDef("data", "d", required=True, type="string"),
    )


def test_a_flag_with_another_name_is_completed_by_its_argument(project: Path) -> None:
    """`arg-name` says which option of the script is meant; it is not imported a second time."""
    own = OperationDef("t", main="train", flags=(FlagDef("rate", arg_name="lr"),), flags_import=("lr",))
    (flag,) = with_imported_flags(own, str(project), ()).flags
    assert flag == FlagDef("rate", 0.1, "Learning rate", type="float", arg_name="lr")


def test_a_changed_script_is_read_again(project: Path) -> None:
    """What is kept in memory holds for one state of the file."""
    operation = OperationDef("t", main="variables")
    assert imported(project, operation)[1]["lr"] == 0.1
    (project / "variables.py").write_text("lr = 0.25\n")
    os.utime(project / "variables.py", ns=(1, 1))
    assert imported(project, operation)[1] == {"lr": 0.25}


def test_what_cannot_be_read_is_an_error(project: Path) -> None:
    """A script with a mistake, or a configuration file that is not there although flags are wanted of it."""
    with pytest.raises(ScriptError, match=r"bad.py: .* line 1"):
        imported(project, OperationDef("t", main="bad"))
    with pytest.raises(ConfigFileError, match=r"none.yml: No such file"):
        imported(project, OperationDef("t", flags_dest="config:none.yml", flags_import="all"))
