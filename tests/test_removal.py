"""Measuring and removing trees: complete, and never outside."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.removal import measure_tree, remove_tree
from ledger.seams import install
from tests.cli_limits import unshared
from tests.kit import NOBODY, memory_folder, powerless, public_folder, require


def make_deep(top: Path, levels: int) -> None:
    """Make folders in folders, far beyond what a path can say, with a file at the bottom."""
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """Give a folder in which thousands of entries are made quickly."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that a user without privileges reaches."""
    with public_folder() as folder:
        yield folder


def test_measuring_counts_files_and_bytes_and_hard_links_once(tmp_path: Path) -> None:
    """Every name counts as a file, every inode once as bytes; folders count for nothing."""
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "one").write_bytes(b"x" * 1000)
    os.link(top / "a" / "one", top / "a" / "b" / "same")
    (top / "a" / "b" / "two").write_bytes(b"y" * 30)
    os.symlink("/etc/passwd", top / "link")
    os.mkfifo(top / "pipe")
    assert measure_tree(str(top)) == (5, 1030)


def test_measuring_and_removing_nothing_is_fine(tmp_path: Path) -> None:
    """What is not there, or lies in a folder that is not there, has no size and needs no removal."""
    for path in (tmp_path / "no", tmp_path / "no" / "where"):
        assert measure_tree(str(path)) == (0, 0)
        remove_tree(str(path))


def test_a_single_file_or_link_counts_and_goes_as_itself(tmp_path: Path) -> None:
    """The entry may be anything; a link's target is neither measured nor removed."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "data").write_bytes(b"precious")
    (tmp_path / "file").write_bytes(b"123")
    os.symlink("target", tmp_path / "link")
    assert measure_tree(str(tmp_path / "file")) == (1, 3)
    assert measure_tree(str(tmp_path / "link")) == (1, 0)
    remove_tree(str(tmp_path / "file"))
    remove_tree(str(tmp_path / "link"))
    assert os.listdir(tmp_path) == ["target"]
    assert (tmp_path / "target" / "data").read_bytes() == b"precious"


def test_removal_never_follows_links(tmp_path: Path) -> None:
    """Links to files, folders, parents and nowhere go; what they point to stays."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "set.bin").write_bytes(b"precious")
    top = tmp_path / "top"
    (top / "in").mkdir(parents=True)
    targets = {"a": str(data), "b": str(data / "sub" / "set.bin"), "c": "..", "d": "gone", "e": "e"}
    for name, target in targets.items():
        os.symlink(target, top / name)
        os.symlink(target, top / "in" / name)
    assert measure_tree(str(top)) == (10, 0)
    remove_tree(str(top))
    assert not os.path.lexists(top)
    assert (data / "sub" / "set.bin").read_bytes() == b"precious"


def test_a_folder_swapped_for_a_link_during_the_removal_is_not_followed(tmp_path: Path) -> None:
    """Somebody who swaps a folder for a link after the look gains nothing."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "set.bin").write_bytes(b"precious")
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    opened = []

    def swap(name: str) -> None:
        if name == "removal.open":
            opened.append(name)
            if len(opened) == 2:
                (top / "sub").rmdir()
                os.symlink(data, top / "sub")

    install(swap)
    remove_tree(str(top))
    assert not os.path.lexists(top)
    assert (data / "set.bin").read_bytes() == b"precious"


def test_a_folder_moved_away_during_the_removal_does_not_lead_outside(tmp_path: Path) -> None:
    """Going up ends when it would end elsewhere than where it came from."""
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    other = tmp_path / "other"
    (other / "sub2").mkdir(parents=True)
    (other / "keep").write_text("precious")

    def move_away(name: str) -> None:
        if name == "removal.up" and (top / "sub").exists():
            (top / "sub").rename(other / "sub")

    install(move_away)
    with pytest.raises(OSError, match="moved while") as caught:
        remove_tree(str(top))
    assert caught.value.errno == errno.ESTALE
    assert (other / "keep").read_text() == "precious"


def test_every_kind_of_entry_and_name_is_removed(tmp_path: Path) -> None:
    """Pipes, sockets and names that are no text are no obstacle."""
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(top)  # the name of a socket may not be long
    try:
        listener.bind("sock")
    finally:
        os.chdir(here)
        listener.close()
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"a" * 255):
        os.mkdir(os.path.join(os.fsencode(top), name))
        with open(os.path.join(os.fsencode(top), name, name), "wb") as file:
            file.write(b"12")
    assert measure_tree(str(top)) == (6, 8)
    remove_tree(str(top))
    assert not top.exists()


def test_depth_does_not_matter(memory_path: Path) -> None:
    """5,000 folders in each other are measured and removed: no recursion, no path longer than allowed."""
    top = memory_path / "top"
    make_deep(top, 5_000)
    try:
        assert measure_tree(str(top)) == (1, 0)
    finally:
        remove_tree(str(top))
    assert not top.exists()


def test_few_descriptors_are_enough(tmp_path: Path) -> None:
    """A tree deeper than the limit of open files is removed, and no descriptor is left open."""
    top = tmp_path / "top"
    make_deep(top, 60)
    code = (
        "import os, resource, sys\n"
        "from artifacts.removal import remove_tree\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        "remove_tree(sys.argv[1])\n"
        "assert os.dup(0) == 3, 'a descriptor is open'\n"
    )
    subprocess.run([sys.executable, "-c", code, str(top)], check=True, cwd=Path(__file__).parent.parent, close_fds=True)
    assert not top.exists()


def test_folders_that_forbid_everything_to_their_owner_are_opened_up_and_removed(open_folder: Path) -> None:
    """Modes 0000 and 0500 inside do not stop the owner's removal, nor of the top itself."""
    top = open_folder / "top"
    for mode in (0o000, 0o100, 0o300, 0o400, 0o500, 0o700):
        folder = top / f"mode{mode:o}"
        (folder / "inner").mkdir(parents=True)
        (folder / "file").write_bytes(b"123")
        (folder / "inner" / "file").write_bytes(b"4567")
        (folder / "inner" / "file").chmod(0o000)
        (folder / "inner").chmod(mode)
    with powerless(open_folder):
        for folder in top.iterdir():
            folder.chmod(int(folder.name.removeprefix("mode"), 8))
        top.chmod(0o500)
        measured = measure_tree(str(top), unlock=True)
        remove_tree(str(top))
    assert measured == (12, 42)
    assert not top.exists()


def test_measuring_alone_changes_no_modes(open_folder: Path) -> None:
    """Without leave to open folders up, what cannot be read is not counted and stays as it is."""
    top = open_folder / "top"
    (top / "shut").mkdir(parents=True)
    (top / "shut" / "file").write_bytes(b"123")
    (top / "open").write_bytes(b"12")
    with powerless(open_folder):
        (top / "shut").chmod(0o000)
        measured = measure_tree(str(top))
    assert measured == (1, 2)
    assert (top / "shut").stat().st_mode & 0o777 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what another user may not remove")
def test_what_belongs_to_another_user_stays_and_is_told_and_the_rest_goes(open_folder: Path) -> None:
    """A container run as root leaves folders that the user cannot remove; everything else still goes."""
    top = open_folder / "top"
    for name in ("a", "m", "z"):
        (top / name).mkdir(parents=True)
        (top / name / "file").write_text("x")
    for name in (".", ".."):
        os.chown(top / name, NOBODY, NOBODY)
    with powerless(top / "a", top / "z"), pytest.raises(OSError, match="m") as caught:
        remove_tree(str(top))
    assert caught.value.errno == errno.EACCES
    assert sorted(os.listdir(top)) == ["m"]
    assert os.listdir(top / "m") == ["file"]


@pytest.mark.parametrize(("same_device", "listed"), [(True, True), (False, True), (False, False)])
def test_a_mounted_file_system_inside_is_never_emptied(tmp_path: Path, *, same_device: bool, listed: bool) -> None:
    """A data set mounted into a run directory survives, on systems that do not list mounts too."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "set.bin").write_bytes(b"precious")
    (tmp_path / "top" / "with space").mkdir(parents=True)
    mount = f"mount --bind '{tmp_path}/data'" if same_device else "mount -t tmpfs none"
    code = (
        "import errno, os, sys\n"
        "from artifacts import removal\n"
        "from artifacts.removal import remove_tree\n"
        f"{'' if listed else 'removal._mount_points = lambda: []'}\n"
        "open(sys.argv[1] + '/with space/kept', 'w').close()\n"
        "try:\n    remove_tree(sys.argv[1])\n"
        "except OSError as error:\n    assert error.errno == errno.EBUSY, error\n"
        "else:\n    sys.exit('nothing was refused')\n"
        "assert os.path.exists(sys.argv[1] + '/with space/kept')\n"
    )
    script = f"{mount} '{tmp_path}/top/with space' || exit 77; exec \"$0\" -c \"$1\" '{tmp_path}/top'"
    require("unshare", package="util-linux")
    result = subprocess.run(
        [*unshared(), "sh", "-c", script, sys.executable, code],
        check=False,
        capture_output=True,
        cwd=Path(__file__).parent.parent,
    )
    if result.returncode == 77 or result.stderr.startswith(b"unshare:"):
        pytest.skip(f"nothing may be mounted here: {result.stderr.decode().strip()}")
    assert result.returncode == 0, result.stderr.decode()
    assert (tmp_path / "data" / "set.bin").read_bytes() == b"precious"


def test_files_that_appear_during_the_removal_are_removed_too(tmp_path: Path) -> None:
    """A process that still writes does not make the removal fail, as long as it ends."""
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    left = ["late1", "late2", "late3"]

    def write(name: str) -> None:
        if name == "removal.rmdir" and left and (top / "sub").exists():
            (top / "sub" / left.pop()).write_text("x")

    install(write)
    remove_tree(str(top))
    assert not left
    assert not top.exists()


def test_a_writer_that_never_ends_does_not_keep_the_removal_for_ever(tmp_path: Path) -> None:
    """After some attempts it is told that the folder does not get empty."""
    top = tmp_path / "top"
    top.mkdir()

    def write(name: str) -> None:
        if name == "removal.rmdir":
            (top / "again").write_text("x")

    install(write)
    with pytest.raises(OSError, match=os.strerror(errno.ENOTEMPTY)):
        remove_tree(str(top))


def make_small(top: Path) -> None:
    """Make a tree with each kind of step in its removal."""
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").write_text("x")
    (top / "file").write_text("x")
    (top / "a").chmod(0o500)


@pytest.mark.parametrize("always", [False, True])
def test_any_step_may_fail_and_a_second_attempt_finishes(tmp_path: Path, *, always: bool) -> None:
    """Whichever step the system refuses, once or for good, the error is told and trying again is enough."""
    steps: list[str] = []
    make_small(tmp_path / "top")
    install(steps.append)
    remove_tree(str(tmp_path / "top"))
    total = len(steps)
    assert set(steps) == {f"removal.{step}" for step in ("open", "chmod", "unlink", "up", "rmdir")}
    for k in range(1, total + 1):
        top = tmp_path / f"top{k}"
        make_small(top)
        seen: list[str] = []

        def fail(name: str, k: int = k, seen: list[str] = seen) -> None:
            seen.append(name)
            if len(seen) == k or (always and len(seen) > k):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        install(fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            remove_tree(str(top))
        install(None)
        remove_tree(str(top))
        assert not top.exists()


def test_many_entries_in_one_folder_are_removed(memory_path: Path) -> None:
    """Removing while listing leaves nothing behind."""
    top = memory_path / "top"
    top.mkdir()
    for number in range(3_000):
        (top / str(number)).touch()
    assert measure_tree(str(top)) == (3_000, 0)
    remove_tree(str(top))
    assert not top.exists()
