"""Archives are unpacked whole, and hostile ones are refused before anything leaves the folder."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.archives import ARCHIVE_ENDINGS, ArchiveError, Limits, is_archive, unpack

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o640) -> Member:
    """Make a member of a tar file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime, info.size = kind, link, mode, 1_000_000_000, len(content)
    return info, content


def write_tar(path: Path, *members: Member, mode: str = "w") -> str:
    """Write a tar file."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload] # the mode is not a literal here
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return str(path)


def write_zip(path: Path, *members: tuple[str, bytes], unix_mode: int = 0) -> str:
    """Write a zip file; a mode is given to all members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40))
            info.external_attr = unix_mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder to unpack into, in a folder that shows what left it."""
    path = tmp_path / "outer" / "inner"
    path.mkdir(parents=True)
    return path


def found(folder: Path) -> dict[str, str]:
    """Return all files below a folder with their content, links with `-> target`."""
    result = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            result[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            result[str(path.relative_to(folder))] = path.read_text()
    return result


@pytest.mark.parametrize("ending", ARCHIVE_ENDINGS)
def test_each_kind_of_archive_is_unpacked(ending: str, tmp_path: Path, folder: Path) -> None:
    """Zip, and tar plain or compressed, with its folders and files."""
    path = tmp_path / f"data{ending.upper()}"
    if ending == ".zip":
        archive = write_zip(path, ("top/", b""), ("top/a.txt", b"a"), ("b.txt", b"b"))
    else:
        short = {"tgz": "gz", "tbz2": "bz2", "tbz": "bz2", "txz": "xz", "tar": ""}
        kind = short.get(ending.rpartition(".")[2], ending.rpartition(".")[2])
        archive = write_tar(
            path,
            member("./top", kind=tarfile.DIRTYPE),
            member("./top/a.txt", b"a"),
            member("b.txt", b"b"),
            mode=f"w:{kind}",
        )
    assert is_archive(archive)
    unpack(archive, str(folder))
    assert found(folder) == {"top/a.txt": "a", "b.txt": "b"}


def test_a_file_that_is_only_compressed_is_no_archive() -> None:
    """`x.gz` is taken as it is."""
    assert not is_archive("x.gz")
    assert not is_archive("zip")


def test_permission_bits_and_times_stay_and_dangerous_bits_do_not(tmp_path: Path, folder: Path) -> None:
    """A script stays executable; set-user-id is dropped."""
    unpack(write_tar(tmp_path / "a.tar", member("run.sh", b"x", mode=0o4755)), str(folder))
    status = (folder / "run.sh").stat()
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert status.st_mtime == 1_000_000_000


def test_only_what_is_wanted_is_written(tmp_path: Path, folder: Path) -> None:
    """A choice is made before unpacking, not after."""
    archive = write_zip(tmp_path / "a.zip", ("a.txt", b"a"), ("b.txt", b"b"))
    unpack(archive, str(folder), wanted=lambda path: path == "b.txt")
    assert found(folder) == {"b.txt": "b"}


def test_links_and_second_names_inside_are_made(tmp_path: Path, folder: Path) -> None:
    """They are part of many data sets."""
    archive = write_tar(
        tmp_path / "a.tar",
        member("d/one", b"1"),
        member("d/two", kind=tarfile.SYMTYPE, link="../d/one"),
        member("three", kind=tarfile.LNKTYPE, link="d/one"),
    )
    unpack(archive, str(folder))
    assert found(folder) == {"d/one": "1", "d/two": "-> ../d/one", "three": "1"}


def test_a_second_name_is_unpacked_where_the_first_is_not_wanted(tmp_path: Path, folder: Path) -> None:
    """With the content that the file had when the name was given, and once for several names."""
    archive = write_tar(
        tmp_path / "a.tar",
        member("d/one", b"0"),
        member("d/one", b"1"),
        member("x/two", kind=tarfile.LNKTYPE, link="./d/one"),
        member("x/three", kind=tarfile.LNKTYPE, link="x/two"),
        member("x/last", kind=tarfile.LNKTYPE, link="d/one"),
        member("x/last", b"own"),
        member("d/one", b"late"),
    )
    unpack(archive, str(folder), wanted=lambda path: path.startswith("x/"))
    assert found(folder) == {"x/two": "1", "x/three": "1", "x/last": "own"}
    assert (folder / "x/two").stat().st_ino == (folder / "x/three").stat().st_ino


def test_a_later_member_of_the_same_name_wins(tmp_path: Path, folder: Path) -> None:
    """As in a tar file that was appended to; nothing is written through a link of that name."""
    archive = write_tar(
        tmp_path / "a.tar",
        member("one", b"1"),
        member("two", kind=tarfile.SYMTYPE, link="one"),
        member("one", b"11"),
        member("two", b"2"),
    )
    unpack(archive, str(folder))
    assert found(folder) == {"one": "11", "two": "2"}


HOSTILE: dict[str, tuple[Member, ...]] = {
    "an absolute path": (member("/x/y", b"x"),),
    "a path up": (member("a/../../x", b"x"),),
    "an absolute link": (member("l", kind=tarfile.SYMTYPE, link="/etc"),),
    "a link up": (member("a/l", kind=tarfile.SYMTYPE, link="../../x"),),
    "a link that climbs after a name": (member("l", kind=tarfile.SYMTYPE, link="a/../../x"),),
    "a file through a link": (member("l", kind=tarfile.SYMTYPE, link="."), member("l/x", b"x")),
    "a link through a link": (
        member("d/l", kind=tarfile.SYMTYPE, link=".."),
        member("d/l/m", kind=tarfile.SYMTYPE, link=".."),
    ),
    "a name of a file outside": (member("n", kind=tarfile.LNKTYPE, link="../secret"),),
    "a name of a link": (
        member("l", kind=tarfile.SYMTYPE, link="x"),
        member("n", kind=tarfile.LNKTYPE, link="l"),
    ),
    "a pipe": (member("p", kind=tarfile.FIFOTYPE),),
    "a device": (member("c", kind=tarfile.CHRTYPE),),
    "a folder over a file": (member("a", b""), member("a/b", b"")),
    "a file over a folder": (member("a/b", b""), member("a", b"")),
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=list(HOSTILE))
def test_what_leads_out_of_the_folder_is_refused(members: tuple[Member, ...], tmp_path: Path, folder: Path) -> None:
    """Paths, links and devices; nothing appears outside, and the message says what it was."""
    (folder.parent / "secret").write_text("s")
    with pytest.raises(ArchiveError, match="it holds") as caught:
        unpack(write_tar(tmp_path / "a.tar", *members), str(folder))
    assert caught.value.hint
    assert sorted(os.listdir(folder.parent)) == ["inner", "secret"]
    assert "s" not in found(folder).values()


@pytest.mark.parametrize("name", ["/x", "../x", "a/../../x"])
def test_paths_out_of_a_zip_file_are_refused(name: str, tmp_path: Path, folder: Path) -> None:
    """As those of tar files."""
    with pytest.raises(ArchiveError, match="leads out"):
        unpack(write_zip(tmp_path / "a.zip", (name, b"x")), str(folder))
    assert os.listdir(folder.parent) == ["inner"]


@pytest.mark.parametrize(("mode", "why"), [(stat.S_IFLNK, "a link out of its folder"), (stat.S_IFIFO, "neither")])
def test_links_out_and_pipes_of_zip_files_are_refused(mode: int, why: str, tmp_path: Path, folder: Path) -> None:
    """A zip file holds them as file modes."""
    with pytest.raises(ArchiveError, match=why):
        unpack(write_zip(tmp_path / "a.zip", ("x", b"../../etc"), unix_mode=mode | 0o777), str(folder))


def test_a_link_inside_a_zip_file_is_made(tmp_path: Path, folder: Path) -> None:
    """When it stays inside."""
    unpack(write_zip(tmp_path / "a.zip", ("x", b"y"), unix_mode=stat.S_IFLNK | 0o777), str(folder))
    assert found(folder) == {"x": "-> y"}


def _zip_bomb(path: Path) -> str:
    return write_zip(path / "a.zip", ("zeros", bytes(5_000_000)))


def _tar_bomb(path: Path) -> str:
    return write_tar(path / "a.tar.gz", member("zeros", bytes(5_000_000)), mode="w:gz")


def _header_bomb(path: Path) -> str:
    info, _ = member("x" * 5_000_000)
    return write_tar(path / "a.tar.gz", (info, b""), mode="w:gz")


@pytest.mark.parametrize("bomb", [_zip_bomb, _tar_bomb, _header_bomb])
def test_an_archive_that_grows_beyond_measure_is_refused(
    bomb: Callable[[Path], str], tmp_path: Path, folder: Path
) -> None:
    """Bytes are counted as they come out, whatever the archive says, wanted or not."""
    limits = Limits(ratio=100, spare_bytes=1_000_000)
    with pytest.raises(ArchiveError, match="too large"):
        unpack(bomb(tmp_path), str(folder), limits=limits)
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 2_000_000


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, folder: Path) -> None:
    """A million empty files fill a disk as well."""
    archive = write_zip(tmp_path / "a.zip", *((f"{number}", b"") for number in range(11)))
    with pytest.raises(ArchiveError, match="more files"):
        unpack(archive, str(folder), limits=Limits(members=10))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_what_is_no_archive_or_half_of_one_is_told(name: str, tmp_path: Path, folder: Path) -> None:
    """Damage is an error with a reason, never a traceback."""
    (tmp_path / name).write_bytes(b"this is not an archive at all" * 100)
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(str(tmp_path / name), str(folder))


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_damage_inside_is_told(kind: str, tmp_path: Path, folder: Path) -> None:
    """A file cut short, and bytes that are not those that were written."""
    content = os.urandom(200_000)
    if kind == "zip":
        path = tmp_path / "a.zip"
        write_zip(path, ("x", content))
    else:
        path = tmp_path / f"a.tar.{kind}"
        write_tar(path, member("x", content), mode=f"w:{kind}")
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError):
        unpack(str(path), str(folder))
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    (folder / "x").unlink(missing_ok=True)
    with pytest.raises(ArchiveError):
        unpack(str(path), str(folder))


def test_an_encrypted_archive_is_told(tmp_path: Path, folder: Path) -> None:
    """There is no one to ask for the password."""
    path = tmp_path / "a.zip"
    write_zip(path, ("x", b"x"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(str(path), str(folder))


def test_a_tar_file_with_the_wrong_ending_is_read_by_its_content(tmp_path: Path, folder: Path) -> None:
    """Names are often wrong about the compression."""
    path = tmp_path / "a.tar"
    write_tar(path, member("x", b"x"))
    (tmp_path / "b.tar").write_bytes(gzip.compress(path.read_bytes()))
    unpack(str(tmp_path / "b.tar"), str(folder))
    assert found(folder) == {"x": "x"}
