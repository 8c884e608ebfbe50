"""What tests of packages share: a project to build from, and distributions that declare models."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from artifacts.home import Home
from operations.model_file import load_model_file
from operations.package_build import Built, build_package

MODELS = """\
- package: iris-models
  version: 1.0
  description: Irises, modelled
- name: iris-cnn
  operations: {train: train}
  resources:
    data: [{file: iris.csv}]
"""


class Project:
    """A project that can be built, and what was warned of meanwhile."""

    def __init__(self, folder: Path, models: str = MODELS) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = Home(str(folder / "home"))
        self.warnings: list[str] = []
        self.write("MODELS", models)
        self.write("train.py", "print('training')\n")

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def build(self, *, force: bool = False, program: str = "test") -> Built:
        """Build the wheel into `dist`."""
        return build_package(
            load_model_file(str(self.folder / "MODELS")),
            str(self.folder / "dist"),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            home=self.home,
            program=program,
            force=force,
            warn=self.warnings.append,
        )

    def built(self) -> dict[str, bytes]:
        """Build the wheel and return its files."""
        with zipfile.ZipFile(self.build().path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Project:
    """Give a project with a package."""
    return Project(tmp_path)


def declare(site: Path, name: str, models: str | None, *, entry: str | None = None, version: str = "1.0") -> None:
    """Put a distribution into a folder as pip leaves it, with one package of models."""
    folder = name.replace("-", "_")
    if models is not None:
        (site / folder).mkdir(parents=True, exist_ok=True)
        (site / folder / "MODELS").write_text(models)
    info = site / f"{folder}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: About {name}\n")
    (info / "entry_points.txt").write_text(f"[guild_ledger.models]\n{entry or f'{name} = {folder}'}\n")


MODEL = "{name: cnn, operations: {train: train}, resources: {data: [{file: x.csv}]}}\n"
