"""The list that an archive of runs begins with: which runs, their events, and every file with its size and digest.

All that is unpacked later is held to this list, so it is checked before anything else: what it names cannot lead out of
a run directory, cannot be two things at once, and can be written by the system.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256

from artifacts.links import stays_inside
from artifacts.run_archive_values import (
    RunArchiveError,
    check_path,
    digest_of,
    mappings_of,
    number_of,
    refuse_twice,
    senseless,
    text_of,
    texts_of,
)
from artifacts.source_manifest import SOURCE_MODES, SourceFile, snapshot_digest
from ledger.canonical import Value, decode, encode
from ledger.dataclass import dataclass
from ledger.errors import LedgerError
from ledger.ids import RunId, is_run_id
from ledger.text import printable

MANIFEST = "guild-runs.json"
"""The first member of every archive of runs."""

TOP = "runs/"
"""What the names of the members of runs begin with; then come run id and path."""

SOURCES = "sources/"
"""What the names of the members of source snapshots begin with; then come digest and path."""

FORMAT = 2
FORMATS = (1, FORMAT)
"""Those that are read: the first one has no source snapshots."""

LARGEST_MANIFEST = 256 << 20
"""Bytes."""

_KIND = "guild-runs"
_LATEST = 1 << 62
_MODES = 0o777


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A regular file of a run.

    Attributes:
        path: relative to the run directory.
        size: bytes.
        sha256: of its content, hexadecimal.
        mode: permission bits.
        modified: nanoseconds UTC; None of a file of a source snapshot, whose time says nothing.
    """

    path: str
    size: int
    sha256: str
    mode: int
    modified: int | None


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """One run in an archive.

    Attributes:
        run_id: its id.
        events: all of its stream, in order: `type`, `version`, `body` (None when redacted), `body_hash`, and of the
            transaction `txn_id`, `origin_id`, `time` (microseconds UTC) and `header` (None when redacted).
        files: its files, by path.
        links: paths and targets of its symbolic links, which stay inside the run directory.
        folders: its folders that hold nothing.
        left_out: paths of what the archive does not hold, and why.
    """

    run_id: RunId
    events: tuple[Mapping[str, Value], ...]
    files: tuple[ArchivedFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class ArchivedSnapshot:
    """The source code of runs in an archive, once however many of them used it.

    Attributes:
        digest: what names it, see `source_manifest`.
        files: its files, by path.
        links: paths and targets of its symbolic links, which stay inside.
    """

    digest: str
    files: tuple[ArchivedFile, ...]
    links: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def source_files(self) -> list[SourceFile]:
        """Return what its digest and its manifest are made of."""
        kinds = {mode: kind for kind, mode in SOURCE_MODES.items()}
        found = [SourceFile(file.path, kinds[file.mode], file.size, file.sha256) for file in self.files]
        for path, target in self.links:
            content = os.fsencode(target)
            found.append(SourceFile(path, "l", len(content), sha256(content).hexdigest()))
        return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        ledger_id: of the ledger that the runs were exported from, hexadecimal.
        program: name and version of the program that made it.
        runs: in the order in which they stand in it.
        sources: the source snapshots of these runs, by digest; behind them.
    """

    ledger_id: str
    program: str
    runs: tuple[ArchivedRun, ...]
    sources: tuple[ArchivedSnapshot, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(run.size for run in self.runs) + sum(snapshot.size for snapshot in self.sources)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return encode(
            {
                "kind": _KIND,
                "format": FORMAT,
                "ledger_id": self.ledger_id,
                "program": self.program,
                "runs": [_run_value(run) for run in self.runs],
                "sources": [_snapshot_value(snapshot) for snapshot in self.sources],
            }
        )


def _run_value(run: ArchivedRun) -> dict[str, Value]:
    names = ("path", "size", "sha256", "mode", "modified")
    return {
        "id": run.run_id,
        "events": run.events,
        "files": [{name: getattr(file, name) for name in names} for file in run.files],
        "links": [{"path": path, "target": target} for path, target in run.links],
        "folders": run.folders,
        "left_out": [{"path": path, "why": why} for path, why in run.left_out],
    }


def _snapshot_value(snapshot: ArchivedSnapshot) -> dict[str, Value]:
    names = ("path", "size", "sha256", "mode")
    return {
        "digest": snapshot.digest,
        "files": [{name: getattr(file, name) for name in names} for file in snapshot.files],
        "links": [{"path": path, "target": target} for path, target in snapshot.links],
    }


def read_manifest(data: bytes) -> Manifest:
    """Return the list of an archive.

    Raises:
        RunArchiveError: it is none, of a newer format, or names what no archive may hold.
    """
    try:
        value = decode(data)
    except LedgerError as error:
        raise RunArchiveError(f"its list of runs cannot be read: {error.message}") from error
    if not isinstance(value, dict) or value.get("kind") != _KIND:
        raise RunArchiveError("it is not an archive of runs")
    found = value.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise RunArchiveError(f"it is of format {found}, made by a newer program", "Update guild-ledger.")
    if found not in FORMATS:
        raise senseless("format")
    ledger_id, program = text_of(value, "ledger_id"), text_of(value, "program")
    if not is_run_id(ledger_id):
        raise senseless("ledger_id")
    runs = tuple(_run(one) for one in mappings_of(value, "runs"))
    if not runs:
        raise RunArchiveError("it holds no run")
    refuse_twice((run.run_id for run in runs), "run")
    sources = tuple(_snapshot(one) for one in mappings_of(value, "sources")) if found != 1 else ()
    refuse_twice((snapshot.digest for snapshot in sources), "source snapshot")
    return Manifest(ledger_id, program, runs, sources)


def _run(value: Mapping[str, Value]) -> ArchivedRun:
    run_id = text_of(value, "id")
    if not is_run_id(run_id):
        raise RunArchiveError(f"'{printable(run_id, 80)}' in it is no run ID")
    run = ArchivedRun(
        RunId(run_id),
        tuple(mappings_of(value, "events")),
        tuple(_file(one) for one in mappings_of(value, "files")),
        tuple((text_of(one, "path"), text_of(one, "target")) for one in mappings_of(value, "links")),
        tuple(texts_of(value, "folders")),
        tuple((text_of(one, "path"), text_of(one, "why")) for one in mappings_of(value, "left_out")),
    )
    _check_paths(run.files, run.links, run.folders, "the run directory")
    return run


def _file(value: Mapping[str, Value]) -> ArchivedFile:
    return ArchivedFile(
        text_of(value, "path"),
        number_of(value, "size", 0, _LATEST),
        digest_of(value, "sha256"),
        number_of(value, "mode", 0, _MODES),
        number_of(value, "modified", -_LATEST, _LATEST),
    )


def _snapshot(value: Mapping[str, Value]) -> ArchivedSnapshot:
    snapshot = ArchivedSnapshot(
        digest_of(value, "digest"),
        tuple(_source_file(one) for one in mappings_of(value, "files")),
        tuple((text_of(one, "path"), text_of(one, "target")) for one in mappings_of(value, "links")),
    )
    _check_paths(snapshot.files, snapshot.links, (), "the folder of its source snapshot")
    try:
        is_right = snapshot_digest(snapshot.source_files()) == snapshot.digest
    except UnicodeEncodeError:  # a name that no file system can have
        is_right = False
    if not is_right:
        raise RunArchiveError(f"source snapshot {snapshot.digest[:8]} in it is not what its digest says")
    return snapshot


def _source_file(value: Mapping[str, Value]) -> ArchivedFile:
    mode = number_of(value, "mode", 0, _MODES)
    if mode not in SOURCE_MODES.values():
        raise senseless("mode")
    size = number_of(value, "size", 0, _LATEST)
    return ArchivedFile(text_of(value, "path"), size, digest_of(value, "sha256"), mode, None)


def _check_paths(
    listed: Sequence[ArchivedFile], links: Sequence[tuple[str, str]], folders: Sequence[str], top: str
) -> None:
    """Refuse names that cannot all be below one folder, or that lead out of it."""
    taken = [*(file.path for file in listed), *(path for path, _ in links)]
    for path in (*taken, *folders):
        check_path(path)
    refuse_twice((*taken, *folders), "path")
    others = set(taken)
    for path in (*taken, *folders):
        folder = os.path.dirname(path)
        while folder:
            if folder in others:
                raise RunArchiveError(f"'{printable(folder)}' in it is both a folder and something else")
            folder = os.path.dirname(folder)
    for path, target in links:
        if not target or "\0" in target or not stays_inside(path, target):
            raise RunArchiveError(f"'{printable(path)}' in it is a link out of {top}, to '{printable(target)}'")
