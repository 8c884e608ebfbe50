"""Where a run directory is, and moving it: the file system's half of delete, restore and purge.

The ledger says where a directory must be; these functions bring it there, and may be repeated at any time.
They never merge, overwrite or follow anything, and they report what the system refused instead of raising it,
so that the caller can record it. Callers hold `lock_places`: between the look and the rename nothing else may
move.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from artifacts.home import Home, check_run_id
from artifacts.removal import remove_tree
from artifacts.removal_counts import counted, read_count
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.gate import WAIT_SECONDS, wait_for_lock
from ledger.ids import RunId
from ledger.seams import seam


class Place(StrEnum):
    """Where a run directory is; the value is the folder's name in the home."""

    LIVE = "runs"
    TRASH = "trash"
    PURGING = "purging"
    IMPORTING = "importing"
    """On its way in: complete, and of a run that is about to be, or has just been, recorded as imported."""
    GONE = "purged"
    """Nowhere: removed for good. There is no such folder."""


class Outcome(StrEnum):
    """How a move ended."""

    MOVED = "moved"
    ALREADY = "already there"
    MISSING = "missing"
    """In neither place: the directory was removed by hand. Nothing to do, but worth telling."""
    BOTH = "both"
    """In more than one place: someone copied it. Nothing was touched."""
    REFUSED = "refused"
    """The system said no: the directory is where it was."""


class Kind(StrEnum):
    """What stands in the run directory's place."""

    DIRECTORY = "directory"
    LINK = "link"
    """A symbolic link: moved and removed as a link, what it points to is left alone."""
    OTHER = "other"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the system said.

    Attributes:
        errno_name: for example `EACCES`.
        text: its explanation, with the file's name when there is one.
    """

    errno_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Result of a move.

    Attributes:
        outcome: how it ended.
        kind: what was found in the run directory's place.
        refusal: why, when refused. With another outcome: the directory is where `outcome` says, but the
            system could not make that durable.
    """

    outcome: Outcome
    kind: Kind
    refusal: Refusal | None = None

    @property
    def arrived(self) -> bool:
        """Whether the directory is now where it should be."""
        return self.outcome in {Outcome.MOVED, Outcome.ALREADY}


@dataclass(frozen=True, slots=True)
class Purged:
    """Result of a removal.

    Attributes:
        files: how many files the directory held, links and the like included, folders not.
        bytes: their size together; a file with several names counts once.
        refusal: why something is still there; None when all is gone.
    """

    files: int
    bytes: int
    refusal: Refusal | None = None


@contextmanager
def lock_places(home: Home, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock under which run directories are moved, for the duration.

    Args:
        home: whose run directories.
        wait: wait a minute for another holder; otherwise be refused.

    Raises:
        GuildError: the lock cannot be had.
    """
    path = os.path.join(home.leases_dir, "places.lock")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _no_lock(path, error) from error
    try:
        try:
            wait_for_lock(fd, path, WAIT_SECONDS if wait else 0.01)
        except OSError as error:
            raise _no_lock(path, error) from error
        yield
    finally:
        os.close(fd)


def where(home: Home, run_id: RunId) -> tuple[Place, ...]:
    """Return the places that hold something under the run's id: none, one, or by someone's hand several.

    Raises:
        OSError: a place cannot be looked into.
    """
    return tuple(place for place in (Place.LIVE, Place.TRASH, Place.PURGING) if _holds(home, run_id, place))


def _holds(home: Home, run_id: RunId, place: Place) -> bool:
    try:
        return _kind(_path(home, run_id, place)) is not None
    except NotADirectoryError:
        return False  # something else stands in the folder's place: it certainly holds no run


def move(home: Home, run_id: RunId, source: Place, target: Place, *, flush: bool = True) -> Moved:
    """Bring the run directory from `source` to `target`; repeating it is harmless.

    Args:
        home: whose run directory.
        run_id: which run.
        source: where it may be.
        target: where it must be.
        flush: make the move durable now. With many moves say False and call `flush_places` once.
    """
    before, after = _path(home, run_id, source), _path(home, run_id, target)
    try:
        here, there = _kind(before), _kind(after)
    except OSError as error:
        return Moved(Outcome.REFUSED, Kind.NOTHING, _refusal(error))
    if here is None or there is not None:
        outcome = _without_moving(here, there)
    else:
        try:
            _rename(before, after, here)
        except OSError as error:
            return Moved(Outcome.REFUSED, here, _refusal(error))
        outcome = Outcome.MOVED
    moved = Moved(outcome, here or there or Kind.NOTHING)
    if moved.arrived and flush:
        # Also when already there: a crash may have come between the rename and the flush.
        return Moved(outcome, moved.kind, flush_places(home, source, target))
    return moved


def move_at_once(home: Home, run_id: RunId, source: Place, target: Place) -> bool:
    """Rename the run directory when nothing is in the way, with two calls to the system instead of three.

    False means that it was not moved: `move` finds out what there is. Nothing is flushed.
    """
    after = _path(home, run_id, target)
    try:
        if _kind(after) is not None:
            return False
        seam("place.rename")
        os.rename(_path(home, run_id, source), after)
    except OSError:
        return False
    return True


def arriving(home: Home) -> frozenset[str]:
    """Return the names of what lies in the folder of runs that are being taken in; empty when there is none."""
    try:
        return frozenset(os.listdir(home.importing_dir))
    except OSError:
        return frozenset()


def _without_moving(here: Kind | None, there: Kind | None) -> Outcome:
    if here is not None:
        return Outcome.BOTH
    return Outcome.MISSING if there is None else Outcome.ALREADY


def flush_places(home: Home, *places: Place) -> Refusal | None:
    """Make the moves in and out of `places` durable; return what the system said when it could not."""
    refusal = None
    for place in places:
        try:
            seam("place.sync")
            sync_folder(os.path.join(home.root, place))
        except FileNotFoundError:
            continue  # a folder that is gone altogether needs no sync
        except OSError as error:
            refusal = refusal or _refusal(error)
    return refusal


def start_purge(home: Home, run_id: RunId, *, flush: bool = True) -> Moved:
    """Take the run directory out of the trash, or of the live runs, at once and for good.

    Already there means that it is on its way out, or removed but not yet forgotten: go on with
    `finish_purge`.
    """
    try:
        places = where(home, run_id)
    except OSError as error:
        return Moved(Outcome.REFUSED, Kind.NOTHING, _refusal(error))
    if len(places) > 1:
        return Moved(Outcome.BOTH, Kind.NOTHING)
    if not places and read_count(_count_path(home, run_id)) is not None:
        return Moved(Outcome.ALREADY, Kind.NOTHING)
    source = Place.LIVE if places == (Place.LIVE,) else Place.TRASH
    return move(home, run_id, source, Place.PURGING, flush=flush)


def finish_purge(home: Home, run_id: RunId, *, flush: bool = True) -> Purged:
    """Remove what `start_purge` took out; go on where an earlier attempt was interrupted.

    The numbers are taken and kept in a small file beside the directory before anything is removed, and stay
    there until `forget_purge`: they are the same after any number of crashes.
    """
    path = home.purging_run_dir(run_id)
    files, size = 0, 0
    try:
        files, size = counted(path, _count_path(home, run_id))
        remove_tree(path)
    except OSError as error:
        return Purged(files, size, _refusal(error))
    if flush:
        flush_places(home, Place.PURGING)  # what a power cut would bring back is found there again
    return Purged(files, size)


def forget_purge(home: Home, run_id: RunId) -> Refusal | None:
    """Drop the numbers that `finish_purge` kept. Call it when the ledger has them."""
    for path in (_count_path(home, run_id) + ".new", _count_path(home, run_id)):
        try:
            seam("purge.forget")
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            return _refusal(error)
    return None


def unfinished_purges(home: Home) -> tuple[str, ...]:
    """Return the names in `purging/` that are left: run ids of removals to finish or to forget; sorted.

    Raises:
        OSError: the folder cannot be listed.
    """
    try:
        names = os.listdir(home.purging_dir)
    except FileNotFoundError:
        return ()
    return tuple(sorted({name.partition(".count")[0] for name in names}))


def _path(home: Home, run_id: RunId, place: Place) -> str:
    return f"{home.root}/{place}/{check_run_id(run_id)}"


def _kind(path: str) -> Kind | None:
    """Say what is there; any doubt is an error, never an absence."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def rename_folder(source: str, target: str) -> None:
    """Rename a folder into a place seen to be free, also one that its mode protects.

    Raises:
        OSError: the system could not.
    """
    _rename(source, target, Kind.DIRECTORY)


def _rename(source: str, target: str, kind: Kind) -> None:
    """Rename into a place seen to be free; a folder that forbids it to its owner is opened for the moment."""
    folder = os.path.dirname(target)
    try:
        seam("place.rename")
        os.rename(source, target)
    except OSError as error:
        # Over some network file systems an answer gets lost, and the repeated request fails: what counts is
        # the place.
        if os.path.lexists(target) and not os.path.lexists(source):
            return
        if isinstance(error, FileNotFoundError) and not os.path.isdir(folder):
            # Emptying the trash by hand often takes the folder along.
            seam("place.mkdir")
            os.mkdir(folder, 0o700)
            _rename(source, target, kind)
            return
        if kind is not Kind.DIRECTORY or not isinstance(error, PermissionError):
            raise
        _rename_protected(source, target)


def _rename_protected(source: str, target: str) -> None:
    """Rename a folder without write permission, which changes its entry `..`, and give it back its mode."""
    status = os.lstat(source)
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IWUSR or status.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), source)
    seam("place.chmod")
    os.chmod(source, mode | stat.S_IWUSR)
    arrived = source
    try:
        seam("place.rename")
        os.rename(source, target)
        arrived = target
    finally:
        with suppress(OSError):  # the mode is a detail, where the directory is must be told right
            seam("place.chmod")
            os.chmod(arrived, mode)


def sync_folder(path: str) -> None:
    """Make the entries of a folder durable; nothing happens on a file system that has no notion of it.

    Raises:
        OSError: the folder cannot be opened, or the system could not.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(fd)


def _count_path(home: Home, run_id: RunId) -> str:
    return home.purging_run_dir(run_id) + ".count"


def _refusal(error: OSError) -> Refusal:
    name = errno.errorcode.get(error.errno or 0, "EIO")
    text = error.strerror or str(error)
    return Refusal(name, f"{text}: {error.filename!r}" if error.filename else text)


def _no_lock(path: str, error: OSError) -> GuildError:
    return GuildError(
        f"cannot lock {path!r}: {error.strerror}",
        hint="Check the permissions of the home; some network file systems have no locks.",
    )
