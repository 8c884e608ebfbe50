"""Packages that are installed: found by what they declare, in any interpreter, however damaged the others are."""

from __future__ import annotations

import sys
import venv
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from ledger.errors import GuildError
from operations.catalog import Catalog
from operations.model_file import load_model_file
from operations.packages import Carried, Installed, installed_packages, models_of, package_resource_finder
from tests.packages_kit import (
    MODEL,
    Project,
    declare,
    project_fixture,  # noqa: F401 - a fixture
)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the interpreter of another environment than ours."""
    folder = tmp_path_factory.mktemp("other")
    venv.create(folder, symlinks=True)
    return folder / "bin/python"


class Finder(Protocol):
    """Lists packages."""

    def __call__(self, *, everything: bool = False) -> tuple[Installed, ...]:
        """Return those that are found."""
        ...


@pytest.fixture(params=["own", "other"])
def found_in(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Path) -> Finder:
    """Give what lists the packages below `tmp_path`: in this process, and asked of another interpreter."""
    if request.param == "own":
        monkeypatch.setattr(sys, "path", [str(tmp_path / "near"), str(tmp_path / "far"), *sys.path])

    def found(*, everything: bool = False) -> tuple[Installed, ...]:
        interpreter = sys.executable if request.param == "own" else str(other)
        env = {"PYTHONPATH": f"{tmp_path / 'near'}:{tmp_path / 'far'}"}
        return installed_packages(interpreter, env, everything=everything)

    return found


def test_packages_are_found_by_what_they_declare(found_in: Finder, tmp_path: Path) -> None:
    """A distribution that carries models is found with its folder; nothing of it is imported."""
    declare(tmp_path / "near", "iris-models", MODEL)
    (tmp_path / "near/iris_models/__init__.py").write_text("raise SystemExit('imported')")
    (one,) = found_in()
    assert (one.name, one.version, one.summary) == ("iris-models", "1.0", "About iris-models")
    assert one.location == str(tmp_path / "near")
    assert one.carried == (Carried("iris-models", "iris_models", str(tmp_path / "near/iris_models")),)
    (model,) = models_of([one], pytest.fail)
    assert (model.package, model.project, model.name) == ("iris-models", str(tmp_path / "near/iris_models"), "cnn")


def test_the_nearest_version_is_the_one_that_counts(found_in: Finder, tmp_path: Path) -> None:
    """Of a distribution that is there twice only the one that imports find is listed, even if it carries nothing."""
    declare(tmp_path / "near", "iris", MODEL, version="2.0")
    declare(tmp_path / "far", "iris", MODEL, version="1.0")
    declare(tmp_path / "far", "tulip", MODEL)
    info = tmp_path / "near/tulip-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tulip\nVersion: 3.0\n")
    found = found_in()
    assert [(one.name, one.version) for one in found] == [("iris", "2.0")]
    everything = {one.name: one.version for one in found_in(everything=True)}
    assert (everything["iris"], everything["tulip"]) == ("2.0", "3.0")


def test_a_damaged_distribution_does_not_hide_the_others(found_in: Finder, tmp_path: Path) -> None:
    """Metadata that is missing, empty or no text is passed over."""
    declare(tmp_path / "near", "good", MODEL)
    for name, text in (("a", None), ("b", b""), ("c", b"\xff\xfe\x00")):
        declare(tmp_path / "near", name, None)
        path = tmp_path / f"near/{name}-1.0.dist-info/METADATA"
        path.unlink() if text is None else path.write_bytes(text)
    (tmp_path / "near/c-1.0.dist-info/entry_points.txt").write_bytes(b"[guild_ledger.models\n\xff= =\n")
    found = found_in()
    assert [one.name for one in found] == ["good"]


@pytest.mark.parametrize(
    ("models", "entry", "why"),
    [
        ("{name: cnn, operations: 5}\n", None, "operations"),
        ("[[[", None, "MODELS"),
        (None, None, "not there"),
        (MODEL, "bad = ../../etc", "not there"),
        (MODEL, "a/b = bad", "is no name"),
        (MODEL, ". = bad", "is no name"),
    ],
)
def test_a_broken_package_is_passed_over_with_a_warning(
    found_in: Finder, tmp_path: Path, models: str | None, entry: str | None, why: str
) -> None:
    """Whatever is wrong with one package, the others can be used."""
    declare(tmp_path / "near", "bad", models, entry=entry)
    declare(tmp_path / "near", "good", MODEL)
    warnings: list[str] = []
    models_found = models_of(found_in(), warnings.append)
    assert [model.package for model in models_found] == ["good"]
    (warning,) = warnings
    assert "package bad 1.0" in warning
    assert why in warning


def test_two_distributions_cannot_share_one_name_of_models(found_in: Finder, tmp_path: Path) -> None:
    """The second that claims a name is passed over, and told of."""
    declare(tmp_path / "near", "first", MODEL, entry="iris = first")
    declare(tmp_path / "near", "second", MODEL, entry="iris = second")
    warnings: list[str] = []
    (model,) = models_of(found_in(), warnings.append)
    assert model.project == str(tmp_path / "near/first")
    assert "package second 1.0 carries models under the name 'iris' of package first 1.0" in warnings[0]


def test_an_interpreter_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """What the interpreter said last is part of the message."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho no such luck >&2\nexit 7\n")
    python.chmod(0o755)
    with pytest.raises(GuildError, match="no such luck"):
        installed_packages(str(python), {})
    python.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(GuildError, match="does not tell"):
        installed_packages(str(python), {})


def test_packages_are_not_asked_for_when_something_nearer_fits(project: Project) -> None:
    """An operation of the model file is found without looking at what is installed."""
    asked: list[str] = []

    def packaged() -> list[object]:
        asked.append("asked")
        return []

    catalog = Catalog(str(project.folder), packaged)  # type: ignore[arg-type]  # no models at all
    assert catalog.find("train").project == str(project.folder)
    assert not asked
    with pytest.raises(GuildError):
        catalog.find("nope")
    assert asked


def test_resources_of_packages_are_found_by_their_names(tmp_path: Path) -> None:
    """`PACKAGE/RES` and `PACKAGE/MODEL:RES` name a resource; the spelling of the package does not matter."""
    (tmp_path / "MODELS").write_text(MODEL)
    models = [
        replace(model, package="iris-models", project=str(tmp_path))
        for model in load_model_file(str(tmp_path / "MODELS")).models
    ]
    find = package_resource_finder(models)
    for name in ("iris-models/data", "Iris_Models/cnn:data"):
        found = find(name)
        assert found is not None
        assert (found[0].name, found[1]) == ("data", str(tmp_path))
    for name in ("iris-models/other", "tulip/data", "iris-models/rnn:data", "data", "/data"):
        assert find(name) is None
