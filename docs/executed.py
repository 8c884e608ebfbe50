"""The commands in the documentation, executed: what a page shows is what the program says.

Every block that is fenced with ```console holds commands (`$ ...`) and what they printed. All blocks of a page are
executed in its order by one shell, in a throw-away home and with a copy of `examples/iris` as the project. Times, ids,
hashes and sizes are not compared letter by letter, but an id that the page repeats must repeat in the output too, and
an id in a command stands for the one that was printed when it was executed.

    python docs/executed.py README.md docs/user-guide.md      write what the commands print now into these pages
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FENCE = "```console"
_MARK = "@@ end of a command @@"
_ID = r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:[0-9a-f]{24})?(?![0-9A-Za-z])"
_VARYING = (
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(?:\.[0-9]{6}Z)?", "<time>"),
    (r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", "<hash>"),
    (r"\b[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?", "<time>"),
    (r"\bbytes: [0-9]+", "bytes: <size>"),
    (r"\([0-9]+ bytes\)", "(<size> bytes)"),
    (r"\bpid: [0-9]+", "pid: <pid>"),
    (r"\b[0-9]+\.[0-9]{3}s\b", "<duration>"),
    (r"\b[0-9.]+ (?:bytes?|KiB) on disk", "<size> on disk"),
    (r"\([0-9.]+ (?:bytes?|KiB)\)", "(<size>)"),
    (r"\bguild-ledger [0-9]+(?:\.[0-9]+)+\S*", "guild-ledger <version>"),
)


@dataclass(slots=True)
class Step:
    """One command of a page.

    Attributes:
        line: where it stands, counted from 1.
        command: as typed.
        shown: what the page says that it prints.
    """

    line: int
    command: str
    shown: list[str] = field(default_factory=list)


def steps_of(text: str) -> list[Step]:
    """Return the commands of a page in its order."""
    steps: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == FENCE
        elif inside and line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif inside and steps:
            steps[-1].shown.append(line)
    return steps


def template(lines: list[str]) -> tuple[str, list[str]]:
    """Return a text without what differs each time, and the ids that stood in it."""
    text = "\n".join(lines)
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return re.sub(_ID, lambda found: f"<id of {len(found[0])}>", text), re.findall(_ID, text)


class World:
    """A shell in a throw-away home, in which the commands of one page are executed."""

    def __init__(self, folder: str) -> None:
        """Make the world inside an empty folder."""
        self._folder = os.path.realpath(folder)
        self.ids: dict[str, str] = {}
        os.mkdir(os.path.join(folder, ".guild"))
        shutil.copytree(
            os.path.join(ROOT, "examples", "iris"),
            os.path.join(folder, "iris"),
            ignore=shutil.ignore_patterns("__pycache__", ".guild"),
        )
        self._write_guild(os.path.join(folder, "bin"))
        self._shell = subprocess.Popen(
            ["sh"],
            cwd=os.path.join(folder, "iris"),
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _write_guild(self, folder: str) -> None:
        os.mkdir(folder)
        path = os.path.join(folder, "guild")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{sys.executable}" -m guild_ledger "$@"\n')
        os.chmod(path, 0o700)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([os.path.join(self._folder, "bin"), os.environ.get("PATH", os.defpath)])
        return {
            "PATH": path,
            "PYTHONPATH": ROOT,
            "HOME": self._folder,
            "LOGNAME": "ada",
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }

    def execute(self, command: str) -> list[str]:
        """Execute a command of a page and return what it prints, with the page's names for places and people."""
        stdin, stdout = self._shell.stdin, self._shell.stdout
        if stdin is None or stdout is None:
            raise AssertionError("both are pipes")
        typed = re.sub(_ID, lambda found: self._meant(found[0]), command)
        stdin.write(f"{{ {typed}\n}} </dev/null\nlast=$?; printf '\\n{_MARK}\\n'; (exit $last)\n")
        stdin.flush()
        lines: list[str] = []
        for line in stdout:
            if line.rstrip("\n") == _MARK:
                break
            lines.append(self._renamed(line.rstrip("\n")))
        # The mark begins on a line of its own; so the last line is empty when the output ended with a newline.
        return lines[:-1] if lines and not lines[-1] else lines

    def _meant(self, shown: str) -> str:
        whole = self.ids.get(shown[:8], shown)
        return whole[: len(shown)]

    def _renamed(self, line: str) -> str:
        line = line.replace(sys.executable, "/usr/bin/python3").replace(self._folder, "/home/ada")
        line, host = line.replace(ROOT, "/opt/guild-ledger"), os.uname().nodename
        return line.replace(f"@{host}", "@laptop").replace(f"({host})", "(laptop)")

    def learn(self, shown: list[str], printed: list[str]) -> str | None:
        """Compare what a page shows with what was printed, and take note of the ids; return what differs, or None."""
        wanted, ids = template(shown)
        found, real = template(printed)
        if wanted != found:
            return f"the page shows\n\n{wanted}\n\nbut it printed\n\n{found}"
        for one, other in zip(ids, real, strict=True):
            if not self.ids.setdefault(one[:8], other).startswith(other[:8]):
                return f"the page has {one} where {other} was printed, which was called something else before"
        return None

    def close(self) -> None:
        """End the shell."""
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        if self._shell.stdout is not None:
            self._shell.stdout.close()
        self._shell.wait()


def differences(text: str, folder: str) -> Iterator[str]:
    """Execute a page and yield each command that does not print what the page shows."""
    world = World(folder)
    try:
        for step in steps_of(text):
            difference = world.learn(step.shown, world.execute(step.command))
            if difference is not None:
                yield f"line {step.line}: $ {step.command}\n{difference}"
    finally:
        world.close()


def refreshed(text: str, folder: str) -> str:
    """Return a page with what its commands print now; ids that it mentions elsewhere are changed along."""
    lines = text.splitlines()
    world = World(folder)
    moved = 0
    try:
        for step in steps_of(text):
            printed = world.execute(step.command)
            # Line by line, so that the ids of the page are known to its later commands even where more has changed.
            for one, other in zip(step.shown, printed, strict=False):
                world.learn([one], [other])
            lines[step.line + moved : step.line + moved + len(step.shown)] = printed
            moved += len(printed) - len(step.shown)
    finally:
        world.close()
    new = dict(world.ids)
    return re.sub(_ID, lambda found: new.get(found[0][:8], found[0])[: len(found[0])], "\n".join(lines)) + "\n"


def main(paths: list[str]) -> None:
    """Refresh the pages at `paths`."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with tempfile.TemporaryDirectory() as folder:
            text = refreshed(text, folder)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
