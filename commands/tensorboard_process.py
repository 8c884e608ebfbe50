"""TensorBoard's process: found, started, watched, and ended with everything that was made for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

from artifacts.removal import remove_tree
from commands.pip_calls import interpreter_of_runs
from commands.terminal import note
from ledger.errors import GuildError
from ledger.text import printable
from operations.signals import stopping_calls, stopping_raises

_HAS_IT = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tensorboard') is None)"
_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.1
_GRACE_SECONDS = 5.0
_LAST_WORDS = 2_000
_LOOPBACK = ("localhost", "::1")


def find_tensorboard(options: Sequence[str]) -> list[str]:
    """Return the words that start TensorBoard: of the environment that is active, guild's own, or the one on PATH.

    Raises:
        GuildError: it is not installed.
    """
    for python in dict.fromkeys((interpreter_of_runs(), sys.executable)):
        with suppress(OSError):
            done = subprocess.run([python, "-c", _HAS_IT], cwd="/", capture_output=True, check=False)
            if done.returncode == 0:
                return [python, "-m", "tensorboard.main", *options]
    program = shutil.which("tensorboard")
    if program is not None:
        return [os.path.abspath(program), *options]
    raise GuildError(
        "TensorBoard is not installed", hint=f"To install it: {interpreter_of_runs()} -m pip install tensorboard"
    )


class TensorBoard:
    """One TensorBoard, with a temporary folder that is gone at the end, whatever ends it.

    Args:
        command: the words that start it.
        host: where it listens.
        port: 0 for a free one.

    Attributes:
        log_folder: what it looks at, empty at first.

    Raises:
        GuildError: the port is in use, or there is no room for temporary files.
    """

    def __init__(self, command: Sequence[str], host: str, port: int) -> None:
        self._command = command
        self._host, self._port = host, _port(host, port)
        self._process: subprocess.Popen[bytes] | None = None
        self._signals = stopping_raises()
        self._folder = ""
        self.log_folder = ""

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self._host, self._host)  # noqa: S104 - of the user's
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/"

    def __enter__(self) -> Self:
        self._signals.__enter__()
        try:
            self._folder = tempfile.mkdtemp(prefix="guild-tensorboard-")
            self.log_folder = os.path.join(self._folder, "logs")
            os.mkdir(self.log_folder)
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, OSError):
                raise GuildError(f"a temporary folder could not be made: {error.strerror}") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with stopping_calls(_stay):  # a second Ctrl-C must not leave half of it behind
            self._end()
            if self._folder:
                with suppress(OSError):
                    remove_tree(self._folder)
        self._signals.__exit__(None, None, None)

    def start(self, seconds: int) -> None:
        """Start it and wait until it answers.

        Raises:
            GuildError: it ended, or does not answer.
        """
        if self._host not in _LOOPBACK and not self._host.startswith("127."):
            note("Other machines can reach it, and it asks for no password.")
        words = ["--logdir", self.log_folder, "--host", self._host, "--port", str(self._port)]
        words += ["--reload_interval", str(seconds)]
        with open(os.path.join(self._folder, "said"), "wb") as said:
            try:
                self._process = subprocess.Popen(
                    [*self._command, *words], cwd=self._folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    env={**os.environ, "TMPDIR": self._folder}, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise GuildError(f"TensorBoard cannot be started: {error.strerror}") from error
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise self._ended(self._process.returncode)
            if time.monotonic() > deadline:
                raise GuildError(f"TensorBoard does not answer at {self.url}", hint=self._last_words())
            time.sleep(_PAUSE_SECONDS)

    def watch(self, seconds: int, look: Callable[[], None]) -> NoReturn:
        """Call `look` every so many seconds, until a signal raises `StoppedError`.

        Raises:
            GuildError: TensorBoard ended by itself.
        """
        assert self._process is not None  # noqa: S101 - it was started
        while True:
            try:
                raise self._ended(self._process.wait(seconds))
            except subprocess.TimeoutExpired:
                look()

    def _answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - of the user's
        try:
            with socket.create_connection((host, self._port), timeout=1.0):
                return True
        except OSError:
            return False

    def _ended(self, code: int) -> GuildError:
        what = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
        return GuildError(f"TensorBoard ended {what}", hint=self._last_words())

    def _last_words(self) -> str:
        with suppress(OSError), open(os.path.join(self._folder, "said"), "rb") as said:
            said.seek(max(0, os.fstat(said.fileno()).st_size - _LAST_WORDS))
            lines = said.read().decode("utf-8", "replace").splitlines()
            return "\n".join(printable(line, _LAST_WORDS) for line in lines[-10:])
        return ""

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        with suppress(OSError):
            os.killpg(process.pid, 9)  # what it started itself, in the session that is its own
        process.wait()


def _stay(_number: int, _frame: object) -> None:
    """Do nothing about a signal."""


def _port(host: str, port: int) -> int:
    """Return a port that nobody uses.

    Raises:
        GuildError: it is in use, or the address is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no address"
        raise GuildError(
            f"TensorBoard cannot listen at '{printable(host, 80)}', port {port}: {why}",
            hint="Choose another --port, or leave it out for a free one.",
        ) from error
