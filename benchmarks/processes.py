"""One process, timed: how it is started, what it may see, and what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BARE = (sys.executable, "-c", "pass")
_GUILD = "import sys; sys.argv[0] = 'guild'; from guild_ledger.main import main; main()"


def guild(*arguments: str) -> tuple[str, ...]:
    """Return the command line that does what the installed `guild` script does."""
    return (sys.executable, "-c", _GUILD, *arguments)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took, and what it said.

    Attributes:
        seconds: elapsed.
        cpu: seconds of processor time, user and system, its own processes included.
        output: what it wrote to stdout and stderr.
    """

    seconds: float
    cpu: float
    output: bytes


def environment(scratch: str) -> dict[str, str]:
    """Return the variables that a measured process gets; compiled modules are kept, as an installation keeps them."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": scratch,
        "LANG": "C.UTF-8",
        "LOGNAME": "ann",
        "PYTHONPATH": ROOT,
        "PYTHONPYCACHEPREFIX": os.path.join(scratch, "pycache"),
    }


def run(argv: Sequence[str], cwd: str, env: Mapping[str, str], scratch: str) -> Usage:
    """Run a command to its end and return what it took.

    Raises:
        CalledProcessError: it failed; its output is told.
    """
    with open(os.path.join(scratch, "output.txt"), "w+b") as output:
        before = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv, said)
    return Usage(seconds, used.ru_utime + used.ru_stime, said)
