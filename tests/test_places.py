"""Moving run directories between their places: what is moved, what is refused, and what stays as it was."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.places import (
    Kind,
    Moved,
    Outcome,
    Place,
    Purged,
    finish_purge,
    flush_places,
    forget_purge,
    lock_places,
    move,
    start_purge,
    unfinished_purges,
    where,
)
from ledger.errors import GuildError
from ledger.ids import new_run_id
from ledger.seams import install
from tests.kit import folder_on_another_disk, powerless, public_folder
from tests.places_kit import (
    FILES,
    contents,
    home_fixture,  # noqa: F401 - a fixture
    make_run,
)


def test_a_run_directory_goes_to_the_trash_and_back(home: Home) -> None:
    """Moving takes everything along, and nothing stays behind."""
    run_id = make_run(home)
    assert move(home, run_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.DIRECTORY)
    assert where(home, run_id) == (Place.TRASH,)
    assert contents(home, run_id, Place.TRASH) == FILES
    assert move(home, run_id, Place.TRASH, Place.LIVE).arrived
    assert where(home, run_id) == (Place.LIVE,)
    assert contents(home, run_id, Place.LIVE) == FILES


def test_moving_again_is_already_done(home: Home) -> None:
    """A repeated move changes nothing and says so."""
    run_id = make_run(home)
    move(home, run_id, Place.LIVE, Place.TRASH)
    moved = move(home, run_id, Place.LIVE, Place.TRASH)
    assert moved == Moved(Outcome.ALREADY, Kind.DIRECTORY)
    assert moved.arrived


def test_a_directory_removed_by_hand_is_missing_and_no_error(home: Home) -> None:
    """What is nowhere is told and not made."""
    moved = move(home, new_run_id(), Place.LIVE, Place.TRASH)
    assert moved == Moved(Outcome.MISSING, Kind.NOTHING)
    assert not moved.arrived
    assert os.listdir(home.trash_dir) == []


@pytest.mark.parametrize("other", ["full", "empty", "file", "link"])
def test_a_second_copy_stops_the_move_and_both_stay(home: Home, other: str) -> None:
    """Nothing is merged or overwritten, not even an empty folder, which the system would replace silently."""
    run_id = make_run(home)
    target = Path(home.trash_run_dir(run_id))
    if other == "file":
        target.write_text("mine")
    elif other == "link":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
        if other == "full":
            (target / "mine").write_text("x")
    inode = target.lstat().st_ino
    assert move(home, run_id, Place.LIVE, Place.TRASH).outcome is Outcome.BOTH
    assert where(home, run_id) == (Place.LIVE, Place.TRASH)
    assert target.lstat().st_ino == inode
    assert contents(home, run_id, Place.LIVE) == FILES


def test_a_link_in_the_place_of_a_run_directory_is_moved_as_a_link(home: Home, tmp_path: Path) -> None:
    """What it points to is neither moved nor removed, by a move or by a purge."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "set.bin").write_text("precious")
    run_id = new_run_id()
    os.symlink(data, home.run_dir(run_id))
    assert move(home, run_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.LINK)
    assert os.readlink(home.trash_run_dir(run_id)) == str(data)
    assert start_purge(home, run_id) == Moved(Outcome.MOVED, Kind.LINK)
    assert finish_purge(home, run_id) == Purged(1, 0)
    assert (data / "set.bin").read_text() == "precious"


def test_a_file_or_dangling_link_in_the_place_of_a_run_directory_is_moved_as_it_is(home: Home) -> None:
    """Odd things are moved like the rest, and told."""
    file_id, link_id = new_run_id(), new_run_id()
    Path(home.run_dir(file_id)).write_text("odd")
    os.symlink("nowhere", home.run_dir(link_id))
    assert move(home, file_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.OTHER)
    assert move(home, link_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.LINK)
    assert start_purge(home, file_id).arrived
    assert finish_purge(home, file_id) == Purged(1, 3)


def test_a_trash_folder_removed_by_hand_comes_back(home: Home) -> None:
    """People empty the trash with `rm -r`; the next delete still works."""
    run_id = make_run(home)
    os.rmdir(home.trash_dir)
    assert move(home, run_id, Place.LIVE, Place.TRASH).arrived
    assert stat.S_IMODE(os.stat(home.trash_dir).st_mode) == 0o700
    os.rmdir(home.runs_dir)
    assert flush_places(home, Place.LIVE, Place.TRASH) is None


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EACCES, errno.EBUSY, errno.ENOSPC, errno.EROFS])
def test_a_refused_rename_is_reported_and_leaves_all_as_it_was(home: Home, number: int) -> None:
    """The system's error comes back by name and in words, and is not raised."""
    run_id = make_run(home)

    def hook(name: str) -> None:
        if name == "place.rename":
            raise OSError(number, os.strerror(number))

    install(hook)
    moved = move(home, run_id, Place.LIVE, Place.TRASH)
    install(None)
    assert moved.outcome is Outcome.REFUSED
    assert not moved.arrived
    assert moved.refusal is not None
    assert moved.refusal.errno_name == errno.errorcode[number]
    assert os.strerror(number) in moved.refusal.text
    assert contents(home, run_id, Place.LIVE) == FILES


def test_a_rename_between_file_systems_is_refused_by_the_system_itself(home: Home) -> None:
    """A trash on another disk gives EXDEV, and the run stays."""
    with folder_on_another_disk(Path(home.root)) as other:
        os.rmdir(home.trash_dir)
        os.symlink(other, home.trash_dir)
        run_id = make_run(home)
        moved = move(home, run_id, Place.LIVE, Place.TRASH)
        assert moved.refusal is not None
        assert (moved.outcome, moved.refusal.errno_name) == (Outcome.REFUSED, "EXDEV")
        assert where(home, run_id) == (Place.LIVE,)


def test_a_lost_answer_to_a_rename_that_happened_is_no_refusal(home: Home) -> None:
    """Over a network the repeated request fails though the first was done: the place decides."""
    run_id = make_run(home)

    def hook(name: str) -> None:
        if name == "place.rename":
            os.rename(home.run_dir(run_id), home.trash_run_dir(run_id))

    install(hook)
    assert move(home, run_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.DIRECTORY)


def test_a_folder_that_cannot_be_looked_into_is_refused_and_not_missing(home: Home) -> None:
    """An error while looking must never read as an absence."""
    run_id = make_run(home)
    os.rename(home.trash_dir, home.trash_dir + "2")
    os.symlink("trash", home.trash_dir)
    moved = move(home, run_id, Place.LIVE, Place.TRASH)
    assert moved.refusal is not None
    assert (moved.outcome, moved.refusal.errno_name) == (Outcome.REFUSED, "ELOOP")
    assert start_purge(home, run_id).outcome is Outcome.REFUSED


def test_a_run_directory_without_write_permission_is_moved_and_keeps_its_mode() -> None:
    """Renaming a folder changes its entry `..`; a protected one of the user's is opened for the moment."""
    with public_folder() as top, powerless(top):
        home = Home(str(top / "home"))
        home.ensure()
        run_id = make_run(home)
        os.chmod(home.run_dir(run_id), 0o500)
        assert move(home, run_id, Place.LIVE, Place.TRASH) == Moved(Outcome.MOVED, Kind.DIRECTORY)
        assert stat.S_IMODE(os.stat(home.trash_run_dir(run_id)).st_mode) == 0o500
        os.chmod(home.runs_dir, 0o500)
        refused = move(home, run_id, Place.TRASH, Place.LIVE)
        assert refused.refusal is not None
        assert (refused.outcome, refused.refusal.errno_name) == (Outcome.REFUSED, "EACCES")
        assert stat.S_IMODE(os.stat(home.trash_run_dir(run_id)).st_mode) == 0o500
        assert start_purge(home, run_id).arrived
        assert finish_purge(home, run_id) == Purged(2, 120)


def test_a_flush_that_fails_does_not_hide_that_the_directory_moved(home: Home) -> None:
    """Where the directory is counts; that it is not durable is told beside it."""
    run_id = make_run(home)

    def hook(name: str) -> None:
        if name == "place.sync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    install(hook)
    moved = move(home, run_id, Place.LIVE, Place.TRASH)
    assert moved.arrived
    assert moved.refusal is not None
    assert moved.refusal.errno_name == "EIO"


def test_many_moves_need_one_flush(home: Home) -> None:
    """Deleting many runs does not wait for the disk once for each."""
    steps: list[str] = []
    run_ids = [make_run(home) for _ in range(5)]
    install(steps.append)
    for run_id in run_ids:
        assert move(home, run_id, Place.LIVE, Place.TRASH, flush=False).arrived
    assert "place.sync" not in steps
    assert flush_places(home, Place.LIVE, Place.TRASH) is None
    assert steps.count("place.sync") == 2


@pytest.mark.parametrize("source", [Place.LIVE, Place.TRASH])
def test_a_purge_removes_the_directory_and_tells_what_went(home: Home, source: Place) -> None:
    """From the trash or from the live runs, protected folders included, nothing is left but the numbers."""
    run_id = make_run(home, source)
    assert start_purge(home, run_id) == Moved(Outcome.MOVED, Kind.DIRECTORY)
    assert where(home, run_id) == (Place.PURGING,)
    assert start_purge(home, run_id) == Moved(Outcome.ALREADY, Kind.DIRECTORY)
    assert finish_purge(home, run_id) == Purged(2, 120)
    assert where(home, run_id) == ()
    assert unfinished_purges(home) == (run_id,)
    assert start_purge(home, run_id) == Moved(Outcome.ALREADY, Kind.NOTHING)
    assert finish_purge(home, run_id) == Purged(2, 120)
    assert forget_purge(home, run_id) is None
    assert os.listdir(home.purging_dir) == []
    assert unfinished_purges(home) == ()


def test_the_lock_is_free_after_an_error_and_its_absence_is_explained(home: Home) -> None:
    """An error inside frees the lock; a lock that cannot be made is refused by name."""
    with pytest.raises(ZeroDivisionError), lock_places(home):
        raise ZeroDivisionError
    with lock_places(home, wait=False):
        pass
    shutil.rmtree(home.leases_dir)
    with pytest.raises(GuildError, match=r"cannot lock .*places\.lock"), lock_places(home):
        pass
