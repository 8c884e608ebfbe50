"""`guild check` where the ledger or the disk is what is wrong: told, and nothing is mended that would rest on it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts.checking_home import check_home, file_system, is_remote
from artifacts.checking_places import judged
from artifacts.home import Home
from artifacts.places import Place
from ledger.ids import RunId
from projections.files import current_file
from tests.cli_kit import Guild, damage, make_project
from tests.cli_limits import like_any_user
from tests.kit import folder_on_another_disk
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture
from tests.test_check import STRANGER, found


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(9999))


def _gone(path: Path) -> None:
    path.unlink()


def _without_guard(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TRIGGER event_no_delete")


def _cut(path: Path) -> None:
    damage(
        path,
        [
            "DELETE FROM event WHERE position > 10",
            "DELETE FROM txn WHERE seq > 10",
            "UPDATE origin SET head_seq = 10, head_hash = (SELECT hash FROM txn WHERE seq = 10)",
        ],
    )


def _body(path: Path) -> None:
    damage(path, ["UPDATE event SET body = x'80' WHERE type = 'run.started'"])


@pytest.mark.parametrize("break_it", [_garbage, _gone, _without_guard, _cut, _body])
def test_a_ledger_that_is_damaged_is_told_and_nothing_is_mended(guild: Guild, break_it: Callable[[Path], None]) -> None:
    """Code 3, not a failure of the command; the index, which may be the only witness, is left as it is."""
    break_it(guild.home / "ledger.db")
    (guild.home / "leases" / STRANGER).write_text("")
    index = Path(str(current_file(str(guild.home / "index")))).read_bytes()
    trees = guild.tree()
    for args in ((), ("--repair",)):
        findings = found(guild, *args, code=3)
        assert "ledger" in {one["area"] for one in findings if one["level"] == "problem"}
        assert not any(one["repaired"] for one in findings)
    assert "PROBLEM  ledger: " in guild("check").out
    assert guild.tree() == trees
    assert Path(str(current_file(str(guild.home / "index")))).read_bytes() == index


# --- The disk ---------------------------------------------------------------------------------------------------------


def test_a_home_that_others_can_enter_is_a_note(guild: Guild) -> None:
    """It may be shared on purpose, so nothing changes its mode."""
    guild.home.chmod(0o755)
    for args in ((), ("--repair",)):
        (one,) = found(guild, *args)
        assert "can be entered by other users (mode 755)" in one["what"]
    assert guild.home.stat().st_mode & 0o777 == 0o755


def test_a_home_that_cannot_be_looked_at_is_refused(guild: Guild, tmp_path: Path) -> None:
    """One that is a file, or may not be entered, is not taken for one that is not there or empty."""
    (tmp_path / "file").write_text("mine")
    assert "is a file, not a folder" in Guild(tmp_path / "file", guild.cwd).refused("check")
    guild.home.chmod(0)
    try:
        assert "permission denied" in replace(guild, prepare=like_any_user).refused("check", "--repair")
    finally:
        guild.home.chmod(0o700)
    guild.ok("check")


def test_a_read_only_home_can_be_checked(guild: Guild) -> None:
    """That it is read-only is a note; the rest is looked at all the same."""
    folders = [guild.home, *(path for path in guild.home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        (one,) = found(replace(guild, prepare=like_any_user))
        assert "read-only for you" in one["what"]
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_folders_on_several_disks_are_a_problem(guild: Guild) -> None:
    """Between them a run directory cannot be renamed: deleting and restoring would fail."""
    with folder_on_another_disk(guild.home) as other:
        shutil.copytree(guild.home / "trash", other, dirs_exist_ok=True)
        shutil.rmtree(guild.home / "trash")
        (guild.home / "trash").symlink_to(other)
        (one,) = found(guild, code=3)
        assert "lie on different file systems" in one["what"]
        assert one["path"] == str(guild.home / "trash")


MOUNTS = b"""\
22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:22 / /home rw - nfs4 server:/home rw
24 23 0:23 / /home/ada/my\\040disk rw master:2 - fuse.sshfs ada@server: rw
25 22 0:24 / /proc rw - proc proc rw
26 23 0:25 / /home/bob rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "remote"),
    [
        ("/opt", "ext4", False),
        ("/home/ada", "nfs4", True),
        ("/home/ada/my disk/home", "fuse.sshfs", True),
        ("/home/bob/x", "xfs", False),
        ("/homes", "ext4", False),
    ],
)
def test_network_file_systems_are_known(path: str, kind: str, remote: bool) -> None:
    """From what Linux says of the mount that a path lies on; the deepest one counts."""
    assert file_system(path, MOUNTS) == kind
    assert is_remote(kind) is remote


def test_a_home_on_a_network_file_system_is_a_problem(guild: Guild) -> None:
    """SQLite's log and the leases need locks and memory that such a one does not share."""
    mounts = b"22 1 0:21 / / rw - nfs4 server:/ rw\n"
    (one,) = check_home(Home(str(guild.home)), mounts)
    assert one.is_problem
    assert "a network file system (nfs4)" in one.what


def test_a_home_can_be_checked_while_it_is_in_use(tmp_path: Path) -> None:
    """While runs are started, deleted and restored beside it; once these are done, nothing is out of place."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "iris"))
    guild.ok("run", "iris-svm:train", "-y")
    others = [guild.start("run", "iris-svm:train", "-y") for _ in range(2)]
    for words in (["rm", "0"], ["restore", "0"]):
        other = guild.start("runs", *words, "-y")
        assert guild("check").code in (0, 3)
        other.communicate()
    for other in others:
        other.communicate()
    assert found(guild) == []


def test_remedies_that_are_shell_commands_can_be_typed_as_they_stand(tmp_path: Path) -> None:
    """In a home whose name has a blank, a quote and more: each changes what it says, and nothing else."""
    home = Home(str(tmp_path / "my 'own' home; touch $(echo harmed)"))
    home.ensure()
    run_id = RunId(STRANGER)
    os.mkdir(home.purging_run_dir(run_id))
    os.chmod(home.root, 0o755)  # noqa: S103 - that is the finding
    (open_to_all,) = [one for one in check_home(home) if "other users" in one.what]
    misplaced = judged(home, run_id, "live", Place.PURGING)
    assert misplaced is not None
    for remedy in (open_to_all.remedy, misplaced.remedy):
        subprocess.run(["sh", "-c", remedy.split("`")[1]], check=True, cwd=tmp_path)
    assert os.stat(home.root).st_mode & 0o777 == 0o700
    assert os.path.isdir(home.run_dir(run_id))
    assert os.listdir(tmp_path) == [os.path.basename(home.root)]
