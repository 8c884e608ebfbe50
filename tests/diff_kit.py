"""Two runs that differ in everything, and others, written through the ledger: the home of the tests of `guild diff`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.home import Home
from artifacts.sources import Snapshot, take_snapshot
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunStatusChanged
from ledger.events.notes import RunLabeled, RunScalarsRecorded, RunTagged
from ledger.events.start import RunStaged, RunStarted
from ledger.ids import RunId, run_stream
from ledger.transaction import NewEvent
from tests.cli_kit import Guild, make_project
from tests.kit import SECOND, Ticking, append, make_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.canonical import Value
    from ledger.events.base import Event

OLD, NEW, TWIN, STAGED, GONE, DELETED, OTHER = (letter * 32 for letter in "abcdef9")
"""In the order of their starts; NEW and TWIN are alike but for the times. Listed: OTHER, STAGED, TWIN, NEW, OLD."""

ESC = "\x1b[31m"

OLD_CODE = {"train.py": b"import sys\nlr = 0.1\nprint(lr)\n", "gone.py": b"x\n", "moved.py": b"same\n" * 3}
NEW_CODE = {"train.py": b"import os\nlr = 0.1\nprint(lr)", "new.py": b"\ty\n", "there.py": b"same\n" * 3}
OLD_FILES = {"same.csv": b"a,b\n", "m.csv": b"1\n2\n3\n", "model.bin": b"\0" * 9, "old.txt": b"old\n"}
NEW_FILES = {
    "same.csv": b"a,b\n",
    "m.csv": b"1\n2\n4\n",
    "model.bin": b"\0" * 8 + b"\1",
    f"new{ESC}.txt": b"n\x1b]0;x\n",
}


def home_to_diff(folder: Path) -> Guild:
    """Return the command in a project with such a home."""
    project = make_project(folder / "project", "{name: m, operations: {train: work}}\n")
    home = Home(str(folder / "home"))
    clock = Ticking()
    ledger = make_ledger(folder / "home", clock)
    home.ensure()

    def happen(run_id: str, *events: Event) -> None:
        clock.now += SECOND
        append(ledger, *(NewEvent(run_stream(RunId(run_id)), event) for event in events))

    old, new = (snapshot(home, folder / name, code) for name, code in (("one", OLD_CODE), ("two", NEW_CODE)))
    happen(OLD, _started(project, {"lr": 0.1, "n": 1, "only": ""}, old, {"TZ": "UTC", "PATH": "/bin"}))
    happen(OLD, _scalars(loss=[2.5, float("nan")]), RunStatusChanged("completed", 0))
    for run_id in (NEW, TWIN):
        happen(run_id, _started(project, {"lr": 0.1, "n": 1.0, "more": [1, 2]}, new, {"TZ": "CET", "PATH": "/bin"}))
        happen(run_id, RunLabeled("best one"), RunTagged(("b", "a")), _scalars(loss=[2.5, 0.25], acc=[0.5, 1.0]))
        happen(run_id, RunStatusChanged("error", 3))
    happen(STAGED, RunStaged(str(project), None, "m", "train", ("python",), {"lr": 0.1}))
    happen(GONE, _started(project, {}, None, {}), RunStatusChanged("completed", 0))
    happen(GONE, RunDeleted())
    happen(GONE, RunPurgeStarted())
    happen(GONE, RunPurged(files=2, bytes=2048))
    happen(DELETED, _started(project, {"lr": 9}, None, {}), RunStatusChanged("completed", 0), RunDeleted())
    happen(OTHER, _started(project, {"lr": 9}, {"failure": "git did not answer"}, {}), RunStatusChanged("completed", 0))
    ledger.store.close()
    _files(folder / "home" / "runs" / OLD, OLD_FILES, b"one\ntwo\n")
    for run_id in (NEW, TWIN):
        _files(folder / "home" / "runs" / run_id, NEW_FILES, b"one\nthree\x1b[2J\nfour")
    _files(folder / "home" / "trash" / DELETED, {}, b"")
    (folder / "home" / "runs" / OLD / "link").symlink_to("/etc")
    (folder / "home" / "runs" / NEW / "link").symlink_to("same.csv")
    (folder / "home" / "runs" / TWIN / "link").symlink_to("same.csv")
    guild = Guild(folder / "home", project)
    guild.ok("runs")
    return guild


def snapshot(home: Home, folder: Path, code: Mapping[str, bytes]) -> dict[str, Value]:
    """Keep files as the source code of a run; returns what is recorded of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in code.items():
        (folder / name).write_bytes(data)
    taken = take_snapshot(home, str(folder), {})
    assert isinstance(taken, Snapshot)
    return taken.to_body()


def _started(
    project: Path, flags: dict[str, Value], sources: dict[str, Value] | None, environment: dict[str, Value]
) -> RunStarted:
    return RunStarted(
        project=str(project), package=None, model="m", operation="train", command=("python", "-m", "work"), flags=flags,
        sources=sources, environment=environment, platform={"python": "3.11.1"}, evidence={"host": "elsewhere"},
    )  # fmt: skip


def _scalars(**values: list[float]) -> RunScalarsRecorded:
    return RunScalarsRecorded(
        scalars={
            key: {"first": [one[0], 1], "last": [one[-1], 7], "min": [min(one), 7], "max": [max(one), 1], "mean": 1.0,
                  "count": 2}
            for key, one in values.items()
        }
    )  # fmt: skip


def _files(folder: Path, files: Mapping[str, bytes], output: bytes) -> None:
    (folder / ".guild").mkdir(parents=True)
    (folder / ".guild" / "output").write_bytes(output)
    for name, data in files.items():
        (folder / name).write_bytes(data)
