"""The process of an operation with steps: runs `guild` for one step after the other. A program of its own.

It is started by its path and imports nothing of this project, so that it behaves as any other process of a run: its
output is captured, and what stops the run stops it and the step that it is at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TypedDict


class Step(TypedDict):
    """A step: what the links to its runs are called, and the words of its command line."""

    name: str
    words: list[str]


class Steps(TypedDict):
    """All steps: how `guild` is started, the directory that it acts in, and the steps in their order."""

    guild: list[str]
    project: str
    steps: list[Step]


def main(text: str) -> int:
    """Run the steps; the first that does not end well ends them all, with its exit code."""
    plan: Steps = json.loads(text)
    guild = [*plan["guild"], "-C", plan["project"], "run", "-y"]
    for number, step in enumerate(plan["steps"], 1):
        _tell(f"Step {number} of {len(plan['steps'])}: {' '.join(step['words'])}")
        code = _run(guild, step)
        if code:
            _tell(f"Step {number} failed with exit code {code}")
            return code
    return 0


def _run(guild: list[str], step: Step) -> int:
    """Stage the runs of a step, make them reachable by its name, and start them; returns the exit code."""
    staged = subprocess.run([*guild, "--stage", *step["words"]], stdout=subprocess.PIPE, text=True, check=False)
    run_ids = staged.stdout.split()
    if staged.returncode or not run_ids:
        return staged.returncode
    for number, run_id in enumerate(run_ids, 1):
        _link(step["name"] if len(run_ids) == 1 else f"{step['name']}-{number}", run_id)
    # One that has its directory was there before: an equal run, so that the step is not needed.
    new = [run_id for run_id in run_ids if not os.path.isdir(_directory(run_id))]
    words = [word for run_id in new for word in ("--start", run_id)]
    return subprocess.run([*guild, *words], check=False).returncode if new else 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _link(name: str, run_id: str) -> None:
    """Link to a run directory from this one; the link leads nowhere until that run has started."""
    if not os.path.lexists(name):
        os.symlink(_directory(run_id), name)


def _directory(run_id: str) -> str:
    return os.path.join(os.environ["GUILD_HOME"], "runs", run_id)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
