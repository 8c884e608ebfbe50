"""What tests of the options of `run` share: a project, and what the program tells of its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.batch_kit import batch_project
from tests.cli_kit import Guild

MODEL = """
- model: m
  operations:
    t:
      exec: sh -c 'echo run x=$FLAG_X cuda=$CUDA_VISIBLE_DEVICES; echo line >>kept; echo $FLAG_S >said; exit $FLAG_CODE'
      label: x is ${x}
      flags:
        x: {default: 1, description: The one that matters}
        s: {default: a, type: string}
        l: {default: [1, 2]}
        n: {default: 5}
        code: {default: 0}
    slow:
      exec: "sh -c 'echo begun; touch begun; while test ! -e $MODEL_DIR/go; do sleep 0.05; done; echo done'"
      flags: {x: 1}
    u: {exec: "true", flags: {x: 3}}
"""


@pytest.fixture(name="guild")
def guild_fixture(tmp_path: Path) -> Guild:
    """Give a project of cheap operations."""
    return batch_project(tmp_path, MODEL)


def info(guild: Guild, run: str = "0") -> dict[str, Any]:
    """Return what is known of a run."""
    found: dict[str, Any] = guild.json("runs", "info", run)
    return found


def output(guild: Guild, run_id: str) -> str:
    """Return what a run has printed."""
    return (guild.home / "runs" / run_id / ".guild" / "output").read_text()


def bodies(guild: Guild, type_: str) -> list[dict[str, Any]]:
    """Return the bodies of all events of a type."""
    with guild.database() as database:
        rows = database.execute("SELECT body FROM event WHERE type = ? ORDER BY position", (type_,)).fetchall()
    database.close()
    return [json.loads(row[0]) for row in rows]
