"""Writing an archive of runs: the same runs give the same bytes, and the file is there complete or not at all.

Every file is read twice, once for the list that comes first, once for its content: one that has changed in between ends
the export.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from artifacts.archives import LIMITS
from artifacts.run_archive import LARGEST_MANIFEST, MANIFEST, SOURCES, TOP, ArchivedFile, Manifest
from artifacts.run_files import open_file
from ledger.errors import GuildError
from ledger.seams import seam
from ledger.text import printable

if TYPE_CHECKING:
    from typing import IO

Folder = Callable[[str], str]
"""Returns where the directory of a run is, or the files of a source snapshot are."""

_CHUNK = 1 << 20
_LEVEL = 6
_STORED = 0
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Tree(NamedTuple):
    """What is put into an archive below one name: a run directory, or a source snapshot."""

    top: str
    folder: str
    files: Sequence[ArchivedFile]
    links: Sequence[tuple[str, str]]
    folders: Sequence[str] = ()


def _trees(manifest: Manifest, folder: Folder, sources: Folder) -> list[_Tree]:
    runs = [_Tree(TOP + run.run_id, folder(run.run_id), run.files, run.links, run.folders) for run in manifest.runs]
    return runs + [_Tree(SOURCES + one.digest, sources(one.digest), one.files, one.links) for one in manifest.sources]


def write_archive(path: str, manifest: Manifest, folder: Folder, sources: Folder, *, force: bool) -> int:
    """Write an archive; return its size in bytes.

    What compresses so well that an import would take it for a bomb is stored without compression.

    Args:
        path: absolute; it says by its ending which kind it is.
        manifest: its list, complete.
        folder: where the runs are, by id.
        sources: where the files of the source snapshots are, by digest.
        force: whether a file that is there already gives way.

    Raises:
        GuildError: there is such a file already, or one of the runs has changed meanwhile.
        OSError: the system could not.
    """
    data = manifest.to_bytes()
    if len(data) > LARGEST_MANIFEST:
        raise GuildError("these are too many runs for one archive", hint="Export them in several.")
    total = manifest.size
    trees = _trees(manifest, folder, sources)
    for level in (_LEVEL, _STORED):
        with _beside(path, force=force) as publish:
            part = publish.part
            with os.fdopen(os.open(part, _WRITE_FLAGS, 0o600), "wb") as file:
                write = _write_zip if is_zip_name(path) else _write_tar
                write(file, data, trees, level)
                file.flush()
                os.fsync(file.fileno())
            size = os.stat(part).st_size
            if level == _STORED or total <= LIMITS.spare_bytes // 2 + size * (LIMITS.ratio // 2):
                publish.now()
                return size
    raise AssertionError("not reached")


def is_zip_name(path: str) -> bool:
    """Tell whether a file of this name is to be a zip file."""
    return path.lower().endswith(".zip")


class _Publishing:
    """A file under a name of its own, and how it gets the right one."""

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        self.part = os.path.join(os.path.dirname(path), f".{os.urandom(8).hex()}.part")
        self._force = force

    def now(self) -> None:
        """Give the file its name; without `force` never over another."""
        seam("export.rename")
        if not self._force:
            try:
                os.link(self.part, self.path)
            except FileExistsError:
                raise exists_already(self.path) from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if os.path.lexists(self.path):
                    raise exists_already(self.path) from None
            else:
                return
        os.rename(self.part, self.path)


def exists_already(path: str) -> GuildError:
    """Return what is said of a file that is there."""
    return GuildError(
        f"'{printable(path)}' exists already", hint="Give another name, or --force to write over that file."
    )


@contextmanager
def _beside(path: str, *, force: bool) -> Iterator[_Publishing]:
    publishing = _Publishing(path, force=force)
    seam("export.write")
    try:
        yield publishing
    finally:
        with suppress(FileNotFoundError):
            os.unlink(publishing.part)


class _Checked(io.RawIOBase):
    """A file of a run as it is put into the archive; it must be as it was when the list was made."""

    def __init__(self, folder: str, file: ArchivedFile) -> None:
        self._described = file
        self._left = file.size
        self._digest = hashlib.sha256()
        self._file: IO[bytes] = os.fdopen(open_file(folder, file.path), "rb")

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes of those that were there."""
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        self._digest.update(data)
        if not data and self._left:
            raise self._changed()
        return data

    def finish(self) -> None:
        """Compare."""
        if self._left or self._digest.hexdigest() != self._described.sha256:
            raise self._changed()

    def _changed(self) -> GuildError:
        return GuildError(
            f"'{printable(self._described.path)}' was changed while it was exported",
            hint="Nothing was written. Repeat it.",
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()


def _write_tar(to: IO[bytes], data: bytes, trees: Sequence[_Tree], level: int) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=to, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_tarred(MANIFEST, len(data), 0o644, 0), io.BytesIO(data))
        for tree in trees:
            archive.addfile(_tarred(tree.top, 0, 0o755, 0, kind=tarfile.DIRTYPE))
            for path in tree.folders:
                archive.addfile(_tarred(f"{tree.top}/{path}", 0, 0o755, 0, kind=tarfile.DIRTYPE))
            for path, target in tree.links:
                archive.addfile(_tarred(f"{tree.top}/{path}", 0, 0o777, 0, kind=tarfile.SYMTYPE, target=target))
            for file in tree.files:
                with _Checked(tree.folder, file) as content:
                    modified = max((file.modified or 0) // 10**9, 0)
                    archive.addfile(_tarred(f"{tree.top}/{file.path}", file.size, file.mode, modified), content)
                    content.finish()


def _tarred(
    name: str, size: int, mode: int, modified: int, *, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime, member.type, member.linkname = size, mode, modified, kind, target
    return member


def _write_zip(to: IO[bytes], data: bytes, trees: Sequence[_Tree], level: int) -> None:
    kind = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with zipfile.ZipFile(to, "w", kind, compresslevel=level or None) as archive:
        archive.writestr(_zipped(MANIFEST, stat.S_IFREG | 0o644, 0, kind), data)
        for tree in trees:
            for path in (tree.top, *(f"{tree.top}/{path}" for path in tree.folders)):
                archive.writestr(_zipped(f"{path}/", stat.S_IFDIR | 0o755, 0, zipfile.ZIP_STORED), b"")
            for path, target in tree.links:
                member = _zipped(f"{tree.top}/{path}", stat.S_IFLNK | 0o777, 0, zipfile.ZIP_STORED)
                archive.writestr(member, target.encode())
            for file in tree.files:
                member = _zipped(f"{tree.top}/{file.path}", stat.S_IFREG | file.mode, file.modified or 0, kind)
                with _Checked(tree.folder, file) as content, archive.open(member, "w", force_zip64=True) as packed:
                    while chunk := content.read(_CHUNK):
                        packed.write(chunk)
                    content.finish()


def _zipped(name: str, mode: int, modified: int, kind: int) -> zipfile.ZipInfo:
    when = time.gmtime(min(max(modified // 10**9, 315_532_800), 4_354_819_198))  # what zip files can say: 1980 to 2107
    member = zipfile.ZipInfo(name, when[:6])
    member.create_system = 3  # Unix: the mode counts
    member.external_attr = mode << 16 | (0x10 if stat.S_ISDIR(mode) else 0)
    member.compress_type = kind
    return member
