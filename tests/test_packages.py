"""Wheels of projects: how they are called, what they say and hold, and what is refused."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import subprocess
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.version import Version

from ledger.errors import GuildError
from operations.definitions import PackageDef
from operations.package_metadata import PackageError, Readme, identity_of, metadata_text, normal_version
from tests.packages_kit import (
    MODELS,
    Project,
    project_fixture,  # noqa: F401 - a fixture
)


def with_package(extra: str) -> str:
    """Return the model file with more lines under its package."""
    return MODELS.replace("  version: 1.0\n", f"  version: 1.0\n  {extra}\n")


# --- What it is called and says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["1", "1.0", "v1.2.3", "1.0-beta.2", "1.0c1", "1.0.preview", "2!1.0", "1.0-3", "1.0.rev4", "1.0_post", "1.0.DEV3",
     "1.0a2.post3.dev4", "1.0+Local-2.03", "001.02", "1.0alpha", "0!1.0"],
)  # fmt: skip
def test_versions_get_their_normal_form(text: str) -> None:
    """Whatever spelling of a version pip understands becomes the one that it would write."""
    assert normal_version(text) == str(Version(text))


@pytest.mark.parametrize("text", ["", "one", "1.0-", "1..0", "1.0+", "1.0 beta x", "1.0/../..", "\u0661.\u0660"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """A version that pip would refuse is refused before anything is written."""
    with pytest.raises(PackageError, match="version"):
        normal_version(text)


@pytest.mark.parametrize("name", ["-x", "x-", "a b", "a/b", "ä", "", "../x", "Guild_Ledger", "guild"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A package needs a name that pip takes, and not this program's."""
    with pytest.raises(PackageError):
        identity_of(PackageDef(name, "1"))


def test_a_wheel_is_called_after_the_normal_forms() -> None:
    """The file, the metadata folder and the import package are named as the specification of wheels wants it."""
    one = identity_of(PackageDef("Iris.Models-CNN", "1.0-beta"))
    assert one.wheel_name == "iris_models_cnn-1.0b0-py3-none-any.whl"
    assert one.info_dir == "iris_models_cnn-1.0b0.dist-info"
    assert one.import_package == "iris_models_cnn"
    assert identity_of(PackageDef("3d", "1")).import_package == "model_3d"
    assert identity_of(PackageDef("class", "1")).import_package == "model_class"


def test_metadata_is_what_the_packaging_authority_reads() -> None:
    """All that the model file says stands where a strict reader of metadata finds it."""
    package = PackageDef(
        name="iris-models", version="1.0", description="Irises\nAt length.", url="https://example.com/iris",
        author="Ada", author_email="ada@example.com", license="MIT OR Apache-2.0", tags=("iris", "a, b"),
        python_requires=">=3.9,<4,!=3.9.*", requires=("numpy>=1.26", "pandas[excel] ~= 2.1 ; python_version < '4'"),
    )  # fmt: skip
    text = metadata_text(package, identity_of(package), Readme("# Iris\n\nA: b", "text/markdown"), ["LICENSE"])
    read = Metadata.from_email(text.encode())
    assert (read.name, str(read.version), read.summary, read.author) == ("iris-models", "1.0", "Irises", "Ada")
    assert read.license_expression == "MIT OR Apache-2.0"
    assert read.license_files == ["LICENSE"]
    assert read.keywords == ["iris", "a b"]
    assert read.project_urls == {"Homepage": "https://example.com/iris"}
    assert str(read.requires_python) == "!=3.9.*,<4,>=3.9"
    assert next(str(one) for one in read.requires_dist or []) == "numpy>=1.26"
    assert (read.description or "").strip() == "# Iris\n\nA: b"


def test_a_value_cannot_add_a_header() -> None:
    """Line breaks in a value stay in its line."""
    package = PackageDef("x", "1", author="Ada\nRequires-Dist: evil", license="Mine\n\nbody", description="a\r\nb")
    read = message_from_string(metadata_text(package, identity_of(package), None, []))
    assert read.get_all("Requires-Dist") is None
    assert read["License"] == "Mine body"
    assert read["Author"] == "Ada Requires-Dist: evil"


@pytest.mark.parametrize("requires", ["numpy>=", "-e .", "--index-url=x", "numpy >> 1", "a b", "numpy>=x.y", ""])
def test_what_is_no_requirement_is_refused(requires: str) -> None:
    """A requirement that pip would choke on is refused, and named."""
    package = PackageDef("x", "1", requires=(requires,))
    with pytest.raises(PackageError, match="requires"):
        metadata_text(package, identity_of(package), None, [])


@pytest.mark.parametrize("text", ["3.11", ">=three", ">=3.11;", "=>3"])
def test_what_is_no_condition_on_python_is_refused(text: str) -> None:
    """`python-requires` is a list of conditions on versions, or nothing."""
    package = PackageDef("x", "1", python_requires=text)
    with pytest.raises(PackageError, match="python-requires"):
        metadata_text(package, identity_of(package), None, [])


# --- What it holds ----------------------------------------------------------------------------------------------------


def test_a_wheel_holds_the_project_below_one_import_package(project: Project) -> None:
    """Model file, code and readme lie below one folder, laid out as in the project; two files say what they are."""
    project.write("lib/net.py", "")
    project.write("README.md", "# Iris\n")
    files = project.built()
    info = "iris_models-1.0.dist-info"
    assert set(files) == {
        *("iris_models/MODELS", "iris_models/train.py", "iris_models/lib/net.py", "iris_models/README.md"),
        *("iris_models/__init__.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/entry_points.txt"),
        f"{info}/RECORD",
    }
    assert files[f"{info}/entry_points.txt"] == b"[guild_ledger.models]\niris-models = iris_models\n"
    assert list(files)[-1] == f"{info}/RECORD"


def test_the_record_lists_every_file_with_its_digest(project: Project) -> None:
    """What RECORD says of a file is so, also of one with a comma and quotes in its name."""
    project.write('a, "b".txt', "x")
    files = project.built()
    listed = {
        name: (digest, size) for name, digest, size in csv.reader(io.StringIO(next(reversed(files.values())).decode()))
    }
    assert listed.keys() == files.keys()
    for name, content in files.items():
        if not name.endswith("/RECORD"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert listed[name] == (f"sha256={digest}", str(len(content)))


def test_the_same_project_gives_the_same_bytes(project: Project) -> None:
    """Neither the time nor an earlier wheel in `dist` shows in a wheel."""
    first = project.build()
    content = Path(first.path).read_bytes()
    for path in project.folder.rglob("*"):
        os.utime(path, (1, 1))
    second = project.build()
    assert (first.is_new, second.is_new) == (True, False)
    assert Path(second.path).read_bytes() == content


def test_another_wheel_of_the_same_version_is_not_replaced_unasked(project: Project) -> None:
    """A version that was built stays what it was, unless the user insists; nothing is left beside it."""
    old = Path(project.build().path).read_bytes()
    project.write("train.py", "print('changed')\n")
    with pytest.raises(PackageError, match="there already"):
        project.build()
    path = Path(project.folder / "dist" / "iris_models-1.0-py3-none-any.whl")
    assert path.read_bytes() == old
    assert project.build(force=True).is_new
    assert path.read_bytes() != old
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_git_ignores_and_what_looks_secret_stays_behind(project: Project) -> None:
    """Only source code goes along: no environments, no ignored files, no keys; a key is told of."""
    project.write(".gitignore", "notes.txt\n")
    for path in ("notes.txt", ".venv/x.py", "id_rsa", "__pycache__/x.pyc"):
        project.write(path, "x")
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    names = {name.removeprefix("iris_models/") for name in project.built() if name.startswith("iris_models/")}
    assert names == {"MODELS", "train.py", ".gitignore", "__init__.py"}
    assert [text for text in project.warnings if "id_rsa" in text] == [
        "'id_rsa' is left out (secret); 'data-files' can take it along"
    ]


def test_data_files_take_along_what_is_no_source(project: Project) -> None:
    """A pattern takes large and ignored files along, a directory all that is in it."""
    project.write("MODELS", with_package("data-files: ['data/**/*.bin', weights]"))
    project.write(".gitignore", "data\nweights\n")
    for path in ("data/deep/er/x.bin", "data/y.bin", "data/z.txt", "weights/w.h5"):
        project.write(path, "x")
    with project.write("data/big.bin", "").open("wb") as file:
        file.truncate(2 << 20)
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    names = {name.removeprefix("iris_models/") for name in project.built()}
    assert {"data/deep/er/x.bin", "data/y.bin", "data/big.bin", "weights/w.h5"} <= names
    assert "data/z.txt" not in names


@pytest.mark.parametrize("pattern", ["../secret.txt", "/etc/passwd", "a/../../secret.txt", "link/*", "link", "file"])
def test_data_files_cannot_lead_out_of_the_project(project: Project, pattern: str) -> None:
    """Neither a path nor a link brings a file from elsewhere into the wheel; nothing is written."""
    outside = project.folder.parent / "elsewhere"
    outside.mkdir()
    for folder in (outside, outside.parent):
        (folder / "secret.txt").write_text("secret")
    (project.folder / "link").symlink_to(outside)
    (project.folder / "file").symlink_to(outside / "secret.txt")
    project.write("MODELS", with_package(f"data-files: ['{pattern}']"))
    with pytest.raises(PackageError, match=r"out of the project"):
        project.build()
    assert not (project.folder / "dist").exists()


def test_a_link_in_the_sources_is_followed_inside_and_left_out_otherwise(project: Project) -> None:
    """A wheel holds no links: one within the project becomes its file, one that leads out is told of."""
    (project.folder / "again.py").symlink_to("train.py")
    (project.folder / "out.py").symlink_to("/etc/passwd")
    (project.folder / "lib").symlink_to("..")
    files = project.built()
    assert files["iris_models/again.py"] == files["iris_models/train.py"]
    assert "iris_models/out.py" not in files
    assert len([text for text in project.warnings if "(link)" in text]) == 2


def test_data_files_that_fit_nothing_are_an_error(project: Project) -> None:
    """A package without the data that it promises is not built."""
    project.write("MODELS", with_package("data-files: ['*.h5']"))
    with pytest.raises(PackageError, match=r"'\*\.h5' under 'data-files' fits no file"):
        project.build()


def test_packages_puts_folders_where_it_says(project: Project) -> None:
    """A folder may become an import package of its own; the rest stays together."""
    project.write("MODELS", with_package("packages: {iris.net: src/net, iris_home: .}"))
    project.write("src/net/core.py", "")
    project.write("src/other.py", "")
    files = project.built()
    assert {"iris/net/core.py", "iris_home/src/other.py", "iris_home/MODELS", "iris_home/train.py"} <= set(files)
    assert files["iris_models-1.0.dist-info/entry_points.txt"].endswith(b"iris-models = iris_home\n")


@pytest.mark.parametrize(
    "packages",
    ["{../x: .}", "{x: ..}", "{x: /etc}", "{a-b: .}", "{guild_ledger: .}", "{x: nowhere}", "{x: ., y: .}", "{'': .}"],
)
def test_packages_that_make_no_sense_are_refused(project: Project, packages: str) -> None:
    """What is put elsewhere is a directory of the project, and where it goes is an import package, not this program."""
    project.write("MODELS", with_package(f"packages: {packages}"))
    with pytest.raises(GuildError):
        project.build()
    assert not (project.folder / "dist").exists()


def test_two_files_for_one_place_are_refused(project: Project) -> None:
    """Nothing in a wheel hides something else."""
    project.write("MODELS", with_package("packages: {iris_models: src}"))
    project.write("src/train.py", "")
    with pytest.raises(PackageError, match="would both become"):
        project.build()


def test_a_model_file_without_a_package_says_what_to_add(tmp_path: Path) -> None:
    """The message shows the item that is missing."""
    project = Project(tmp_path, "{name: m, operations: {train: train}}\n")
    with pytest.raises(PackageError) as caught:
        project.build()
    assert "- package: " in (caught.value.hint or "")


def test_an_executable_stays_one(project: Project) -> None:
    """A script that the project may execute may be executed in the wheel."""
    project.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    with zipfile.ZipFile(project.build().path) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes["iris_models/run.sh"] == 0o100755
    assert modes["iris_models/train.py"] == 0o100644
