"""Picking one run from a list on a terminal: type to find, arrows to move, Enter to take.

It talks to the terminal on stdin and stderr, so that stdout is free for what was picked.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from commands.table import preview
from commands.terminal import color
from ledger.text import printable
from projections.query import RunRow

MOST = 1_000
"""How many runs are offered: the latest."""

_SHOWN = 10
_PATIENCE_SECONDS = 0.05
_KEY = re.compile("\x1b(?:[\\[O][0-9;]*[A-Za-z~])?|.", re.DOTALL)
_MOVES = {
    "\x1b[A": -1, "\x1bOA": -1, "\x10": -1, "\x1b[B": 1, "\x1bOB": 1, "\x0e": 1, "\t": 1,
    "\x1b[5~": -_SHOWN, "\x1b[6~": _SHOWN,
}  # fmt: skip
_ENTER = ("\r", "\n")
_LEAVE = ("\x1b", "\x03", "\x04")
_ERASE = ("\x7f", "\x08")
_WORD = ("\x15", "\x17")


def pick(rows: Sequence[RunRow], cwd: str) -> RunRow:
    """Return the run that a person picks; the terminal is left as it was.

    Raises:
        click.Abort: nothing was picked.
    """
    digits = len(str(len(rows) - 1))
    lines = preview(rows, cwd, max(20, _size()[0] - digits - 2))
    choice = _Choice(rows, [f"{number:>{digits}} {line.strip()}" for number, line in enumerate(lines)])
    with quiet_terminal():
        try:
            for key in _keys():
                if key in _ENTER and choice.found:
                    return choice.found[choice.at][1]
                if key in _LEAVE:
                    break
                choice.press(key)
                choice.draw()
        finally:
            choice.wipe()
    raise click.Abort


class _Choice:
    """What is typed, what is left by it, and where the cursor is."""

    def __init__(self, rows: Sequence[RunRow], lines: Sequence[str]) -> None:
        self._all = list(zip(lines, rows, strict=True))
        self._typed = ""
        self._drawn = 0
        self.found = self._all
        self.at = 0

    def press(self, key: str) -> None:
        """Take a key: a move, or a change of what is typed."""
        if key in _MOVES:
            self.at = max(0, min(self.at + _MOVES[key], len(self.found) - 1))
            return
        if key in _ERASE:
            self._typed = self._typed[:-1]
        elif key in _WORD:
            self._typed = ""
        elif key.isprintable():
            self._typed += key
        words, typed = self._typed.lower().split(), self._typed
        # A number means the run with that number, as everywhere; it does not hide the others.
        is_number = typed.isascii() and typed.isdecimal() and int(typed[:9]) < len(self._all)
        self.found = [
            one for one in self._all if is_number or all(w in f"{one[0]} {one[1].run_id}".lower() for w in words)
        ]
        self.at = int(typed) if is_number else 0

    def draw(self) -> None:
        """Show the list around the cursor, and below it what is typed."""
        columns, lines = _size()
        room = max(1, min(_SHOWN, lines - 3))
        first = max(0, min(self.at - room // 2, len(self.found) - room))
        shown = [
            f"{'>' if number == self.at else ' '} {line}"[: columns - 1]
            for number, (line, _) in enumerate(self.found[first : first + room], first)
        ]
        if shown and color() is not False:
            shown[self.at - first] = f"\x1b[7m{shown[self.at - first]}\x1b[0m"
        prompt = f"{len(self.found)} of {len(self._all)} runs; Enter takes, Esc leaves: {printable(self._typed)}"
        self.wipe()
        _say("\r\n".join([*shown, prompt[: columns - 1]]))
        self._drawn = len(shown)

    def wipe(self) -> None:
        """Take away what was shown."""
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        _say(f"\r{up}\x1b[J")
        self._drawn = 0


def _say(text: str) -> None:
    os.write(2, text.encode("utf-8", "replace"))


def _size() -> tuple[int, int]:
    try:
        columns, lines = os.get_terminal_size(2)
    except OSError:
        return 80, 24
    return columns or 80, lines or 24


def _keys() -> Iterator[str]:
    """Yield keys, first an empty one; ends with the input."""
    decode = getincrementaldecoder("utf-8")("replace").decode
    yield ""
    while data := os.read(0, 64):
        while data.endswith(b"\x1b") and select.select([0], [], [], _PATIENCE_SECONDS)[0]:
            data += os.read(0, 64)  # an arrow's sequence came in two parts
        yield from _KEY.findall(decode(data))


@contextmanager
def quiet_terminal() -> Iterator[None]:
    """Take keys as they are pressed and show none, until the end, also by a signal; Ctrl-Z does nothing."""
    before = termios.tcgetattr(0)
    quiet = termios.tcgetattr(0)
    quiet[0] &= ~termios.ICRNL
    quiet[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    handlers = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        termios.tcsetattr(0, termios.TCSADRAIN, quiet)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
