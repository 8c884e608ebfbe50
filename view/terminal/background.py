"""Whether the terminal is dark or light, as it says itself when it is asked."""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty

_ASKED = b"\x1b]11;?\x1b\\\x1b[c"
"""What colour is the background; and then something that every terminal answers, so that nobody waits for nothing."""

_COLOUR = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]+)/([0-9a-fA-F]+)/([0-9a-fA-F]+)")
_ANSWERED = re.compile(rb"\x1b\[\?[0-9;]*c")
_PATIENCE_SECONDS = 0.3
_WEIGHTS = (0.299, 0.587, 0.114)
"""How bright red, green and blue are to the eye."""


def is_dark(terminal: int, hint: str = "") -> bool:
    """Tell whether a terminal has a dark background; one that does not answer counts as dark.

    Args:
        terminal: descriptor that is read and written.
        hint: the variable COLORFGBG, which some terminals set: the last number is that of the background.
    """
    answer = _asked(terminal)
    found = _COLOUR.search(answer)
    if found is not None:
        parts = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
        light: float = sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True))
        return light < 0.5  # noqa: PLR2004 - grey
    last = hint.rpartition(";")[2]
    return not (last.isdecimal() and int(last) in (7, 15))


def _asked(terminal: int) -> bytes:
    """Return what the terminal answers, without showing it."""
    try:
        before = termios.tcgetattr(terminal)
    except termios.error:
        return b""
    answer = b""
    try:
        tty.setcbreak(terminal, termios.TCSANOW)
        os.write(terminal, _ASKED)
        end = time.monotonic() + _PATIENCE_SECONDS
        while not _ANSWERED.search(answer) and (left := end - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0]:
                answer += os.read(terminal, 256)
    except OSError:
        return answer
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
    return answer
