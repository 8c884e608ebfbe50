"""Proves that a plain file is an operation, and that what is none is refused with a reason."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from operations.definitions import FlagDef
from operations.script_flags import ScriptError
from operations.scripts import ScriptOperationError, looks_like_script, script_operation
from tests.kit import as_nobody, public_folder


def script(project: Path, name: str, text: str = "", mode: int = 0o644) -> Path:
    """Write a file of the project."""
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("path", ["train.py", "./train.py", "sub/../train.py", "{project}/train.py"])
def test_a_python_script_is_an_operation_with_its_flags(tmp_path: Path, path: str) -> None:
    """Of a model without a name; it is called like its path in the project, however that was written."""
    script(tmp_path, "train.py", "lr = 0.1\n")

    model, operation = script_operation(path.format(project=tmp_path), str(tmp_path))

    assert (model.name, model.operations, model.project) == ("", (operation,), str(tmp_path))
    assert (operation.name, operation.main, operation.flags_dest) == ("train.py", "train.py", "globals")
    assert operation.flags == (FlagDef("lr", 0.1, type="number"),)


def test_the_name_of_a_script_may_be_anything(tmp_path: Path) -> None:
    """Blanks, quotes and what looks like a reference are part of it."""
    name = "sub dir/it's ${lr}.py"
    script(tmp_path, name, "x = 1")
    _, operation = script_operation(name, str(tmp_path))
    assert operation.name == name
    assert shlex.split(operation.main.replace("\\${", "${")) == [name]
    assert [flag.name for flag in operation.flags] == ["x"]


@pytest.mark.parametrize(
    ("name", "text", "mode", "command"),
    [
        ("run.sh", "echo hi\n", 0o644, ["sh", "./run.sh"]),
        ("run.sh", "echo hi\n", 0o755, ["sh", "./run.sh"]),
        ("run.sh", "#!/bin/bash -eu\n", 0o644, ["/bin/bash", "-eu", "./run.sh"]),
        ("run.sh", "#!/usr/bin/env bash\n", 0o755, ["./run.sh"]),
        ("bin/fit", "#!/usr/bin/env Rscript\n", 0o755, ["./bin/fit"]),
        ("bin/fit", "\x7fELF", 0o755, ["./bin/fit"]),
        ("a b.sh", "", 0o644, ["sh", "./a b.sh"]),
    ],
)
def test_other_programs_get_flags_as_arguments(
    tmp_path: Path, name: str, text: str, mode: int, command: list[str]
) -> None:
    """A shell script runs in the shell it asks for; anything else must be executable."""
    script(tmp_path, name, text, mode)
    _, operation = script_operation(name, str(tmp_path))
    assert shlex.split(operation.exec) == [*command, "${flag_args}"]
    assert (operation.name, operation.main, operation.flags, operation.flags_dest) == (name, "", (), "args")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trian.py", r"there is no script 'trian.py' \(did you mean 'train.py'\?\)"),
        ("none/x.py", "there is no script 'none/x.py'"),
        ("x\0.py", "there is no script"),
        ("sub", "'sub' is a directory"),
        ("../outside.py", "outside the project"),
        ("book.ipynb", "is a notebook"),
        ("data.csv", "neither Python"),
        ("pipe.py", "not a regular file"),
    ],
)
def test_what_is_no_script_is_refused(tmp_path: Path, path: str, message: str) -> None:
    """With what it is instead."""
    project = tmp_path / "project"
    for name in ("train.py", "sub/x", "book.ipynb", "data.csv", "../outside.py"):
        script(project, name)
    os.mkfifo(project / "pipe.py")
    with pytest.raises(ScriptOperationError, match=message):
        script_operation(path, str(project))


def test_a_script_that_may_not_be_read_is_refused() -> None:
    """Whoever may read everything, as root, finds it empty and runs it."""
    with public_folder() as folder:
        path = script(folder, "secret.py", mode=0o000)
        if os.access(path, os.R_OK):
            assert script_operation("secret.py", str(folder))[1].flags == ()
        told = as_nobody(lambda: str(script_operation("secret.py", str(folder))))
    assert told == "ScriptOperationError: script 'secret.py' cannot be read"


def test_a_script_with_a_mistake_is_refused(tmp_path: Path) -> None:
    """By file and line, before a run is made."""
    script(tmp_path, "bad.py", "x = 1\ny = = 2\n")
    with pytest.raises(ScriptError, match="line 2"):
        script_operation("bad.py", str(tmp_path))


def test_scripts_are_told_from_operations_by_their_looks() -> None:
    """An ending or a directory, but no model."""
    assert [looks_like_script(text) for text in ("train.py", "run.sh", "a/b", "x.ipynb")] == [True] * 4
    assert [looks_like_script(text) for text in ("train", "m:train", "./m:train", "data.csv")] == [False] * 4
