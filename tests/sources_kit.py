"""What tests of source snapshots share: a project, with git or without, and a home to keep it in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.source_rules import DEFAULT_RULES, SnapshotRules
from artifacts.sources import Snapshot, SnapshotPlan, take_snapshot
from tests.kit import NOBODY

ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@pytest.fixture(name="home")
def home_fixture(tmp_path: Path) -> Home:
    """Give a home outside the project."""
    return Home(str(tmp_path / "home"))


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    """Give an empty project outside git."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git as the user would; return what it printed."""
    return subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env=ENV,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def fake_git(folder: Path, script: str) -> dict[str, str]:
    """Return an environment in which git is `script`."""
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\n" + script)
    (folder / "git").chmod(0o755)
    return {**ENV, "PATH": f"{folder}{os.pathsep}{ENV['PATH']}"}


def given_away(repository: Path) -> dict[str, str]:
    """Make a repository somebody else's, and return the environment in which git takes it for such.

    Only root can really give it away. For others git is told to, by the variable that it has for tests of its own.
    """
    if os.geteuid() == 0:
        for path in (repository, repository / ".git"):
            os.chown(path, NOBODY, NOBODY)
        return ENV
    script = f'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n'
    return fake_git(repository.parent / "suspicious", script)


def fill(folder: Path, *names: str) -> None:
    """Make files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names(plan: SnapshotPlan) -> list[str]:
    """Return the paths that a snapshot would hold, in its order."""
    return [file.path for file in plan.files]


def take(home: Home, project: Path, rules: SnapshotRules = DEFAULT_RULES) -> Snapshot:
    """Take a snapshot, which must work."""
    snapshot = take_snapshot(home, str(project), ENV, rules)
    assert isinstance(snapshot, Snapshot), snapshot
    return snapshot
