"""What this program hands over to a process of its own that works in its stead: a worker, or one in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artifacts.home import Home
from commands.app import App
from commands.run_options import RunOptions
from ledger.dataclass import values

_SHOWN_LETTERS = 1_000


def shortened(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command line with the end left out when it is long.

    Every trial records the command that started it, and one with a thousand ids would be recorded a thousand times.
    What staged the trials is recorded in full.
    """
    room = _SHOWN_LETTERS
    for number, word in enumerate(argv):
        room -= len(word) + 1
        if room < 0:
            return (*argv[:number], f"... ({len(argv) - number} more)")
    return tuple(argv)


def packed(app: App, options: RunOptions) -> dict[str, object]:
    """Return what makes another process act as this one, ready for JSON."""
    return {"argv": list(shortened(app.argv)), "directory": app.cwd, "home": app.home.root, "options": values(options)}


def unpacked(known: Mapping[str, Any]) -> tuple[App, RunOptions]:
    """Return what `packed` was given, after its way through JSON, which has no tuples."""
    options = known["options"]
    lists = {name: tuple(options[name]) for name in ("tags", "start")}
    return App(known["directory"], None, Home(known["home"]), known["argv"]), RunOptions(**{**options, **lists})
