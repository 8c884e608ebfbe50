"""What is in a source snapshot: the files of the project, with git and without, and what is left out."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.source_manifest import read_manifest, snapshot_digest, snapshot_dir
from artifacts.source_rules import DEFAULT_RULES, LeftOut, Reason, SnapshotRules
from artifacts.sources import SnapshotPlan, plan_snapshot
from tests.sources_kit import (
    ENV,
    fill,
    git,
    given_away,
    home_fixture,  # noqa: F401 - a fixture
    names,
    project_fixture,  # noqa: F401 - a fixture
    take,
)


def planned(project: Path, rules: SnapshotRules = DEFAULT_RULES, home: Home | None = None) -> SnapshotPlan:
    """Plan, which must work."""
    plan = plan_snapshot(str(project), rules, ENV, home)
    assert isinstance(plan, SnapshotPlan), plan
    return plan


def reasons(plan: SnapshotPlan) -> dict[str, str]:
    """Return why what is left out."""
    return {item.path: item.reason.value for item in plan.left_out}


def test_outside_git_the_folder_is_walked_without_what_is_never_source(project: Path) -> None:
    """Caches, environments, packages and runs are left aside; `build`, `dist` and `env` may be code."""
    fill(project, "train.py", "lib/model.py", "build/x.py", "dist/y.py", "env/cartpole.py", ".config")
    fill(project, "__pycache__/a.pyc", "lib/__pycache__/b.pyc", ".guild/runs/x/output", "node_modules/m.js")
    fill(project, ".venv/x", "venv/x", "p.egg-info/x", ".mypy_cache/x", ".hg/x", ".svn/x", ".ruff_cache/x")
    fill(project, "myenv/pyvenv.cfg", "myenv/lib/site.py", "conda/conda-meta/history", "conda/lib/x.py")
    plan = planned(project)
    assert names(plan) == [
        ".config",
        "train.py",
        "build/x.py",
        "dist/y.py",
        "env/cartpole.py",
        "lib/model.py",
    ]
    assert plan.left_out == ()


def test_in_git_what_git_ignores_is_left_out_and_what_it_does_not_know_is_taken(project: Path) -> None:
    """Tracked files and new ones are source; ignored ones are reported, whole folders as one."""
    git(project, "init", "-q")
    fill(project, "train.py", "new.py", "lib/a.py", "data/one.bin", "data/sub/two.bin", "lib/x.log", "kept.log")
    fill(
        project,
        "__pycache__/a.pyc",
        ".guild/runs/x/output",
        "venv/lib.py",
        "logs/y.log",
        "e/pyvenv.cfg",
        "e/l.py",
    )
    (project / ".gitignore").write_text("data/\n*.log\n__pycache__/\n")
    git(project, "add", "train.py", ".gitignore")
    git(project, "add", "-f", "kept.log")
    plan = planned(project)
    assert names(plan) == [".gitignore", "kept.log", "new.py", "train.py", "lib/a.py"]
    assert reasons(plan) == {
        "data/": "ignored by git",
        "lib/x.log": "ignored by git",
        "logs/y.log": "ignored by git",
    }
    assert {item.path: item.bytes for item in plan.left_out} == {
        "data/": None,
        "lib/x.log": 9,
        "logs/y.log": 10,
    }


def test_a_project_below_the_top_of_its_repository_is_taken_alone(project: Path) -> None:
    """Only what lies in the project, with paths from there, by the rules of the whole repository."""
    git(project, "init", "-q")
    fill(project, "other.py", "sub/train.py", "sub/x.log", "sub/lib/a.py")
    (project / ".gitignore").write_text("*.log\n")
    git(project, "add", ".")
    plan = planned(project / "sub")
    assert names(plan) == ["train.py", "lib/a.py"]
    assert reasons(plan) == {"x.log": "ignored by git"}


def test_a_home_inside_the_project_is_no_source(project: Path) -> None:
    """Wherever in the project the home lies, whatever its name, outside git, in git and below git's top."""
    odd = "my runs [1]*!#"
    for folder in (project / "plain", project / "repo", project / "repo" / "sub"):
        fill(folder, "train.py", f"x/{odd}/runs/1/model.py")
    git(project / "repo", "init", "-q")
    for folder in (project / "plain", project / "repo", project / "repo" / "sub"):
        plan = planned(folder, home=Home(str(folder / "x" / odd)))
        assert [name for name in names(plan) if not name.startswith("sub/")] == ["train.py"]
        assert plan.left_out == ()


def test_a_project_that_an_outer_repository_ignores_is_walked(project: Path) -> None:
    """A home directory under git that ignores everything does not make a project empty."""
    git(project, "init", "-q")
    (project / ".gitignore").write_text("*\n")
    fill(project, "work/train.py")
    assert names(planned(project / "work")) == ["train.py"]


def test_a_repository_that_git_refuses_is_walked(project: Path) -> None:
    """Somebody else's repository still has its source code recorded."""
    git(project, "init", "-q")
    fill(project, "train.py", "data.bin")
    (project / ".gitignore").write_text("data.bin\n")  # which is not left out, for git is not listened to
    plan = plan_snapshot(str(project), DEFAULT_RULES, given_away(project))
    assert isinstance(plan, SnapshotPlan), plan
    assert names(plan) == [".gitignore", "data.bin", "train.py"]


def test_without_git_a_repository_is_walked(project: Path) -> None:
    """The `.git` folder itself is never taken."""
    git(project, "init", "-q")
    fill(project, "train.py")
    plan = plan_snapshot(str(project), DEFAULT_RULES, {"PATH": ""})
    assert isinstance(plan, SnapshotPlan)
    assert names(plan) == ["train.py"]


def test_repositories_inside_the_repository_are_walked(project: Path) -> None:
    """Submodules and clones are code that the run uses, though git does not list their files."""
    fill(project, "module/m.py", "module/sub/n.py")
    git(project / "module", "init", "-q")
    git(project / "module", "add", ".")
    git(project / "module", "commit", "-qm", "x")
    outer = project / "outer"
    fill(outer, "train.py", "clone/c.py")
    git(outer, "init", "-q")
    git(outer / "clone", "init", "-q")
    git(outer, "submodule", "add", "-q", str(project / "module"), "sm")
    assert names(planned(outer)) == [".gitmodules", "train.py", "clone/c.py", "sm/m.py", "sm/sub/n.py"]


def test_files_removed_or_replaced_under_git_are_not_taken_from_elsewhere(project: Path, tmp_path: Path) -> None:
    """A tracked folder that is now a link leads outside; tracked files that are gone are just gone."""
    git(project, "init", "-q")
    fill(project, "train.py", "gone.py", "lib/a.py", "pkg/b.py")
    git(project, "add", ".")
    fill(tmp_path / "elsewhere", "a.py")
    (project / "gone.py").unlink()
    (project / "lib" / "a.py").unlink()
    (project / "lib").rmdir()
    (project / "lib").symlink_to(tmp_path / "elsewhere")
    (project / "pkg" / "b.py").unlink()
    (project / "pkg").rmdir()
    fill(project, "pkg")
    plan = planned(project)
    assert names(plan) == ["pkg", "train.py"]
    assert reasons(plan) == {"lib": "link"}


def test_a_file_in_a_merge_conflict_is_taken_once(project: Path) -> None:
    """Git lists it three times."""
    git(project, "init", "-q", "-b", "main")
    for branch, text in (("main", "1"), ("other", "2"), ("main", "3")):
        git(project, "checkout", "-q", *(["-b", "other"] if branch == "other" else ["--orphan", "x" + text]))
        (project / "a.py").write_text(text)
        git(project, "add", ".")
        git(project, "commit", "-qm", text)
    with pytest.raises(subprocess.CalledProcessError):
        git(project, "merge", "--allow-unrelated-histories", "other")
    assert names(planned(project)) == ["a.py"]


def test_limits_leave_out_what_is_large_or_too_many(project: Path) -> None:
    """The limit itself still fits; of too many, the deepest are left out."""
    fill(project, "a/b/deep.py", "top.py", "a/mid.py")
    (project / "fits.bin").write_bytes(b"x" * 1000)
    (project / "large.bin").write_bytes(b"x" * 1001)
    plan = planned(project, SnapshotRules(max_file_bytes=1000))
    assert names(plan) == ["fits.bin", "top.py", "a/mid.py", "a/b/deep.py"]
    assert plan.left_out == (LeftOut("large.bin", Reason.LARGE, 1001),)
    plan = planned(project, SnapshotRules(max_file_bytes=1000, max_files=2))
    assert names(plan) == ["fits.bin", "top.py"]
    assert reasons(plan)["a/mid.py"] == reasons(plan)["a/b/deep.py"] == "too many"
    plan = planned(project, SnapshotRules(max_file_bytes=1000, max_bytes=1000 + len("top.py" + "a/b/deep.py")))
    assert names(plan) == ["fits.bin", "top.py", "a/mid.py"]
    assert LeftOut("a/b/deep.py", Reason.TOO_MANY, 11) in plan.left_out


def test_the_limits_are_those_documented() -> None:
    """1 MiB a file, 2,000 files, 50 MiB in all."""
    rules = DEFAULT_RULES
    assert (rules.max_file_bytes, rules.max_files, rules.max_bytes) == (1024**2, 2_000, 50 * 1024**2)


def test_a_walk_through_a_huge_folder_ends_early(project: Path) -> None:
    """A project may be a home directory: what was not looked at is reported by folder."""
    for number in range(20):
        fill(project, f"d{number:02}/a", f"d{number:02}/b")
    fill(project, "train.py")
    plan = planned(project, SnapshotRules(max_seen=25))
    assert names(plan)[0] == "train.py"
    assert len(plan.files) < 10
    assert reasons(plan)["d19/"] == "too many"


def test_links_inside_are_kept_as_links_and_others_left_out(project: Path, tmp_path: Path, home: Home) -> None:
    """Never is anything copied from outside the project, whichever way a link takes."""
    fill(tmp_path, "outside.txt")
    fill(project, "a.py", "sub/b.py")
    inside = {"l1": "a.py", "sub/l2": "../a.py", "l3": "sub", "l4": "nowhere", "sub/l5": ".//../sub/b.py"}
    outside = {
        "o1": str(tmp_path / "outside.txt"),
        "o2": "../outside.txt",
        "sub/o3": "../../outside.txt",
        "o4": "sub/../../outside.txt",
        "o5": "l3/../../outside.txt",
        "o6": "sub/..",
        "o7": "/",
    }
    for name, target in (inside | outside).items():
        os.symlink(target, project / name)
    snapshot = take(home, project)
    kept = {file.path for file in read_manifest(home, snapshot.digest)}
    assert kept == {"a.py", "sub/b.py", *inside}
    assert {item.path: item.reason for item in snapshot.left_out} == dict.fromkeys(outside, Reason.LINK)
    files = Path(snapshot_dir(home, snapshot.digest), "files")
    for name, target in inside.items():
        assert os.readlink(files / name) == target
    for path in files.rglob("*"):
        assert files.resolve() in [path.resolve(), *path.resolve().parents]


def test_pipes_and_sockets_do_not_block_and_are_left_out(project: Path, home: Home) -> None:
    """Opening a pipe to read it would wait for ever."""
    fill(project, "a.py")
    os.mkfifo(project / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(project)
    try:
        listener.bind("sock")
    finally:
        os.chdir(here)
        listener.close()
    snapshot = take(home, project)
    assert snapshot.files == 1
    assert {item.path: item.reason.value for item in snapshot.left_out} == {
        "pipe": "special",
        "sock": "special",
    }


def test_files_that_hold_secrets_by_their_name_are_left_out(project: Path) -> None:
    """Passwords and private keys do not get into what is kept for ever."""
    fill(project, "a.py", ".env", "sub/id_rsa", "tls/server.pem", ".netrc", "environment.py", ".env.example")
    plan = planned(project)
    assert names(plan) == [".env.example", "a.py", "environment.py"]
    assert reasons(plan) == dict.fromkeys([".env", ".netrc", "sub/id_rsa", "tls/server.pem"], "secret")


def test_a_snapshot_holds_the_files_read_only_and_a_manifest(project: Path, home: Home) -> None:
    """Content, executable bit and names are those of the project."""
    fill(project, "train.py", "lib/m.py")
    (project / "run.sh").write_bytes(b"#!/bin/sh\n\0\xff")
    (project / "run.sh").chmod(0o755)
    (project / "empty").touch()
    snapshot = take(home, project)
    assert (snapshot.files, snapshot.bytes, snapshot.left_out_count) == (4, 28, 0)
    folder = Path(snapshot_dir(home, snapshot.digest))
    assert sorted(os.listdir(folder)) == ["files", "manifest"]
    assert (folder / "files" / "run.sh").read_bytes() == b"#!/bin/sh\n\0\xff"
    assert (folder / "files" / "lib" / "m.py").read_text() == "lib/m.py"
    assert stat.S_IMODE((folder / "files" / "train.py").stat().st_mode) & 0o333 == 0
    assert stat.S_IMODE((folder / "files" / "run.sh").stat().st_mode) & 0o333 == 0o111
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    sha = hashlib.sha256(b"lib/m.py").hexdigest()
    assert f"{sha}  f  8  lib/m.py\n" in (folder / "manifest").read_text()
    files = read_manifest(home, snapshot.digest)
    assert [(file.path, file.kind, file.size) for file in files] == [
        ("empty", "f", 0),
        ("lib/m.py", "f", 8),
        ("run.sh", "x", 12),
        ("train.py", "f", 8),
    ]
    assert snapshot_digest(list(files)) == snapshot.digest
