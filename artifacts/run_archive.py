"""The list that an archive of runs begins with: which runs, their events, and every file with its size and digest.

All that is unpacked later is held to this list, so it is checked before anything else: what it names cannot lead out of
a run directory, cannot be two things at once, and can be written by the system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from artifacts.links import stays_inside
from ledger.canonical import Value, decode, encode
from ledger.dataclass import dataclass
from ledger.errors import GuildError, LedgerError
from ledger.ids import RunId, is_run_id
from ledger.text import printable

T = TypeVar("T")

MANIFEST = "guild-runs.json"
"""The first member of every archive of runs."""

TOP = "runs/"
"""What the names of all other members begin with; then come run id and path."""

FORMAT = 1
LARGEST_MANIFEST = 256 << 20
"""Bytes."""

_DAMAGED = "Nothing was imported. Get the archive again from where it was made."
_KIND = "guild-runs"
_LONGEST_NAME = 255  # bytes: what every file system in use has
_LONGEST_PATH = 4000  # bytes; the home's own path comes before it, and Linux takes 4,096
_DIGEST_DIGITS = 64
_LATEST = 1 << 62
_MODES = 0o777


class RunArchiveError(GuildError):
    """An archive of runs is refused: nothing of it was taken in."""

    def __init__(self, message: str, hint: str = _DAMAGED) -> None:
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A regular file of a run.

    Attributes:
        path: relative to the run directory.
        size: bytes.
        sha256: of its content, hexadecimal.
        mode: permission bits.
        modified: nanoseconds UTC.
    """

    path: str
    size: int
    sha256: str
    mode: int
    modified: int


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
class Manifest:
    """What an archive says of itself.

    Attributes:
        ledger_id: of the ledger that the runs were exported from, hexadecimal.
        program: name and version of the program that made it.
        runs: in the order in which they stand in it.
    """

    ledger_id: str
    program: str
    runs: tuple[ArchivedRun, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return encode(
            {
                "kind": _KIND,
                "format": FORMAT,
                "ledger_id": self.ledger_id,
                "program": self.program,
                "runs": [_run_value(run) for run in self.runs],
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
    if found != FORMAT:
        raise _senseless("format")
    ledger_id, program = _text(value, "ledger_id"), _text(value, "program")
    if not is_run_id(ledger_id):
        raise _senseless("ledger_id")
    runs = tuple(_run(one) for one in _mappings(value, "runs"))
    if not runs:
        raise RunArchiveError("it holds no run")
    _refuse_twice((run.run_id for run in runs), "run")
    return Manifest(ledger_id, program, runs)


def _run(value: Mapping[str, Value]) -> ArchivedRun:
    run_id = _text(value, "id")
    if not is_run_id(run_id):
        raise RunArchiveError(f"'{printable(run_id, 80)}' in it is no run ID")
    run = ArchivedRun(
        RunId(run_id),
        tuple(_mappings(value, "events")),
        tuple(_file(one) for one in _mappings(value, "files")),
        tuple((_text(one, "path"), _text(one, "target")) for one in _mappings(value, "links")),
        tuple(_texts(value, "folders")),
        tuple((_text(one, "path"), _text(one, "why")) for one in _mappings(value, "left_out")),
    )
    _check_paths(run)
    return run


def _file(value: Mapping[str, Value]) -> ArchivedFile:
    sha256 = _text(value, "sha256")
    if len(sha256) != _DIGEST_DIGITS or sha256.strip("0123456789abcdef"):
        raise _senseless("sha256")
    mode = _number(value, "mode", 0, _MODES)
    return ArchivedFile(
        _text(value, "path"),
        _number(value, "size", 0, _LATEST),
        sha256,
        mode,
        _number(value, "modified", -_LATEST, _LATEST),
    )


def _check_paths(run: ArchivedRun) -> None:
    files = [file.path for file in run.files]
    links = [path for path, _ in run.links]
    for path in (*files, *links, *run.folders):
        check_path(path)
    _refuse_twice((*files, *links, *run.folders), "path")
    taken = {*files, *links}
    for path in (*taken, *run.folders):
        folder = os.path.dirname(path)
        while folder:
            if folder in taken:
                raise RunArchiveError(f"'{printable(folder)}' in it is both a folder and something else")
            folder = os.path.dirname(folder)
    for path, target in run.links:
        if not target or "\0" in target or not stays_inside(path, target):
            raise RunArchiveError(
                f"'{printable(path)}' in it is a link out of the run directory, to '{printable(target)}'"
            )


def check_path(path: str) -> None:
    """Refuse a path that is not, as it is written, that of something below a run directory.

    Raises:
        RunArchiveError: see above; or the system could not take it.
    """
    parts = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise RunArchiveError(f"'{printable(path, 300)}' in it is not a path below a run directory")
    if max(map(_length, parts)) > _LONGEST_NAME or _length(path) > _LONGEST_PATH:
        raise RunArchiveError(f"'{printable(path, 60)}' in it has a name that is longer than the system takes")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _refuse_twice(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RunArchiveError(f"the {what} '{printable(name, 300)}' is in it twice")
        seen.add(name)


def _senseless(name: str) -> RunArchiveError:
    return RunArchiveError(f"its list of runs makes no sense: '{name}' is missing or of the wrong kind")


def _text(value: Mapping[str, Value], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise _senseless(name)
    return found


def _number(value: Mapping[str, Value], name: str, least: int, most: int) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise _senseless(name)
    return found


def _all(value: Mapping[str, Value], name: str, kind: type[T]) -> Iterator[T]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
        raise _senseless(name)
    yield from cast("list[T]", found)


def _mappings(value: Mapping[str, Value], name: str) -> Iterator[Mapping[str, Value]]:
    return _all(value, name, dict)


def _texts(value: Mapping[str, Value], name: str) -> Sequence[str]:
    return list(_all(value, name, str))
