"""Models that installed distributions carry: found by what their metadata declares, read like any other model file.

The environment is that of the interpreter that runs are made with, which need not be the one that guild lives in. It
takes a walk through all of its distributions to know, so this is only asked when nothing nearer fits.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from ledger.dataclass import dataclass, replace
from ledger.errors import GuildError
from ledger.text import printable
from operations.package_probe import probe

if TYPE_CHECKING:
    from operations.definitions import ModelDef, ModelFile, ResourceDef
    from operations.package_probe import Row
    from operations.requirements import PackageResources

_ASKING_SECONDS = 60.0
_ASK = (
    "import sys; sys.path[:] = filter(None, sys.path); import json, runpy; "
    "print('\\n' + json.dumps(runpy.run_path(sys.argv[1])['probe'](sys.argv[2] == 'all')))"
)
_NO_NAME = re.compile(r"[/:=\s\x00-\x1f]|^[-.]|^$")

Warn = Callable[[str], None]
"""Takes one text about something that was passed over."""

InstalledPackages = Callable[[], "Sequence[Installed]"]
"""Gives the installed packages that carry models; raises a `GuildError` when nobody can tell."""


class PackagesError(GuildError):
    """The packages of an environment cannot be listed."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Models that a distribution says it carries.

    Attributes:
        package: what they are called by: `PACKAGE/MODEL:OPERATION`.
        target: the import package that it names.
        folder: absolute directory of it, empty when there is none.
    """

    package: str
    target: str
    folder: str


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed distribution.

    Attributes:
        name: as its metadata has it.
        version: likewise.
        summary: one line, may be empty.
        location: the directory that it is installed in.
        carried: the models that it carries.
    """

    name: str
    version: str
    summary: str
    location: str
    carried: tuple[Carried, ...]


def installed_packages(interpreter: str, env: Mapping[str, str], *, everything: bool = False) -> tuple[Installed, ...]:
    """Return the distributions of an interpreter that carry models, sorted by name; nothing of them is imported.

    Args:
        interpreter: path of a Python.
        env: environment for it.
        everything: whether distributions without models are listed as well.

    Raises:
        PackagesError: the interpreter does not answer.
    """
    rows = probe(everything) if _is_own(interpreter) else _ask(interpreter, env, everything)
    found = [
        Installed(name, version, " ".join(summary.split()), location, tuple(Carried(*entry) for entry in entries))
        for name, version, summary, location, entries in rows
    ]
    return tuple(sorted(found, key=lambda one: normalised(one.name)))


def normalised(name: str) -> str:
    """Return the one spelling that all spellings of a distribution's name have in common."""
    return re.sub("[-_.]+", "-", name).lower()


def models_of(packages: Sequence[Installed], warn: Warn) -> tuple[ModelDef, ...]:
    """Return the models that distributions carry, each with its package and project.

    A package whose model file is missing or cannot be used is passed over, with a warning.
    """
    models: list[ModelDef] = []
    known: dict[str, str] = {}
    for one in packages:
        for carried in one.carried:
            name = carried.package
            if name in known:
                warn(f"{_named(one)} carries models under the name '{printable(name)}' of {known[name]}; passed over")
                continue
            try:
                file = model_file_of(carried, lambda: packages)
            except GuildError as error:
                warn(f"the models of {_named(one)} cannot be used: {error.message}")
                continue
            known[name] = _named(one)
            models += (replace(model, package=name, project=file.project) for model in file.models)
    return tuple(models)


def model_file_of(carried: Carried, installed: InstalledPackages) -> ModelFile:
    """Read the model file of a package; `installed` gives those that its models may extend others of.

    Raises:
        GuildError: there is none, or it cannot be used.
    """
    from operations.model_file import load_model_file

    return load_model_file(model_path_of(carried), installed)


def model_path_of(carried: Carried) -> str:
    """Return the path of the model file of a package.

    Raises:
        GuildError: there is none.
    """
    from operations.model_file_path import find_model_file

    if _NO_NAME.search(carried.package):
        raise GuildError(f"'{printable(carried.package)}' is no name for a package of models")
    if not carried.folder:
        raise GuildError(f"import package '{printable(carried.target)}', which it names, is not there")
    path = find_model_file(carried.folder)
    if path is None:
        raise GuildError(f"there is no model file in {carried.folder!r}")
    return path


def packaged_models(installed: InstalledPackages, warn: Warn) -> tuple[ModelDef, ...]:
    """Return the models of all packages; what cannot be used is passed over, with a warning."""
    try:
        packages = installed()
    except PackagesError as error:
        warn(f"packages are not looked at: {error.message}")
        return ()
    return models_of(packages, warn)


def package_resource_finder(models: Sequence[ModelDef]) -> PackageResources:
    """Return what finds the resource that `PACKAGE/RES` or `PACKAGE/MODEL:RES` names, and the package's directory."""

    def find(name: str) -> tuple[ResourceDef, str] | None:
        package, _, rest = name.partition("/")
        model_name, colon, resource_name = rest.rpartition(":")
        for model in models:
            if normalised(model.package or "") != normalised(package) or (colon and model.name != model_name):
                continue
            for resource in model.resources:
                if resource.name == resource_name:
                    return resource, model.project
        return None

    return find


def _named(one: Installed) -> str:
    return f"package {printable(one.name)} {printable(one.version)}"


def _is_own(interpreter: str) -> bool:
    """Tell whether it is this program's own; two environments often have links to one and the same file."""
    prefix = os.path.dirname(os.path.dirname(interpreter))
    return interpreter == sys.executable or os.path.realpath(prefix) == os.path.realpath(sys.prefix)


def _ask(interpreter: str, env: Mapping[str, str], everything: bool) -> list[Row]:
    import json
    import subprocess

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "package_probe.py")
    command = [interpreter, "-c", _ASK, path, "all" if everything else "models"]
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASKING_SECONDS, check=False
        )
        if done.returncode != 0:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise _no_answer(interpreter, last or f"exit code {done.returncode}")
        return cast("list[Row]", json.loads(done.stdout.decode().rstrip().rpartition("\n")[2]))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _no_answer(interpreter, str(error)) from error


def _no_answer(interpreter: str, why: str) -> PackagesError:
    return PackagesError(
        f"{interpreter!r} does not tell what is installed: {printable(why)}",
        hint="Is the environment that is active (VIRTUAL_ENV, CONDA_PREFIX) whole?",
    )
