"""The process of an operation with steps: runs `guild` for one step after the other. A program of its own.

It is started by its path and imports nothing of this project, so that it behaves as any other process of a run: its
output is captured, and what stops the run stops it and the step that it is at.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from types import FrameType


class Step(TypedDict):
    """A step: what the links to its runs are called, and the words of its command line."""

    name: str
    words: list[str]


class Steps(TypedDict):
    """All steps: how `guild` is started, the directory that it acts in, and the steps in their order."""

    guild: list[str]
    project: str
    steps: list[Step]


class Stopper:
    """Passes a request to stop on to the step that is at work, so that this process ends after it and not before."""

    def __init__(self) -> None:
        self.asked = 0
        self.child: subprocess.Popen[str] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = number
        # A Ctrl-C has reached the step already; a second SIGTERM does it no harm.
        if self.child is not None and number != signal.SIGINT:
            self.child.send_signal(number)

    def run(self, words: list[str], env: dict[str, str], output: int | None = None) -> tuple[int, str]:
        """Run a command to its end; returns its exit code and what it printed, when that was asked for."""
        if self.asked:
            return 128 + self.asked, ""
        with subprocess.Popen(words, stdout=output, text=True, env=env) as self.child:
            printed, _ = self.child.communicate()
        code = self.child.returncode
        return (128 - code if code < 0 else code), printed or ""


def main(text: str) -> int:
    """Run the steps; the first that does not end well ends them all, with its exit code."""
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # a flag may be no text of any encoding
    plan: Steps = json.loads(text)
    guild = [*plan["guild"], "-C", plan["project"], "run", "-y"]
    stopper = Stopper()
    done: list[str] = []
    for number, step in enumerate(plan["steps"], 1):
        _tell(f"Step {number} of {len(plan['steps'])}: {' '.join(step['words'])}")
        code = _run(stopper, guild, step, done)
        if code:
            _tell(f"Step {number} {'was stopped' if stopper.asked else f'failed with exit code {code}'}")
            return code
    return 0


def _run(stopper: Stopper, guild: list[str], step: Step, done: list[str]) -> int:
    """Stage the runs of a step, make them reachable by its name, and start them; returns the exit code.

    What the operations of later steps require comes from `done`, the runs of this operation, when one of them fits.
    """
    env = {**os.environ, "GUILD_STEPS": " ".join(done)}
    code, printed = stopper.run([*guild, "--stage", "--quiet", *step["words"]], env, subprocess.PIPE)
    run_ids = printed.split()
    if code:
        return code
    for number, run_id in enumerate(run_ids, 1):
        _link(step["name"] if len(run_ids) == 1 else f"{step['name']}-{number}", run_id)
    done += run_ids
    # A run that is there already was found to be equal: the step needs no other.
    staged = [run_id for run_id in run_ids if not os.path.isdir(_run_dir(run_id))]
    starts = [word for run_id in staged for word in ("--start", run_id)]
    return stopper.run([*guild, *starts], env)[0] if staged else 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run_dir(run_id: str) -> str:
    return os.path.join(os.environ["GUILD_HOME"], "runs", run_id)


def _link(name: str, run_id: str) -> None:
    """Link to a run directory from this one; the link leads nowhere until that run has started."""
    if not os.path.lexists(name):
        os.symlink(os.path.relpath(_run_dir(run_id)), name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
