"""`start_run` in processes that do odd things of their own: threads, forks, signals, closed files; odd flags too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, ROOT, Guild

BEGIN = "import os, signal, subprocess, sys, threading, time\nfrom guild_ledger import log_scalars, start_run\n"


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """The command in the directory of a script."""
    (tmp_path / "project").mkdir()
    return Guild(tmp_path / "home", tmp_path / "project")


def started(guild: Guild, code: str, path: str = "fit.py", streams: str = "") -> subprocess.Popen[str]:
    """Start a script as a user does, with redirections such as `>&-`."""
    (guild.cwd / "fit.py").write_text(BEGIN + code)
    words = ["/bin/sh", "-c", f'exec "$0" "$@" {streams}', sys.executable, path]
    env, pipe = {**guild.environment(), "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    return subprocess.Popen(words, cwd=guild.cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def done(guild: Guild, code: str, **how: str) -> tuple[int, str, str]:
    """Run a script to its end; return its exit code and what it printed."""
    process = started(guild, code, **how)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that a script prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def statuses(guild: Guild) -> list[str]:
    """Return the statuses of all runs, the latest first."""
    return [row["status"] for row in guild.json("runs")]


def test_what_a_script_ignores_or_blocks_does_not_keep_its_run_from_being_stopped(guild: Guild) -> None:
    """It passes that on to what it starts, guild's own process included."""
    process = started(
        guild,
        "for name in ('SIGTERM', 'SIGCHLD'): signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "with start_run(): print('begun', flush=True); time.sleep(60)\n",
    )
    assert line(process) == "begun"
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert "KeyboardInterrupt" in process.communicate(timeout=PATIENCE)[1]
    assert guild.json("runs", "info")["reason"] == "stopped by SIGTERM"


def test_deleting_such_a_run_kills_nothing_that_its_user_has_started(guild: Guild) -> None:
    """A notebook's servers are not its run's, however the run ended."""
    code = "start_run()\nprint(subprocess.Popen(['sleep', '99'], stderr=2).pid, flush=True)\nraise KeyboardInterrupt"
    process = started(guild, code)
    server = int(line(process))
    try:
        process.wait(PATIENCE)
        assert statuses(guild) == ["terminated"]
        assert guild.ok("runs", "rm", "0", "-y").startswith("Deleted 1 run(s)")
        os.kill(server, 0)
    finally:
        os.kill(server, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
