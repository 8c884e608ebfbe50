"""The scripts that make a shell ask guild: printed, installed, and read by a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild
from tests.completion_kit import net_fixture  # noqa: F401 - a fixture
from tests.kit import require


def test_shells_get_their_script(net: Guild) -> None:
    """`guild completion SHELL` prints a script that names the function, the variable and the program."""
    for shell in ("bash", "zsh", "fish"):
        text = net.ok("completion", shell)
        assert f"_GUILD_COMPLETE={shell}_complete" in text
        assert "_guild_completion" in text
    assert "unrecognized" not in net.refused("completion", "tcsh", code=2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_is_sound_in_its_shell(net: Guild, shell: str) -> None:
    """Where the shell is installed it reads the script without running it; elsewhere brackets are at least paired."""
    text = net.ok("completion", shell)
    program = shutil.which(shell)
    if program is not None:
        checked = subprocess.run([program, "-n"], input=text, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
    for opening, closing in ("{}", "[]"):
        assert text.count(opening) == text.count(closing)


def test_the_script_is_installed_once(tmp_path: Path) -> None:
    """It asks first, keeps what is in the file, and a second time changes nothing; an older script is replaced."""
    guild = Guild(tmp_path / "home", tmp_path)
    rc = tmp_path / ".bashrc"
    rc.write_bytes(b"alias x=y \xff")
    assert "(y/N)" in guild("completion", "bash", "--install", stdin="n\n").err
    assert rc.read_bytes() == b"alias x=y \xff"
    guild.ok("completion", "bash", "--install", stdin="y\n")
    first = rc.read_bytes()
    assert first.startswith(b"alias x=y \xff\n\n# >>> guild completion >>>\n")
    assert "already" in guild("completion", "bash", "--install").err
    assert rc.read_bytes() == first
    rc.write_bytes(first.replace(b"COMPREPLY=()", b"COMPREPLY=(old)") + b"after=1\n")
    guild.ok("completion", "bash", "--install", "-y")
    assert rc.read_bytes() == first + b"after=1\n"
    config = tmp_path / "config"
    guild.with_env(XDG_CONFIG_HOME=str(config)).ok("completion", "fish", "--install", "-y")
    assert (config / "fish" / "completions" / "guild.fish").is_file()
    guild.with_env(ZDOTDIR=str(tmp_path)).ok("completion", "zsh", "--install", "-y")
    assert "compdef" in (tmp_path / ".zshrc").read_text()


def test_a_start_up_file_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    """Not a traceback, and the message says what to do by hand."""
    (tmp_path / ".bashrc").mkdir()
    error = Guild(tmp_path / "home", tmp_path).refused("completion", "bash", "--install", "-y")
    assert "guild completion" in error


def test_a_real_bash_completes(net: Guild, tmp_path: Path) -> None:
    """The script, read by an interactive bash, fills COMPREPLY with what follows the last `=` or `:`."""
    bash = require("bash", package="bash")
    program = tmp_path / "bin" / "guild"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m guild_ledger "$@"\n')
    program.chmod(0o755)
    lines = ["guild run net:f", "guild run fit opt=a", "guild run fit note=", "guild run --help-", "guild gr"]
    script = "".join(
        f"COMP_LINE={line!r}; COMP_POINT={len(line)}; _guild_completion guild; (IFS='|'; echo \"=${{COMPREPLY[*]}}\")\n"
        for line in lines
    )
    done = subprocess.run(
        [bash, "--norc", "-i"],
        input=f"source <(guild completion bash)\n{script}complete -p guild\n",
        cwd=net.cwd,
        env={**net.environment(), "PATH": f"{program.parent}:{os.environ['PATH']}", "PS1": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        start_new_session=True,
    )
    answers = [line[1:] for line in done.stdout.splitlines() if line.startswith("=")]
    assert answers == ["fit", "adam", r"two\ words|one", "--help-op|--help-model", "grow"], done
    assert "_guild_completion guild" in done.stdout
