"""Throw-away homes, and guild commands that die, fail or pause at a chosen step of their work.

A crash is only proved harmless by crashing, at every step, thousands of times; starting Python for each would
take an hour. So one process imports the program once, opens nothing, and forks for every command: the fork is
a real process, its death frees its locks, and nothing of it is left but what it wrote to disk.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import IO, Any, TypeVar

Item = TypeVar("Item")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE_SECONDS = 20
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

    def __init__(self, folder: str, *, migrations: bool = False) -> None:
        """Use a folder of its own; `migrations` prepares for many commands that make a ledger."""
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.project = os.path.join(folder, "project")
        self._count = itertools.count(1)
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "TZ") if key in os.environ}
        self._server = subprocess.Popen(
            [sys.executable, "-c", f"from tests.crash_kit import serve; serve({migrations=})"],
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
        return self.start_call("tests.crash_kit:command", self.project, ["-H", home, *argv], trouble=trouble)

    def guild(self, home: str, *argv: str, trouble: Trouble | None = None) -> Result:
        """Do a guild command to its end."""
        return self.start(home, *argv, trouble=trouble).wait()

    def watched(self, home: str, *argv: str) -> Result:
        """Do a guild command to its end, and keep copies of the home as it was on the way."""
        return self.start_call("tests.crash_kit:command", self.project, ["-H", home, *argv], watch=home).wait()

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
def opened_kit(*, migrations: bool = False) -> Iterator[Kit]:
    """Give a kit in a folder of its own: in memory where there is such a place, for every commit is flushed."""
    memory = "/dev/shm"  # noqa: S108 - a private folder is made there
    folder = tempfile.mkdtemp(prefix="guild-crash-", dir=memory if os.access(memory, os.W_OK) else None)
    kit = Kit(folder, migrations=migrations)
    kit.new_project("project")
    try:
        yield kit
    finally:
        kit.close()
        shutil.rmtree(folder)


@contextmanager
def opened_pair(*, migrations: bool = False) -> Iterator[tuple[Kit, Kit]]:
    """Give two kits for the same project, so that two processors have something to do."""
    with opened_kit(migrations=migrations) as kit:
        other = Kit(os.path.join(kit.folder, "other"), migrations=migrations)
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


def serve(*, migrations: bool) -> None:
    """Fork a process for each request, for ever: the other end of `Kit`."""
    _preload(migrations=migrations)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _replace_standard_streams()
    server = _Server()
    for line in requests:
        request = json.loads(line)
        answer = getattr(server, request.pop("request"))(**request)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    server.end()


def _preload(*, migrations: bool) -> None:
    """Import what commands import, so that no fork has to; SQLAlchemy only on request: it makes each fork slower."""
    for folder in ("commands", "ledger", "ledger/events", "projections", "operations", "artifacts"):
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            heavy = name.startswith(("migrate", "sql_", "tables"))
            if name.endswith(".py") and name != "__init__.py" and (migrations or not heavy):
                import_module(f"{folder.replace('/', '.')}.{name[:-3]}")
    import_module("difflib")
    gc.collect()
    gc.freeze()


def _replace_standard_streams() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)


class _Server:
    """Answers requests: each method is one, its arguments the request's, what it returns the answer."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[IO[bytes], ...]] = {}
        self._gate: tuple[int, int] | None = None

    def end(self) -> None:
        """Leave no process behind, stopped ones included."""
        for pid in self._files:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def hold(self) -> dict[str, Any]:
        self._gate = os.pipe()
        return {}

    def go(self) -> dict[str, Any]:
        assert self._gate is not None
        for end in self._gate:
            os.close(end)
        self._gate = None
        return {}

    def start(self, function: str, args: list[Any], trouble: dict[str, Any] | None, watch: str) -> dict[str, Any]:
        files = tuple(tempfile.TemporaryFile(dir=_temporary(), buffering=0) for _ in range(3))
        pid = os.fork()
        if pid == 0:
            self._become(function, args, files, (Trouble(**trouble) if trouble else None, watch))
        self._files[pid] = files
        return {"pid": pid}

    def wait(self, pid: int) -> dict[str, Any]:
        _, status = os.waitpid(pid, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        out, err, seams = (_content(file) for file in self._files[pid])
        if not stopped:
            for file in self._files.pop(pid):
                file.close()
        code = -os.WSTOPSIG(status) if stopped else os.waitstatus_to_exitcode(status)
        return {"code": code, "out": out, "err": err, "seams": seams.split(), "stopped": stopped}

    def seams(self, pid: int) -> dict[str, Any]:
        return {"seams": _content(self._files[pid][2]).split()}

    def _become(
        self, function: str, args: list[Any], files: tuple[IO[bytes], ...], hook: tuple[Trouble | None, str]
    ) -> None:
        code = 99
        try:
            os.setsid()
            signal.alarm(PATIENCE_SECONDS)
            for descriptor, file in enumerate(files[:2], start=1):
                os.dup2(file.fileno(), descriptor)
            if self._gate is not None:
                os.close(self._gate[1])
                os.read(self._gate[0], 1)
            _install(*hook, files[2].fileno())
            module, _, name = function.partition(":")
            code = int(getattr(import_module(module), name)(*args) or 0)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever it was, this copy of the server must not run on
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _temporary() -> str | None:
    return os.environ["HOME"]


def _content(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), 1_000_000, 0).decode(errors="replace")


def _install(trouble: Trouble | None, watch: str, trace: int) -> None:
    from ledger.seams import install

    count, last = 0, ""

    def hook(name: str) -> None:
        nonlocal count, last
        copy = "-"
        if watch:
            target, before = f"{watch}-copy-{os.lseek(trace, 0, os.SEEK_CUR)}", last
            last = _in_another_process(lambda: _copy_when_changed(watch, target, before))
            copy = target if last != before else "-"
        os.write(trace, f"{name} {copy}\n".encode())
        if trouble is None or trouble.name not in ("", name):
            return
        count += 1
        if trouble.at in (0, count):
            _befall(trouble, name)

    install(hook)


def _befall(trouble: Trouble, name: str) -> None:
    if trouble.what == "die":
        os._exit(DEATH)
    if trouble.what == "fail":
        raise OSError(trouble.error, os.strerror(trouble.error), name)
    os.kill(os.getpid(), signal.SIGSTOP)


def _in_another_process(work: Callable[[], str]) -> str:
    """Read a home's files in another process: to close a database's file here would drop SQLite's locks on it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, work().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer


def _copy_when_changed(folder: str, target: str, before: str) -> str:
    """Copy a folder unless its digest is the one of before; returns its digest."""
    digest = _digest(folder)
    if digest != before:
        shutil.copytree(folder, target, symlinks=True)
    return digest


def _digest(folder: str) -> str:
    """Return what stands for all names and contents below a folder, but for SQLite's shared memory: that is remade."""
    import hashlib

    digest = hashlib.sha256()
    for path, folders, files in os.walk(folder):
        folders.sort()
        digest.update(repr((path, folders, sorted(files))).encode())
        for name in sorted(files):
            full = os.path.join(path, name)
            if not name.endswith("-shm") and not os.path.islink(full):
                with open(full, "rb") as file:
                    digest.update(file.read())
    return digest.hexdigest()


def command(folder: str, argv: Sequence[str]) -> None:
    """Do a guild command in `folder`; ends by SystemExit, as the program does."""
    from commands.main import main

    os.chdir(folder)
    sys.argv = ["guild", *argv]
    main(argv)


def append_runs(home: str, count: int) -> None:
    """Append runs that have ended, one transaction for each, by nothing but the ledger."""
    from ledger.events.life import RunStatusChanged
    from ledger.events.start import RunStarted
    from ledger.ids import new_run_id, run_stream
    from ledger.opening import open_sqlite
    from ledger.transaction import Header, NewEvent, Transaction

    header = Header(actor="tester", host="box", argv=("test",), cwd="/", program="test")
    ledger = open_sqlite(os.path.join(home, "ledger.db"), header)
    for _ in range(count):
        stream = run_stream(new_run_id())
        started = RunStarted("/p", None, "m", "train", ("true",), {})
        ended = RunStatusChanged("completed", 0)
        ledger.append(Transaction(header, (NewEvent(stream, started), NewEvent(stream, ended))))
    ledger.store.close()


def repeat(folder: str, home: str, times: int, commands: Sequence[Sequence[str]]) -> int:
    """Do guild commands again and again, each in a process of its own; returns how many times one did not exit with 0."""
    failed = 0
    for argv in list(commands) * times:
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                command(folder, ["-H", home, *argv])
            except SystemExit as error:
                code = int(error.code or 0)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        failed += os.waitpid(pid, 0)[1] != 0
    return failed
