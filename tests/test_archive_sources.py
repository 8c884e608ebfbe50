"""The source code of runs in an archive: it comes along, once, and verified; what is not as it says is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.source_manifest import SourceFile, snapshot_digest
from tests.archive_kit import Forged, Member, described, forged, manifest_in, other_home
from tests.cli_kit import Guild, project_of
from tests.crash_checks import read_tree

Change = Callable[[Forged], object]


def with_sources(*, path: str = "job.py", content: bytes = b"print(1)\n") -> Forged:
    """Return an archive whose run names a source snapshot of one file."""
    archive = forged()
    entry = described(path, content, mode=0o444)
    del entry["modified"]
    digest = snapshot_digest([SourceFile(path, "f", len(content), str(entry["sha256"]))])
    archive.manifest |= {"format": 2, "sources": [{"digest": digest, "files": [entry], "links": []}]}
    archive.run["events"][0]["body"]["sources"] = {"digest": digest}
    archive.members.append(Member(f"sources/{digest}/{path}", content))
    return archive


def snapshots(guild: Guild) -> list[str]:
    """Return the digests of the snapshots of a home."""
    folder = guild.home / "sources"
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_the_source_code_of_runs_comes_along_once(tmp_path: Path, ending: str) -> None:
    """Two runs of the same code, one of another: two snapshots, the same as in the first home, and read-only."""
    guild = project_of(tmp_path, "pass")
    (guild.cwd / "data").write_text("x")
    os.symlink("data", guild.cwd / "linked")
    guild.ok("run", "go", "-y")
    guild.ok("run", "go", "-y")
    (guild.cwd / "helper.sh").write_text("exit 0\n")
    (guild.cwd / "helper.sh").chmod(0o755)
    guild.ok("run", "go", "-y")
    archive = tmp_path / f"a{ending}"
    guild.ok("runs", "export", str(archive))
    digests = snapshots(guild)
    assert sorted(one["digest"] for one in manifest_in(archive)["sources"]) == digests
    assert len(digests) == 2
    other = other_home(guild)
    other.ok("runs", "import", str(archive), guild.ids()[0], "-y")
    assert len(snapshots(other)) == 1, "what no imported run used stays in the archive"
    other.ok("runs", "import", str(archive), "-y")
    assert snapshots(other) == digests
    for digest in digests:
        mine, theirs = (home.home / "sources" / digest for home in (guild, other))
        assert read_tree(str(mine)) == read_tree(str(theirs))
        files = [path for path in mine.rglob("*") if path.is_file() and not path.is_symlink()]
        modes = [(path.stat().st_mode, (theirs / path.relative_to(mine)).stat().st_mode) for path in files]
        assert all(one == two for one, two in modes)
    again = tmp_path / f"b{ending}"
    other.ok("runs", "export", str(again), "--all", guild.ids()[0])
    third = other_home(guild, "third")
    third.ok("runs", "import", str(again), "-y")
    assert len(snapshots(third)) == 1


@pytest.mark.parametrize("harm", ["gone", "changed", "link out"])
def test_a_snapshot_that_cannot_come_along_is_named_and_the_runs_come_without(tmp_path: Path, harm: str) -> None:
    """The code may have been removed by hand, or hold a link that would lead elsewhere in another home."""
    guild = project_of(tmp_path, "pass")
    if harm == "link out":
        (guild.cwd / "data").write_text("x")
        os.symlink("data", guild.cwd / "out")
    guild.ok("run", "go", "-y")
    (digest,) = snapshots(guild)
    folder = guild.home / "sources" / digest
    if harm == "gone":
        shutil.rmtree(folder)
    elif harm == "changed":
        file = next(path for path in sorted((folder / "files").iterdir()) if path.is_file())
        file.chmod(0o644)
        file.write_text("other")
    else:
        (folder / "files" / "out").unlink()
        os.symlink("/etc/passwd", folder / "files" / "out")
    said = guild("runs", "export", str(tmp_path / "a.zip"))
    assert (said.code, f"source snapshot {digest[:8]} is left out" in said.err) == (0, True), said
    other = other_home(guild)
    other.ok("runs", "import", str(tmp_path / "a.zip"), "-y")
    assert (other.ids(), snapshots(other)) == (guild.ids(), [])


def test_an_archive_of_the_first_format_is_still_taken_in(tmp_path: Path) -> None:
    """It has no source snapshots, and needs none; one of the second format made by hand is taken in as well."""
    guild = Guild(tmp_path / "home", tmp_path)
    old = forged()
    assert old.manifest["format"] == 1
    guild.ok("runs", "import", str(old.write(tmp_path / "a.zip")), "-y")
    other = Guild(tmp_path / "other", tmp_path)
    other.ok("runs", "import", str(with_sources().write(tmp_path / "b.tar.gz")), "-y")
    assert (len(guild.ids("--all")), len(other.ids("--all"))) == (1, 1)
    (digest,) = snapshots(other)
    assert (other.home / "sources" / digest / "files" / "job.py").read_bytes() == b"print(1)\n"


def source(archive: Forged) -> dict[str, object]:
    """Return the entry of the snapshot's file."""
    found: dict[str, object] = archive.manifest["sources"][0]["files"][0]
    return found


def linked(path: str, target: str) -> Change:
    """Return a change that adds a link to the snapshot."""
    return lambda archive: archive.manifest["sources"][0]["links"].append({"path": path, "target": target})


def last(member: Member) -> Change:
    """Return a change of the snapshot's member."""
    return lambda archive: archive.members.__setitem__(-1, member)


HOSTILE: dict[str, tuple[Change, str]] = {
    "other path": (lambda archive: source(archive).update(path="../evil"), "not a path below"),
    "absolute path": (lambda archive: source(archive).update(path="/etc/evil"), "not a path below"),
    "other content by the list": (lambda archive: source(archive).update(sha256="0" * 64), "not what its digest says"),
    "other kind": (lambda archive: source(archive).update(mode=0o555), "not what its digest says"),
    "strange mode": (lambda archive: source(archive).update(mode=0o644), "'mode'"),
    "no digest": (lambda archive: archive.manifest["sources"][0].update(digest="../x"), "'digest'"),
    "another digest": (lambda archive: archive.manifest["sources"][0].update(digest="0" * 64), "not what its digest"),
    "snapshot twice": (lambda archive: archive.manifest["sources"].append(archive.manifest["sources"][0]), "twice"),
    "absolute link": (linked("l", "/etc/passwd"), "a link out of"),
    "link upwards": (linked("l", "../../../ledger.db"), "a link out of"),
    "below a file": (linked("job.py/l", "x"), "both a folder and"),
    "name that no file can have": (lambda archive: source(archive).update(path="\ud800"), "cannot be read"),
    "no list": (lambda archive: archive.manifest.pop("sources"), "'sources'"),
    "other content": (lambda archive: last(Member(archive.members[-1].name, b"print(2)\n"))(archive), "not what its"),
    "missing": (lambda archive: archive.members.pop(), "it lacks"),
    "unlisted": (lambda archive: archive.members.append(Member("sources/x/evil", b"")), "its list does not name"),
    "among the runs": (
        lambda archive: archive.members.append(Member(f"runs/{archive.members[-1].name}", b"print(1)\n")),
        "its list does not name",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_snapshot_that_means_harm_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is recorded, and no byte of it is among the source code or anywhere else."""
    guild = Guild(tmp_path / "home", tmp_path)
    guild.ok("runs")
    archive = with_sources()
    HOSTILE[name][0](archive)
    path = archive.write(tmp_path / "a.tar.gz")
    before, outside = guild.state(), sorted(os.listdir(tmp_path))
    assert HOSTILE[name][1] in guild.refused("runs", "import", str(path), "-y")
    assert guild.state() == before
    assert (snapshots(guild), sorted(os.listdir(tmp_path))) == ([], outside)
