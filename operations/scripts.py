"""Make an operation of a plain file, so that `guild run train.py lr=0.1` needs no model file."""

from __future__ import annotations

import os
import shlex

from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.definitions import ModelDef, OperationDef
from operations.importing import with_imported_flags

_LONGEST_PATH = 4096
_LONGEST_LINE = 1024
_SHELL = "sh"


class ScriptOperationError(GuildError):
    """A file cannot be run as an operation; nothing was started."""


def script_operation(path: str, project: str) -> tuple[ModelDef, OperationDef]:
    """Return the operation that runs a file, in a model without a name.

    A `.py` file runs in Python with the flags that are found in it, and so does a package with a `__main__.py`. A
    shell script, or any file that may be executed, gets whatever flags are given as arguments. The operation is
    called like the path in the project.

    Args:
        path: of the file or package, relative to the project or absolute.
        project: the absolute directory that counts as its project.

    Raises:
        ScriptOperationError: the file is not there, not in the project, or nothing that can be run.
        ScriptError: it is a `.py` file but no Python.
    """
    full = os.path.normpath(os.path.join(project, path))
    _check(path, full, project)
    name = os.path.relpath(full, project)
    if os.path.isdir(full) or name.endswith(".py"):
        operation = OperationDef(name, main=_word(name), flags_import="all")
        operation = with_imported_flags(operation, project, ())
    else:
        command = " ".join(_word(word) for word in _command(full, name))
        operation = OperationDef(
            name, exec=f"{command} ${{flag_args}}", flags_import=(), flags_dest="args", any_flags=True
        )
    return ModelDef("", operations=(operation,), project=project), operation


def looks_like_script(text: str) -> bool:
    """Return whether a name means a file rather than an operation of a model, by its looks alone."""
    return text.endswith((".py", ".sh", ".ipynb")) or (os.sep in text and ":" not in text)


def is_program_package(path: str) -> bool:
    """Return whether a directory is one that `python -m` runs, by a name that `-m` understands."""
    name = os.path.basename(os.path.normpath(path))
    return name.isidentifier() and os.path.isfile(os.path.join(path, "__main__.py"))


def _check(path: str, full: str, project: str) -> None:
    shown = printable(path, _LONGEST_PATH)
    try:
        exists = os.path.exists(full)
    except ValueError:  # a zero character
        exists = False
    if not exists:
        raise _missing(path, full)
    is_package = full != os.path.normpath(project) and is_program_package(full)
    if os.path.isdir(full) and not is_package:
        raise ScriptOperationError(
            f"'{shown}' is a directory, not a script",
            hint="Give a file in it, or change into the directory and run one of its operations",
        )
    if os.path.commonpath((os.path.normpath(project), full)) != os.path.normpath(project):
        raise ScriptOperationError(
            f"script '{shown}' lies outside the project directory {printable(project, _LONGEST_PATH)}",
            hint="Change to the directory of the script and run it there",
        )
    if full.endswith(".ipynb"):
        raise ScriptOperationError(
            f"'{shown}' is a notebook, which cannot be run as an operation",
            hint=f"Make a script of it: jupyter nbconvert --to script {shlex.quote(shown)}",
        )
    if not (is_package or os.path.isfile(full)):
        raise ScriptOperationError(f"'{shown}' is not a regular file, so it cannot be run as a script")
    if not os.access(full, os.R_OK):
        raise ScriptOperationError(f"script '{shown}' cannot be read", hint=f"Try: chmod u+r {shlex.quote(shown)}")


def _missing(path: str, full: str) -> ScriptOperationError:
    directory, name = os.path.split(full)
    try:
        names = [entry for entry in os.listdir(directory) if looks_like_script(entry)]
    except (OSError, ValueError):
        names = []
    near = did_you_mean(name, names)
    hint = f"Scripts there: {', '.join(printable(one) for one in sorted(names)[:10])}" if names else None
    return ScriptOperationError(f"there is no script '{printable(path, _LONGEST_PATH)}'{near}", hint=hint)


def _command(full: str, name: str) -> list[str]:
    """Return the words that start a file which is not Python."""
    first = _first_line(full)
    here = os.path.join(".", name)
    if first.startswith("#!") and os.access(full, os.X_OK):
        return [here]
    if full.endswith(".sh"):
        # A shebang has at most one argument, which may hold blanks.
        return [*(first[2:].split(maxsplit=1) if first.startswith("#!") else [_SHELL]), here]
    if os.access(full, os.X_OK):
        return [here]
    shown = printable(name, _LONGEST_PATH)
    raise ScriptOperationError(
        f"'{shown}' cannot be run: it is neither Python (.py) nor a shell script (.sh), and may not be executed",
        hint=f"If it is a program, try: chmod u+x {shlex.quote(shown)}",
    )


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.readline(_LONGEST_LINE)).strip()
    except OSError as error:
        shown = printable(path, _LONGEST_PATH)
        raise ScriptOperationError(f"script '{shown}' cannot be read: {error.strerror}") from error


def _word(text: str) -> str:
    """Return a word as the command of an operation spells it; a `${` in a file's name is no reference."""
    return shlex.quote(text.replace("${", "\\${"))
