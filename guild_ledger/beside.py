"""The process beside one that has begun a run by itself: how it comes into being, and what the two say to each other.

It is no child of this one, or a script that waits for all its children, or ends them all, would meet one that it knows
nothing of. Two pipes are all there is: each says a line of JSON at a time, and who is gone closes its ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Any

_CODE = (
    "import os, sys; os.fork() and os._exit(0); os.setsid(); sys.path.insert(0, sys.argv.pop(1)); "
    # Behind the standard library from here on: where packages are installed there may be a module of the same name.
    "from guild_ledger.main import claim_packages; sys.path.append(sys.path.pop(0)); claim_packages(); "
    "from commands.attending import main; main()"
)
_ABOVE_STANDARD = 3
_MOST_TOLD = 2_000
_PIECE = 65_536
_SILENT = "the process that looks after runs ended without a word"
_open: list[Beside] = []


class Beside:
    """The process beside this one, and this one's ends of the pipes between them."""

    __slots__ = ("_child", "_ends", "_heard", "_said")

    def __init__(self) -> None:
        self._heard = self._said = -1
        self._ends: dict[int, tuple[int, int]] = {}
        self._child = 0

    def start(self, asked: Mapping[str, object], env: Mapping[str, str]) -> dict[str, Any]:
        """Start it with this environment, ask it for a run, and return what it answers when that is on record.

        Raises:
            OSError: the system refuses.
            RuntimeError: the run could not be recorded.
        """
        _open.append(self)
        with _place_for_complaints() as told:
            self._start(told.fileno(), env)
            answer = self.ask(asked)
            if "id" not in answer:
                told.seek(0)
                lines = told.read()[-_MOST_TOLD:].decode(errors="replace").strip().splitlines()
                raise RuntimeError(f"start_run: {answer.get('error') or (lines or [_SILENT])[-1]}")
        # Whoever is process 1, in a container say, inherits the children of others.
        self._child = answer["child"]
        return answer

    def _start(self, told: int, env: Mapping[str, str]) -> None:
        # Not by subprocess: it waits for a pipe of its own to close, of which a process forked meanwhile has a copy.
        asked, self._said = self._pipe()
        self._heard, answers = self._pipe()
        told = self._kept(fcntl.fcntl(told, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD))
        # -P: a file of the working directory may have the name of a module that is needed.
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        program = [sys.executable, "-P", "-c", _CODE, folder]
        streams = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate((asked, answers, told))]
        first = os.posix_spawn(sys.executable, program, env, file_actions=streams)
        with suppress(ChildProcessError):  # a script may have all its children reaped for it
            os.waitpid(first, 0)  # it has only forked the one that stays
        for end in (asked, answers, told):
            self._close(end)

    def _pipe(self) -> tuple[int, int]:
        """Make a pipe above the standard streams, whose places may be free."""
        low = os.pipe()
        try:
            read, write = (self._kept(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)) for end in low)
        finally:
            for end in low:
                os.close(end)
        return read, write

    def _kept(self, end: int) -> int:
        self._ends[end] = _identity(end)
        return end

    def ask(self, what: Mapping[str, object]) -> dict[str, Any]:
        """Say something, and return the answer; nothing when the other process is gone."""
        if any(_identity(end) != identity for end, identity in self._ends.items()):
            return {}  # closed by somebody who closes everything: the numbers may be other files' by now
        words, heard = json.dumps(what).encode() + b"\n", b""
        # What it has said before it went is there to be read; to speak to nobody would be SIGPIPE, which may kill.
        if self._has_answered():
            words = b""
        with suppress(OSError):
            while words:
                words = words[os.write(self._said, words) :]
        with suppress(OSError):
            while not heard.endswith(b"\n") and (piece := os.read(self._heard, _PIECE)):
                heard += piece
        try:
            answer: dict[str, Any] = json.loads(heard)
        except ValueError:
            return {}
        return answer

    def _has_answered(self) -> bool:
        look = select.poll()  # unlike select, it takes any number
        look.register(self._heard)
        return bool(look.poll(0))

    def close(self) -> None:
        """Let go of it; it notices."""
        if self in _open:
            _open.remove(self)
        for end in tuple(self._ends):
            self._close(end)

    def _close(self, end: int) -> None:
        if self._ends.pop(end) == _identity(end):
            os.close(end)

    def wait(self) -> None:
        """Take note of its end, when that is ours to do."""
        if self._child:
            with suppress(ChildProcessError):
                os.waitpid(self._child, 0)


def close_all() -> None:
    """Close what a process that was forked just now has been given: it would seem to be the one that began the run."""
    for beside in tuple(_open):
        beside.close()


def _identity(descriptor: int) -> tuple[int, int]:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return -1, -1
    return status.st_dev, status.st_ino


def _place_for_complaints() -> IO[bytes]:
    """Return a file for what the process beside this one may have to say before it can answer."""
    from tempfile import TemporaryFile

    try:
        return TemporaryFile()
    except OSError:  # a full or read-only disk is no reason not to try
        return open(os.devnull, "r+b")
