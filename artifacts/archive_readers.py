"""Reading the members of zip and tar files, one after the other, into a folder that checks each of them.

The standard library's own unpacking is not used: it has no limit on what it writes, follows the links it has just
made, and differs between the versions of Python that are supported.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import time
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from artifacts.archives import ArchiveError
from ledger.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from artifacts.archives import Unpacking

_Names = dict[str, tuple[str, int]]
"""Second names of files that were not unpacked: path, the first name, and where the second stands in the archive."""

_ENCRYPTED = 1
_LONGEST_TARGET = 4096
_CHUNK = 1 << 20
_MOST_AT_ONCE = 32 << 20
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, ValueError),
    RuntimeError,  # zipfile's: a member that wants a password, or is compressed in a way that it does not know
    OverflowError,  # a place or a time in a forged header that the system's own integers cannot hold
    MemoryError,  # a forged header of lzma that asks for a dictionary of gigabytes
)
"""What the readers of the standard library raise for a file that is damaged, forged, or made as they cannot read."""


def unpack_zip(archive: str, into: Unpacking) -> None:
    """Unpack a zip file; raises as `archives.unpack`."""
    with _told(), zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _add_zipped(opened, member, into)


def unpack_tar(archive: str, into: Unpacking) -> None:
    """Unpack a tar file, compressed or not; raises as `archives.unpack`."""
    names: _Names = {}
    with _told():
        with _plain(archive) as plain:
            metered = _Metered(plain, into)
            for opened, member in _members(metered):
                _add_tarred(opened, member, into, names)
            # The checksum of what was compressed stands at its end, which the end of the tar file is not.
            while metered.read(_CHUNK):
                pass
        if names:
            _add_names(archive, into, names)


def read_first(archive: str, name: str, most: int, *, is_zip: bool) -> bytes:
    """Return the content of an archive's first member, which must be a file of this name, and of `most` bytes at most.

    Raises:
        ArchiveError: it is no archive, damaged, or begins with something else.
        OSError: it cannot be read.
    """
    with _told():
        return _first_zipped(archive, name, most) if is_zip else _first_tarred(archive, name, most)


def is_whole(archive: str, most: int) -> bool:
    """Read a tar file to the end, where a compressed one says whether it is whole; tell whether that was reached.

    Args:
        archive: its path.
        most: bytes that are read of what it holds.

    Raises:
        ArchiveError: it is damaged, or was cut off.
        OSError: it cannot be read.
    """
    with _told(), _plain(archive) as plain:
        while most > 0 and (chunk := plain.read(_CHUNK)):
            most -= len(chunk)
    return most > 0


def _first_zipped(archive: str, name: str, most: int) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if not members or members[0].filename != name:
            raise ArchiveError(f"it does not begin with '{name}'")
        with opened.open(members[0]) as content:
            return _whole(content, name, most)


def _first_tarred(archive: str, name: str, most: int) -> bytes:
    with _plain(archive) as plain, tarfile.open(fileobj=_Metered(plain, _Most(most)), mode="r:") as opened:
        member = opened.next()
        content = opened.extractfile(member) if member is not None and member.isreg() else None
        if member is None or member.name != name or content is None:
            raise ArchiveError(f"it does not begin with '{name}'")
        with content:
            return _whole(content, name, most)


def _whole(content: IO[bytes], name: str, most: int) -> bytes:
    parts, left = [], most
    while chunk := content.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise ArchiveError(f"'{name}' in it is too large")
        parts.append(chunk)
    return b"".join(parts)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what the readers of the standard library find damaged as an `ArchiveError`."""
    try:
        yield
    except OSError as error:
        # What bz2 says of a damaged file is an error of the system without a number.
        if error.errno is not None:
            raise
        raise _damaged(error) from error
    except _DAMAGE as error:
        raise _damaged(error) from error


def _damaged(error: BaseException) -> ArchiveError:
    return ArchiveError(f"it cannot be unpacked: {printable(str(error) or type(error).__name__)}")


def _add_zipped(opened: zipfile.ZipFile, member: zipfile.ZipInfo, into: Unpacking) -> None:
    path = into.admit(member.filename)
    if path is None:
        return
    mode = member.external_attr >> 16
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"'{printable(path)}' in it is encrypted")
    if member.is_dir():
        into.add_folder(path)
    elif stat.S_ISLNK(mode):
        with opened.open(member) as content:
            into.add_link(path, content.read(_LONGEST_TARGET).decode("utf-8", "surrogateescape"))
    elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise ArchiveError(f"it holds '{printable(path)}', which is neither a file nor a folder nor a link")
    else:
        with opened.open(member) as content:
            into.add_file(path, content, mode or 0o644, _zip_time(member))


def _zip_time(member: zipfile.ZipInfo) -> float | None:
    """Return the time of a member, which zip files give without saying where in the world."""
    try:
        return time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def _members(metered: _Metered) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with tarfile.open(fileobj=metered, mode="r:") as opened:
        for member in opened:
            yield opened, member
            # It keeps all of them otherwise, and a million of them fill the memory.
            opened.members.clear()  # type: ignore[attr-defined] # known to the module, not to its types


def _add_tarred(opened: tarfile.TarFile, member: tarfile.TarInfo, into: Unpacking, names: _Names) -> None:
    path = into.admit(member.name)
    if path is None:
        return
    names.pop(path, None)
    if member.isdir():
        into.add_folder(path)
    elif member.issym():
        into.add_link(path, member.linkname)
    elif member.islnk():
        first = _plain_path(member.linkname)
        if first in names:
            names[path] = names[first]
        elif not into.add_name(path, member.linkname):
            names[path] = (first, member.offset)
    elif member.isreg():
        _add_content(opened, member, into, path)
    else:
        raise ArchiveError(f"it holds '{printable(path)}', which is neither a file nor a folder nor a link")


def _add_content(opened: tarfile.TarFile, member: tarfile.TarInfo, into: Unpacking, path: str) -> None:
    content = opened.extractfile(member)
    if content is not None:
        with content:
            into.add_file(path, content, member.mode, member.mtime)


def _add_names(archive: str, into: Unpacking, names: _Names) -> None:
    """Read a tar file once more, for the content of files of which only a second name is wanted."""
    wanted: dict[str, list[tuple[str, int]]] = {}
    for path, (first, offset) in names.items():
        wanted.setdefault(first, []).append((path, offset))
    into.begin_again()
    found: set[str] = set()
    with _plain(archive) as plain:
        for opened, member in _members(_Metered(plain, into)):
            # What comes after a name is not meant by it.
            paths = [path for path, end in wanted.get(_plain_path(member.name), ()) if member.offset < end]
            if paths and member.isreg():
                _add_content(opened, member, into, paths[0])
                for path in paths[1:]:
                    into.add_name(path, paths[0])
                found.update(paths)
    for path in sorted(names.keys() - found):
        first = names[path][0]
        raise ArchiveError(f"it holds '{printable(path)}', a name of '{printable(first)}', which is not there")


def _plain_path(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def _plain(archive: str) -> IO[bytes]:
    """Open a tar file without its compression, which its first bytes tell: names are often wrong about it."""
    with open(archive, "rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(archive, "rb")  # type: ignore[return-value] # complete but for what IO never needs
    if start.startswith(b"BZh"):
        return bz2.BZ2File(archive)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(archive)
    return open(archive, "rb")


class _Most:
    """What may be read of an archive before its first member has ended."""

    def __init__(self, most: int) -> None:
        self._left = most + _MOST_AT_ONCE

    def read(self, count: int) -> None:
        """Count bytes; raises ArchiveError when they are too many."""
        self._left -= count
        if self._left < 0:
            raise ArchiveError("its beginning is too large")


class _Metered(io.RawIOBase):
    """Hands out what a compressed file holds, and stops where it becomes too much.

    What is skipped is decompressed as well, and headers are read into memory whole: both are counted.
    """

    def __init__(self, plain: IO[bytes], into: Unpacking | _Most) -> None:
        self._plain = plain
        self._into = into
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, never more than a sensible header has."""
        if not 0 <= size <= _MOST_AT_ONCE:
            raise ArchiveError("it holds a header of absurd length")
        data = self._plain.read(size)
        self._seen()
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position."""
        found = self._plain.seek(position, whence)
        self._seen()
        return found

    def tell(self) -> int:
        """Return the position."""
        return self._plain.tell()

    def _seen(self) -> None:
        position = self._plain.tell()
        if position > self._furthest:
            self._into.read(position - self._furthest)
            self._furthest = position
