"""What git says about a project, and what it may not do to a run."""

from __future__ import annotations

import gc
import os
import time
from functools import partial
from pathlib import Path

import pytest

from artifacts.git_info import GitInfo, find_repository, finish_git, start_git, start_git_info
from operations.process_info import process_stat
from tests.cli_kit import wait_until
from tests.sources_kit import ENV, fake_git, git, given_away


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a repository with one commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def info(folder: Path, env: dict[str, str] | None = None) -> GitInfo | None:
    """Ask and wait."""
    return start_git_info(str(folder), env or ENV, limit=60).result()


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits for its parent to take note."""
    stat = process_stat(pid)
    return stat is None or stat.ended


def is_written(path: Path) -> bool:
    """Tell whether a script has written a line into a file."""
    return path.exists() and path.read_text().endswith("\n")


def test_a_clean_repository_gives_its_commit(project: Path) -> None:
    """The full hash, and not dirty, from a folder inside too."""
    commit = git(project, "rev-parse", "HEAD")
    assert info(project) == GitInfo(commit, dirty=False)
    (project / "sub").mkdir()
    assert info(project / "sub") == GitInfo(commit, dirty=False)


@pytest.mark.parametrize("change", ["edited", "untracked", "staged", "removed"])
def test_any_difference_makes_it_dirty(project: Path, change: str) -> None:
    """What the commit does not say has to be known."""
    if change == "edited":
        (project / "train.py").write_text("print(2)\n")
    elif change == "removed":
        (project / "train.py").unlink()
    else:
        (project / "new.py").write_text("x\n")
        if change == "staged":
            git(project, "add", ".")
    result = info(project)
    assert result is not None
    assert result.dirty is True


def test_runs_kept_in_the_project_do_not_make_it_dirty(project: Path) -> None:
    """A home in the project, at its top or below, is not a change of the code."""
    for folder in (project / ".guild" / "runs" / "x", project / "sub" / ".guild" / "runs" / "x"):
        folder.mkdir(parents=True)
        (folder / "output").write_text("x")
    result = info(project)
    assert result is not None
    assert result.dirty is False


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    """There is a repository, but no commit to name."""
    git(tmp_path, "init", "-q")
    assert info(tmp_path) == GitInfo(None, dirty=False)
    (tmp_path / "a").write_text("x")
    assert info(tmp_path) == GitInfo(None, dirty=True)


def test_where_there_is_no_repository_nothing_is_said_or_started(tmp_path: Path) -> None:
    """Git is not even asked."""
    env = fake_git(tmp_path / "bin", f"touch '{tmp_path}/asked'\n")
    (tmp_path / "project").mkdir()
    assert find_repository(str(tmp_path / "project")) is None
    assert info(tmp_path / "project", env) is None
    assert info(tmp_path / "no" / "such", env) is None
    assert not (tmp_path / "asked").exists()


def test_without_git_nothing_is_said(project: Path, tmp_path: Path) -> None:
    """Git may not be installed, and a program of that name in the project is not it."""
    assert info(project, {"PATH": str(tmp_path)}) is None
    (project / "git").write_text(f"#!/bin/sh\ntouch '{tmp_path}/asked'\n")
    (project / "git").chmod(0o755)
    here = os.getcwd()
    os.chdir(project)
    try:
        assert info(project, {"PATH": ":.:"}) is None
    finally:
        os.chdir(here)
    assert not (tmp_path / "asked").exists()


def test_a_broken_git_is_as_good_as_none(project: Path, tmp_path: Path) -> None:
    """A git that is no program, fails or is killed says nothing."""
    assert info(project, fake_git(tmp_path / "fails", "echo nonsense >&2; exit 1\n")) is None
    assert info(project, fake_git(tmp_path / "killed", "kill -9 $$\n")) is None
    env = fake_git(tmp_path / "broken", "")
    (tmp_path / "broken" / "git").write_bytes(b"\x7fELF nonsense")
    assert info(project, env) is None


def test_variables_of_an_outer_git_command_do_not_matter(project: Path, tmp_path: Path) -> None:
    """Called from a hook, the project's folder still says which repository is meant."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    hostile = {
        **ENV,
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / "index"),
        "GIT_COMMON_DIR": str(other / ".git"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_CONFIG_PARAMETERS": "'core.bare'='true'",
        "GIT_NAMESPACE": "n",
    }
    assert info(project, hostile) == GitInfo(git(project, "rev-parse", "HEAD"), dirty=False)


def test_a_repository_that_git_refuses_is_as_good_as_none(project: Path) -> None:
    """Somebody else's repository is not trusted by git; that is no error of the run."""
    env = given_away(project)
    assert info(project, env) is None
    trusting = {
        **env,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    assert info(project, trusting) is not None


def test_a_slow_status_is_stopped_with_its_children_and_the_commit_is_still_said(project: Path, tmp_path: Path) -> None:
    """At the limit git is killed; whether the project is dirty is then not known."""
    script = f"""
        case "$*" in
            *--porcelain*) sleep 600 & echo $$ $! > '{tmp_path}/pids'; wait;;
            *) echo $$ > '{tmp_path}/other'; echo 0123456789012345678901234567890123456789;;
        esac
    """
    env = fake_git(tmp_path / "bin", script)
    pending = start_git_info(str(project), env, limit=600)
    pids, other = tmp_path / "pids", tmp_path / "other"
    for path in (pids, other):
        wait_until(partial(is_written, path))
    wait_until(partial(has_ended, int(other.read_text())))
    pending._deadline = time.monotonic() + 0.3
    assert pending.result() == GitInfo("0123456789012345678901234567890123456789", dirty=None)
    assert pending.result() == GitInfo("0123456789012345678901234567890123456789", dirty=None)
    for pid in pids.read_text().split():
        wait_until(partial(has_ended, int(pid)))


def test_the_first_word_of_a_long_status_is_enough(project: Path, tmp_path: Path) -> None:
    """A project with a million changes is dirty at the first."""
    script = """
        case "$*" in
            *--porcelain*) echo ' M a'; exec sleep 600;;
            *) echo 0123456789012345678901234567890123456789;;
        esac
    """
    result = info(project, fake_git(tmp_path / "bin", script))
    assert result == GitInfo("0123456789012345678901234567890123456789", dirty=True)


def test_a_program_named_in_the_repository_is_not_run(project: Path, tmp_path: Path) -> None:
    """Looking at a repository that was downloaded runs nothing out of it."""
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    monitor.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(monitor))
    assert info(project) is not None
    assert not (tmp_path / "ran").exists()


def test_asking_does_not_write_to_the_repository(project: Path) -> None:
    """No lock is taken that a git command of the user's would stumble over."""
    os.utime(project / "train.py", (1, 1))
    index = (project / ".git" / "index").read_bytes()
    assert info(project) == GitInfo(git(project, "rev-parse", "HEAD"), dirty=False)
    assert (project / ".git" / "index").read_bytes() == index


def test_long_output_of_several_commands_is_read_at_once(project: Path, tmp_path: Path) -> None:
    """Neither waits for the other, however full the pipes are."""
    env = fake_git(tmp_path / "bin", "yes | head -c 1000000; exit 3\n")
    commands = [start_git(str(project), env, ["x"]) for _ in range(3)]
    running = [command for command in commands if command is not None]
    finish_git(running, time.monotonic() + 60)
    assert [(len(command.output), command.code) for command in running] == [(1_000_000, 3)] * 3


def test_no_descriptor_stays_open(project: Path) -> None:
    """Asking leaves no pipe behind."""
    gc.collect()  # or what an earlier test left could be closed meanwhile
    before = os.listdir("/dev/fd")
    info(project)
    assert len(os.listdir("/dev/fd")) == len(before)
