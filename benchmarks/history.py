"""A home with as many runs as wanted, written through the ledger itself, kept in a cache because that takes minutes.

Every number is drawn from one seed and every time from one clock: two homes of the same size hold the same events,
apart from the identity of the ledger.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from itertools import islice

from artifacts.home import Home
from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunLabeled
from ledger.events.start import RunStarted
from ledger.ids import RunId, run_stream
from ledger.log import Ledger
from ledger.opening import open_sqlite
from ledger.transaction import Header, NewEvent, Transaction
from projections.index import open_index
from projections.query import Query, RunFilter

SHAPE = 2
"""Raise it when the events of a home change: homes of an older shape in the cache are then left aside."""

PROJECTS = 5
DIRECTORIES = 2_000
"""How many of the newest runs have a directory: no more are deleted."""

LARGE = 4_000
"""Events in a transaction where only the number of runs matters: that many at once are written quickly."""

HEADER = Header(
    actor="ann",
    host="desk",
    argv=("guild", "run", "cnn:train", "lr=0.05", "-y"),
    cwd="/home/ann/projects/flowers",
    program="guild-ledger",
)
_MODELS = ("cnn", "knn", "softmax")
_OPERATIONS = ("train", "evaluate")
_YEAR_2024 = 1_704_067_200_000_000
_MINUTE = 60_000_000


def project(cache: str, number: int) -> str:
    """Return the directory of a project; it has a model file, so that a list in it is limited to it."""
    return os.path.join(cache, "projects", f"project-{number}")


def home_with(cache: str, runs: int, *, in_transactions_of: int = LARGE) -> Home:
    """Return the home with that many runs in the cache, made when it is not there.

    Args:
        cache: where such homes are kept.
        runs: how many.
        in_transactions_of: events in a transaction.
    """
    home = Home(os.path.join(cache, f"home-{SHAPE}-{runs}-{in_transactions_of}"))
    if not os.path.exists(home.root):
        fresh = Home(home.root + ".new")
        shutil.rmtree(fresh.root, ignore_errors=True)
        _make_projects(cache)
        _fill(fresh, cache, runs, in_transactions_of)
        os.rename(fresh.root, home.root)
    return home


def copied(home: Home, folder: str) -> Home:
    """Return a copy of a home, for work that changes it, with an index of this program's version."""
    copy = Home(os.path.join(folder, os.path.basename(home.root)))
    shutil.copytree(home.root, copy.root)
    _catch_up(copy)
    os.sync()  # what is still to be written would be written during the measurements
    return copy


def opened(home: Home) -> Ledger:
    """Open the ledger of a home."""
    return open_sqlite(home.ledger_path, HEADER)


def newest_runs(home: Home, count: int) -> list[RunId]:
    """Return the ids of the most recently started runs."""
    ledger = opened(home)
    index = open_index(home.index_dir, ledger, _say_nothing)
    found = [row.run_id for row in Query(index, RunFilter()).rows(limit=count)]
    index.close()
    ledger.store.close()
    return found


def a_start(cache: str) -> RunStarted:
    """Return the first event of a run as people's runs have it."""
    return _started(cache, random.Random(1))  # noqa: S311 - no secret


def _make_projects(cache: str) -> None:
    for number in range(PROJECTS):
        os.makedirs(project(cache, number), exist_ok=True)
        with open(os.path.join(project(cache, number), "MODELS"), "w", encoding="utf-8") as file:
            file.write("".join(f"- name: {name}\n  operations:\n    train: train\n" for name in _MODELS))


def _fill(home: Home, cache: str, runs: int, size: int) -> None:
    home.ensure()
    times = iter(range(_YEAR_2024, _YEAR_2024 + 4 * (runs + 1) * _MINUTE, _MINUTE))
    ledger = open_sqlite(home.ledger_path, HEADER, clock=lambda: next(times))
    draw = random.Random(runs)  # noqa: S311 - no secret
    ids = [RunId(f"{draw.getrandbits(128):032x}") for _ in range(runs)]
    events = (new for run_id in ids for new in _life(run_id, cache, draw))
    while batch := tuple(islice(events, size)):
        ledger.append(Transaction(HEADER, batch))
    ledger.store.close()
    for run_id in ids[-DIRECTORIES:]:
        _make_directory(home.run_dir(run_id))
    _catch_up(home)


def _life(run_id: RunId, cache: str, draw: random.Random) -> Iterator[NewEvent]:
    """Yield the events of one run: one in a hundred fails, one in twenty has a label, one in a hundred a later one."""
    stream = run_stream(run_id)
    failed = draw.random() < 0.01
    yield NewEvent(stream, _started(cache, draw))
    status = "error" if failed else "completed"
    yield NewEvent(stream, RunStatusChanged(status, int(failed), output={"bytes": draw.randrange(9_999), "lines": 12}))
    if draw.random() < 0.01:
        yield NewEvent(stream, RunLabeled(f"good {draw.randrange(100)}"))


def _started(cache: str, draw: random.Random) -> RunStarted:
    lr = round(draw.random(), 4)
    return RunStarted(
        project=project(cache, draw.randrange(PROJECTS)),
        package=None,
        model=draw.choice(_MODELS),
        operation=draw.choice(_OPERATIONS),
        command=("/usr/bin/python3", "-u", "-m", "train", "--lr", str(lr)),
        flags={"lr": lr, "epochs": draw.randrange(100), "optimizer": "adam"},
        label=f"try {draw.randrange(1_000)}" if draw.random() < 0.05 else None,
        environment={"LANG": "C.UTF-8", "PATH": "/home/ann/.venv/bin:/usr/local/bin:/usr/bin:/bin"},
        sources={"bytes": 71_204, "digest": f"{draw.getrandbits(256):064x}", "files": 12, "left_out": []},
        git={"commit": f"{draw.getrandbits(160):040x}", "dirty": False},
        platform={"python": "3.11.7", "system": "Linux 6.1.0 x86_64"},
        evidence={"boot_id": f"{draw.getrandbits(128):032x}", "host": "desk", "pid": 4_711, "start_ticks": 815},
    )


def _make_directory(folder: str) -> None:
    os.makedirs(os.path.join(folder, ".guild"))
    with open(os.path.join(folder, ".guild", "output"), "wb") as file:
        file.write(b"loss: 0.5\n")


def _catch_up(home: Home) -> None:
    ledger = opened(home)
    open_index(home.index_dir, ledger, _say_nothing).close()
    ledger.store.close()


def _say_nothing(_line: str) -> None:
    """Take the notice that an index was made."""
