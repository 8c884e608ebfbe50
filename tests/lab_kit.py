"""What tests that work in the lab share: its fixtures, of which a file imports those that its tests ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import Guild, copied, lab


@pytest.fixture(name="guild")
def guild_fixture(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command in the iris project, with a home that has runs: 13 transactions."""
    return copied(tmp_path_factory, tmp_path)


@pytest.fixture(name="ids")
def ids_fixture(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the ids of the runs in the iris project, newest first."""
    return list(lab(tmp_path_factory).ids)


def left(guild: Guild, before: list[str]) -> list[int]:
    """Return the former indexes of the runs that are still listed."""
    return [before.index(run_id) for run_id in guild.ids()]
