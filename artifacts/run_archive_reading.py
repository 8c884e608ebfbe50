"""Unpacking an archive of runs, each member held to the list that it begins with."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from artifacts.archive_readers import read_first, unpack_tar, unpack_zip
from artifacts.archives import LIMITS, ArchiveError, Unpacking, budget
from artifacts.importing import flush_tree
from artifacts.run_archive import (
    LARGEST_MANIFEST,
    MANIFEST,
    TOP,
    ArchivedFile,
    ArchivedRun,
    Manifest,
    RunArchiveError,
    read_manifest,
)  # fmt: skip
from ledger.ids import RunId
from ledger.seams import seam
from ledger.text import printable

if TYPE_CHECKING:
    from typing import IO

_TWICE = "is in it twice, or differs from another only by what this file system does not tell apart"


def manifest_of(archive: str) -> Manifest:
    """Return the list of an archive.

    Raises:
        RunArchiveError: it is no archive of runs, or its list names what none may hold.
    """
    with _explained(archive):
        data = read_first(archive, MANIFEST, LARGEST_MANIFEST, is_zip=_is_zip(archive))
        return read_manifest(data)


def refuse_too_much(archive: str, manifest: Manifest, folder: str) -> None:
    """Refuse an archive that by its own list holds more than one of its size may, or than the disk of `folder` takes.

    Raises:
        RunArchiveError: see above.
    """
    total = sum(run.size for run in manifest.runs)
    members = sum(len(run.files) + len(run.links) + len(run.folders) for run in manifest.runs)
    if total > budget(archive, folder) or members > LIMITS.members:
        raise RunArchiveError(
            f"'{printable(archive)}' is refused: unpacked it would be too large for its size or for the free space",
            "Nothing was imported. Make room on the disk of the home, if that is what it lacks.",
        )


def unpack_runs(archive: str, manifest: Manifest, wanted: Collection[RunId], folder: str) -> None:
    """Unpack the directories of these runs into `folder`, an empty one, and make them durable.

    Raises:
        RunArchiveError: the archive is damaged, or holds anything but what its list says.
        OSError: the system could not write.
    """
    with _explained(archive):
        runs = [run for run in manifest.runs if run.run_id in wanted]
        unpacking = _Strict(folder, manifest, runs, budget(archive, folder))
        for run in runs:
            seam("import.mkdir")
            os.mkdir(os.path.join(folder, run.run_id), 0o777)
        seam("import.unpack")
        (unpack_zip if _is_zip(archive) else unpack_tar)(archive, unpacking)
        unpacking.finish()
    seam("import.flush")
    flush_tree(folder)


def _is_zip(archive: str) -> bool:
    with open(archive, "rb") as file:
        return file.read(2) == b"PK"


@contextmanager
def _explained(archive: str) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise RunArchiveError(f"'{printable(archive)}' is refused: {error.message}") from error
    except RunArchiveError as error:
        raise RunArchiveError(f"'{printable(archive)}' is refused: {error.message}", error.hint or "") from error


class _Held(io.RawIOBase):
    """The content of a member, which must be exactly what the list says."""

    def __init__(self, content: IO[bytes], file: ArchivedFile) -> None:
        self._content = content
        self._file = file
        self._left = file.size
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return some of it."""
        data = self._content.read(size)
        self._left -= len(data)
        self._digest.update(data)
        if self._left < 0 or (not data and (self._left or self._digest.hexdigest() != self._file.sha256)):
            raise ArchiveError(f"'{printable(self._file.path)}' in it is not what its list says")
        return data


class _Strict(Unpacking):
    """A folder that takes what the list names, each once, and nothing else."""

    def __init__(self, folder: str, manifest: Manifest, runs: list[ArchivedRun], most: int) -> None:
        count = sum(len(run.files) + len(run.links) for run in manifest.runs)
        super().__init__(folder, lambda _path: True, most, LIMITS.members + count)
        self._top = folder
        self._known: set[str] = set()
        self._files: dict[str, ArchivedFile] = {}
        self._links: dict[str, str] = {}
        self._folders: set[str] = set()
        for run in manifest.runs:
            self._name(run, is_wanted=run in runs)
        self._seen: set[str] = set()

    def _name(self, run: ArchivedRun, *, is_wanted: bool) -> None:
        files = {f"{run.run_id}/{file.path}": file for file in run.files}
        links = {f"{run.run_id}/{path}": target for path, target in run.links}
        folders = {run.run_id, *(f"{run.run_id}/{path}" for path in run.folders)}
        self._known |= {*files, *links, *folders}
        if is_wanted:
            self._files |= files
            self._links |= links
            self._folders |= folders

    def admit(self, name: str) -> str | None:
        """Count a member; return its path below the folder, or None when it is of a run that is not wanted."""
        if name == MANIFEST and MANIFEST not in self._seen:
            self._seen.add(MANIFEST)
            return None
        super().admit(name)
        path = name.removeprefix(TOP).removesuffix("/")
        if not name.startswith(TOP) or path not in self._known:
            raise ArchiveError(f"it holds '{printable(name, 300)}', which its list does not name")
        if path in self._seen:
            raise ArchiveError(f"'{printable(name, 300)}' {_TWICE}")
        self._seen.add(path)
        is_wanted = path in self._files or path in self._links or path in self._folders
        return path if is_wanted else None

    def add_folder(self, path: str) -> None:
        """Make a folder; one that the list has as something else is refused."""
        if path in self._files or path in self._links:
            raise self._of_another_kind(path)
        super().add_folder(path)

    def add_file(self, path: str, content: IO[bytes], mode: int, modified: float | None) -> None:  # noqa: ARG002 - the list says them
        """Write a file."""
        file = self._files.pop(path, None)
        if file is None:
            raise self._of_another_kind(path)
        super().add_file(path, cast("IO[bytes]", _Held(content, file)), file.mode, None)
        full = os.path.join(self._top, path)
        os.chmod(full, file.mode | stat.S_IRUSR)
        os.utime(full, ns=(file.modified, file.modified))

    def add_link(self, path: str, target: str) -> None:
        """Make a link."""
        if self._links.pop(path, None) != target:
            raise self._of_another_kind(path)
        super().add_link(path, target)

    def add_name(self, path: str, existing: str) -> bool:
        """Refuse a second name of a file."""
        raise ArchiveError(f"it holds '{printable(path)}', a hard link to '{printable(existing)}'")

    def finish(self) -> None:
        """Make folders that no member told of; refuse an archive that lacks something."""
        for path in sorted(self._folders):
            super().add_folder(path)
        for path in sorted((*self._files, *self._links)):
            raise ArchiveError(f"it lacks '{printable(path)}', which its list names")

    def _of_another_kind(self, path: str) -> ArchiveError:
        return ArchiveError(f"'{printable(path)}' in it is not what its list says")

    def _free(self, path: str) -> str:
        self.add_folder(os.path.dirname(path))
        full = os.path.join(self._top, path)
        if os.path.lexists(full):
            raise ArchiveError(f"'{printable(path)}' {_TWICE}")
        return full
