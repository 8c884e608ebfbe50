"""Where run directories wait until the ledger has their runs: unpacked apart, then complete under their ids.

`importing/.new-*` is locked by the process that unpacks into it, so that what a killed one left is told from what
another one is at. `importing/<run id>` is complete; whether it belongs to a run, only the ledger says.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from artifacts.home import Home
from artifacts.places import lock_places, rename_folder, sync_folder, where
from artifacts.removal import remove_tree
from artifacts.source_writer import publish
from ledger.errors import GuildError
from ledger.ids import RunId, is_run_id
from ledger.seams import seam

_NEW = ".new-"

Known = Callable[[Sequence[RunId]], Collection[RunId]]
"""Returns which of these runs the ledger knows of."""


@contextmanager
def unpacking_place(home: Home) -> Iterator[str]:
    """Give an empty folder in the home, which is gone afterwards with all that is still in it.

    Raises:
        GuildError: the lock under which it is made cannot be had.
        OSError: it cannot be made.
    """
    folder = os.path.join(home.importing_dir, _NEW + os.urandom(8).hex())
    with lock_places(home):  # without it, another import could take the folder for abandoned before it is locked
        with suppress(FileExistsError):
            seam("import.mkdir")
            os.mkdir(home.importing_dir, 0o700)
        seam("import.mkdir")
        os.mkdir(folder, 0o700)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        with suppress(OSError):
            remove_tree(folder)
        os.close(fd)


def bring_in(
    home: Home, folder: str, run_ids: Sequence[RunId], failed: Callable[[RunId, OSError], object] | None = None
) -> None:
    """Give the directories of runs that are not in the ledger their names; the caller holds `lock_places`.

    Args:
        home: which home.
        folder: where the directories are.
        run_ids: of these runs.
        failed: told of what the system refused to one run, and the others go on; without it that is an error.

    Raises:
        GuildError: there is something in this home already under the id of one of them; nothing was moved.
        OSError: the system could not.
    """
    for run_id in run_ids:
        found = where(home, run_id)
        if found:
            raise GuildError(
                f"'{os.path.join(home.root, found[0], run_id)}' is there already, and no run of this ledger",
                hint="Nothing was imported. `guild check` tells more; move it out of the home.",
            )
    for run_id in run_ids:
        try:
            remove_tree(home.importing_run_dir(run_id))  # left by an import that was killed
            seam("import.rename")
            rename_folder(os.path.join(folder, run_id), home.importing_run_dir(run_id))
        except OSError as error:
            if failed is None:
                raise
            failed(run_id, error)
    seam("import.sync")
    sync_folder(home.importing_dir)
    sync_folder(home.root)


def bring_in_sources(home: Home, folder: str, digests: Sequence[str]) -> None:
    """Give source snapshots their names; one that another process brought meanwhile stays as it is.

    Raises:
        OSError: the system could not.
    """
    for digest in digests:
        publish(os.path.join(folder, digest), os.path.join(home.sources_dir, digest))


def flush_tree(folder: str) -> None:
    """Make everything in a folder durable: once it is recorded that the runs are here, no power cut may take them.

    Raises:
        OSError: something cannot be opened, or the system could not.
    """
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            if os.path.islink(path):
                continue
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_folder(top)


def take_back(home: Home, run_ids: Sequence[RunId]) -> None:
    """Remove what was brought in of runs that did not get into the ledger; the caller holds `lock_places`."""
    for run_id in run_ids:
        with suppress(OSError):
            remove_tree(home.importing_run_dir(run_id))


def leftovers(home: Home, known: Known) -> list[str]:
    """Return the paths of what killed imports left: what nobody unpacks into, and directories of no run."""
    try:
        names = sorted(os.listdir(home.importing_dir))
    except OSError:
        return []
    runs = [RunId(name) for name in names if is_run_id(name)]
    kept = known(runs) if runs else ()
    paths = [os.path.join(home.importing_dir, name) for name in names if name.startswith(_NEW)]
    return [path for path in paths if _is_abandoned(path)] + [
        home.importing_run_dir(run_id) for run_id in runs if run_id not in kept
    ]


def clear_leftovers(home: Home, known: Known) -> None:
    """Remove what killed imports left; the caller holds `lock_places`."""
    for path in leftovers(home, known):
        seam("import.clear")
        with suppress(OSError):
            remove_tree(path)


def _is_abandoned(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(fd)
