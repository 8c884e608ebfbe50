"""What tests of supervising share: a supervisor in a process of its own, and what it runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from artifacts.output import OutputSummary
from operations.process_info import is_alive
from operations.process_tree import descendants
from operations.supervise import Ending
from tests.cli_kit import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., "Supervisor"]


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")


PATIENCE_SECONDS = 120


# Does what `guild run` does around the process, and tells the ending as JSON.
SUPERVISOR = """
import json, os, sys
from dataclasses import asdict
from artifacts.lease import Lease, LeaseRecord
from operations.process_info import evidence_of
from operations.supervise import ProcessSpec, exit_code, run_process
home, argv, options = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
exec(options.pop("before", ""))
raises = options.pop("raises", False)
shown = options.pop("shown", False)
spec = dict(argv=argv, cwd=home, env=dict(os.environ), output_dir=home + "/.guild")
if shown:
    spec |= dict(stdout_fd=1, stderr_fd=2)
evidence = evidence_of(os.getpid(), "box")
lease = Lease.acquire(home + "/lease", LeaseRecord(**asdict(evidence)))
def on_started(started):
    with open(home + "/started", "w") as file:
        json.dump([started.pid, started.start_ticks], file)
    if raises:
        raise SystemExit(9)
ending = run_process(ProcessSpec(**spec | options), lease=lease, on_started=on_started)
with open(home + "/ending", "w") as file:
    json.dump(asdict(ending) | {"modules": sorted(sys.modules)}, file)
exec(os.environ.get("AFTER", ""))
lease.release(remove=False)
sys.exit(exit_code(ending))
"""


# A shell with two children, one of which has a child itself; all of them live for ever.
FAMILY = "sleep 1000 & (sleep 1000 & wait) & echo ready; wait"


class Supervisor:
    """A process that supervises a run; its input and output can be had, its files are in `home`."""

    def __init__(self, home: Path, *argv: str, **options: Any) -> None:
        """Start it; `options` go to ProcessSpec, but for `popen`, which goes to Popen."""
        self.home = home
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options.pop("popen", {})}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(home), json.dumps(argv), json.dumps(options)],
            cwd=ROOT,
            start_new_session=True,
            **popen,
        )

    def says(self, text: str) -> None:
        """Wait until the run has printed a line that ends with `text`."""
        wait_until(lambda: f"{text}\n" in self.output())

    def output(self) -> str:
        """Return what was captured so far."""
        with contextlib.suppress(OSError):
            return (self.home / ".guild" / "output").read_text()
        return ""

    def child(self) -> tuple[int, int]:
        """Return the run's process, once it is known."""
        wait_until(lambda: (self.home / "started").exists() and (self.home / "started").read_text().endswith("]"))
        pid, ticks = json.loads((self.home / "started").read_text())
        return pid, ticks

    def tree(self, size: int) -> list[tuple[int, int]]:
        """Return all processes of the run as soon as there are `size`."""
        wait_until(lambda: len(descendants(self.process.pid)) >= size)
        return descendants(self.process.pid)

    def send(self, number: int) -> None:
        """Send a signal to the supervisor alone."""
        os.kill(self.process.pid, number)

    def ending(self) -> Ending:
        """Wait for the end, and return what was told about it."""
        self.process.wait(PATIENCE_SECONDS)
        told = json.loads((self.home / "ending").read_text())
        del told["modules"]
        return Ending(**told | {"output": OutputSummary(**told["output"])})

    def clean(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        for pid, _ in descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture(name="supervise")
def supervise_fixture(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Supervisor]:
    """Give a function that starts a supervisor of the command that it is given."""

    def start(*argv: str, **options: Any) -> Supervisor:
        supervisor = Supervisor(tmp_path, *argv, **options)
        request.addfinalizer(supervisor.clean)
        return supervisor

    return start


def all_gone(processes: list[tuple[int, int]]) -> bool:
    """Whether none of these processes lives."""
    return not any(is_alive(*process) for process in processes)


def python(code: str) -> tuple[str, ...]:
    """Return the command that runs `code`."""
    return (sys.executable, "-u", "-c", code)
