"""Source snapshots: what is in them, that they are shared, and that no moment of a crash spoils one."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.source_manifest import SourceFile, read_manifest, snapshot_digest, snapshot_dir
from artifacts.source_rules import DEFAULT_RULES, LeftOut, Reason, SnapshotRules
from artifacts.sources import (
    LEFT_OUT_KEPT,
    Snapshot,
    SnapshotFailure,
    SnapshotPlan,
    plan_snapshot,
    take_snapshot,
)
from ledger.errors import GuildError
from ledger.seams import install

ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
DIED = 70


@pytest.fixture(autouse=True)
def _no_seams() -> Iterator[None]:
    """Leave no hook behind."""
    yield
    install(None)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give a home outside the project."""
    return Home(str(tmp_path / "home"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give an empty project outside git."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def git(folder: Path, *arguments: str) -> None:
    """Run git as the user would."""
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env=ENV,
        check=True,
        capture_output=True,
    )


def fill(folder: Path, *names: str) -> None:
    """Make files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def planned(project: Path, rules: SnapshotRules = DEFAULT_RULES, home: Home | None = None) -> SnapshotPlan:
    """Plan, which must work."""
    plan = plan_snapshot(str(project), rules, ENV, home)
    assert isinstance(plan, SnapshotPlan), plan
    return plan


def names(plan: SnapshotPlan) -> list[str]:
    """Return the paths that a snapshot would hold, in its order."""
    return [file.path for file in plan.files]


def reasons(plan: SnapshotPlan) -> dict[str, str]:
    """Return why what is left out."""
    return {item.path: item.reason.value for item in plan.left_out}


def take(home: Home, project: Path, rules: SnapshotRules = DEFAULT_RULES) -> Snapshot:
    """Take a snapshot, which must work."""
    snapshot = take_snapshot(home, str(project), ENV, rules)
    assert isinstance(snapshot, Snapshot), snapshot
    return snapshot


def test_outside_git_the_folder_is_walked_without_what_is_never_source(project: Path) -> None:
    """Caches, environments, packages and runs are left aside; `build`, `dist` and `env` may be code."""
    fill(project, "train.py", "lib/model.py", "build/x.py", "dist/y.py", "env/cartpole.py", ".config")
    fill(project, "__pycache__/a.pyc", "lib/__pycache__/b.pyc", ".guild/runs/x/output", "node_modules/m.js")
    fill(project, ".venv/x", "venv/x", "p.egg-info/x", ".mypy_cache/x", ".hg/x", ".svn/x", ".ruff_cache/x")
    fill(project, "myenv/pyvenv.cfg", "myenv/lib/site.py", "conda/conda-meta/history", "conda/lib/x.py")
    plan = planned(project)
    assert names(plan) == [
        ".config",
        "train.py",
        "build/x.py",
        "dist/y.py",
        "env/cartpole.py",
        "lib/model.py",
    ]
    assert plan.left_out == ()


def test_in_git_what_git_ignores_is_left_out_and_what_it_does_not_know_is_taken(project: Path) -> None:
    """Tracked files and new ones are source; ignored ones are reported, whole folders as one."""
    git(project, "init", "-q")
    fill(project, "train.py", "new.py", "lib/a.py", "data/one.bin", "data/sub/two.bin", "lib/x.log", "kept.log")
    fill(
        project,
        "__pycache__/a.pyc",
        ".guild/runs/x/output",
        "venv/lib.py",
        "logs/y.log",
        "e/pyvenv.cfg",
        "e/l.py",
    )
    (project / ".gitignore").write_text("data/\n*.log\n__pycache__/\n")
    git(project, "add", "train.py", ".gitignore")
    git(project, "add", "-f", "kept.log")
    plan = planned(project)
    assert names(plan) == [".gitignore", "kept.log", "new.py", "train.py", "lib/a.py"]
    assert reasons(plan) == {
        "data/": "ignored by git",
        "lib/x.log": "ignored by git",
        "logs/y.log": "ignored by git",
    }
    assert {item.path: item.bytes for item in plan.left_out} == {
        "data/": None,
        "lib/x.log": 9,
        "logs/y.log": 10,
    }


def test_a_project_below_the_top_of_its_repository_is_taken_alone(project: Path) -> None:
    """Only what lies in the project, with paths from there, by the rules of the whole repository."""
    git(project, "init", "-q")
    fill(project, "other.py", "sub/train.py", "sub/x.log", "sub/lib/a.py")
    (project / ".gitignore").write_text("*.log\n")
    git(project, "add", ".")
    plan = planned(project / "sub")
    assert names(plan) == ["train.py", "lib/a.py"]
    assert reasons(plan) == {"x.log": "ignored by git"}


def test_a_home_inside_the_project_is_no_source(project: Path) -> None:
    """Wherever in the project the home lies, whatever its name, outside git, in git and below git's top."""
    odd = "my runs [1]*!#"
    for folder in (project / "plain", project / "repo", project / "repo" / "sub"):
        fill(folder, "train.py", f"x/{odd}/runs/1/model.py")
    git(project / "repo", "init", "-q")
    for folder in (project / "plain", project / "repo", project / "repo" / "sub"):
        plan = planned(folder, home=Home(str(folder / "x" / odd)))
        assert [name for name in names(plan) if not name.startswith("sub/")] == ["train.py"]
        assert plan.left_out == ()


def test_a_project_that_an_outer_repository_ignores_is_walked(project: Path) -> None:
    """A home directory under git that ignores everything does not make a project empty."""
    git(project, "init", "-q")
    (project / ".gitignore").write_text("*\n")
    fill(project, "work/train.py")
    assert names(planned(project / "work")) == ["train.py"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_that_git_refuses_is_walked(project: Path) -> None:
    """Somebody else's repository still has its source code recorded."""
    git(project, "init", "-q")
    fill(project, "train.py")
    os.chown(project, 65534, 65534)
    os.chown(project / ".git", 65534, 65534)
    assert names(planned(project)) == ["train.py"]


def test_without_git_a_repository_is_walked(project: Path) -> None:
    """The `.git` folder itself is never taken."""
    git(project, "init", "-q")
    fill(project, "train.py")
    plan = plan_snapshot(str(project), DEFAULT_RULES, {"PATH": ""})
    assert isinstance(plan, SnapshotPlan)
    assert names(plan) == ["train.py"]


def test_repositories_inside_the_repository_are_walked(project: Path) -> None:
    """Submodules and clones are code that the run uses, though git does not list their files."""
    fill(project, "module/m.py", "module/sub/n.py")
    git(project / "module", "init", "-q")
    git(project / "module", "add", ".")
    git(project / "module", "commit", "-qm", "x")
    outer = project / "outer"
    fill(outer, "train.py", "clone/c.py")
    git(outer, "init", "-q")
    git(outer / "clone", "init", "-q")
    git(outer, "submodule", "add", "-q", str(project / "module"), "sm")
    assert names(planned(outer)) == [".gitmodules", "train.py", "clone/c.py", "sm/m.py", "sm/sub/n.py"]


def test_files_removed_or_replaced_under_git_are_not_taken_from_elsewhere(project: Path, tmp_path: Path) -> None:
    """A tracked folder that is now a link leads outside; tracked files that are gone are just gone."""
    git(project, "init", "-q")
    fill(project, "train.py", "gone.py", "lib/a.py", "pkg/b.py")
    git(project, "add", ".")
    fill(tmp_path / "elsewhere", "a.py")
    (project / "gone.py").unlink()
    (project / "lib" / "a.py").unlink()
    (project / "lib").rmdir()
    (project / "lib").symlink_to(tmp_path / "elsewhere")
    (project / "pkg" / "b.py").unlink()
    (project / "pkg").rmdir()
    fill(project, "pkg")
    plan = planned(project)
    assert names(plan) == ["pkg", "train.py"]
    assert reasons(plan) == {"lib": "link"}


def test_a_file_in_a_merge_conflict_is_taken_once(project: Path) -> None:
    """Git lists it three times."""
    git(project, "init", "-q", "-b", "main")
    for branch, text in (("main", "1"), ("other", "2"), ("main", "3")):
        git(project, "checkout", "-q", *(["-b", "other"] if branch == "other" else ["--orphan", "x" + text]))
        (project / "a.py").write_text(text)
        git(project, "add", ".")
        git(project, "commit", "-qm", text)
    with pytest.raises(subprocess.CalledProcessError):
        git(project, "merge", "--allow-unrelated-histories", "other")
    assert names(planned(project)) == ["a.py"]


def test_limits_leave_out_what_is_large_or_too_many(project: Path) -> None:
    """The limit itself still fits; of too many, the deepest are left out."""
    fill(project, "a/b/deep.py", "top.py", "a/mid.py")
    (project / "fits.bin").write_bytes(b"x" * 1000)
    (project / "large.bin").write_bytes(b"x" * 1001)
    plan = planned(project, SnapshotRules(max_file_bytes=1000))
    assert names(plan) == ["fits.bin", "top.py", "a/mid.py", "a/b/deep.py"]
    assert plan.left_out == (LeftOut("large.bin", Reason.LARGE, 1001),)
    plan = planned(project, SnapshotRules(max_file_bytes=1000, max_files=2))
    assert names(plan) == ["fits.bin", "top.py"]
    assert reasons(plan)["a/mid.py"] == reasons(plan)["a/b/deep.py"] == "too many"
    plan = planned(project, SnapshotRules(max_file_bytes=1000, max_bytes=1000 + len("top.py" + "a/b/deep.py")))
    assert names(plan) == ["fits.bin", "top.py", "a/mid.py"]
    assert LeftOut("a/b/deep.py", Reason.TOO_MANY, 11) in plan.left_out


def test_the_limits_are_those_documented() -> None:
    """1 MiB a file, 2,000 files, 50 MiB in all."""
    rules = DEFAULT_RULES
    assert (rules.max_file_bytes, rules.max_files, rules.max_bytes) == (1024**2, 2_000, 50 * 1024**2)


def test_a_walk_through_a_huge_folder_ends_early(project: Path) -> None:
    """A project may be a home directory: what was not looked at is reported by folder."""
    for number in range(20):
        fill(project, f"d{number:02}/a", f"d{number:02}/b")
    fill(project, "train.py")
    plan = planned(project, SnapshotRules(max_seen=25))
    assert names(plan)[0] == "train.py"
    assert len(plan.files) < 10
    assert reasons(plan)["d19/"] == "too many"


def test_links_inside_are_kept_as_links_and_others_left_out(project: Path, tmp_path: Path, home: Home) -> None:
    """Never is anything copied from outside the project, whichever way a link takes."""
    fill(tmp_path, "outside.txt")
    fill(project, "a.py", "sub/b.py")
    inside = {"l1": "a.py", "sub/l2": "../a.py", "l3": "sub", "l4": "nowhere", "sub/l5": ".//../sub/b.py"}
    outside = {
        "o1": str(tmp_path / "outside.txt"),
        "o2": "../outside.txt",
        "sub/o3": "../../outside.txt",
        "o4": "sub/../../outside.txt",
        "o5": "l3/../../outside.txt",
        "o6": "sub/..",
        "o7": "/",
    }
    for name, target in (inside | outside).items():
        os.symlink(target, project / name)
    snapshot = take(home, project)
    kept = {file.path for file in read_manifest(home, snapshot.digest)}
    assert kept == {"a.py", "sub/b.py", *inside}
    assert {item.path: item.reason for item in snapshot.left_out} == dict.fromkeys(outside, Reason.LINK)
    files = Path(snapshot_dir(home, snapshot.digest), "files")
    for name, target in inside.items():
        assert os.readlink(files / name) == target
    for path in files.rglob("*"):
        assert files.resolve() in [path.resolve(), *path.resolve().parents]


def test_pipes_and_sockets_do_not_block_and_are_left_out(project: Path, home: Home) -> None:
    """Opening a pipe to read it would wait for ever."""
    fill(project, "a.py")
    os.mkfifo(project / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(project)
    try:
        listener.bind("sock")
    finally:
        os.chdir(here)
        listener.close()
    snapshot = take(home, project)
    assert snapshot.files == 1
    assert {item.path: item.reason.value for item in snapshot.left_out} == {
        "pipe": "special",
        "sock": "special",
    }


def test_files_that_hold_secrets_by_their_name_are_left_out(project: Path) -> None:
    """Passwords and private keys do not get into what is kept for ever."""
    fill(project, "a.py", ".env", "sub/id_rsa", "tls/server.pem", ".netrc", "environment.py", ".env.example")
    plan = planned(project)
    assert names(plan) == [".env.example", "a.py", "environment.py"]
    assert reasons(plan) == dict.fromkeys([".env", ".netrc", "sub/id_rsa", "tls/server.pem"], "secret")


def test_a_snapshot_holds_the_files_read_only_and_a_manifest(project: Path, home: Home) -> None:
    """Content, executable bit and names are those of the project."""
    fill(project, "train.py", "lib/m.py")
    (project / "run.sh").write_bytes(b"#!/bin/sh\n\0\xff")
    (project / "run.sh").chmod(0o755)
    (project / "empty").touch()
    snapshot = take(home, project)
    assert (snapshot.files, snapshot.bytes, snapshot.left_out_count) == (4, 28, 0)
    folder = Path(snapshot_dir(home, snapshot.digest))
    assert sorted(os.listdir(folder)) == ["files", "manifest"]
    assert (folder / "files" / "run.sh").read_bytes() == b"#!/bin/sh\n\0\xff"
    assert (folder / "files" / "lib" / "m.py").read_text() == "lib/m.py"
    assert stat.S_IMODE((folder / "files" / "train.py").stat().st_mode) & 0o333 == 0
    assert stat.S_IMODE((folder / "files" / "run.sh").stat().st_mode) & 0o333 == 0o111
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    sha = hashlib.sha256(b"lib/m.py").hexdigest()
    assert f"{sha}  f  8  lib/m.py\n" in (folder / "manifest").read_text()
    files = read_manifest(home, snapshot.digest)
    assert [(file.path, file.kind, file.size) for file in files] == [
        ("empty", "f", 0),
        ("lib/m.py", "f", 8),
        ("run.sh", "x", 12),
        ("train.py", "f", 8),
    ]
    assert snapshot_digest(list(files)) == snapshot.digest


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
    fill(tmp_path, "bin/git")
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{ENV['PATH']}"}
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


def test_what_cannot_be_read_is_left_out(project: Path, home: Home) -> None:
    """A file or folder without permission is no failure."""
    fill(project, "a.py", "shut.py", "locked/b.py")
    project.parent.chmod(0o755)
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (project / "shut.py").chmod(0)
    (project / "locked").chmod(0)
    try:
        snapshot = take(home, project)
    finally:
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
