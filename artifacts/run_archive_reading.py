"""Unpacking an archive of runs, each member held to the list that it begins with."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from artifacts.archive_readers import is_whole, read_first, unpack_tar, unpack_zip
from artifacts.archives import LIMITS, ArchiveError, Unpacking, budget
from artifacts.importing import flush_tree
from artifacts.run_archive import (
    LARGEST_MANIFEST,
    MANIFEST,
    SOURCES,
    TOP,
    ArchivedFile,
    ArchivedRun,
    ArchivedSnapshot,
    Manifest,
    read_manifest,
)  # fmt: skip
from artifacts.run_archive_values import RunArchiveError
from artifacts.source_manifest import SOURCE_MODES, manifest_bytes
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


def was_read_to_the_end(archive: str, most: int) -> bool:
    """Read an archive to its end, which of a zip file tells where its list is; tell whether `most` bytes sufficed.

    Raises:
        RunArchiveError: it is damaged, or was cut off.
    """
    with _explained(archive):
        return _is_zip(archive) or is_whole(archive, most)


def refuse_too_much(archive: str, manifest: Manifest, folder: str) -> None:
    """Refuse an archive that by its own list holds more than one of its size may, or than the disk of `folder` takes.

    Raises:
        RunArchiveError: see above.
    """
    total = manifest.size
    members = sum(len(run.files) + len(run.links) + len(run.folders) for run in manifest.runs)
    members += sum(len(snapshot.files) + len(snapshot.links) for snapshot in manifest.sources)
    if total > budget(archive, folder) or members > LIMITS.members:
        raise RunArchiveError(
            f"'{printable(archive)}' is refused: unpacked it would be too large for its size or for the free space",
            "Nothing was imported. Make room on the disk of the home, if that is what it lacks.",
        )


def unpack_runs(
    archive: str, manifest: Manifest, wanted: Collection[RunId], folder: str, digests: Collection[str] = ()
) -> None:
    """Unpack runs and source snapshots into `folder`, an empty one, and make them durable.

    Args:
        archive: its path.
        manifest: its list.
        wanted: of these runs, the directories are at `folder`/ID afterwards.
        folder: absolute path.
        digests: these source snapshots are at `folder`/sources/DIGEST, as a home has them.

    Raises:
        RunArchiveError: the archive is damaged, or holds anything but what its list says.
        OSError: the system could not write.
    """
    with _explained(archive):
        runs = [run for run in manifest.runs if run.run_id in wanted]
        snapshots = [snapshot for snapshot in manifest.sources if snapshot.digest in digests]
        unpacking = Strict(folder, manifest, budget(archive, folder))
        for run in runs:
            seam("import.mkdir")
            os.mkdir(os.path.join(folder, run.run_id), 0o777)
            unpacking.want_run(run)
        for snapshot in snapshots:
            os.makedirs(os.path.join(folder, SOURCES, snapshot.digest, "files"), 0o700)
            unpacking.want_snapshot(snapshot)
        seam("import.unpack")
        (unpack_zip if _is_zip(archive) else unpack_tar)(archive, unpacking)
        unpacking.finish()
    for snapshot in snapshots:
        _write_manifest(os.path.join(folder, SOURCES, snapshot.digest), snapshot)
    seam("import.flush")
    flush_tree(folder)


def _write_manifest(folder: str, snapshot: ArchivedSnapshot) -> None:
    with open(os.path.join(folder, "manifest"), "xb") as file:
        file.write(manifest_bytes(snapshot.source_files()))
        os.fchmod(file.fileno(), SOURCE_MODES["f"])


def one_file(archive: str, manifest: Manifest, run: ArchivedRun, path: str, folder: str) -> str:
    """Unpack one file of a run into `folder`, an empty one, and return where it is.

    The names of all members are held to the list, and the content of this one.

    Raises:
        RunArchiveError, OSError: as `unpack_runs`.
    """
    with _explained(archive):
        unpacking = Strict(folder, manifest, budget(archive, folder))
        unpacking.want_file(run, path)
        (unpack_zip if _is_zip(archive) else unpack_tar)(archive, unpacking)
        unpacking.finish()
    return os.path.join(folder, run.run_id, path)


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


def _paths(one: ArchivedRun | ArchivedSnapshot) -> list[str]:
    return [*(file.path for file in one.files), *(path for path, _ in one.links)]


class Strict(Unpacking):
    """A folder that takes what the list names and was said to be wanted, each once, and nothing else."""

    def __init__(self, folder: str, manifest: Manifest, most: int) -> None:
        self._known: dict[str, str] = {}
        for run in manifest.runs:
            self._name(TOP + run.run_id, run.run_id, [*_paths(run), *run.folders])
        for snapshot in manifest.sources:
            self._name(SOURCES + snapshot.digest, f"{SOURCES}{snapshot.digest}/files", _paths(snapshot))
        super().__init__(folder, lambda _path: True, most, LIMITS.members + len(self._known))
        self._top = folder
        self._files: dict[str, ArchivedFile] = {}
        self._links: dict[str, str] = {}
        self._folders: set[str] = set()
        self._seen: set[str] = set()

    def _name(self, member: str, place: str, paths: Iterable[str]) -> None:
        """Note which names members may have, and where below the folder each of them belongs."""
        self._known[member] = place
        self._known |= {f"{member}/{path}": f"{place}/{path}" for path in paths}

    def want_run(self, run: ArchivedRun) -> None:
        """Have the directory of a run unpacked."""
        self._files |= {f"{run.run_id}/{file.path}": file for file in run.files}
        self._links |= {f"{run.run_id}/{path}": target for path, target in run.links}
        self._folders |= {run.run_id, *(f"{run.run_id}/{path}" for path in run.folders)}

    def want_file(self, run: ArchivedRun, path: str) -> None:
        """Have one file of a run unpacked."""
        self._files |= {f"{run.run_id}/{file.path}": file for file in run.files if file.path == path}

    def want_snapshot(self, snapshot: ArchivedSnapshot) -> None:
        """Have a source snapshot unpacked."""
        top = f"{SOURCES}{snapshot.digest}/files"
        self._files |= {f"{top}/{file.path}": file for file in snapshot.files}
        self._links |= {f"{top}/{path}": target for path, target in snapshot.links}
        self._folders.add(top)

    def admit(self, name: str) -> str | None:
        """Count a member; return its path below the folder, or None when it is not wanted."""
        if name == MANIFEST and MANIFEST not in self._seen:
            self._seen.add(MANIFEST)
            return None
        super().admit(name)
        path = self._known.get(name.removesuffix("/"))
        if path is None:
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
        if file.modified is not None:
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
