"""After a backup took the ledger's place: run directories are compared with it, and brought where it has them.

A mark beside the ledger, made before the exchange, stays until that was noted in the index: whatever the command died
of, the next one that changes something goes on.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from commands.app import App
from ledger.files import make_mark
from ledger.ids import RunId, is_run_id
from projections.query import runs_by_id
from projections.schema import DELETED, LIVE, PURGED, PURGING

MARK = "ledger.db-exchanged"
_FOLDERS = {LIVE: "runs", DELETED: "trash", PURGING: "purging"}


class Directories(NamedTuple):
    """Run directories, compared with what a restored ledger says.

    Attributes:
        unknown: directories of runs that the ledger does not know.
        misplaced: runs whose directory is not where the ledger has it.
    """

    unknown: list[str]
    misplaced: list[RunId]


def mark(app: App) -> None:
    """Note, durably, that the ledger is about to be exchanged."""
    make_mark(os.path.join(app.home.root, MARK))


def is_marked(app: App) -> bool:
    """Tell whether an exchange is not finished yet."""
    return os.path.lexists(os.path.join(app.home.root, MARK))


def unmark(app: App) -> None:
    """Take the note back."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(app.home.root, MARK))


def compare(app: App) -> Directories:
    """Note which run directories are not where the ledger has them: the next reconciling looks at each."""
    found = _directories(app)
    app.index.doubt(found.misplaced)
    unmark(app)
    return found


def _directories(app: App) -> Directories:
    places: dict[str, list[str]] = {}
    for place, folder in _FOLDERS.items():
        for name in _names(os.path.join(app.home.root, folder)):
            if is_run_id(name):
                places.setdefault(name, []).append(place)
    known = runs_by_id(app.index, [RunId(name) for name in places]) if places else {}
    unknown = sorted(name for name in places if RunId(name) not in known)
    misplaced = [run_id for run_id, row in known.items() if row.place != PURGED and places[run_id] != [row.place]]
    return Directories(unknown, misplaced)


def _names(folder: str) -> list[str]:
    """Return what is in a folder of the home; nothing where it was removed by hand."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
