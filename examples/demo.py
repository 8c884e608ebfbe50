"""A walk through Guild Ledger that checks itself: `make demo`, or this file with any Python that has it installed.

Works on the project `iris` beside this file, in a home that is thrown away. Each step prints a command as one would
type it and what it really said, and looks at both; the first thing that is not as it should be ends the walk with exit
code 1 and the name of the step.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent / "iris"
ELSEWHERE = ("GUILD_LEDGER", "GUILD_DEBUG", "FORCE_COLOR", "VIRTUAL_ENV", "CONDA_PREFIX", "RUN_ID", "RUN_DIR")
"""Variables that would take the walk to another ledger, another Python or another look."""


@dataclass(frozen=True)
class Said:
    """What a command said: its lines on both streams, in order, and those of stderr alone when they were kept apart."""

    lines: list[str]
    notes: list[str]

    def rows(self) -> list[str]:
        """Return the rows of a listing."""
        return [line for line in self.lines if re.match(r"\[[0-9]+:[0-9a-f]{8}\]", line)]

    def ids(self) -> list[str]:
        """Return the ids of a listing's rows, eight digits each."""
        return [row.partition(":")[2][:8] for row in self.rows()]


class Walk:
    """The steps so far, and the home that they work in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.steps = 0
        self.step = ""

    def title(self, text: str) -> None:
        """Begin a step."""
        self.steps += 1
        self.step = f"{self.steps}. {text}"
        print(f"\n{self.step}\n")

    def guild(self, *words: str, code: int = 0, apart: bool = False, home: Path | None = None) -> Said:
        """Run a command, show what it says, and check its exit code.

        Args:
            words: what one would type after `guild`.
            code: the exit code that it must have.
            apart: keep stderr apart, to be able to tell what was said there.
            home: another home than that of the walk.
        """
        print("$ guild " + " ".join(f'"{word}"' if " " in word else word for word in words))
        done = subprocess.run(
            [sys.executable, "-m", "guild_ledger", *words],
            cwd=PROJECT,
            env=environment(home or self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            check=False,
            timeout=50,
        )
        notes = (done.stderr or b"").decode(errors="replace").splitlines()
        lines = [*notes, *done.stdout.decode(errors="replace").splitlines()]
        for line in lines:
            print(f"  {line}".rstrip())
        self.check(done.returncode == code, f"exit code {done.returncode}, expected {code}")
        return Said(lines, notes)

    def check(self, holds: bool, what: str) -> None:
        """End the walk when something does not hold."""
        if not holds:
            self.fail(what)

    def says(self, said: Said, *parts: str) -> None:
        """Check that each of some texts stands in a line of what was said."""
        for part in parts:
            self.check(any(part in line for line in said.lines), f"nothing says {part!r}")

    def fail(self, what: str) -> NoReturn:
        """End the walk."""
        sys.exit(f"\nThe demo failed in step {self.step}: {what}")


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command: the user's, with a home of our own."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**kept, "GUILD_HOME": str(home)}


def start_six_runs(walk: Walk) -> None:
    """Start runs with different flags; one fails by itself, and guild fails with its exit code."""
    walk.title("Start six runs")
    said = walk.guild("run", "iris-softmax:train", "epochs=3", "-y", "--label", "first try")
    walk.says(said, "step: 3", "accuracy: ")
    walk.guild("run", "iris-softmax:train", "epochs=2", "lr=0.1", "seed=2", "-y")
    walk.guild("run", "finetune", "base=latest", "epochs=2", "-y")
    said = walk.guild("run", "iris-knn:train", "k=7", "-y")
    walk.says(said, "k: 7", "accuracy: 0.9000")
    said = walk.guild("run", "iris-knn:train", "k=500", "-y", code=1)
    walk.says(said, "error: k is 500, but the flowers that can vote are 120")
    walk.guild("run", "iris-knn:test", "-y")


def list_them(walk: Walk) -> Said:
    """List what was started, and return the listing."""
    walk.title("List them: the most recently started is 0")
    said = walk.guild("runs")
    wanted = (
        ("iris-knn:test", "completed"),
        ("iris-knn:train", "error"),
        ("iris-knn:train", "completed"),
        ("iris-softmax:finetune", "completed"),
        ("iris-softmax:train", "completed"),
        ("iris-softmax:train", "first try"),
    )
    walk.check(len(said.rows()) == len(wanted), f"{len(said.rows())} rows, expected {len(wanted)}")
    for row, (operation, end) in zip(said.rows(), wanted, strict=True):
        walk.check(f"./{operation} " in row and row.endswith(end), f"expected {operation} ... {end}: {row}")
    return said


def look_at_one(walk: Walk, failed: str) -> None:
    """Show what is known of the run that failed."""
    walk.title("Look at the one that failed")
    said = walk.guild("runs", "info", "1")
    walk.says(said, f"id: {failed}", "status: error", "exit_status: 1", "k: 500", "digest: ")


def label_two(walk: Walk, best: str) -> None:
    """Label a run, and find it by its label."""
    walk.title("Label one, and find it by its label")
    walk.says(walk.guild("label", "2", "good one"), "Labeled 1 run(s)")
    walk.check(walk.guild("runs", "list", "good").ids() == [best], f"expected run {best} alone")


def delete_and_restore(walk: Walk, before: Said, failed: str) -> None:
    """Delete what failed, see it among the deleted, and bring it back as it was."""
    walk.title("Delete what failed; first only to see what that would be")
    walk.says(walk.guild("runs", "rm", "-E", "--dry-run"), f"[{failed}]", "1 run(s), ", "Nothing was changed")
    walk.check(walk.guild("runs").ids() == before.ids(), "--dry-run changed the list")
    walk.says(walk.guild("runs", "rm", "-E", "-y"), "Deleted 1 run(s)", "To undo: guild undo ")
    walk.check(failed not in walk.guild("runs").ids(), f"run {failed} is still listed")
    walk.check(places(walk.home, failed) == ["trash"], f"the directory is in {places(walk.home, failed)}")

    walk.title("It is kept, and comes back as it was")
    walk.check(walk.guild("runs", "--deleted").ids() == [failed], f"run {failed} is not among the deleted")
    walk.says(walk.guild("undo", "-y"), "restored 1 run(s)", "To redo: guild redo")
    walk.check(walk.guild("runs").ids() == before.ids(), "the list is not as before")
    walk.check(places(walk.home, failed) == ["runs"], f"the directory is in {places(walk.home, failed)}")


def purge(walk: Walk, failed: str) -> None:
    """Remove a run for good: its files are gone, its history stays."""
    walk.title("Delete it again and empty the trash: the files are gone for good, what happened is not")
    walk.says(walk.guild("runs", "rm", failed, "-y"), "Deleted 1 run(s)")
    walk.says(walk.guild("runs", "purge", "-y"), "Permanently deleted 1 run(s)")
    walk.check(places(walk.home, failed) == [], f"the directory is in {places(walk.home, failed)}")
    walk.says(walk.guild("runs", "restore", failed, "-y", code=1), f"run {failed} was permanently deleted")


def places(home: Path, run: str) -> list[str]:
    """Return the folders of the home that hold the directory of a run."""
    return [name for name in ("runs", "trash", "purging") if list((home / name).glob(f"{run}*"))]


def read_the_log(walk: Walk, failed: str) -> None:
    """Show every step of the run's life, with the command that asked for it."""
    walk.title("Who did what, and when")
    said = walk.guild("log")
    told = [line.partition("  (guild ")[0] for line in said.lines]
    life = [line.rpartition("  ")[2].removesuffix(f" {failed}") for line in told if line.endswith(failed)]
    wanted = ["started", "status changed", "deleted", "undo of 15: restored", "deleted", "purge started", "purged"]
    walk.check(life[::-1] == wanted, f"of run {failed} it tells {life[::-1]}, expected {wanted}")
    walk.says(said, "ledger created", "(guild runs purge -y)")


def verify(walk: Walk) -> None:
    """Check the whole ledger."""
    walk.title("Prove that the history is whole")
    walk.says(walk.guild("ledger", "verify"), "index: equals a fresh replay", "The ledger is whole.")


def lose_the_index(walk: Walk) -> None:
    """Overwrite the index with garbage: the next command rebuilds it and shows the same."""
    walk.title("Overwrite the index with garbage: the next command makes a new one")
    before = walk.guild("runs", "--all", apart=True)
    walk.check(before.notes == [], "something was wrong before")
    files = list((walk.home / "index").glob("*.db"))
    walk.check(len(files) == 1, f"there are {len(files)} index files, expected 1")
    files[0].write_bytes(b"garbage" * 1000)
    print(f"  (7000 bytes of garbage written over index/{files[0].name})")
    after = walk.guild("runs", "--all", apart=True)
    walk.check(after.rows() == before.rows(), "the list is not the same")
    walk.check(len(after.notes) == 1 and "rebuilt from the ledger" in after.notes[0], f"stderr: {after.notes}")
    verify(walk)


def tamper(walk: Walk) -> None:
    """Change history in a copy of the home: the database refuses, and what is forced in is found."""
    walk.title("Rewrite history, in a copy of the home")
    copy = walk.home.parent / "copy"
    shutil.copytree(walk.home, copy)
    rewrite = "UPDATE event SET body = CAST(replace(body, 'good one', 'best one') AS BLOB) WHERE type = 'run.labeled'"
    database = sqlite3.connect(copy / "ledger.db")
    print(f'$ sqlite3 ledger.db "{rewrite}"')
    try:
        database.execute(rewrite)
        walk.fail("the ledger let itself be rewritten")
    except sqlite3.IntegrityError as error:
        print(f"  {error}")
    print("  (the guard is taken away, the same done again, the guard put back)")
    (guard,) = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_no_update'").fetchone()
    with database:
        database.execute("DROP TRIGGER event_no_update")
        changed = database.execute(rewrite).rowcount
        database.execute(guard)
    database.close()
    walk.check(changed == 1, f"{changed} rows changed, expected 1")
    walk.says(walk.guild("ledger", "verify", code=3, home=copy), "(run.labeled of run/", "its body was altered")


def main() -> None:
    """Walk."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guild-demo-") as folder:
        walk = Walk(Path(folder, "home"))
        print(f"In {PROJECT}, with GUILD_HOME={walk.home}")
        walk.title("Is it there?")
        walk.says(walk.guild("--version"), "guild-ledger ")
        start_six_runs(walk)
        listing = list_them(walk)
        failed, best = listing.ids()[1:3]
        look_at_one(walk, failed)
        label_two(walk, best)
        delete_and_restore(walk, listing, failed)
        purge(walk, failed)
        read_the_log(walk, failed)
        verify(walk)
        lose_the_index(walk)
        tamper(walk)
    print(f"\nAll {walk.steps} steps were as they should be ({time.monotonic() - began:.0f} s).")


if __name__ == "__main__":
    main()
