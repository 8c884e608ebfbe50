"""What tests of batches share: a project of cheap operations, a terminal to sit at, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from artifacts.lease import is_held
from tests.cli_kit import PATIENCE, Guild, make_project, wait_until
from tests.crash_checks import check_history

MODEL = """
- model: m
  operations:
    t:
      exec: "true"
      flags: {x: 1, y: 2}
    some:
      exec: sh -c 'echo x is $FLAG_X; test $FLAG_X != 2'
      flags: {x: 1}
    slow:
      exec: "sh -c 'echo begun; touch begun; while test ! -e $MODEL_DIR/go; do sleep 0.05; done'"
      flags: {x: 1}
    eat:
      exec: sh -c 'wc -c'
      flags: {x: 1}
    needs:
      exec: "true"
      flags: {x: 1}
      requires: [{file: "data-${x}.txt"}]
"""
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def batch_project(folder: Path, model: str = MODEL) -> Guild:
    """Return the command in a new project of cheap operations."""
    project = make_project(folder / "project", "", none="")
    (project / "MODELS").unlink()
    (project / "guild.yml").write_text(model)
    return Guild(folder / "home", project)


def statuses(guild: Guild) -> Counter[str]:
    """Return how many runs have which status, as the program tells it."""
    return Counter(str(run["status"]) for run in guild.json("runs", "list", "--all"))


def begun(guild: Guild) -> int:
    """Return how many runs of `slow` have begun their work."""
    return len(list(guild.home.glob("runs/*/begun")))


def processes(guild: Guild) -> list[int]:
    """Return all living processes that have to do with the home."""
    mark, found = f"={guild.home}\0".encode(), []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and mark in Path(f"/proc/{name}/environ").read_bytes() + b"\0":
                    found.append(int(name))
    return found


def check_settled(guild: Guild) -> None:
    """Check that nothing of the home is at work any more, and that its ledger and its index are whole."""
    wait_until(lambda: not processes(guild))
    assert "running" not in statuses(guild)
    check_history(str(guild.home))
    # The lease of a run stays when its supervisor died right after recording the end; nobody may hold it.
    assert not any(is_held(str(path)) for path in (guild.home / "leases").iterdir() if path.name != "places.lock")


class Terminal(NamedTuple):
    """A command on a terminal of its own, and the end at which its user sits."""

    process: subprocess.Popen[bytes]
    user: int

    def type(self, keys: bytes) -> None:
        """Type something."""
        os.write(self.user, keys)

    def read_to_end(self) -> str:
        """Return all that is shown until the command has ended."""
        shown = b""
        with contextlib.suppress(OSError):  # Linux's way to say that nobody has the terminal open any more
            while select.select([self.user], [], [], PATIENCE)[0] and (piece := os.read(self.user, 4096)):
                shown += piece
        self.process.wait(PATIENCE)
        os.close(self.user)
        return shown.decode()


def on_terminal(guild: Guild, *args: str) -> Terminal:
    """Start a command on a terminal of its own."""
    user, terminal = pty.openpty()
    words = [sys.executable, "-c", _TAKE_TERMINAL, *guild.command(*args)]
    options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    process = subprocess.Popen(words, cwd=guild.cwd, env=guild.environment(), start_new_session=True, **options)
    os.close(terminal)
    return Terminal(process, user)


def kill(pid: int) -> None:
    """Kill a process as nothing can prevent."""
    os.kill(pid, signal.SIGKILL)
