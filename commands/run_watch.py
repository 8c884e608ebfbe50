"""`guild runs --watch`: the list on the whole terminal, drawn again when the ledger changes; imported only for it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import click

from commands.picker import quiet_terminal
from commands.reaping import reap
from commands.seen import Seen
from commands.selecting import filter_of, listed, open_query
from commands.show_runs import rows_as_lines
from commands.terminal import say
from ledger.dataclass import replace

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from commands.options import Limits
    from projections.query import RunFilter

_PAUSE_SECONDS = 0.5
_AGE_SECONDS = 30
"""As old as a list may be that has not changed: what started in the last hour is another question by then."""

_ENTER_SCREEN, _LEAVE_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_INTERRUPT = "\x03"
_ESCAPE = "\x1b"
_LEAVE = "qQ\x04"
_SEQUENCE = r"\x1b(?:[\[O][0-?]*[ -/]*[@-~]|.)"
"""What a terminal sends for an arrow and the like: the letters in it are not keys."""


class _Moment(NamedTuple):
    """What a list was drawn of."""

    seq: int
    size: os.terminal_size
    age: int


def watch_runs(app: App, limits: Limits, wanted: RunFilter, layout: Layout) -> None:
    """Show the list until q or Ctrl-C is pressed, then leave it on the terminal.

    Raises:
        click.Abort: it was Ctrl-C.
    """
    live = _Live(app, limits, wanted, layout)
    with _screen():
        key = live.show()
    for line in live.lines:
        say(line)
    if live.seen is not None:
        live.seen.remember()
    if key == _INTERRUPT:
        raise click.Abort


class _Live:
    """The list, and what is on the screen of it."""

    def __init__(self, app: App, limits: Limits, wanted: RunFilter, layout: Layout) -> None:
        self._app, self._limits, self._wanted, self._layout = app, limits, wanted, layout
        self.lines: list[str] = []
        self.seen: Seen | None = None

    def show(self) -> str:
        """Draw whenever something has changed, until a key is pressed that ends it; return the key."""
        drawn = None
        while True:
            reap(self._app)
            now = self._moment()
            if now != drawn:
                self._draw(now.size)
                drawn = now
            self._app.close()  # nobody shall wait for somebody who is watching
            key = _key()
            if key is not None:
                return key

    def _moment(self) -> _Moment:
        seq = self._app.ledger.store.head().seq
        return _Moment(seq, os.get_terminal_size(1), int(time.monotonic() // _AGE_SECONDS))

    def _draw(self, size: os.terminal_size) -> None:
        # Anew each time: `last 2 hours` is not what it was when the watching began.
        again = filter_of(self._limits, self._wanted.place, self._wanted.cwd, self._wanted.project)
        query = open_query(self._app, replace(again, labels=self._wanted.labels))
        header = bool(self._layout.columns)
        room = max(1, size.lines - 1 - header)
        most = self._layout.most()
        layout = replace(self._layout, limit=room if most is None else min(room, most), more=0)
        self.seen = Seen(self._app, query, layout)
        rows = listed(self._app, query, layout.limit, layout.sort, reverse=layout.reverse)
        self.lines = list(islice(rows_as_lines(self._app, query, self.seen.taken(rows), layout), room + header))
        status = f"{time.strftime('%H:%M:%S')}  {len(self.lines) - header} run(s); q leaves"
        _write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in self.lines) + f"{status[: size.columns]}\x1b[J")


@contextmanager
def _screen() -> Iterator[None]:
    """Take the whole terminal, and give it back as it was, whatever happens."""
    with quiet_terminal():
        _write(_ENTER_SCREEN)
        try:
            yield
        finally:
            with suppress(OSError):  # the terminal may be gone
                _write(_LEAVE_SCREEN)


def _key() -> str | None:
    """Wait a while for a key that ends it: return it, empty when the terminal is gone, None when there was none."""
    if not select.select([0], [], [], _PAUSE_SECONDS)[0]:
        return None
    return _end_in(os.read(0, 64).decode("utf-8", "replace"))


def _end_in(keys: str) -> str | None:
    """Return what ends the watching among keys that arrived together: Ctrl-C, a key to leave with, or Escape alone."""
    import re

    if keys in ("", _ESCAPE):
        return keys
    if _INTERRUPT in keys:
        return _INTERRUPT
    return next((key for key in re.sub(_SEQUENCE, "", keys, flags=re.DOTALL) if key in _LEAVE), None)


def _write(text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]
