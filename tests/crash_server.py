"""The process that forks guild commands for `tests.crash_kit`, and what its forks do."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any

from ledger.seams import install
from tests.crash_kit import DEATH, PATIENCE_SECONDS, ROOT, Trouble


def serve() -> None:
    """Fork a process for each request, for ever: the other end of `Kit`."""
    preload()
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _replace_standard_streams()
    server = _Server()
    for line in requests:
        request = json.loads(line)
        answer = getattr(server, request.pop("request"))(**request)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    server.end()


def preload() -> None:
    """Import what commands import, so that no fork has to; but not SQLAlchemy: it makes each fork slower."""
    for folder in ("commands", "ledger", "ledger/events", "projections", "operations", "artifacts", "view"):
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            heavy = name.startswith(("migrate", "sql_", "tables"))
            is_program = name.startswith("launch_")  # it would run
            if name.endswith(".py") and name != "__init__.py" and not heavy and not is_program:
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
        folder = os.environ["HOME"]
        files = tuple(tempfile.TemporaryFile(dir=folder, buffering=0) for _ in range(3))  # noqa: SIM115 - kept open
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
            install(_Hook(*hook, files[2].fileno()))
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


def _content(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), 1_000_000, 0).decode(errors="replace")


class _Hook:
    """What a command's process does at each seam: note it, copy the home when that is watched, meet its trouble."""

    def __init__(self, trouble: Trouble | None, watch: str, trace: int) -> None:
        self._trouble = trouble
        self._watch = watch
        self._trace = trace
        self._count = 0
        self._last: object = None
        self._must_look = False

    def __call__(self, name: str) -> None:
        copy = self._copied() if self._watch else ""
        # A commit may be too quick for the clock of a file's times, and is never nothing.
        self._must_look = name.endswith(("commit", "confirm"))
        os.write(self._trace, f"{name} {copy or '-'}\n".encode())
        if self._trouble is None or self._trouble.name not in ("", name):
            return
        self._count += 1
        if self._trouble.at in (0, self._count):
            _befall(self._trouble, name)

    def _copied(self) -> str:
        """Copy the home, unless nothing in it has changed; return where the copy is."""
        looks = _looks(self._watch)
        if not os.path.exists(self._watch) or (looks == self._last and not self._must_look):
            return ""
        self._last = looks
        copy = f"{self._watch}-copy-{os.lseek(self._trace, 0, os.SEEK_CUR)}"
        pid = os.fork()
        if pid == 0:
            # In another process: to close a database's file in this one would drop SQLite's locks on it.
            shutil.copytree(self._watch, copy, symlinks=True)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        return copy


def _looks(folder: str) -> object:
    """Return what changes when anything below a folder does, but for SQLite's shared memory: that is remade."""
    found = []
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = os.lstat(os.path.join(path, name))
            if not name.endswith("-shm"):
                found.append((path, name, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns))
    return sorted(found)


def _befall(trouble: Trouble, name: str) -> None:
    if trouble.what == "die":
        os._exit(DEATH)
    if trouble.what == "fail":
        raise OSError(trouble.error, os.strerror(trouble.error), name)
    os.kill(os.getpid(), signal.SIGSTOP)


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
    """Do guild commands again and again, each in a process of its own; returns how many did not exit with 0."""
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
