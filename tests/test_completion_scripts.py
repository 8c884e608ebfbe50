"""The scripts that shells read before they can complete: each is sound in its own shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli_kit import Guild


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_is_sound_in_its_shell(tmp_path: Path, shell: str) -> None:
    """Where the shell is installed it reads the script without running it; elsewhere brackets are at least paired."""
    text = Guild(tmp_path / "home", tmp_path).ok("completion", shell)
    program = shutil.which(shell)
    if program is not None:
        checked = subprocess.run([program, "-n"], input=text, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
    for opening, closing in ("{}", "[]"):
        assert text.count(opening) == text.count(closing)
