"""The demo: it works from a checkout, and notices when something is not as it should be."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def walk(path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo with packages from `path` first, its home in `folder`."""
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, "examples", "demo.py")],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_demo_walks_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Every step of the demo is as it should be, and its home is removed afterwards."""
    done = walk(ROOT, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "steps were as they should be" in done.stdout.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_the_demo_names_the_step_that_fails(tmp_path: Path) -> None:
    """A program that says yes to everything and does nothing does not pass, and the step is named."""
    liar = tmp_path / "liar" / "guild_ledger"
    liar.mkdir(parents=True)
    (liar / "__init__.py").write_text("")
    (liar / "__main__.py").write_text("print('guild-ledger 9')\n")
    done = walk(str(liar.parent), tmp_path)
    assert done.returncode == 1
    assert done.stderr == "\nThe demo failed in step 2. Start six runs: nothing says 'step: 3'\n"


def test_the_demo_fails_when_a_command_ends_with_another_exit_code(tmp_path: Path) -> None:
    """The exit code of each command is checked, not only its words."""
    broken = tmp_path / "broken" / "guild_ledger"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("")
    (broken / "__main__.py").write_text("raise SystemExit('guild-ledger 9')\n")
    done = walk(str(broken.parent), tmp_path)
    assert done.returncode == 1
    assert done.stderr == "\nThe demo failed in step 1. Is it there?: exit code 1, expected 0\n"
