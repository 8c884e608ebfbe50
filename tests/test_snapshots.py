"""How a source snapshot is kept: named by its content, shared, read-only, and never spoiled by a fault or a crash."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.source_manifest import SourceFile, read_manifest, snapshot_digest, snapshot_dir
from artifacts.source_rules import LeftOut, Reason, SnapshotRules
from artifacts.sources import LEFT_OUT_KEPT, SnapshotFailure, take_snapshot
from ledger.errors import GuildError
from ledger.seams import install
from tests.kit import in_child, powerless, public_folder
from tests.sources_kit import (
    ENV,
    fake_git,
    fill,
    git,
    home_fixture,  # noqa: F401 - a fixture
    project_fixture,  # noqa: F401 - a fixture
    take,
)


def test_the_digest_is_made_of_the_documented_bytes() -> None:
    """Another program could compute it."""
    one, two = hashlib.sha256(b"1"), hashlib.sha256(b"2")
    files = [
        SourceFile("b", "x", 1, two.hexdigest()),
        SourceFile("\udcff", "f", 1, one.hexdigest()),
        SourceFile("a/\xe9", "l", 1, one.hexdigest()),
    ]
    data = b"guild source snapshot 1\0"
    data += (4).to_bytes(8, "big") + b"a/\xc3\xa9" + b"l" + one.digest()
    data += (1).to_bytes(8, "big") + b"b" + b"x" + two.digest()
    data += (1).to_bytes(8, "big") + b"\xff" + b"f" + one.digest()
    assert snapshot_digest(files) == hashlib.sha256(data).hexdigest()


def test_equal_code_has_one_snapshot_and_any_difference_another(project: Path, home: Home) -> None:
    """Content, name and executable bit count; place, time and order of making do not."""
    fill(project, "a.py", "b.py")
    digests = {take(home, project).digest}
    os.utime(project / "a.py", (1, 1))
    digests.add(take(home, project).digest)
    twin = project.parent / "twin"
    twin.mkdir()
    fill(twin, "b.py", "a.py")
    digests.add(take(home, twin).digest)
    assert len(digests) == 1
    (project / "a.py").chmod(0o755)
    digests.add(take(home, project).digest)
    (project / "a.py").write_text("a.pz")
    digests.add(take(home, project).digest)
    (project / "a.py").rename(project / "c.py")
    digests.add(take(home, project).digest)
    assert len(digests) == 4
    assert set(os.listdir(home.sources_dir)) == digests


def test_a_snapshot_that_exists_is_reused_with_nothing_written(project: Path, home: Home) -> None:
    """The second run of the same code takes no step that writes."""
    fill(project, "a.py")
    first = take(home, project)
    steps: list[str] = []
    install(steps.append)
    assert take(home, project) == first
    assert steps == []


def test_later_edits_of_the_project_do_not_reach_a_snapshot(project: Path, home: Home) -> None:
    """Files are copies."""
    fill(project, "a.py")
    snapshot = take(home, project)
    with (project / "a.py").open("a") as file:
        file.write("changed")
    assert Path(snapshot_dir(home, snapshot.digest), "files", "a.py").read_text() == "a.py"


def test_any_name_survives_the_manifest(project: Path, home: Home) -> None:
    """Line ends, backslashes, double spaces and bytes that are no text come back as they were, in git too."""
    odd = [
        b"new\nline",
        b"back\\slash\\x41",
        b"two  spaces",
        b"\xff\xfe.py",
        "\u00e9\u2028.py".encode(),
        b"-x",
        b" ",
        b"\\",
    ]
    for name in odd:
        with open(os.path.join(os.fsencode(project), name), "wb") as file:
            file.write(name)
    outside = take(home, project)
    assert {os.fsencode(file.path) for file in read_manifest(home, outside.digest)} == set(odd)
    git(project, "init", "-q")
    git(project, "add", "--", "-x")
    assert take(home, project).digest == outside.digest


def test_an_empty_project_has_a_snapshot_of_nothing(project: Path, home: Home) -> None:
    """A project without a file of source is no failure."""
    snapshot = take(home, project)
    assert (snapshot.files, snapshot.bytes) == (0, 0)
    assert read_manifest(home, snapshot.digest) == ()


def test_a_project_that_is_not_there_is_told(home: Home, tmp_path: Path) -> None:
    """There is a reason instead of a snapshot, and no error."""
    result = take_snapshot(home, str(tmp_path / "no"), ENV)
    assert isinstance(result, SnapshotFailure)
    assert "cannot be listed" in result.reason
    assert result.to_body() == {"failure": result.reason}


def test_a_git_that_does_not_answer_is_told(project: Path, home: Home, tmp_path: Path) -> None:
    """A run does not wait for ever for its snapshot."""
    git(project, "init", "-q")
    env = fake_git(tmp_path / "bin", "exec sleep 600\n")
    result = take_snapshot(home, str(project), env, SnapshotRules(git_seconds=0.2))
    assert isinstance(result, SnapshotFailure)
    assert "within 0.2 s" in result.reason


def test_files_that_change_while_they_are_read_are_left_out_with_the_reason(
    project: Path, home: Home, tmp_path: Path
) -> None:
    """What vanishes, grows, or turns into something else between plan and copy is no failure."""
    fill(tmp_path, "outside")
    fill(project, "a.py", "gone", "grown", "link", "pipe", "folder")

    def change(name: str) -> None:
        if name != "sources.mkdir" or not (project / "gone").exists():
            return
        (project / "grown").write_bytes(b"x" * 200)
        for changed in ("gone", "link", "pipe", "folder"):
            (project / changed).unlink()
        (project / "link").symlink_to(tmp_path / "outside")
        os.mkfifo(project / "pipe")
        (project / "folder").mkdir()

    install(change)
    snapshot = take(home, project, SnapshotRules(max_file_bytes=100))
    assert [file.path for file in read_manifest(home, snapshot.digest)] == ["a.py"]
    assert {item.path: item.reason.value for item in snapshot.left_out} == {
        "gone": "vanished",
        "grown": "large",
        "link": "link",
        "pipe": "special",
        "folder": "special",
    }
    assert snapshot_digest(list(read_manifest(home, snapshot.digest))) == snapshot.digest


def test_the_digest_is_that_of_what_was_copied_when_a_file_changes_meanwhile(project: Path, home: Home) -> None:
    """The name of a snapshot never lies about its content."""
    fill(project, "a.py")

    def change(name: str) -> None:
        if name == "sources.mkdir":
            (project / "a.py").write_text("new")

    install(change)
    snapshot = take(home, project)
    files = read_manifest(home, snapshot.digest)
    assert files == (SourceFile("a.py", "f", 3, hashlib.sha256(b"new").hexdigest()),)
    assert snapshot_digest(list(files)) == snapshot.digest


def test_what_cannot_be_read_is_left_out() -> None:
    """A file or folder without permission is no failure."""
    with public_folder() as folder:
        project, home = folder / "project", Home(str(folder / "home"))
        fill(project, "a.py", "shut.py", "locked/b.py")
        assert take(home, project).left_out == ()  # which also imports what is needed, where only root may read it
        (project / "shut.py").chmod(0)
        (project / "locked").chmod(0)
        with powerless(folder):
            snapshot = take(home, project)
        (project / "locked").chmod(0o700)
    assert {item.path: item.reason.value for item in snapshot.left_out} == {
        "shut.py": "unreadable",
        "locked/": "unreadable",
    }


def test_of_much_left_out_the_first_are_told_and_all_counted(project: Path, home: Home) -> None:
    """What git ignores comes last: it surprises nobody."""
    git(project, "init", "-q")
    (project / ".gitignore").write_text("*.log\n")
    fill(project, *(f"{number:03}.log" for number in range(LEFT_OUT_KEPT + 20)))
    fill(project, "z.pem")
    snapshot = take(home, project)
    assert snapshot.left_out_count == LEFT_OUT_KEPT + 21
    assert len(snapshot.left_out) == LEFT_OUT_KEPT
    assert snapshot.left_out[0] == LeftOut("z.pem", Reason.SECRET, 5)
    body = snapshot.to_body()
    assert body["left_out_count"] == LEFT_OUT_KEPT + 21
    assert isinstance(body["left_out"], list)
    assert body["left_out"][0] == {"path": "z.pem", "reason": "secret", "bytes": 5}


def make_project(folder: Path) -> None:
    """Make a project with each kind of step in its snapshot."""
    fill(folder, "a.py", "lib/b.py")
    (folder / "link").symlink_to("a.py")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_is_full_at_any_step_gives_a_reason_and_leaves_nothing(
    project: Path, tmp_path: Path, number: int
) -> None:
    """The run can start without a snapshot; the next attempt works."""
    make_project(project)
    steps: list[str] = []
    install(steps.append)
    take(Home(str(tmp_path / "count")), project)
    total = steps.index("sources.rename") + 1
    for k in range(1, total + 1):
        home = Home(str(tmp_path / f"home{k}"))
        seen: list[str] = []

        def fail(name: str, k: int = k, seen: list[str] = seen) -> None:
            seen.append(name)
            if len(seen) == k:
                raise OSError(number, os.strerror(number))

        install(fail)
        result = take_snapshot(home, str(project), ENV)
        install(None)
        assert isinstance(result, SnapshotFailure)
        assert os.strerror(number) in result.reason
        assert not os.path.isdir(home.sources_dir) or os.listdir(home.sources_dir) == []
        assert take(home, project).files == 3


def test_a_crash_at_any_step_leaves_no_false_snapshot_and_is_cleared_a_day_later(project: Path, tmp_path: Path) -> None:
    """What was not finished never has a snapshot's name; what it left goes with a later snapshot."""
    make_project(project)
    expected = take(Home(str(tmp_path / "whole")), project)
    k, died = 0, True
    while died:
        k += 1
        home = Home(str(tmp_path / f"home{k}"))
        died = in_child(lambda home=home: take(home, project), k)  # type: ignore[misc]
        left = os.listdir(home.sources_dir) if os.path.isdir(home.sources_dir) else []
        for name in left:
            assert name == expected.digest or name.startswith(".new-")
            os.utime(os.path.join(home.sources_dir, name), (1, time.time() - 25 * 3600))
        assert take(home, project) == expected
        fill(project, "more.py")
        other = take(home, project)
        (project / "more.py").unlink()
        assert sorted(os.listdir(home.sources_dir)) == sorted([expected.digest, other.digest])
        for file in read_manifest(home, expected.digest):
            path = Path(snapshot_dir(home, expected.digest), "files", file.path)
            content = os.fsencode(os.readlink(path)) if file.kind == "l" else path.read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256
    assert k > 10


def test_an_unfinished_snapshot_of_today_is_left_alone(project: Path, home: Home) -> None:
    """Another process may be writing it."""
    fill(home_folder := Path(home.sources_dir), ".new-other/files/x")
    fill(project, "a.py")
    take(home, project)
    assert (home_folder / ".new-other" / "files" / "x").exists()


def test_many_processes_may_take_the_same_snapshot_at_once(project: Path, home: Home) -> None:
    """All get the same one, and it is there once."""
    make_project(project)
    with ThreadPoolExecutor(8) as pool:
        snapshots = set(pool.map(lambda _: take(home, project), range(16)))
    assert len(snapshots) == 1
    assert os.listdir(home.sources_dir) == [snapshots.pop().digest]


def test_only_a_digest_names_a_snapshot_and_damage_is_told(project: Path, home: Home) -> None:
    """No other text gets into a path; a missing or damaged manifest is explained."""
    for text in ("", "..", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" + "a" * 61):
        with pytest.raises(GuildError, match="is not the digest"):
            snapshot_dir(home, text)
    with pytest.raises(GuildError, match="there is no source snapshot"):
        read_manifest(home, "a" * 64)
    fill(project, "a.py")
    digest = take(home, project).digest
    manifest = Path(snapshot_dir(home, digest), "manifest")
    manifest.chmod(0o600)
    for damage in (b"nonsense\n", b"a  f  x  p\n", b"\xff\n"):
        manifest.write_bytes(damage)
        with pytest.raises(GuildError, match="cannot be read"):
            read_manifest(home, digest)
