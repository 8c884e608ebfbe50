"""Throw-away homes, and guild commands that die, fail or pause at a chosen step of their work.

A crash is only proved harmless by crashing, at every step, thousands of times; starting Python for each would
take an hour. So one process imports the program once, opens nothing, and forks for every command: the fork is
a real process, its death frees its locks, and nothing of it is left but what it wrote to disk.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

Item = TypeVar("Item")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE_SECONDS = 120
"""After which a process counts as hanging: a busy machine may stand still for half a minute."""
DEATH = 137
"""The exit status of a process that a `die` trouble ended; what a shell shows after kill -9."""

MODEL_FILE = """
- model: m
  operations:
    train:
      cmd: job.py
      flags:
        size: 3
"""
JOB = """
import os, sys
size = int(sys.argv[sys.argv.index("--size") + 1])
os.mkdir("deep")
open("weights.bin", "wb").write(bytes(range(256)) * size)
os.symlink("/etc/passwd", "deep/link")
print("trained", size)
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What shall befall a command.

    Attributes:
        what: `die` (at once, as by kill -9), `fail` (the step raises an OSError) or `stop` (SIGSTOP until resumed).
        at: at which seam, counted from 1; 0 means every seam named `name`, or any when there is no name.
        name: only at seams of this name; `at` then counts those.
        error: of `fail`: the errno.
    """

    what: str
    at: int = 0
    name: str = ""
    error: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended.

    Attributes:
        code: its exit status; negative: the signal that killed it, or stopped it.
        out: its standard output.
        err: its standard error.
        seams: the seams that it passed, in order; of a dead one the last is where it died.
        stopped: whether it did not end but was stopped.
        copies: for each seam a copy of the home as it was there; empty when it was as at the seam before.
    """

    code: int
    out: str
    err: str
    seams: tuple[str, ...]
    stopped: bool = False
    copies: tuple[str, ...] = ()

    @property
    def died(self) -> bool:
        """Whether a `die` trouble ended it."""
        return self.code == DEATH


@dataclass(slots=True)
class Process:
    """A command at work in a process of its own."""

    pid: int
    _kit: Kit = field(repr=False)

    def wait(self) -> Result:
        """Wait until it ends or stops."""
        told = self._kit.ask("wait", pid=self.pid)
        seams, copies = tuple(told["seams"][::2]), tuple(copy.strip("-") for copy in told["seams"][1::2])
        return Result(told["code"], told["out"], told["err"], seams, told["stopped"], copies)

    def seams(self) -> list[str]:
        """Return the seams that it has passed so far."""
        found: list[str] = self._kit.ask("seams", pid=self.pid)["seams"]
        return found[::2]

    def signal(self, number: int) -> None:
        """Send it a signal; it is not waited for yet, so the number is still its own."""
        os.kill(self.pid, number)


class Kit:
    """Starts processes that do guild commands, or any function, and keeps throw-away homes."""

    def __init__(self, folder: str) -> None:
        """Use a folder of its own."""
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.project = os.path.join(folder, "project")
        self._count = itertools.count(1)
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "TZ") if key in os.environ}
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from tests.crash_server import serve; serve()"],
            cwd=ROOT,
            env={**environment, "HOME": folder, "USER": "tester"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def new_project(self, name: str, job: str = JOB) -> str:
        """Make a project whose operation `train` runs the script `job`; returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(path)
        for file_name, text in (("guild.yml", MODEL_FILE), ("job.py", job)):
            with open(os.path.join(path, file_name), "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def close(self) -> None:
        """End the server."""
        self._server.communicate()

    def ask(self, request: str, **details: object) -> dict[str, Any]:
        """Send a request to the server and return its answer."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps({"request": request, **details}).encode() + b"\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer

    def start_call(self, function: str, *args: object, trouble: Trouble | None = None, watch: str = "") -> Process:
        """Start `function` (`module:name`) in a process of its own; its return value is the exit status.

        With `watch`, that home is copied at each seam: what a kill there would leave.
        """
        befalls = asdict(trouble) if trouble else None
        return Process(self.ask("start", function=function, args=args, trouble=befalls, watch=watch)["pid"], self)

    def start(self, home: str, *argv: str, trouble: Trouble | None = None) -> Process:
        """Start `guild` with these arguments in the project."""
        return self.start_call("tests.crash_server:command", self.project, ["-H", home, *argv], trouble=trouble)

    def guild(self, home: str, *argv: str, trouble: Trouble | None = None) -> Result:
        """Do a guild command to its end."""
        return self.start(home, *argv, trouble=trouble).wait()

    def watched(self, home: str, *argv: str) -> Result:
        """Do a guild command to its end, and keep copies of the home as it was on the way."""
        return self.start_call("tests.crash_server:command", self.project, ["-H", home, *argv], watch=home).wait()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold all processes that are started inside, and let them go at once at the end."""
        self.ask("hold")
        try:
            yield
        finally:
            self.ask("go")

    def new_home(self) -> str:
        """Return the path of a home that does not exist yet."""
        return os.path.join(self.folder, f"home-{next(self._count)}")

    def copy(self, home: str) -> str:
        """Return a copy of a home that nobody uses at the moment; of one that does not exist yet, such another."""
        target = self.new_home()
        if os.path.exists(home):
            shutil.copytree(home, target, symlinks=True)
        return target

    def drop(self, *homes: str) -> None:
        """Remove homes that are not needed any more."""
        for home in homes:
            if os.path.exists(home):
                shutil.rmtree(home)


@contextmanager
def opened_kit() -> Iterator[Kit]:
    """Give a kit in a folder of its own: in memory, for every commit is flushed."""
    from tests.kit import memory_folder  # not at the top: what is forked has no need of it, nor of pytest

    with memory_folder() as folder:
        kit = Kit(str(folder))
        kit.new_project("project")
        try:
            yield kit
        finally:
            kit.close()


@contextmanager
def opened_pair() -> Iterator[tuple[Kit, Kit]]:
    """Give two kits for the same project, so that two processors have something to do."""
    with opened_kit() as kit:
        other = Kit(os.path.join(kit.folder, "other"))
        other.project = kit.project
        try:
            yield kit, other
        finally:
            other.close()


def share(kits: Sequence[Kit], work: Callable[[Kit, Item], None], items: Iterable[Item]) -> None:
    """Do `work` on every item, as many at a time as there are kits."""
    free: queue.SimpleQueue[Kit] = queue.SimpleQueue()
    for kit in kits:
        free.put(kit)

    def one(item: Item) -> None:
        kit = free.get()
        try:
            work(kit, item)
        finally:
            free.put(kit)

    with ThreadPoolExecutor(len(kits)) as pool:
        for _ in pool.map(one, items):
            continue
