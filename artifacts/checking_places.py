"""A look at every run directory: is each where the ledger says, is one missing, does one belong to nobody.

Nothing is moved here, and nothing that the ledger does not explain is ever moved by anybody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from artifacts.findings import Finding, shell_word
from artifacts.home import Home
from artifacts.places import Place, where
from artifacts.removal import measure_tree
from ledger.ids import RunId, is_run_id

AREA = "runs"
FOLDERS = {"live": Place.LIVE, "deleted": Place.TRASH, "purging": Place.PURGING}
"""Where the directory of a run belongs, by its place in the index."""

_CHUNK = 500
_MOVABLE = {("live", Place.TRASH), ("deleted", Place.LIVE)}

Known = Callable[[Sequence[RunId]], Mapping[RunId, str]]
"""Returns the place of each of these runs that the ledger knows of."""


class Entry(NamedTuple):
    """Something in one of the three folders."""

    place: Place
    name: str


class Looked(NamedTuple):
    """What a look at one directory gave: its finding, and its size in bytes."""

    place: Place
    bytes: int
    finding: Finding | None


def look_at_directories(home: Home, known: Known) -> Iterator[Looked]:
    """Yield what is found of each entry in the home's three folders; a folder that is not there has none."""
    for place in (Place.LIVE, Place.TRASH, Place.PURGING):
        entries = _entries(os.path.join(home.root, place))
        while chunk := list(islice(entries, _CHUNK)):
            places = known([RunId(_run_of(name, place)) for name in chunk if is_run_id(_run_of(name, place))])
            for name in chunk:
                yield Looked(
                    place, measure_tree(f"{home.root}/{place}/{name}")[1], _found(home, Entry(place, name), places)
                )


def _entries(folder: str) -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name


def _run_of(name: str, place: Place) -> str:
    """Return the run that an entry belongs to; beside a directory in `purging/` its size is kept."""
    return name.partition(".count")[0] if place is Place.PURGING else name


def _found(home: Home, entry: Entry, places: Mapping[RunId, str]) -> Finding | None:
    path = f"{home.root}/{entry.place}/{entry.name}"
    run_id = RunId(_run_of(entry.name, entry.place))
    if not is_run_id(run_id):
        return Finding(AREA, "this is no run directory", "Move it out of the home.", path, is_problem=False)
    belongs = places.get(run_id)
    if belongs is None:
        return Finding(
            AREA,
            "this directory belongs to no run that the ledger knows of",
            "Look at what it holds: it may be from another home, or from a newer ledger than this one. Move it out of"
            " the home, or remove it when nobody needs it.",
            path,
            run_id,
        )
    if entry.name != run_id:
        return _size_kept(path, run_id, belongs)
    return judged(home, run_id, belongs, entry.place)


def _size_kept(path: str, run_id: RunId, belongs: str) -> Finding | None:
    if belongs != "purged":
        return None
    return Finding(
        "leftovers", "this is left of a purge that is done", "It may be removed.", path, run_id,
        is_problem=False, mend="forget",
    )  # fmt: skip


def judged(home: Home, run_id: RunId, belongs: str, found: Place) -> Finding | None:
    """Return what is wrong with a run directory that was found in a place; None when it belongs there.

    Args:
        home: whose.
        run_id: a run of the ledger.
        belongs: its place in the index.
        found: where its directory was found.
    """
    path = f"{home.root}/{found}/{run_id}"
    name = run_id[:8]
    if belongs == "purging":
        return None  # see `unfinished`, which has those too whose directory is gone already
    if belongs == "purged":
        if found is Place.PURGING:
            return Finding(
                "leftovers", f"a part of the purged run {name} is back", _NEXT_REPAIR, path, run_id, mend="forget"
            )
        return Finding(
            AREA,
            f"run {name} is purged, but its directory is in {found}/",
            "Somebody put it there, from a backup perhaps; or it was purged in another home, whose history was merged."
            " Move it out of the home, or remove it.",
            path,
            run_id,
        )
    if FOLDERS[belongs] is found:
        return None
    if len(where(home, run_id)) > 1:
        return Finding(
            AREA, f"run {name} has directories in several places", "Compare them, and move out of the home the one that"
            f" is not in {FOLDERS[belongs]}/.", path, run_id,
        )  # fmt: skip
    movable = (belongs, found) in _MOVABLE
    return Finding(
        AREA,
        f"run {name} is {belongs}, but its directory is in {found}/",
        _NEXT if movable else f"`mv {shell_word(path)} {shell_word(home.root)}/{FOLDERS[belongs]}/`.",
        path,
        run_id,
        mend="settle" if movable else None,
    )


_NEXT = "`guild check --repair` does it."
_NEXT_REPAIR = "`guild check --repair` removes it."


def unfinished(home: Home, run_id: RunId) -> Finding:
    """Return what is wrong with a run whose purge is not on record as done, and which this home has to finish.

    Its directory may be anywhere: copied into `runs/` by hand it goes on its way from there.
    """
    found = where(home, run_id)
    path = f"{home.root}/{found[0]}/{run_id}" if found else home.purging_run_dir(run_id)
    return Finding(AREA, f"the removal of run {run_id[:8]} is unfinished", _NEXT, path, run_id, mend="settle")


def removal_elsewhere(home: Home, run_id: RunId) -> Finding:
    """Return what is to be told of a run whose purge is not on record as done, and that has no directory here."""
    return Finding(
        AREA,
        f"the removal of run {run_id[:8]} is unfinished: its files are in another home",
        "That home removes them with its next change, once it knows of this; or put its directory into runs/ here, and"
        " `guild check --repair`.",
        home.purging_run_dir(run_id),
        run_id,
        is_problem=False,
    )


def kept_elsewhere(home: Home, count: int) -> Finding:
    """Return what is to be told of runs of other homes that have no directory here."""
    what = "1 run was" if count == 1 else f"{count} runs were"
    return Finding(
        AREA, f"{what} started in another home, and {'has' if count == 1 else 'have'} no directory here",
        "To have the files here too: `guild ledger merge HOME --artifacts`, or copy the folders runs and trash of that"
        " home into this one.", home.runs_dir,
        is_problem=False,
    )  # fmt: skip


def missing(home: Home, run_id: RunId, belongs: str, *, was_lost: bool) -> Finding | None:
    """Return what is wrong when a run has no directory; None when it has one, wherever.

    None too when its folder is no folder: that is one problem of the home, not one of each run.

    Args:
        home: whose.
        run_id: a run that was started in this home.
        belongs: `live` or `deleted`.
        was_lost: whether its supervisor was killed, perhaps before the directory was made.
    """
    folder = os.path.join(home.root, FOLDERS[belongs])
    if where(home, run_id) or (os.path.lexists(folder) and not os.path.isdir(folder)):
        return None
    path = f"{home.root}/{FOLDERS[belongs]}/{run_id}"
    if was_lost:
        return Finding(
            AREA, f"run {run_id[:8]} has no directory: it was killed, perhaps before that was made",
            f"Nothing needs to be done. `guild runs rm -p {run_id[:8]}` lists it no more.", path, run_id,
            is_problem=False,
        )  # fmt: skip
    return Finding(
        AREA,
        f"the directory of run {run_id[:8]} is missing: its files are lost",
        f"Bring it back from a backup; or `guild runs {'rm -p' if belongs == 'live' else 'purge'} {run_id[:8]}`, which"
        " keeps what the ledger knows of it.",
        path,
        run_id,
    )
