"""The layout of a home, and which home is found."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifacts.home import Home, check_run_id, find_home
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId, new_run_id
from ledger.seams import install
from tests.kit import powerless, public_folder

FOLDERS = {"index", "leases", "runs", "trash", "purging", "sources"}
RUN = "0123456789abcdef0123456789abcdef"


@contextmanager
def failing(name: str, number: int) -> Iterator[None]:
    """Let the step `name` fail with the error `number`."""

    def hook(seen: str) -> None:
        if seen == name:
            raise OSError(number, os.strerror(number))

    install(hook)
    try:
        yield
    finally:
        install(None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "../" * 10 + "ab",
        "a" * 31,
        "a" * 33,
        "a" * 32 + "\n",
        "A" * 32,
        "g" * 32,
        "a" * 15 + "/.." + "a" * 14,
        "\u0661" * 32,
        "a" * 31 + "\0",
    ],
)
def test_only_32_lowercase_hexadecimal_digits_become_a_path(text: str, tmp_path: Path) -> None:
    """Nothing else than a run id gets into a path, whichever path it is."""
    home = Home(str(tmp_path))
    with pytest.raises(GuildError, match="is not a run ID"):
        check_run_id(text)
    for make in (home.run_dir, home.trash_run_dir, home.purging_run_dir, home.lease_path):
        with pytest.raises(GuildError):
            make(RunId(text))


def test_a_run_id_is_given_back_and_names_the_folders() -> None:
    """The layout is the one that is documented."""
    home = Home("/h")
    run_id = check_run_id(RUN)
    assert home.ledger_path == "/h/ledger.db"
    assert home.index_dir == "/h/index"
    assert home.sources_dir == "/h/sources"
    assert home.run_dir(run_id) == f"/h/runs/{RUN}"
    assert home.trash_run_dir(run_id) == f"/h/trash/{RUN}"
    assert home.purging_run_dir(run_id) == f"/h/purging/{RUN}"
    assert home.lease_path(run_id) == f"/h/leases/{RUN}"


def test_ensure_makes_private_folders_and_parents_and_may_be_repeated(tmp_path: Path) -> None:
    """A new home is readable by its user only, and making it again changes nothing."""
    home = Home(str(tmp_path / "a" / "b" / "home"))
    home.ensure()
    home.ensure()
    assert set(os.listdir(home.root)) == FOLDERS
    for folder in ("", *FOLDERS):
        assert stat.S_IMODE(os.stat(os.path.join(home.root, folder)).st_mode) == 0o700


def test_ensure_makes_again_a_folder_that_was_removed_by_hand(tmp_path: Path) -> None:
    """Whichever folder is missing comes back."""
    home = Home(str(tmp_path / "home"))
    for folder in sorted(FOLDERS):
        home.ensure()
        os.rmdir(os.path.join(home.root, folder))
    home.ensure()
    assert set(os.listdir(home.root)) == FOLDERS


def test_ensure_keeps_folders_that_are_links_and_their_modes(tmp_path: Path) -> None:
    """Runs may lie on another disk, and a shared home stays shared."""
    home = Home(str(tmp_path / "home"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o750)
    elsewhere.chmod(0o750)
    os.mkdir(home.root)
    os.symlink(elsewhere, home.runs_dir)
    home.ensure()
    assert os.path.islink(home.runs_dir)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o750


def test_many_threads_may_make_the_same_home_at_once(tmp_path: Path) -> None:
    """Losing the race for a folder is no error."""
    home = Home(str(tmp_path / "p" / "home"))
    errors: list[Exception] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        try:
            home.ensure()
        except GuildError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert set(os.listdir(home.root)) == FOLDERS


def test_a_home_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    """The message says which path is a file."""
    (tmp_path / "home").write_text("x")
    with pytest.raises(GuildError, match=r"home' is a file, not a folder") as caught:
        Home(str(tmp_path / "home")).ensure()
    assert caught.value.hint is not None


def test_a_folder_of_the_home_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    """The message says which part of the home is a file."""
    (tmp_path / "runs").write_text("x")
    with pytest.raises(GuildError, match=r"runs' is a file, not a folder"):
        Home(str(tmp_path)).ensure()


def test_a_parent_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    """The message names the parent, not the home."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(GuildError, match=r"/file' is a file, not a folder"):
        Home(str(tmp_path / "file" / "deep" / "home")).ensure()


@pytest.mark.parametrize("link", ["home", "parent", "home/trash"])
def test_a_dangling_link_on_the_way_is_refused_by_name(tmp_path: Path, link: str) -> None:
    """A link to a disk that is not mounted must not be mistaken for a new home."""
    home = tmp_path / "home" if link != "parent" else tmp_path / "parent" / "home"
    if link == "home/trash":
        home.mkdir()
    os.symlink(tmp_path / "gone", tmp_path / link)
    with pytest.raises(GuildError, match=rf"/{link}' is a link to '.*gone'"):
        Home(str(home)).ensure()


def test_a_link_loop_is_refused(tmp_path: Path) -> None:
    """A link to itself is told as such a link."""
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(GuildError, match="is a link to 'loop'"):
        Home(str(tmp_path / "loop" / "home")).ensure()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_place_without_write_permission_is_refused_by_name(tmp_path: Path, number: int) -> None:
    """The message names the folder that cannot be written in."""
    message = rf"no permission to write in '{tmp_path}' \({os.strerror(number)}"
    with failing("home.mkdir", number), pytest.raises(GuildError, match=message):
        Home(str(tmp_path / "home")).ensure()


def test_a_real_folder_without_write_permission_is_refused() -> None:
    """The system's own refusal is explained too."""
    with public_folder() as folder:
        folder.chmod(0o500)
        with powerless(folder), pytest.raises(GuildError, match=f"no permission to write in '{folder}'"):
            Home(str(folder / "a" / "home")).ensure()
        assert os.listdir(folder) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Other errors come with the system's words."""
    with failing("home.mkdir", errno.ENOSPC), pytest.raises(GuildError, match=os.strerror(errno.ENOSPC)):
        Home(str(tmp_path / "home")).ensure()


def test_the_option_counts_more_than_the_variable_and_both_more_than_a_folder(tmp_path: Path) -> None:
    """-H, then GUILD_HOME, then the nearest .guild, then the user's."""
    cwd = str(tmp_path)
    (tmp_path / ".guild").mkdir()
    assert find_home("/x", "/y", cwd, "/u") == "/x"
    assert find_home(None, "/y", cwd, "/u") == "/y"
    assert find_home(None, None, cwd, "/u") == f"{cwd}/.guild"
    os.rmdir(tmp_path / ".guild")
    assert find_home(None, None, cwd, "/u") == "/u/.guild"


def test_an_empty_variable_counts_as_unset_and_an_empty_option_is_refused(tmp_path: Path) -> None:
    """`-H "$TYPO"` must not silently mean another home."""
    assert find_home(None, "", str(tmp_path), "/u") == "/u/.guild"
    with pytest.raises(UsageError, match="-H"):
        find_home("", "/y", str(tmp_path), "/u")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "/u"),
        ("~/h", "/u/h"),
        ("~bob", "/w/~bob"),
        ("rel/x/", "/w/rel/x"),
        ("../h", "/h"),
        ("/a//b/./c/", "/a/b/c"),
    ],
)
def test_values_are_taken_from_the_working_directory_and_the_given_user(text: str, expected: str) -> None:
    """Relative values and `~` become absolute paths, from the option and from the variable alike."""
    assert find_home(text, None, "/w", "/u") == expected
    assert find_home(None, text, "/w", "/u") == expected


def test_parent_steps_after_a_link_are_resolved_as_the_kernel_does(tmp_path: Path) -> None:
    """`link/../h` is beside what the link points to."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    os.symlink("far/away", tmp_path / "link")
    assert find_home("link/../h", None, str(tmp_path), "/u") == os.path.realpath(tmp_path / "far" / "h")


def test_the_nearest_folder_above_is_found(tmp_path: Path) -> None:
    """Of two homes on the way up, the nearer one counts, from a folder without one too."""
    (tmp_path / ".guild").mkdir()
    (tmp_path / "a" / ".guild").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert find_home(None, None, str(tmp_path / "a" / "b" / "c"), "/u") == str(tmp_path / "a" / ".guild")


def test_a_file_or_dangling_link_of_that_name_is_no_home(tmp_path: Path) -> None:
    """Only folders count."""
    (tmp_path / ".guild").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / ".guild").write_text("x")
    os.symlink("gone", tmp_path / "a" / "b" / ".guild")
    assert find_home(None, None, str(tmp_path / "a" / "b"), "/u") == str(tmp_path / ".guild")


@pytest.mark.parametrize("place", ["runs", "trash", "purging"])
def test_inside_a_run_directory_the_home_around_it_is_found(tmp_path: Path, place: str) -> None:
    """The metadata folder of a run never counts as a home."""
    run = tmp_path / ".guild" / place / RUN
    (run / ".guild").mkdir(parents=True)
    (run / "deeper").mkdir()
    assert find_home(None, None, str(run / "deeper"), "/u") == str(tmp_path / ".guild")


def test_a_folder_with_a_runs_output_is_no_home_wherever_it_lies(tmp_path: Path) -> None:
    """A run directory that was copied out of its home is still one."""
    (tmp_path / "copy" / ".guild").mkdir(parents=True)
    (tmp_path / "copy" / ".guild" / "output").write_text("epoch 1")
    assert find_home(None, None, str(tmp_path / "copy"), "/u") == "/u/.guild"


def test_a_folder_inside_a_virtual_environment_is_no_home(tmp_path: Path) -> None:
    """People throw virtual environments away; the project around one still has its home."""
    (tmp_path / ".guild").mkdir()
    (tmp_path / "env" / "lib" / ".guild").mkdir(parents=True)
    (tmp_path / "env" / ".guild").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    for cwd in ("env", "env/lib"):
        assert find_home(None, None, str(tmp_path / cwd), "/u") == str(tmp_path / ".guild")


def test_new_run_ids_pass_the_check() -> None:
    """What the program makes itself is well formed."""
    assert check_run_id(new_run_id())
