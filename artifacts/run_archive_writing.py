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
from typing import TYPE_CHECKING

from artifacts.archives import LIMITS
from artifacts.links import stays_inside
from artifacts.run_archive import (
    LARGEST_MANIFEST,
    MANIFEST,
    TOP,
    ArchivedFile,
    ArchivedRun,
    Manifest,
    RunArchiveError,
    check_path,
)  # fmt: skip
from artifacts.run_files import files_below, open_file
from ledger.errors import GuildError
from ledger.seams import seam
from ledger.text import printable

if TYPE_CHECKING:
    from typing import IO

    from artifacts.run_files import RunFile

Folder = Callable[[ArchivedRun], str]
"""Returns where the directory of a run is."""

_CHUNK = 1 << 20
_LEVEL = 6
_STORED = 0
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def collected(run: ArchivedRun, folder: str, *, is_zip: bool) -> ArchivedRun:
    """Return a run with what its directory holds; special files and links that lead out of it are left out.

    Raises:
        GuildError: something in it cannot be read.
    """
    found = _Collected(folder, is_zip=is_zip)
    for entry in files_below(folder, "", hidden=True, refused=_refuse):
        found.add(entry)
    return ArchivedRun(
        run.run_id, run.events, tuple(found.files), tuple(found.links), tuple(found.folders), tuple(found.left_out)
    )


def _refuse(path: str, error: OSError) -> None:
    raise GuildError(f"the folder '{printable(path)}' cannot be read: {error.strerror}", hint="Nothing was written.")


class _Collected:
    """What a run directory holds."""

    def __init__(self, folder: str, *, is_zip: bool) -> None:
        self._folder = folder
        self._is_zip = is_zip
        self.files: list[ArchivedFile] = []
        self.links: list[tuple[str, str]] = []
        self.folders: list[str] = []
        self.left_out: list[tuple[str, str]] = []

    def add(self, entry: RunFile) -> None:
        """Take one entry, or note why it is left out."""
        why = self._why_not(entry)
        if why is not None:
            self.left_out.append((entry.path, why))
        elif entry.kind == "file":
            self.files.append(_described(self._folder, entry.path))
        elif entry.kind == "folder":
            self.folders.append(entry.path)
        else:
            self.links.append((entry.path, os.readlink(os.path.join(self._folder, entry.path))))

    def _why_not(self, entry: RunFile) -> str | None:
        try:
            check_path(entry.path)
        except RunArchiveError:
            return "its path is too long"
        if entry.kind == "other":
            return "neither a file nor a folder nor a link"
        if self._is_zip and not _is_utf8(entry.path):
            return "its name is not UTF-8, which a zip file needs; a .tar.gz file can hold it"
        if entry.kind == "link":
            target = os.readlink(os.path.join(self._folder, entry.path))
            if not stays_inside(entry.path, target):
                return "a link out of the run directory"
            if self._is_zip and not _is_utf8(target):
                return "a link to a name that is not UTF-8, which a zip file needs"
        return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(folder: str, path: str) -> ArchivedFile:
    with os.fdopen(open_file(folder, path), "rb") as file:
        status = os.fstat(file.fileno())
        digest, size = hashlib.sha256(), 0
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return ArchivedFile(path, size, digest.hexdigest(), stat.S_IMODE(status.st_mode) & 0o777, status.st_mtime_ns)


def write_archive(path: str, manifest: Manifest, folder: Folder, *, force: bool) -> int:
    """Write an archive; return its size in bytes.

    What compresses so well that an import would take it for a bomb is stored without compression.

    Args:
        path: absolute; it says by its ending which kind it is.
        manifest: its list, complete.
        folder: where the runs are.
        force: whether a file that is there already gives way.

    Raises:
        GuildError: there is such a file already, or one of the runs has changed meanwhile.
        OSError: the system could not.
    """
    data = manifest.to_bytes()
    if len(data) > LARGEST_MANIFEST:
        raise GuildError("these are too many runs for one archive", hint="Export them in several.")
    total = sum(run.size for run in manifest.runs)
    for level in (_LEVEL, _STORED):
        with _beside(path, force=force) as publish:
            part = publish.part
            with os.fdopen(os.open(part, _WRITE_FLAGS, 0o600), "wb") as file:
                write = _write_zip if is_zip_name(path) else _write_tar
                write(file, data, manifest.runs, folder, level)
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


def _write_tar(to: IO[bytes], data: bytes, runs: Sequence[ArchivedRun], folder: Folder, level: int) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=to, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_tarred(MANIFEST, len(data), 0o644, 0), io.BytesIO(data))
        for run in runs:
            top = f"{TOP}{run.run_id}"
            archive.addfile(_tarred(top, 0, 0o755, 0, kind=tarfile.DIRTYPE))
            for path in run.folders:
                archive.addfile(_tarred(f"{top}/{path}", 0, 0o755, 0, kind=tarfile.DIRTYPE))
            for path, target in run.links:
                archive.addfile(_tarred(f"{top}/{path}", 0, 0o777, 0, kind=tarfile.SYMTYPE, target=target))
            for file in run.files:
                with _Checked(folder(run), file) as content:
                    modified = max(file.modified // 10**9, 0)
                    archive.addfile(_tarred(f"{top}/{file.path}", file.size, file.mode, modified), content)
                    content.finish()


def _tarred(
    name: str, size: int, mode: int, modified: int, *, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime, member.type, member.linkname = size, mode, modified, kind, target
    return member


def _write_zip(to: IO[bytes], data: bytes, runs: Sequence[ArchivedRun], folder: Folder, level: int) -> None:
    kind = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with zipfile.ZipFile(to, "w", kind, compresslevel=level or None) as archive:
        archive.writestr(_zipped(MANIFEST, stat.S_IFREG | 0o644, 0, kind), data)
        for run in runs:
            top = f"{TOP}{run.run_id}"
            archive.writestr(_zipped(f"{top}/", stat.S_IFDIR | 0o755, 0, zipfile.ZIP_STORED), b"")
            for path in run.folders:
                archive.writestr(_zipped(f"{top}/{path}/", stat.S_IFDIR | 0o755, 0, zipfile.ZIP_STORED), b"")
            for path, target in run.links:
                archive.writestr(_zipped(f"{top}/{path}", stat.S_IFLNK | 0o777, 0, zipfile.ZIP_STORED), target.encode())
            for file in run.files:
                member = _zipped(f"{top}/{file.path}", stat.S_IFREG | file.mode, file.modified, kind)
                with _Checked(folder(run), file) as content, archive.open(member, "w", force_zip64=True) as packed:
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
