"""What is copied from another home is what it says, and what cannot be copied is told, and keeps nothing else back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artifacts.bringing import Brought, bring_all
from artifacts.home import Home
from artifacts.source_manifest import SourceFile, manifest_bytes, snapshot_digest
from tests.kit import powerless, public_folder, run_id


def home_in(folder: Path, name: str) -> Home:
    """Return a new home with its folders."""
    home = Home(str(folder / name))
    home.ensure()
    os.makedirs(home.sources_dir, exist_ok=True)
    os.makedirs(home.runs_dir, exist_ok=True)
    return home


def snapshot(home: Home) -> Path:
    """Write a source snapshot of one file, and return its folder."""
    file = SourceFile("a.py", "f", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    folder = Path(home.sources_dir, snapshot_digest([file]))
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a.py").touch()
    (folder / "manifest").write_bytes(manifest_bytes([file]))
    return folder


def bring(here: Home, there: Home) -> Brought:
    """Copy all that is there."""
    return bring_all(here, there, lambda runs: runs, lambda _runs: None)


@pytest.mark.parametrize("change", ["none", "content", "more", "manifest", "executable", "link", "outside"])
def test_only_a_source_snapshot_that_is_what_its_name_says_is_copied(tmp_path: Path, change: str) -> None:
    """It is trusted for ever by its name; a link instead of a folder is not followed."""
    here, there = home_in(tmp_path, "here"), home_in(tmp_path, "there")
    folder = snapshot(there)
    if change == "content":
        (folder / "files" / "a.py").write_text("other")
    elif change == "more":
        (folder / "files" / "b.py").touch()
    elif change == "manifest":
        (folder / "manifest").write_text("")
    elif change == "executable":
        (folder / "files" / "a.py").chmod(0o755)
    elif change == "link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    elif change == "outside":
        (folder / "files").rename(tmp_path / "files")
        (folder / "files").symlink_to(tmp_path / "files")
    brought = bring(here, there)
    if change == "none":
        assert (brought.sources, brought.failed, os.listdir(here.sources_dir)) == (1, [], [folder.name])
    else:
        assert (brought.sources, os.listdir(here.sources_dir)) == (0, [])
        assert [path for path, _ in brought.failed] == [str(folder)]


def test_a_run_directory_that_its_mode_protects_is_copied() -> None:
    """Its owner may not rename it as it is; it keeps its mode, and the others come along."""
    with public_folder() as folder:
        here, there = home_in(folder, "here"), home_in(folder, "there")
        for number in (1, 2):
            Path(there.runs_dir, run_id(number)).mkdir(0o777)
        Path(there.runs_dir, run_id(1)).chmod(0o555)
        with powerless(folder):
            brought = bring(here, there)
        assert (brought.runs, brought.failed) == (2, [])
        assert Path(here.importing_run_dir(run_id(1))).stat().st_mode & 0o777 == 0o555


def test_a_run_directory_that_cannot_get_its_name_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system refuses to one is told; the others are there."""
    here, there = home_in(tmp_path, "here"), home_in(tmp_path, "there")
    for number in (1, 2):
        Path(there.runs_dir, run_id(number)).mkdir()
    real = os.rename

    def rename(source: str, target: str) -> None:
        if source.endswith(run_id(1)):
            raise OSError(5, "Input/output error", source)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    brought = bring(here, there)
    assert (brought.runs, [path for path, _ in brought.failed]) == (1, [run_id(1)])
    assert os.path.isdir(here.importing_run_dir(run_id(2)))
