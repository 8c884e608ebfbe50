"""Proves on a built wheel that it installs alone, adds one name, and is not misled by foreign packages.

The clean environment is made without the network: it gets the wheel and, by symbolic link, the distributions
that the wheel's own metadata asks for, and theirs. So a dependency that is used but not declared is missing;
for imports inside functions, which no import of a module reaches, the source itself is read.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from guild_ledger import __version__
from guild_ledger.main import PACKAGES

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that holds the wheel, its dependencies and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin/python"

    @property
    def packages(self) -> Path:
        """The site-packages folder."""
        return next(self.folder.glob("lib/python*/site-packages"))

    @property
    def requirements(self) -> list[str]:
        """What the wheel's metadata asks for."""
        metadata = next(self.packages.glob("guild_ledger-*.dist-info"))
        return importlib.metadata.Distribution.at(metadata).requires or []

    def run(self, *command: str | Path, cwd: Path, pythonpath: Path | None = None) -> str:
        """Run `command` with nothing of our own environment and return what it prints, errors included."""
        environment = {"PATH": os.defpath, "HOME": str(cwd), "GUILD_HOME": str(cwd / "guild home")}
        if pythonpath:
            environment["PYTHONPATH"] = str(pythonpath)
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel and what it asks for into a clean environment."""
    environment = Installed(tmp_path_factory.mktemp("clean"))
    venv.create(environment.folder, symlinks=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        str(environment.python),
    ]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
    for name in _closure(environment.requirements):
        _link(importlib.metadata.distribution(name), environment.packages)
    return environment


def _closure(requirements: list[str], known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of all distributions that `requirements` lead to here, optional ones left out."""
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name in known or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        known = _closure(importlib.metadata.distribution(name).requires or [], known | {name})
    return known


def _link(distribution: importlib.metadata.Distribution, packages: Path) -> None:
    """Make one distribution importable from `packages`."""
    for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Make a folder with packages of our names that break whatever imports them."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('imported the wrong {name}')\n")
    return tmp_path


def test_the_wheel_adds_exactly_one_name(wheel: Path) -> None:
    """Besides its metadata a wheel holds `guild_ledger` and nothing else at the top."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"guild_ledger", f"guild_ledger-{__version__}.dist-info"}


def test_the_wheel_holds_every_file_of_the_program(wheel: Path) -> None:
    """Nothing that lies in the program's folders stays behind, be it Python, SQL or a template."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    ours = {
        f"guild_ledger/{file.relative_to(ROOT).as_posix()}"
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert ours - packed == set()
    assert any(name.startswith("guild_ledger/migrations/") for name in packed)


def test_every_folder_of_the_program_is_a_regular_package() -> None:
    """A folder without `__init__.py` would lose to any package of its name further down the path."""
    assert [name for name in PACKAGES if not (ROOT / name / "__init__.py").is_file()] == []


def test_the_declared_dependencies_suffice_in_their_declared_versions(installed: Installed, tmp_path: Path) -> None:
    """What the wheel's metadata asks for is all there, and in versions that it accepts."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(installed.python)]
    assert "No broken requirements found." in installed.run(*pip, "check", cwd=tmp_path)


def test_every_imported_distribution_is_declared(installed: Installed) -> None:
    """What the code imports, also in functions, is in the wheel's metadata or its extra `postgres`."""
    asked_for = [Requirement(text) for text in installed.requirements]
    wanted = [item for item in asked_for if not item.marker or item.marker.evaluate({"extra": "postgres"})]
    declared = {canonicalize_name(item.name) for item in wanted}
    imported = set[str]()
    for source in (installed.packages / "guild_ledger").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_bytes())):
            imported |= {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()
            imported |= {str(node.module).split(".")[0]} if isinstance(node, ast.ImportFrom) else set()
    owners = importlib.metadata.packages_distributions()
    foreign = imported - {*sys.stdlib_module_names, *PACKAGES, "guild_ledger"}
    assert {name for name in foreign if not declared & {*map(canonicalize_name, owners.get(name, []))}} == set()


def test_every_module_imports_in_a_clean_environment(installed: Installed, hostile: Path) -> None:
    """No module needs a package that only developers have; programs of their own (`launch_`) are no modules."""
    listing = (
        "import importlib, pkgutil, sys; from guild_ledger.main import PACKAGES, claim_packages\n"
        "folder = claim_packages()\n"
        "for name in PACKAGES:\n"
        "    for found in pkgutil.walk_packages([f'{folder}/{name}'], name + '.'):\n"
        "        if name != 'migrations' and '.launch_' not in found.name: importlib.import_module(found.name)\n"
        "    print(importlib.import_module(name).__file__)\n"
    )
    found = installed.run(installed.python, "-c", listing, cwd=hostile, pythonpath=hostile)
    assert found.splitlines() == [str(installed.packages / "guild_ledger" / name / "__init__.py") for name in PACKAGES]


@pytest.mark.parametrize("way", [["bin/guild"], ["bin/python", "-m", "guild_ledger"]], ids=["script", "module"])
def test_the_working_directory_and_pythonpath_cannot_mislead_the_program(
    installed: Installed, hostile: Path, way: list[str]
) -> None:
    """A project with `commands`, `ledger` or `migrations` packages of its own does not break `guild`."""
    command = [str(installed.folder / way[0]), *way[1:]]
    assert __version__ in installed.run(*command, "--version", cwd=hostile, pythonpath=hostile)
    installed.run(*command, "runs", cwd=hostile, pythonpath=hostile)


def test_packages_loaded_before_the_program_starts_cannot_mislead_it(installed: Installed, tmp_path: Path) -> None:
    """Foreign packages of our names, already imported by a `sitecustomize` or `.pth` file, do no harm."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "main.py").write_text(f"raise SystemExit('imported the wrong {name}')\n")
    (tmp_path / "sitecustomize.py").write_text("".join(f"import {name}\n" for name in PACKAGES))
    printed = installed.run(installed.folder / "bin/guild", "--version", cwd=tmp_path, pythonpath=tmp_path)
    assert __version__ in printed


def test_the_checkout_claims_its_own_folders(hostile: Path) -> None:
    """In a checkout the folders lie beside `guild_ledger`, and win over the working directory as well."""
    code = "from guild_ledger.main import *; print(claim_packages()); import ledger; print(ledger.__file__)"
    environment = {"PYTHONPATH": f"{hostile}{os.pathsep}{ROOT}", "PATH": os.defpath}
    command = [sys.executable, "-c", code]
    printed = subprocess.check_output(command, cwd=hostile, env=environment, text=True)
    assert printed.splitlines() == [str(ROOT), str(ROOT / "ledger/__init__.py")]


def test_the_way_in_imports_nothing_that_costs_time() -> None:
    """`guild` starts with this module: it may add no import to those that the command line needs anyway."""
    code = "import click, sys; old = {*sys.modules}; import guild_ledger.main; print({*sys.modules} - old)"
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert sorted(printed.strip("{}\n").split(", ")) == [
        "'guild_ledger'",
        "'guild_ledger.deferred'",
        "'guild_ledger.main'",
    ]
