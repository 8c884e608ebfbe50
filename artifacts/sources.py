r"""Source snapshots: the code that a run used, kept once however many runs use it.

A snapshot lies at `sources/<digest>/`: the files below `files/`, read-only, and `manifest`, one line for each
of them:

    sha256 of the content, two spaces, kind, two spaces, size in bytes, two spaces, path

The kind is `f` (file), `x` (executable file) or `l` (symbolic link, whose content is its target). In the
path, a backslash is doubled, and control characters and bytes that are not UTF-8 are written `\xNN`.

The digest is the SHA-256 of the bytes `guild source snapshot 1` and a zero byte, followed for each file, in
the order of the bytes of their paths, by: the length of the path as 8 bytes big-endian, the path, the kind as
one byte, the 32 bytes of the SHA-256 of the content. So equal code has an equal digest on every machine, and
a snapshot that exists is never written again.

A snapshot is written under a name starting with `.new-` and renamed when it is complete: a crash leaves
nothing but that folder, which a snapshot taken a day later clears away, and of two processes that write the
same one, one wins.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artifacts.home import Home
from artifacts.places import sync_folder
from artifacts.removal import remove_tree
from artifacts.source_rules import (
    DEFAULT_RULES,
    LeftOut,
    PlannedFile,
    Reason,
    SnapshotRules,
    list_candidates,
    look_at,
    read_planned,
)
from ledger.errors import GuildError
from ledger.seams import seam

if TYPE_CHECKING:
    from ledger.canonical import Value  # at run time it would bring a JSON library along

LEFT_OUT_KEPT = 100
"""So many of the things left out are told with a snapshot; the others are only counted."""

_DOMAIN = b"guild source snapshot 1\0"
_STALE_SECONDS = 24 * 60 * 60
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODES = {"f": 0o444, "x": 0o555}
_FIELDS = 4

_Sink = Callable[[str, str, bytes], None]


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What a snapshot of a project would hold.

    Attributes:
        project: absolute path of the project.
        files: nearest to its top first.
        left_out: everything of the project that would be missing, what git ignores last.
    """

    project: str
    files: tuple[PlannedFile, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file in a snapshot.

    Attributes:
        path: relative to the project.
        kind: `f` for a file, `x` for an executable one, `l` for a symbolic link.
        size: in bytes.
        sha256: of its content, hexadecimal.
    """

    path: str
    kind: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that lies in the home.

    Attributes:
        digest: names it, 64 hexadecimal digits.
        files: how many it holds.
        bytes: their size together.
        left_out: the first `LEFT_OUT_KEPT` of what is missing.
        left_out_count: how much is missing altogether, a folder counting as one.
    """

    digest: str
    files: int
    bytes: int
    left_out: tuple[LeftOut, ...]
    left_out_count: int

    def to_body(self) -> dict[str, Value]:
        """Return it as it is recorded with a run."""
        left_out = [{"path": x.path, "reason": x.reason.value, "bytes": x.bytes} for x in self.left_out]
        return {
            "digest": self.digest,
            "files": self.files,
            "bytes": self.bytes,
            "left_out": left_out,
            "left_out_count": self.left_out_count,
        }


@dataclass(frozen=True, slots=True)
class SnapshotFailure:
    """There is no snapshot. A run starts nevertheless, and records why.

    Attributes:
        reason: one sentence without a full stop.
    """

    reason: str

    def to_body(self) -> dict[str, Value]:
        """Return it as it is recorded with a run."""
        return {"failure": self.reason}


def plan_snapshot(
    project: str, rules: SnapshotRules, env: Mapping[str, str], home: Home | None = None
) -> SnapshotPlan | SnapshotFailure:
    """Say what a snapshot of `project` would hold; nothing is read or written but names and sizes.

    Args:
        project: absolute path of the project's folder.
        rules: the limits.
        env: the user's environment, for git.
        home: the home of runs, left aside when it lies in the project.
    """
    try:
        candidates = list_candidates(project, rules, env, home.root if home else None)
    except OSError as error:
        return SnapshotFailure(f"the project {project!r} cannot be listed: {error.strerror}")
    if candidates is None:
        return SnapshotFailure(f"git did not list the files of the project within {rules.git_seconds:g} s")
    files: list[PlannedFile] = []
    left_out, size = list(candidates.left_out), 0
    for path in candidates.paths:
        if len(files) >= rules.max_files:
            left_out.append(LeftOut(path, Reason.TOO_MANY, None))
            continue
        found = look_at(project, path, rules)
        if isinstance(found, PlannedFile) and size + found.size > rules.max_bytes:
            found = LeftOut(path, Reason.TOO_MANY, found.size)
        if isinstance(found, LeftOut):
            left_out.append(found)
        elif found is not None:
            files.append(found)
            size += found.size
    return SnapshotPlan(project, tuple(files), _important_first(left_out))


def take_snapshot(
    home: Home, project: str, env: Mapping[str, str], rules: SnapshotRules = DEFAULT_RULES
) -> Snapshot | SnapshotFailure:
    """Make sure that the home holds a snapshot of `project` as it is now, and return what it is called.

    Files that vanish or cannot be read meanwhile are left out. Never raises because of the file system.

    Args:
        home: where snapshots are kept.
        project: absolute path of the project's folder.
        env: the user's environment, for git.
        rules: the limits.
    """
    plan = plan_snapshot(project, rules, env, home)
    if isinstance(plan, SnapshotFailure):
        return plan
    files, missed = _collect(plan, rules, _discard)
    digest = snapshot_digest(files)
    if not os.path.isdir(os.path.join(home.sources_dir, digest)):
        try:
            # Read anew, so that not all of it has to be in memory; the digest is that of the bytes written.
            files, missed = _store(home, plan, rules)
        except OSError as error:
            return SnapshotFailure(f"the source code could not be copied: {error.strerror or error}")
        digest = snapshot_digest(files)
    left_out = _important_first([*plan.left_out, *missed])
    size = sum(file.size for file in files)
    return Snapshot(digest, len(files), size, left_out[:LEFT_OUT_KEPT], len(left_out))


def snapshot_dir(home: Home, digest: str) -> str:
    """Return the folder of a snapshot.

    Raises:
        GuildError: `digest` is not 64 lowercase hexadecimal digits.
    """
    if re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise GuildError(f"{digest!r} is not the digest of a source snapshot")
    return os.path.join(home.sources_dir, digest)


def read_manifest(home: Home, digest: str) -> tuple[SourceFile, ...]:
    """Return what a snapshot holds, in the order of the bytes of the paths.

    Raises:
        GuildError: there is no such snapshot, or its manifest is damaged.
    """
    path = os.path.join(snapshot_dir(home, digest), "manifest")
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return tuple(_parse_line(line) for line in file.read().split("\n")[:-1])
    except FileNotFoundError:
        raise GuildError(f"there is no source snapshot {digest}") from None
    except (OSError, ValueError) as error:
        raise GuildError(f"the manifest of source snapshot {digest} cannot be read: {error}") from error


def snapshot_digest(files: list[SourceFile]) -> str:
    """Return the digest of a snapshot that holds `files`; their order does not matter."""
    import hashlib

    digest = hashlib.sha256(_DOMAIN)
    for path, file in sorted((os.fsencode(file.path), file) for file in files):
        digest.update(len(path).to_bytes(8, "big") + path + file.kind.encode() + bytes.fromhex(file.sha256))
    return digest.hexdigest()


def _important_first(left_out: list[LeftOut]) -> tuple[LeftOut, ...]:
    """Put what the user may be surprised to miss before what they told git to ignore."""
    return tuple(sorted(left_out, key=lambda item: item.reason is Reason.IGNORED))


def _collect(plan: SnapshotPlan, rules: SnapshotRules, sink: _Sink) -> tuple[list[SourceFile], list[LeftOut]]:
    """Read the planned files, hand each to `sink` as (path, kind, content); tell what could not be read."""
    import hashlib

    files: list[SourceFile] = []
    missed: list[LeftOut] = []
    for planned in plan.files:
        content = read_planned(plan.project, planned, rules)
        if isinstance(content, LeftOut):
            missed.append(content)
            continue
        kind, data = content
        sink(planned.path, kind, data)
        files.append(SourceFile(planned.path, kind, len(data), hashlib.sha256(data).hexdigest()))
    return files, missed


def _discard(_path: str, _kind: str, _data: bytes) -> None:
    """Keep nothing."""


def _store(home: Home, plan: SnapshotPlan, rules: SnapshotRules) -> tuple[list[SourceFile], list[LeftOut]]:
    """Write the snapshot and publish it, unless another process did meanwhile."""
    seam("sources.mkdir")
    os.makedirs(home.sources_dir, mode=0o700, exist_ok=True)
    _clear_stale(home.sources_dir)
    folder = os.path.join(home.sources_dir, ".new-" + os.urandom(8).hex())
    try:
        writer = _Writer(folder)
        files, missed = _collect(plan, rules, writer.add)
        writer.finish(files)
        _publish(folder, os.path.join(home.sources_dir, snapshot_digest(files)))
    finally:
        with suppress(OSError):
            remove_tree(folder)  # there is nothing when it was published
    return files, missed


class _Writer:
    """Writes one snapshot, durably: what is reused for ever must not be half a file after a power cut."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: set[str] = set()
        self._make(folder)
        self._make(os.path.join(folder, "files"))

    def add(self, path: str, kind: str, data: bytes) -> None:
        target = os.path.join(self._folder, "files", path)
        self._make(os.path.dirname(target))
        seam("sources.write")
        if kind == "l":
            os.symlink(os.fsdecode(data), target)
        else:
            _write_file(target, data, _MODES[kind])

    def finish(self, files: list[SourceFile]) -> None:
        lines = [_format_line(file) for file in sorted(files, key=lambda file: os.fsencode(file.path))]
        seam("sources.manifest")
        _write_file(os.path.join(self._folder, "manifest"), "".join(lines).encode(), _MODES["f"])
        for folder in self._made:
            seam("sources.sync")
            sync_folder(folder)

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            if folder != self._folder:
                self._make(os.path.dirname(folder))
            seam("sources.mkdir")
            os.mkdir(folder, 0o700)
            self._made.add(folder)


def _write_file(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, _WRITE_FLAGS, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _publish(folder: str, target: str) -> None:
    seam("sources.rename")
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    seam("sources.sync")
    sync_folder(os.path.dirname(target))


def _clear_stale(sources_dir: str) -> None:
    """Remove what snapshots that were interrupted more than a day ago left behind."""
    oldest = time.time() - _STALE_SECONDS
    for name in os.listdir(sources_dir):
        path = os.path.join(sources_dir, name)
        if name.startswith(".new-"):
            with suppress(OSError):
                if os.lstat(path).st_mtime < oldest:
                    seam("sources.clear")
                    remove_tree(path)


def _format_line(file: SourceFile) -> str:
    return f"{file.sha256}  {file.kind}  {file.size}  {_escape(file.path)}\n"


def _parse_line(line: str) -> SourceFile:
    parts = line.split("  ", _FIELDS - 1)
    if len(parts) != _FIELDS:
        raise ValueError(f"not a line of a manifest: {line!r}")
    sha256, kind, size, path = parts
    return SourceFile(_unescape(path), kind, int(size), sha256)


def _escape(path: str) -> str:
    r"""Make a path fit for a line of text; bytes that are not UTF-8 are low surrogates here."""
    escaped = path.replace("\\", "\\\\")
    return re.sub("[\x00-\x1f\x7f\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", escaped)


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] is None:
            return "\\"
        byte = int(match[1], 16)
        return chr(byte if byte < 0x80 else 0xDC00 + byte)  # noqa: PLR2004 - beyond ASCII

    return re.sub(r"\\\\|\\x([0-9a-f]{2})", character, text)
