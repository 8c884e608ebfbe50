"""What must hold in a home after whatever happened to it, judged from the ledger's events and the disk alone.

The fold here is not the program's: a second, plain opinion about where each run must be. Only the chain and the
index are judged by the program's own means, which have tests of their own.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import pytest

from artifacts.home import Home
from artifacts.lease import is_held
from artifacts.source_manifest import read_manifest, snapshot_digest
from ledger.canonical import Value, decode
from ledger.log import Ledger
from ledger.sqlite_store import SqliteStore
from ledger.verify import verify
from projections.comparing import difference
from projections.files import current_file
from projections.index import connect
from projections.unconfirmed import unconfirmed
from tests.crash_kit import Kit, opened_pair

Tree = dict[str, str | bytes]
PLACES = {"live": "runs", "deleted": "trash", "purging": "purging"}
_MOVES = {
    "run.deleted": ("live", "deleted"),
    "run.restored": ("deleted", "live"),
    "run.purge_started": ("deleted", "purging"),
    "run.purged": ("purging", "purged"),
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event as a test looks at it."""

    run_id: str
    type: str
    body: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A home with runs in it: `a`, `b` and `c` live, `d` and `e` deleted.

    Attributes:
        home: its path; only copied, never used.
        runs: run ids by name.
        trees: what the run directories hold, by run id.
        story: what its ledger holds.
    """

    home: str
    runs: dict[str, str]
    trees: dict[str, Tree]
    story: list[Happened]


def prepare(kit: Kit) -> Prepared:
    """Make a home with runs by the commands that a user would give."""
    home = kit.new_home()
    for size, name in enumerate("abcde", start=1):
        assert kit.guild(home, "run", "train", f"size={size}", "-l", name, "-y").code == 0
    story = read_story(home)
    runs = {str(event.body["label"]): event.run_id for event in story if event.type == "run.started"}
    assert kit.guild(home, "runs", "rm", runs["d"], runs["e"], "-y").code == 0
    trees = {
        run_id: read_tree(os.path.join(home, "trash" if name in "de" else "runs", run_id))
        for name, run_id in runs.items()
    }
    return Prepared(home, runs, trees, read_story(home))


Kits = tuple[Kit, Kit]
"""One to crash, and one that mends what it left."""


@pytest.fixture(name="kits", scope="module")
def kits_fixture() -> Iterator[Kits]:
    """Give processes to crash."""
    with opened_pair() as kits:
        yield kits


@pytest.fixture(name="prepared", scope="module")
def pair_prepared_fixture(kits: Kits) -> Prepared:
    """Give a home with runs, made by the first of the file's kits."""
    return prepare(kits[0])


@pytest.fixture(name="prepared", scope="module")
def prepared_fixture(kit: Kit) -> Prepared:
    """Give a home with runs, made by the file's own kit."""
    return prepare(kit)


def read_story(home: str) -> list[Happened]:
    """Return the events of all runs, in order."""
    store = SqliteStore(os.path.join(home, "ledger.db"))
    try:
        rows = [(row.stream, row.type, decode(row.body or b"{}")) for row in store.events()]
    finally:
        store.close()
    return [
        Happened(stream.removeprefix("run/"), type_, body)
        for stream, type_, body in rows
        if stream.startswith("run/") and isinstance(body, dict)
    ]


def read_tree(path: str) -> Tree:
    """Return everything in a folder: contents of files, targets of links, `folder` for a folder."""
    found: Tree = {}
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            full = os.path.join(folder, name)
            relative = os.path.relpath(full, path)
            if os.path.islink(full):
                found[relative] = "link to " + os.readlink(full)
            elif os.path.isdir(full):
                found[relative] = "folder"
            else:
                with open(full, "rb") as file:
                    found[relative] = file.read()
    return found


def places_of(story: list[Happened]) -> dict[str, str]:
    """Return where each run must be; fails when an event does not follow from the ones before."""
    places: dict[str, str] = {}
    staged: set[str] = set()
    for event in story:
        if event.type in ("run.staged", "run.imported") or (event.type == "run.started" and event.run_id not in staged):
            assert event.run_id not in places, "began twice"
            places[event.run_id] = "live"
            staged |= {event.run_id} if event.type == "run.staged" else set()
        elif event.type == "run.started":
            assert places[event.run_id] == "live"
            staged.remove(event.run_id)
        elif event.type in _MOVES:
            before, places[event.run_id] = places[event.run_id], _MOVES[event.type][1]
            assert before == _MOVES[event.type][0], f"{event.type} of a run that was {before}"
    return places


def statuses_of(story: list[Happened]) -> dict[str, str]:
    """Return the status of each run; fails when a run ended twice."""
    statuses: dict[str, str] = {}
    for event in story:
        if event.type == "run.staged":
            statuses[event.run_id] = "staged"
        elif event.type == "run.imported":
            statuses[event.run_id] = str(event.body["status"])
        elif event.type == "run.started":
            statuses[event.run_id] = "running"
        elif event.type == "run.restarted":
            assert statuses[event.run_id] in ("completed", "error", "terminated"), "started again before its end"
            statuses[event.run_id] = "running"
        elif event.type == "run.status_changed":
            assert statuses[event.run_id] == "running", "ended twice"
            statuses[event.run_id] = str(event.body["status"])
    return statuses


def added(prepared: Prepared, story: list[Happened]) -> dict[str, list[str]]:
    """Return the types of the events that came after the preparation, by run; what was there must be there still."""
    count = len(prepared.story)
    assert story[:count] == prepared.story
    found: dict[str, list[str]] = defaultdict(list)
    for event in story[count:]:
        found[event.run_id].append(event.type)
    return found


def check_history(home: str) -> None:
    """Check that the ledger verifies, and that the index, as it is on disk, is what a fresh replay gives."""
    store = SqliteStore(os.path.join(home, "ledger.db"))
    try:
        assert verify(store).problems == []
        path = current_file(os.path.join(home, "index"))
        assert path is not None
        index = connect(path)
        try:
            found = difference(index, Ledger(store))
            assert found is None, found
            assert unconfirmed(index) == []
        finally:
            index.close()
    finally:
        store.close()


def check_directories(home: str, trees: dict[str, Tree], story: list[Happened]) -> None:
    """Check that each run directory is exactly where the ledger says, whole and unchanged, and nothing else is."""
    statuses = statuses_of(story)
    expected: dict[str, set[str]] = {"runs": set(), "trash": set(), "purging": set()}
    for run_id, place in places_of(story).items():
        if place == "purged" or statuses[run_id] == "staged":
            continue
        path = os.path.join(home, PLACES[place], run_id)
        if run_id not in trees and statuses[run_id] == "terminated" and not os.path.exists(path):
            continue  # the program died between the event and the directory
        expected[PLACES[place]].add(run_id)
        if run_id in trees:
            assert read_tree(path) == trees[run_id]
    found = {place: set(os.listdir(os.path.join(home, place))) for place in expected}
    # The size of what was removed stays until the next move when the program died right after recording it.
    found["purging"] -= {f"{run_id}.count" for run_id, place in places_of(story).items() if place == "purged"}
    assert found == expected


def check_sizes(trees: dict[str, Tree], story: list[Happened]) -> None:
    """Check that what was removed is on record as it was, however often the removal was interrupted."""
    for event in story:
        if event.type == "run.purged" and event.run_id in trees:
            contents = trees[event.run_id].values()
            files = [content for content in contents if content != "folder"]
            assert event.body["files"] == len(files)
            assert event.body["bytes"] == sum(len(content) for content in files if isinstance(content, bytes))


def check_kept(home: str, trees: dict[str, Tree], story: list[Happened]) -> None:
    """Check that each run directory is somewhere, once, whole and unchanged, unless it was to be removed for good."""
    for run_id, place in places_of(story).items():
        found = [os.path.join(home, folder, run_id) for folder in PLACES.values()]
        found = [path for path in found if os.path.exists(path)]
        if place not in ("purging", "purged"):
            assert [read_tree(path) for path in found] == [trees[run_id]]


def check_litter(home: str) -> None:
    """Check that nothing half-made is left lying about."""
    names = set(os.listdir(home))
    assert {name for name in names if name.startswith("ledger.db")} <= {"ledger.db", "ledger.db-gate"}
    leases = set(os.listdir(os.path.join(home, "leases"))) - {"places.lock"}
    assert not any(is_held(os.path.join(home, "leases", name)) for name in leases)


def check_sources(home: str, story: list[Happened]) -> None:
    """Check that the source code of each run is there, whole and unchanged."""
    for event in story:
        sources = event.body.get("sources")
        if event.type in ("run.started", "run.imported") and isinstance(sources, dict):
            digest = str(sources["digest"])
            files = read_manifest(Home(home), digest)
            assert snapshot_digest(list(files)) == digest
            for file in files:
                with open(os.path.join(home, "sources", digest, "files", file.path), "rb") as opened:
                    assert sha256(opened.read()).hexdigest() == file.sha256


def check_all(home: str, trees: dict[str, Tree], *, measured: bool = True) -> list[Happened]:
    """Check everything that must hold when no command is at work; returns the story.

    With `measured` off the sizes on record are left out: a folder that could not be read is not counted.
    """
    check_history(home)
    story = read_story(home)
    check_directories(home, trees, story)
    assert "running" not in statuses_of(story).values()
    if measured:
        check_sizes(trees, story)
    check_sources(home, story)
    check_litter(home)
    return story


def condition(home: str) -> str:
    """Return a text that is equal for homes in the same condition, whatever random names and times are in them."""
    names: dict[str, str] = {}
    facts: list[object] = [sorted(_all_names(home))]
    if os.path.exists(os.path.join(home, "ledger.db")):
        story = read_story(home)
        for event in story:
            names.setdefault(event.run_id, f"run-{len(names)}")
        facts.append([(event.run_id, event.type) for event in story])
    path = current_file(os.path.join(home, "index"))
    if path is not None:
        database = sqlite3.connect(path)
        facts += (database.execute(f"SELECT * FROM {table}").fetchall() for table in ("total", "unconfirmed"))
        database.close()
    text = repr(facts)
    for name, alias in names.items():
        text = text.replace(name, alias)
    return re.sub(r"leases/[0-9a-f]{32}", "leases/unknown", text)


def _all_names(home: str) -> list[str]:
    """Return the names in a home; its own folders, and what a killed snapshot left, make no difference."""
    return [
        os.path.relpath(os.path.join(folder, name), home)
        for folder, folders, files in os.walk(home)
        for name in (*files, *(folders if folder != home else ()))
        if not name.endswith(("-wal", "-shm")) and "/.new-" not in os.path.join(folder, name)
    ]
