"""`guild init`: a home beside a project, found from there and below, and never harmed by asking again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """Give the command in a project, without a home of its own that is chosen."""
    project = make_project(tmp_path / "iris")
    return Guild(tmp_path / "user/.guild", project).with_env(GUILD_HOME=None)


def test_a_home_is_made_here_and_used_from_here(guild: Guild) -> None:
    """Runs that are started in the project, or below it, are kept in it; elsewhere nobody sees them."""
    result = guild("init")
    assert (result.code, result.out) == (0, f"Made a home for runs: {guild.cwd}/.guild\n")
    assert f"Commands in {guild.cwd} and below it use it." in result.err
    guild.ok("run", "iris-svm:train", "-y")
    (guild.cwd / "deep").mkdir()
    assert len(guild.at(guild.cwd / "deep").rows("-a")) == 1
    assert os.path.exists(guild.cwd / ".guild/ledger.db")
    assert guild.at(guild.cwd.parent).rows("-a") == []
    assert (guild.cwd / ".guild").stat().st_mode & 0o077 == 0


def test_asking_again_changes_nothing(guild: Guild) -> None:
    """Whatever is in the home, a changed `.gitignore` as well; what was removed from it is made again."""
    guild.ok("init")
    assert (guild.cwd / ".guild/.gitignore").read_text() == "*\n"
    guild.ok("run", "iris-svm:train", "-y")
    (guild.cwd / ".guild/.gitignore").write_text("mine\n")
    before = guild.ok("runs")
    assert guild.ok("init") == f"There is a home for runs already: {guild.cwd}/.guild\n"
    assert (guild.cwd / ".guild/.gitignore").read_text() == "mine\n"
    assert guild.ok("runs") == before
    (guild.cwd / ".guild/trash").rmdir()
    assert guild.ok("init").startswith("Made a home")
    assert guild.ok("runs") == before


def test_another_directory_can_be_named(guild: Guild, tmp_path: Path) -> None:
    """As an argument, or with -C; a home at a path of its own with -H."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    guild.ok("init", "../one")
    guild.ok("-C", str(tmp_path / "two"), "init")
    guild.ok("-H", str(tmp_path / "three"), "init")
    for home in (tmp_path / "one/.guild", tmp_path / "two/.guild", tmp_path / "three"):
        assert (home / "runs").is_dir(), home
    assert not (tmp_path / "three/.gitignore").exists()
    assert not (guild.cwd / ".guild").exists()


def test_what_goes_before_it_is_told(guild: Guild, tmp_path: Path) -> None:
    """With GUILD_HOME set the new home would not be used."""
    result = guild.with_env(GUILD_HOME=str(tmp_path / "other"))("init")
    assert result.code == 0
    assert f"GUILD_HOME is set, and goes before it: {tmp_path / 'other'}" in result.err
    assert not (tmp_path / "other").exists()


def test_a_home_that_would_never_be_found_is_refused(guild: Guild) -> None:
    """In a virtual environment, below one, and in the directory of a run: nothing is made."""
    (guild.cwd / "venv/lib").mkdir(parents=True)
    (guild.cwd / "venv/pyvenv.cfg").write_text("")
    for folder in ("venv", "venv/lib"):
        assert "is a virtual environment" in guild.refused("init", folder)
        assert not (guild.cwd / folder / ".guild").exists()
    guild.ok("init")
    guild.ok("run", "iris-svm:train", "-y")
    (run,) = (guild.cwd / ".guild/runs").iterdir()
    assert "the directory of a run" in guild.refused("init", str(run))
    assert not (run / ".guild/runs").exists()


def test_a_mistake_is_refused(guild: Guild) -> None:
    """No directory, two ways to say where, or something else in its place."""
    assert "no directory" in guild.refused("init", "none", code=2)
    assert "no directory" in guild.refused("init", "", code=2)
    assert "both say where" in guild.refused("-H", "x", "init", ".", code=2)
    (guild.cwd / ".guild").write_text("mine")
    assert "is a file, not a folder" in guild.refused("init")
    assert (guild.cwd / ".guild").read_text() == "mine"
