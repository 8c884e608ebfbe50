"""A real terminal for tests: tmux draws what a program writes, and types what a person types."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli_kit import PATIENCE
from tests.kit import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


PROMPT = "ready>"
_PAUSE_SECONDS = 0.05


class Terminal:
    """A pane: what stands on it, and what is typed into it."""

    def __init__(self, socket: str, pane: str) -> None:
        self._socket, self._pane = socket, pane

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-u", "-S", self._socket, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux gives them."""
        for key in keys:
            self._tmux("send-keys", "-t", self._pane, key)

    def type(self, text: str) -> None:
        """Type a line, and Enter."""
        self._tmux("send-keys", "-t", self._pane, "-l", text)
        self.press("Enter")

    def lines(self) -> list[str]:
        """Return what stands on the screen."""
        return self._tmux("capture-pane", "-p", "-t", self._pane).splitlines()

    def wait(self, holds: Callable[[list[str]], object]) -> list[str]:
        """Wait until something holds of the lines of the screen, and return them."""
        end = time.monotonic() + PATIENCE
        while not holds(seen := self.lines()):
            assert time.monotonic() < end, "waited in vain; the screen:\n" + "\n".join(seen)
            time.sleep(_PAUSE_SECONDS)
        return seen

    def wait_for(self, text: str) -> list[str]:
        """Wait until a text stands on the screen."""
        return self.wait(lambda lines: any(text in line for line in lines))

    def wait_for_prompt(self) -> list[str]:
        """Wait until the shell waits for a command."""
        return self.wait(lambda lines: [line for line in lines if line.strip()][-1:] == [PROMPT])

    def is_told(self, flag: str) -> str:
        """Return what the terminal knows of itself, by the name of one of tmux's variables."""
        return self._tmux("display-message", "-p", "-t", self._pane, f"#{{{flag}}}").strip()

    def modes(self) -> str:
        """Return what programs change of a terminal: the settings of its line, the second screen, cursor and mouse."""
        line = subprocess.run(
            ["stty", "-g", "-F", self.is_told("pane_tty")], capture_output=True, text=True, check=True
        )
        return " ".join((line.stdout.strip(), *map(self.is_told, ("alternate_on", "cursor_flag", "mouse_any_flag"))))

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-t", self._pane, "-x", str(width), "-y", str(height))

    def second(self) -> Terminal:
        """Open another window, and return its pane."""
        made = Terminal(self._socket, self._tmux("new-window", "-d", "-P", "-F", "#{pane_id}").strip())
        made.type(f"PS1='{PROMPT} '; clear")
        made.wait_for_prompt()
        return made


@contextmanager
def terminal(cwd: Path, env: Mapping[str, str], size: tuple[int, int] = (100, 24)) -> Iterator[Terminal]:
    """Open a terminal with a shell in it, and close it with all that runs there."""
    require("tmux", package="tmux")
    folder = tempfile.mkdtemp(prefix="tmux")  # a socket's path must be short
    socket = os.path.join(folder, "s")
    given = {name: value for name, value in env.items() if name != "TMUX"} | {"LC_ALL": "C.UTF-8"}
    width, height = map(str, size)
    start = ["tmux", "-u", "-f", os.devnull, "-S", socket, "new-session", "-d", "-x", width, "-y", height]
    start += ["-P", "-F", "#{pane_id}", "-c", str(cwd), "sh"]
    try:
        pane = subprocess.run(start, env=given, capture_output=True, text=True, check=True).stdout.strip()
        made = Terminal(socket, pane)
        made._tmux("set-option", "-g", "default-command", "sh")
        made.type(f"PS1='{PROMPT} '; clear")
        made.wait_for_prompt()
        yield made
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
