"""Purging run directories, and crashes or refusals at any step of any move: the same end when it is repeated."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
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
    forget_purge,
    lock_places,
    move,
    start_purge,
    where,
)
from artifacts.removal import remove_tree
from ledger.ids import RunId, new_run_id
from ledger.seams import install
from tests.kit import in_child, memory_folder
from tests.places_kit import (
    FILES,
    contents,
    home_fixture,  # noqa: F401 - a fixture
    make_run,
)


@pytest.fixture
def memory_home() -> Iterator[Home]:
    """Give a home in which a thousand flushes are quick."""
    with memory_folder() as folder:
        yield Home(str(folder / "home"))


def failing(step: int, number: int, *, always: bool = False) -> Callable[[str], None]:
    """Return a hook that lets one step, or all from then on, fail with the error `number`."""
    seen = []

    def hook(name: str) -> None:
        seen.append(name)
        if len(seen) == step or (always and len(seen) > step):
            raise OSError(number, os.strerror(number))

    return hook


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
        # Every third step, another third for each k: a pair of neighbours stands for all.
        j, died_again = k % 3 - 2, True
        while died_again:
            j += 3
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
