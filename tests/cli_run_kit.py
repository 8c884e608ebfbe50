"""What tests of starting runs share: a project of which a test knows the only run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project


@pytest.fixture(name="iris")
def iris_fixture(tmp_path: Path) -> Guild:
    """Give the command in a project without runs."""
    return Guild(tmp_path / "home", make_project(tmp_path / "iris"))


def only_run(guild: Guild) -> dict[str, object]:
    """Return what `runs info --json` tells of the only run there is."""
    (run_id,) = guild.ids("-a")
    details = guild.json("runs", "info", run_id)
    assert isinstance(details, dict)
    return details
