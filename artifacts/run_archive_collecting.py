"""What of a home goes into an archive of runs: all of a run directory that can, and the code that a run used, or not.

A source snapshot is named by its content, so it comes along whole, or stays behind.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from artifacts.links import stays_inside
from artifacts.run_archive import ArchivedFile, ArchivedRun, ArchivedSnapshot
from artifacts.run_archive_values import RunArchiveError, check_path
from artifacts.run_files import files_below, open_file
from artifacts.source_manifest import (
    SOURCE_MODES,
    SourceFile,
    read_manifest,
    snapshot_digest,
    snapshot_files_dir,
)
from ledger.errors import GuildError
from ledger.text import printable

if TYPE_CHECKING:
    from artifacts.home import Home
    from artifacts.run_files import RunFile

_CHUNK = 1 << 20


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


def collected_snapshot(home: Home, digest: str, *, is_zip: bool) -> ArchivedSnapshot:
    """Return a source snapshot of this home, every file compared with its manifest.

    Raises:
        GuildError: it is not there, is damaged, or holds what an archive of this kind cannot; the message says which.
    """
    listed = read_manifest(home, digest)
    folder = snapshot_files_dir(home, digest)
    files, links = [], []
    for source in listed:
        check_path(source.path)
        if is_zip and not _is_utf8(source.path):
            raise GuildError("it holds a name that is not UTF-8, which a zip file needs")
        if source.kind == "l":
            links.append((source.path, _target(folder, source, is_zip=is_zip)))
        else:
            files.append(_source(folder, source))
    snapshot = ArchivedSnapshot(digest, tuple(files), tuple(links))
    if snapshot_digest(snapshot.source_files()) != digest:
        raise GuildError("it is damaged")
    return snapshot


def _target(folder: str, source: SourceFile, *, is_zip: bool) -> str:
    try:
        target = os.readlink(os.path.join(folder, source.path))
    except OSError as error:
        raise GuildError("it is damaged") from error
    if not stays_inside(source.path, target) or (is_zip and not _is_utf8(target)):
        raise GuildError(f"'{printable(source.path)}' in it is a link out of it")
    return target


def _source(folder: str, source: SourceFile) -> ArchivedFile:
    found = _described(folder, source.path)
    return ArchivedFile(source.path, found.size, found.sha256, SOURCE_MODES.get(source.kind, 0), None)
