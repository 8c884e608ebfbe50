"""Archives of runs that mean harm, or are damaged: refused, with the reason, before anything is touched."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive_kit import RUN, Forged, Member, described, forged, happened
from tests.cli_kit import Guild

Change = Callable[[Forged], object]


@pytest.fixture(name="guild", scope="module")
def guild_fixture(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a home that is there, and empty; every test finds it so."""
    folder = tmp_path_factory.mktemp("hostile")
    guild = Guild(folder / "home", folder)
    guild.ok("runs")
    return guild


def path(name: str) -> Change:
    """Return a change that lists and holds a file of this name."""
    return lambda archive: archive.add(name)


def link(name: str, target: str) -> Change:
    """Return a change that adds a link."""
    return lambda archive: archive.add_link(name, target)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b"") -> Change:
    """Return a change that adds a member which the list does not name."""
    return lambda archive: archive.members.append(Member(name, content, kind, target))


def listed(**changes: object) -> Change:
    """Return a change of what the list says of the file."""
    return lambda archive: archive.run["files"][0].update(changes)


def said(**changes: object) -> Change:
    """Return a change of what the list says of itself."""
    return lambda archive: archive.manifest.update(changes)


def of_run(**changes: object) -> Change:
    """Return a change of what the list says of the run."""
    return lambda archive: archive.run.update(changes)


def event(number: int, **changes: object) -> Change:
    """Return a change of an event's body."""
    return lambda archive: archive.run["events"][number]["body"].update(changes)


def more(type_: str, version: int = 1, **body: object) -> Change:
    """Return a change that adds an event."""
    return lambda archive: archive.run["events"].append(happened(type_, version, **body))


def kind(kind: bytes, target: str = "") -> Change:
    """Return a change that makes something else of the file that the list names."""
    return lambda archive: archive.members.__setitem__(0, Member(f"runs/{RUN}/out.txt", b"", kind, target))


def below_link(archive: Forged) -> None:
    """Have a file lie below a link."""
    archive.add_link("a", "b")
    archive.add("a/evil")


def hard_link(archive: Forged) -> None:
    """Have a second file be a hard link to the first."""
    archive.add("b", b"hello\n")
    archive.members[1] = Member(f"runs/{RUN}/b", b"", tarfile.LNKTYPE, f"runs/{RUN}/out.txt")


PATHS: dict[str, tuple[Change, str]] = {
    "absolute path": (path("/etc/evil"), "not a path below a run directory"),
    "path upwards": (path("../evil"), "not a path below a run directory"),
    "path up inside": (path("a/../../../evil"), "not a path below a run directory"),
    "path with a dot": (path("./evil"), "not a path below a run directory"),
    "path of nothing": (path("a//evil"), "not a path below a run directory"),
    "path with a zero": (lambda archive: archive.run["files"].append(described("a\0b", b"")), "not a path below"),
    "long name": (path("n" * 256), "longer than the system takes"),
    "long path": (path("/".join(["n" * 200] * 30)), "longer than the system takes"),
    "name twice in the list": (lambda archive: archive.run["files"].append(archive.run["files"][0]), "in it twice"),
    "run twice": (lambda archive: archive.manifest["runs"].append(archive.run), "in it twice"),
    "file and folder": (path("out.txt/evil"), "both a folder and something else"),
    "file below a link": (below_link, "both a folder and"),
    "absolute link": (link("l", "/etc/passwd"), "a link out of the run directory"),
    "link upwards": (link("l", "../other"), "a link out of the run directory"),
    "link by a link": (link("l", "a/../../.."), "a link out of the run directory"),
    "link to nothing": (link("l", ""), "a link out of the run directory"),
    "guild's folder as a file": (path(".guild"), "is no folder"),
    "guild's folder as a link": (link(".guild", "elsewhere"), "is no folder"),
}
MEMBERS: dict[str, tuple[Change, str]] = {
    "unlisted file": (member(f"runs/{RUN}/evil"), "its list does not name"),
    "unlisted absolute path": (member("/etc/evil"), "leads out"),
    "unlisted path upwards": (member(f"runs/{RUN}/../evil"), "leads out"),
    "unlisted folder": (member(f"runs/{RUN}/evil", tarfile.DIRTYPE), "its list does not name"),
    "other case": (member(f"RUNS/{RUN}/out.txt"), "its list does not name"),
    "other case of the ID": (member(f"runs/{RUN.upper()}/out.txt"), "its list does not name"),
    "other spelling": (member(f"runs//{RUN}/out.txt", content=b"hello\n"), "its list does not name"),
    "file twice": (member(f"runs/{RUN}/out.txt", content=b"hello\n"), "in it twice"),
    "list twice": (member("guild-runs.json"), "its list does not name"),
    "missing file": (lambda archive: archive.members.clear(), "it lacks"),
    "link for a file": (kind(tarfile.SYMTYPE, "elsewhere"), "is not what its list says"),
    "folder for a file": (kind(tarfile.DIRTYPE), "is not what its list says"),
    "pipe for a file": (kind(tarfile.FIFOTYPE), "neither a file nor a folder nor a link"),
    "other hash": (listed(sha256="0" * 64), "is not what its list says"),
    "larger than listed": (listed(size=3), "is not what its list says"),
    "smaller than listed": (listed(size=30), "is not what its list says"),
    "bomb by its list": (listed(size=1 << 50), "too large for its size"),
}
ONLY_TAR: dict[str, tuple[Change, str]] = {
    "hard link out": (kind(tarfile.LNKTYPE, "/etc/passwd"), "refused"),
    "hard link inside": (hard_link, "a hard link to"),
    "device": (kind(tarfile.CHRTYPE), "neither a file nor a folder nor a link"),
    "block device": (kind(tarfile.BLKTYPE), "neither a file nor a folder nor a link"),
}  # fmt: skip
LIES: dict[str, tuple[Change, str]] = {
    "newer format": (said(format=3), "made by a newer program"),
    "older format": (said(format=0), "'format'"),
    "another kind": (said(kind="recipes"), "not an archive of runs"),
    "no run": (said(runs=[]), "holds no run"),
    "runs of another kind": (said(runs=3), "'runs'"),
    "ledger of no ID": (said(ledger_id="../x"), "'ledger_id'"),
    "wrong run ID": (of_run(id="../../evil"), "is no run ID"),
    "run ID in capitals": (of_run(id=RUN.upper()), "is no run ID"),
    "another run's ID": (of_run(id="cd" * 16), "its list does not name"),
    "no events": (of_run(events=[]), "has not ended"),
    "no end": (lambda archive: archive.run["events"].pop(), "has not ended"),
    "deleted": (more("run.deleted"), "has not ended, or is deleted"),
    "two ends": (more("run.status_changed", status="error", exit_status=1), "is not running"),
    "end without a beginning": (lambda archive: archive.run["events"].pop(0), "does not exist"),
    "event of a ledger": (more("ledger.created", ledger_id="a" * 32, format=1), "make no sense"),
    "event of a newer program": (more("run.sung", tune="x"), "not known to this program"),
    "newer version of an event": (more("run.labeled", 99, label="x"), "not known to this program"),
    "no status": (lambda archive: archive.run["events"][1].update(body={}), "'status'"),
    "strange status": (event(1, status="splendid"), "is no status that a run can end with"),
    "huge exit status": (event(1, exit_status=1 << 40), "'exit_status'"),
    "strange time": (lambda archive: archive.run["events"][0].update(time=1 << 62), "'time'"),
    "time before all": (lambda archive: archive.run["events"][0].update(time=-1), "'time'"),
    "strange stop": (event(1, stopped=1 << 70), "'stopped'"),
    "operation of another kind": (event(0, operation=["x"]), "'operation'"),
    "flags of another kind": (event(0, flags=3), "'flags'"),
    "command of another kind": (event(0, command="rm -rf /"), "'command'"),
    "label of another kind": (more("run.labeled", label=3), "'label'"),
    "tags of another kind": (more("run.tagged", added=[3], removed=[]), "'added'"),
    "mode with set-user-id": (listed(mode=0o4755), "'mode'"),
    "size below nothing": (listed(size=-1), "'size'"),
    "no digest": (listed(sha256="x"), "'sha256'"),
    "file of another kind": (of_run(files=[3]), "'files'"),
}
EVERYWHERE = PATHS | MEMBERS


def check_refused(guild: Guild, archive: Path, why: str) -> None:
    """Check that an archive is refused, and that nothing is there that was not before."""
    before = guild.state()
    outside = sorted(os.listdir(guild.home.parent))
    assert why in guild.refused("runs", "import", str(archive), "-y")
    assert guild.state() == before
    assert sorted(os.listdir(guild.home.parent)) == outside
    importing = guild.home / "importing"
    assert not importing.exists() or os.listdir(importing) == []


def test_an_archive_made_by_hand_is_taken_in_when_nothing_is_wrong_with_it(guild: Guild, tmp_path: Path) -> None:
    """So what is refused below is refused for its fault alone."""
    for ending, name in ((".zip", "one"), (".tar.gz", "two")):
        other = Guild(tmp_path / name, tmp_path)
        other.ok("runs", "import", str(forged().write(tmp_path / f"a{ending}")), "-y")
        assert other.ids("--all") == [RUN]
        assert (other.home / "runs" / RUN / "out.txt").read_bytes() == b"hello\n"
    assert guild.ids("--all") == []


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_hostile_archive_is_refused(guild: Guild, tmp_path: Path, name: str, ending: str) -> None:
    """Whatever it tries: nothing outside of the home is written, nothing in it, and nothing is recorded."""
    archive = forged()
    EVERYWHERE[name][0](archive)
    check_refused(guild, archive.write(tmp_path / f"a{ending}"), EVERYWHERE[name][1])


@pytest.mark.parametrize("name", LIES)
def test_an_archive_whose_list_makes_no_sense_is_refused(guild: Guild, tmp_path: Path, name: str) -> None:
    """Nothing gets into the ledger that no command could have written there."""
    archive = forged()
    LIES[name][0](archive)
    check_refused(guild, archive.write(tmp_path / "a.zip"), LIES[name][1])


@pytest.mark.parametrize("name", ONLY_TAR)
def test_a_hostile_tar_file_is_refused(guild: Guild, tmp_path: Path, name: str) -> None:
    """Hard links and devices, which zip files do not have."""
    archive = forged()
    ONLY_TAR[name][0](archive)
    check_refused(guild, archive.write(tmp_path / "a.tar.gz"), ONLY_TAR[name][1])


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_a_truncated_archive_is_refused_wherever_it_ends(guild: Guild, tmp_path: Path, ending: str) -> None:
    """From the first byte to the last but one."""
    archive = forged()
    archive.add("large", os.urandom(3000))
    whole = archive.write(tmp_path / f"a{ending}").read_bytes()
    for length in (0, 1, 2, 10, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        (tmp_path / f"a{ending}").write_bytes(whole[:length])
        check_refused(guild, tmp_path / f"a{ending}", "is refused")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x1f\x8b\x08", b"\0" * 2000, b"PK" + b"\xff" * 50])
def test_what_is_no_archive_is_refused(guild: Guild, tmp_path: Path, content: bytes) -> None:
    """Whatever its name says."""
    (tmp_path / "a.zip").write_bytes(content)
    check_refused(guild, tmp_path / "a.zip", "is refused")


def test_an_archive_that_begins_with_something_else_is_refused(guild: Guild, tmp_path: Path) -> None:
    """The list comes first: until it is read, nothing is known of what follows."""
    from tests.archive_kit import write_tar, write_zip

    members = [Member("runs/x", b"x"), Member("guild-runs.json", b"{}")]
    write_tar(tmp_path / "a.tar.gz", members)
    write_zip(tmp_path / "a.zip", members)
    check_refused(guild, tmp_path / "a.tar.gz", "does not begin with")
    check_refused(guild, tmp_path / "a.zip", "does not begin with")


def test_a_list_that_is_no_json_is_refused(guild: Guild, tmp_path: Path) -> None:
    """Or nests deeper than anything that a ledger holds."""
    from tests.archive_kit import write_zip

    for content in (b"", b"{", b"[]", b"3", b"\xff", b"[" * 5000, b'{"$float":"x"}'):
        write_zip(tmp_path / "a.zip", [Member("guild-runs.json", content)])
        check_refused(guild, tmp_path / "a.zip", "is refused")


def test_two_names_that_a_file_system_may_not_tell_apart_do_not_write_over_each_other(
    tmp_path: Path,
) -> None:
    """Where it does tell them apart both are there, elsewhere the archive is refused; no link is written through."""
    guild = Guild(tmp_path / "home", tmp_path)
    archive = forged()
    archive.add("OUT.txt", b"another")
    archive.add_link("A", "out.txt")
    archive.add("a", b"not through the link")
    done = guild("runs", "import", str(archive.write(tmp_path / "a.zip")), "-y")
    run_dir = guild.home / "runs" / RUN
    if done.code == 0:
        assert (run_dir / "out.txt").read_bytes() == b"hello\n"
        assert sorted(name for name in os.listdir(run_dir) if name != ".guild") == ["A", "OUT.txt", "a", "out.txt"]
    else:
        assert "does not tell apart" in done.err
        assert guild.ids("--all") == []
