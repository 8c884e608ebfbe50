"""Bringing run directories and source snapshots over from another home, whose history was merged: copied, never moved.

A directory is copied apart and gets its name when it is complete and durable, so a kill leaves none by halves, and the
same may be done again. Only what is not here yet is copied.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from artifacts.home import Home
from artifacts.importing import bring_in, flush_tree, unpacking_place
from artifacts.places import lock_places, where
from artifacts.removal import remove_tree
from artifacts.source_manifest import SourceFile, manifest_bytes, snapshot_digest
from artifacts.source_writer import publish
from ledger.dataclass import dataclass, field
from ledger.ids import RunId, is_run_id
from ledger.seams import seam

_CHUNK = 50
_DIGEST_DIGITS = 64

Wanted = Callable[[Sequence[RunId]], Collection[RunId]]
"""Returns which of these runs should have a directory in this home."""


@dataclass(slots=True)
class Brought:
    """What was copied.

    Attributes:
        runs: how many run directories.
        sources: how many source snapshots.
        failed: what could not be: its path, and why.
    """

    runs: int = 0
    sources: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def bring_all(home: Home, other: Home, wanted: Wanted, arrived: Callable[[Sequence[RunId]], None]) -> Brought:
    """Copy what the other home has of these runs, and all source snapshots, as far as it is not here.

    Args:
        home: where to.
        other: where from; it is only read.
        wanted: asked some runs at a time.
        arrived: told of directories that wait in `importing/` to be settled.

    Raises:
        GuildError: the lock on the places of runs cannot be had.
        OSError: this home cannot be written.
    """
    brought = Brought()
    _bring_sources(home, other, brought)
    ids = _run_ids(other)
    while chunk := list(islice(ids, _CHUNK)):
        asked = set(wanted([run_id for run_id, _ in chunk]))
        missing = [(run_id, path) for run_id, path in chunk if run_id in asked and not is_here(home, run_id)]
        ready = _bring_runs(home, missing, brought) if missing else []
        brought.runs += len(ready)
        # A killed command may have left some of them complete.
        waiting = [run_id for run_id in asked if os.path.lexists(home.importing_run_dir(run_id))]
        if waiting:
            arrived(waiting)
    return brought


def is_here(home: Home, run_id: RunId) -> bool:
    """Tell whether a run has a directory in this home, or one that is on its way in."""
    return bool(where(home, run_id)) or os.path.lexists(home.importing_run_dir(run_id))


def _run_ids(other: Home) -> Iterator[tuple[RunId, str]]:
    for folder in (other.runs_dir, other.trash_dir):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            for entry in entries:
                if is_run_id(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield RunId(entry.name), entry.path


def _bring_runs(home: Home, missing: Sequence[tuple[RunId, str]], brought: Brought) -> list[RunId]:
    failed: dict[RunId, OSError] = {}
    with unpacking_place(home) as folder:
        copied = [run_id for run_id, path in missing if _copied(path, os.path.join(folder, run_id), brought)]
        seam("bring.flush")
        flush_tree(folder)
        with lock_places(home):
            ready = [run_id for run_id in copied if not is_here(home, run_id)]
            bring_in(home, folder, ready, failed.setdefault)
    brought.failed += [(run_id, error.strerror or str(error)) for run_id, error in failed.items()]
    return [run_id for run_id in ready if run_id not in failed]


def _bring_sources(home: Home, other: Home, brought: Brought) -> None:
    try:
        names = sorted(os.listdir(other.sources_dir))
    except OSError:
        return
    for name in names:
        target = os.path.join(home.sources_dir, name)
        if len(name) != _DIGEST_DIGITS or set(name) - set("0123456789abcdef") or os.path.lexists(target):
            continue
        fresh = os.path.join(home.sources_dir, ".new-" + os.urandom(8).hex())
        try:
            if _copied_snapshot(os.path.join(other.sources_dir, name), fresh, name, brought):
                flush_tree(fresh)
                publish(fresh, target)
                brought.sources += 1
        finally:
            with suppress(OSError):
                remove_tree(fresh)


def _copied_snapshot(source: str, target: str, digest: str, brought: Brought) -> bool:
    """Copy a source snapshot; tell whether the copy is what it is called: it will be trusted for ever."""
    if not stat.S_ISDIR(os.lstat(source).st_mode):
        brought.failed.append((source, "it is not a folder"))
        return False
    if not _copied(source, target, brought):
        return False
    try:
        if _is_snapshot(target, digest):
            return True
        why = "it is not what its name says"
    except (OSError, ValueError) as error:
        why = str(error)
    brought.failed.append((source, why))
    return False


def _is_snapshot(folder: str, digest: str) -> bool:
    """Tell whether a folder holds a snapshot with this digest, its manifest, and nothing else."""
    if sorted(os.listdir(folder)) != ["files", "manifest"] or os.path.islink(os.path.join(folder, "files")):
        return False
    manifest = os.path.join(folder, "manifest")
    if not stat.S_ISREG(os.lstat(manifest).st_mode):
        return False
    top = os.path.join(folder, "files")
    found = [_source_file(path, os.path.relpath(path, top)) for path in _leaves(top)]
    with open(manifest, "rb") as file:
        return snapshot_digest(found) == digest and file.read() == manifest_bytes(found)


def _leaves(top: str) -> Iterator[str]:
    with os.scandir(top) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _leaves(entry.path)
            else:
                yield entry.path


def _source_file(path: str, name: str) -> SourceFile:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        content = os.fsencode(os.readlink(path))
        return SourceFile(name, "l", len(content), hashlib.sha256(content).hexdigest())
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return SourceFile(name, "x" if mode & 0o111 else "f", os.path.getsize(path), digest)


def _copied(source: str, target: str, brought: Brought) -> bool:
    """Copy a tree, links as links, without what is neither file, folder nor link; tell whether all of it could be."""
    try:
        seam("bring.copy")
        shutil.copytree(source, target, symlinks=True, ignore=_special)
    except shutil.Error as error:
        brought.failed.append((source, str(error.args[0][0][2]) if error.args and error.args[0] else str(error)))
    except OSError as error:
        brought.failed.append((source, error.strerror or str(error)))
    else:
        return True
    with suppress(OSError):
        remove_tree(target)
    return False


def _special(folder: str, names: list[str]) -> list[str]:
    """Return the names of pipes, sockets and devices, which cannot be copied."""
    return [name for name in names if not _is_plain(os.path.join(folder, name))]


def _is_plain(path: str) -> bool:
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
