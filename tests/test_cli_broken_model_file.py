"""A model file that is broken, or sound and read often: what the other commands make of it."""

from __future__ import annotations

from tests.cli_kit import Guild
from tests.later_project_kit import (
    guild_fixture,  # noqa: F401 - a fixture
    home_fixture,  # noqa: F401 - a fixture
    server_fixture,  # noqa: F401 - a fixture
)


def test_other_commands_work_beside_a_broken_model_file(guild: Guild) -> None:
    """`run` shows file, line and place; what lists or deletes runs warns and goes on."""
    guild.ok("run", "script", "-y")
    path = guild.cwd / "guild.yml"
    path.write_text("train:\n  main: train\n  flags: [1]\n")

    said = guild.refused("run", "train", "-y")
    listed, removed = guild("runs"), guild("runs", "rm", "-y")

    assert f"{path}:3:10: " in said
    assert "  3 |   flags: [1]\n    |          ^" in said
    assert (listed.code, len(listed.out.splitlines())) == (0, 1)
    assert f"WARNING: the model file cannot be used: {path}:3:10: " in listed.err
    assert (removed.code, "WARNING: the model file" in removed.err) == (0, True)
    path.write_text("train: train\n")
    assert "WARNING" not in guild("runs").err


def test_a_sound_model_file_is_read_once_for_listings(guild: Guild) -> None:
    """Reading it costs as much as a listing; after a change it is read again."""
    path = guild.cwd / "guild.yml"
    path.write_text("train: train\n")
    traced = guild.with_env(PYTHONPROFILEIMPORTTIME="1")
    guild.ok("run", "train", "-y")
    reads = []
    for _ in range(2):
        reads += ["yaml" in traced("runs").err for _ in range(2)]
        path.write_text("other: train\n")
    assert reads == [True, False, True, False]
