"""Guild commands that need no start of Python: forked from a process that has imported the program already.

Most tests run the command some times, and most of the time of a start is Python's own. What is forked is a process with
the arguments, working directory, environment and streams that were asked for, as any other; how the program itself
starts and what it imports is tested where that is the question (tests/test_startup.py, tests/test_wheel.py). With
`GUILD_TESTS_START=real` every command is started anew.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_INPUT = 60_000
"""What a pipe takes before anybody reads it, in bytes."""

_STARTED: dict[int, str] = {}
"""The socket of this process's server, by the number of the process: a fork of ours starts its own."""

_OF_A_START = ("PYTHON", "LC_", "LD_")
_FIRST_OTHER = 3


def can_fork(env: Mapping[str, str], base: Mapping[str, str], stdin: bytes) -> bool:
    """Tell whether a fork does what a process of its own would: nothing is asked for that counts at a start only."""
    if os.environ.get("GUILD_TESTS_START") == "real":
        return False
    changed = {name for name in {*env, *base} if env.get(name) != base.get(name)}
    return len(stdin) <= MOST_INPUT and not any(name == "LANG" or name.startswith(_OF_A_START) for name in changed)


def run(
    args: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes, timeout: float
) -> tuple[int, bytes, bytes]:
    """Run a guild command to its end; return its exit code (negative: the signal that ended it) and what it printed.

    Raises:
        subprocess.TimeoutExpired: it did not end, and was killed.
    """
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(_server(env))
    ours, theirs = zip(*[os.pipe() for _ in range(3)], strict=True)
    given, out, err = theirs[0], ours[1], ours[2]
    request = json.dumps({"argv": list(args), "cwd": cwd, "env": dict(env)}).encode()
    with channel:
        socket.send_fds(channel, [len(request).to_bytes(8, "big")], [ours[0], theirs[1], theirs[2]])
        channel.sendall(request)
        for descriptor in (ours[0], theirs[1], theirs[2]):
            os.close(descriptor)
        with contextlib.suppress(BrokenPipeError):
            os.write(given, stdin)
        os.close(given)
        answer = channel.makefile("r")
        pid = int(answer.readline())
        end = time.monotonic() + timeout
        printed = _read_all((out, err), end)
        if printed is None or not select.select([channel], [], [], max(0.0, end - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["guild", *args], timeout)
        return int(answer.readline()), *printed


def _read_all(descriptors: Sequence[int], end: float) -> tuple[bytes, bytes] | None:
    """Read until all are closed at the other side, and close them; None when that takes too long."""
    found = {descriptor: bytearray() for descriptor in descriptors}
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                data = os.read(key.fd, 1 << 16)
                found[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
        is_whole = not selector.get_map()
    for descriptor in descriptors:
        os.close(descriptor)
    first, second = (bytes(found[descriptor]) for descriptor in descriptors)
    return (first, second) if is_whole else None


def _server(env: Mapping[str, str]) -> str:
    """Return the socket of the server, started when there is none yet."""
    own = os.getpid()
    if own not in _STARTED:
        folder = tempfile.mkdtemp(prefix="guild-forks-")
        path = os.path.join(folder, "socket")
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from tests.forked import serve; serve(sys.argv[1])", path],
            cwd=ROOT,
            env={name: env[name] for name in ("PATH", "LANG", "TZ", "PYTHONPATH")},
            stdin=subprocess.PIPE,  # its end is the server's, whatever becomes of us
            stdout=subprocess.PIPE,
            stderr=None,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        atexit.register(_end, process, folder, own)
        _STARTED[own] = path
    return _STARTED[own]


def _end(process: subprocess.Popen[bytes], folder: str, owner: int) -> None:
    if os.getpid() == owner:
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def serve(path: str) -> None:
    """Fork a process for each request, until the one who started this is gone."""
    _preload()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(awake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    os.write(1, b"ready\n")
    waiting: dict[int, socket.socket] = {}
    watched: list[int | socket.socket] = [0, listener, awake]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if 0 in ready:
            os._exit(0)
        if awake in ready:
            os.read(awake, 4096)
            _tell_ends(waiting)
        if listener in ready:
            channel, _ = listener.accept()
            waiting[_forked(channel)] = channel


def _preload() -> None:
    """Import what commands import."""
    from guild_ledger.deferred import defer_modules
    from tests.crash_server import preload

    defer_modules()
    preload()
    import guild_ledger.main  # noqa: F401 - for the forks

    gc.collect()
    gc.freeze()


def _tell_ends(waiting: dict[int, socket.socket]) -> None:
    while waiting:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with waiting.pop(pid) as channel, contextlib.suppress(OSError):
            channel.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _forked(channel: socket.socket) -> int:
    size, descriptors, _, _ = socket.recv_fds(channel, 8, 3)
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += channel.recv(1 << 16)
    pid = os.fork()
    if pid == 0:
        _become(json.loads(request), descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    channel.sendall(b"%d\n" % pid)
    return pid


def _open_standard_streams() -> None:
    """Make them anew: those of a start know by now what kind of file they were."""
    handlers = (sys.stdin.errors, sys.stdout.errors, sys.stderr.errors)
    sys.stdin = open(0, encoding="utf-8", errors=handlers[0], closefd=False)  # noqa: SIM115 - for the whole life
    sys.stdout = open(1, "w", encoding="utf-8", errors=handlers[1], closefd=False)  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors=handlers[2], closefd=False)  # noqa: SIM115 - as above


def _become(request: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Be the command that was asked for."""
    code = 99
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.closerange(_FIRST_OTHER, 256)
        _open_standard_streams()
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        os.chdir(request["cwd"])
        sys.path[0] = request["cwd"]
        sys.argv = [os.path.join(ROOT, "guild_ledger", "__main__.py"), *request["argv"]]
        from guild_ledger.main import main

        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it was, this copy of the server must not run on
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
