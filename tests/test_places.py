"""Moving and purging run directories: repeatable at any time, and the same end after any crash."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
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
from artifacts.removal import remove_tree
from ledger.errors import GuildError
from ledger.ids import RunId, new_run_id
from ledger.seams import install

DIED = 70


@pytest.fixture(autouse=True)
def _no_seams() -> Iterator[None]:
    """Leave no hook behind."""
    yield
    install(None)


@pytest.fixture
def memory_home(tmp_path: Path) -> Iterator[Home]:
    """Give a home in memory where there is such a thing: a thousand flushes of a busy disk take long."""
    memory = "/dev/shm"  # noqa: S108 - a private folder is made there
    top = tempfile.mkdtemp(prefix="guild-places-", dir=memory if os.access(memory, os.W_OK) else tmp_path)
    yield Home(os.path.join(top, "home"))
    remove_tree(top)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give an empty home."""
    home = Home(str(tmp_path / "home"))
    home.ensure()
    return home


def make_run(home: Home, place: Place = Place.LIVE) -> RunId:
    """Make a run directory with some files, one of them in a protected folder."""
    run_id = new_run_id()
    top = Path(home.root, place, run_id)
    (top / ".guild").mkdir(parents=True)
    (top / ".guild" / "output").write_bytes(b"x" * 100)
    (top / "model").mkdir()
    (top / "model" / "weights").write_bytes(b"y" * 20)
    (top / "model").chmod(0o500)
    return run_id


def in_child(work: Callable[[], object], die_at: int) -> bool:
    """Do `work` in a process of its own that dies, as if killed, at step `die_at`; say whether it died."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside the threads of the test runner
        pid = os.fork()
    if pid == 0:
        steps = []

        def hook(name: str) -> None:
            steps.append(name)
            if len(steps) == die_at:
                os._exit(DIED)

        install(hook)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DIED


def failing(step: int, number: int, *, always: bool = False) -> Callable[[str], None]:
    """Return a hook that lets one step, or all from then on, fail with the error `number`."""
    seen = []

    def hook(name: str) -> None:
        seen.append(name)
        if len(seen) == step or (always and len(seen) > step):
            raise OSError(number, os.strerror(number))

    return hook


def contents(home: Home, run_id: RunId, place: Place) -> list[str]:
    """Return the files of a run in a place."""
    top = Path(home.root, place, run_id)
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir())


FILES = [".guild/output", "model/weights"]


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
    other = tempfile.mkdtemp(dir="/dev/shm") if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    if other is None or os.stat(other).st_dev == os.stat(home.root).st_dev:
        pytest.skip("needs a second file system")
    try:
        os.rmdir(home.trash_dir)
        os.symlink(other, home.trash_dir)
        run_id = make_run(home)
        moved = move(home, run_id, Place.LIVE, Place.TRASH)
        assert moved.refusal is not None
        assert (moved.outcome, moved.refusal.errno_name) == (Outcome.REFUSED, "EXDEV")
        assert where(home, run_id) == (Place.LIVE,)
    finally:
        shutil.rmtree(other)


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
    top = Path(tempfile.mkdtemp(prefix="guild-places-"))
    home = Home(str(top / "home"))
    try:
        if os.geteuid() == 0:
            os.chown(top, 65534, 65534)
            os.seteuid(65534)
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
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        shutil.rmtree(top)


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


def test_the_purge_of_what_is_nowhere_is_missing_and_counts_nothing(home: Home) -> None:
    """A directory removed by hand can still be purged, as nothing."""
    run_id = new_run_id()
    assert start_purge(home, run_id) == Moved(Outcome.MISSING, Kind.NOTHING)
    assert finish_purge(home, run_id) == Purged(0, 0)
    assert forget_purge(home, run_id) is None
    assert os.listdir(home.purging_dir) == []


@pytest.mark.parametrize("second", [Place.LIVE, Place.PURGING])
def test_a_purge_with_two_copies_touches_neither(home: Home, second: Place) -> None:
    """Which of two directories to destroy is not for the program to guess."""
    run_id = make_run(home, Place.TRASH)
    shutil.copytree(home.trash_run_dir(run_id), os.path.join(home.root, second, run_id))
    assert start_purge(home, run_id).outcome is Outcome.BOTH
    assert contents(home, run_id, Place.TRASH) == contents(home, run_id, second) == FILES


@pytest.mark.parametrize("text", ["", "2", "2 120", "2 120\n", "x 120 \n", "2 120 \n2 120 \n", "-1 5 \n", "\xb2 1 \n"])
def test_a_half_written_count_is_taken_anew(home: Home, text: str) -> None:
    """What a power cut leaves of the numbers is not believed."""
    run_id = make_run(home, Place.PURGING)
    Path(home.purging_run_dir(run_id) + ".count").write_bytes(text.encode("latin-1"))
    assert finish_purge(home, run_id) == Purged(2, 120)


def test_a_full_disk_does_not_stop_a_purge(home: Home) -> None:
    """Removing is what makes room again."""
    run_id = make_run(home, Place.PURGING)

    def hook(name: str) -> None:
        if name == "purge.count.write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    install(hook)
    assert finish_purge(home, run_id) == Purged(2, 120)
    assert os.listdir(home.purging_dir) == []


def test_a_removal_that_is_refused_keeps_the_numbers_for_the_next_attempt(home: Home) -> None:
    """What could not go is told, and the numbers of the whole directory stay right."""
    run_id = make_run(home, Place.PURGING)
    refuse = True

    def hook(name: str) -> None:
        if name == "removal.rmdir" and refuse:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    install(hook)
    first = finish_purge(home, run_id)
    assert first.refusal is not None
    assert (first.files, first.bytes, first.refusal.errno_name) == (2, 120, "EBUSY")
    refuse = False
    assert finish_purge(home, run_id) == Purged(2, 120)


def delete(home: Home, run_id: RunId) -> Callable[[], object]:
    """Return the move of a deletion."""
    return lambda: move(home, run_id, Place.LIVE, Place.TRASH)


def restore(home: Home, run_id: RunId) -> Callable[[], object]:
    """Return the move of a restore."""
    return lambda: move(home, run_id, Place.TRASH, Place.LIVE)


def purge(home: Home, run_id: RunId) -> Callable[[], Purged]:
    """Return a purge up to the point where the ledger takes the numbers."""

    def work() -> Purged:
        start_purge(home, run_id)
        return finish_purge(home, run_id)

    return work


@pytest.mark.parametrize(
    ("effect", "source", "target"),
    [(delete, Place.LIVE, Place.TRASH), (restore, Place.TRASH, Place.LIVE), (purge, Place.TRASH, None)],
)
def test_any_crash_and_any_crash_in_the_recovery_end_alike(
    memory_home: Home,
    effect: Callable[[Home, RunId], Callable[[], object]],
    source: Place,
    target: Place | None,
) -> None:
    """Killed at step k, killed again at step j of the recovery, then left alone: always the same end."""
    home = memory_home
    k, died = 0, True
    while died:
        k += 1
        j, died_again = 0, True
        while died_again:
            j += 1
            remove_tree(home.root)  # a folder that has to be made first is a step too
            run_id = make_run(home, source)
            work = effect(home, run_id)
            died = in_child(work, k)
            died_again = in_child(work, j) and died
            result = work()
            if target is None:
                assert result == Purged(2, 120)
                assert where(home, run_id) == ()
                assert forget_purge(home, run_id) is None
                assert os.listdir(home.purging_dir) == []
            else:
                assert where(home, run_id) == (target,)
                assert contents(home, run_id, target) == FILES
    assert k > 3


@pytest.mark.parametrize("always", [False, True])
def test_any_refused_step_is_reported_truly_and_a_repetition_ends_alike(home: Home, *, always: bool) -> None:
    """No error is raised, the outcome says where the directory is, and trying again finishes."""
    for step in range(1, 25):
        moved_id, purged_id = make_run(home), make_run(home, Place.TRASH)
        install(failing(step, errno.EIO, always=always))
        moved = move(home, moved_id, Place.LIVE, Place.TRASH)
        install(None)
        assert where(home, moved_id) == ((Place.TRASH,) if moved.arrived else (Place.LIVE,))
        assert (moved.refusal is None) or moved.refusal.errno_name == "EIO"
        assert move(home, moved_id, Place.LIVE, Place.TRASH).arrived
        install(failing(step, errno.EIO, always=always))
        started = start_purge(home, purged_id)
        purged = finish_purge(home, purged_id) if started.arrived else None
        install(None)
        if purged is not None:
            assert (purged.refusal is None) == (where(home, purged_id) == ())
        assert start_purge(home, purged_id).arrived or purged is not None
        assert finish_purge(home, purged_id).refusal is None
        assert where(home, purged_id) == ()


def test_the_lock_keeps_a_second_process_out_until_it_is_released(home: Home) -> None:
    """One process at a time moves run directories; the other waits or is told."""
    code = (
        "import sys\n"
        "from artifacts.home import Home\n"
        "from artifacts.places import lock_places\n"
        "from ledger.errors import GuildError\n"
        "try:\n"
        "    with lock_places(Home(sys.argv[1]), wait=sys.argv[2] == 'wait'):\n"
        "        print('in')\n"
        "except GuildError as error:\n"
        "    print(error.message)\n"
    )
    root = Path(__file__).parent.parent
    with lock_places(home):
        refused = subprocess.run(
            [sys.executable, "-c", code, home.root, "try"],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        waiting = subprocess.Popen(
            [sys.executable, "-c", code, home.root, "wait"], stdout=subprocess.PIPE, text=True, cwd=root
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=0.5)
    assert "held by another guild command" in refused.stdout
    assert waiting.communicate()[0] == "in\n"


def test_the_lock_is_free_after_an_error_and_its_absence_is_explained(home: Home) -> None:
    """An error inside frees the lock; a lock that cannot be made is refused by name."""
    with pytest.raises(ZeroDivisionError), lock_places(home):
        raise ZeroDivisionError
    with lock_places(home, wait=False):
        pass
    shutil.rmtree(home.leases_dir)
    with pytest.raises(GuildError, match=r"cannot lock .*places\.lock"), lock_places(home):
        pass
