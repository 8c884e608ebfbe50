"""Source snapshots: the code that a run used, kept once however many runs use it.

A snapshot lies at `sources/<digest>/`: the files below `files/`, read-only, and `manifest` (see `source_manifest`). It
is written under a name starting with `.new-` and renamed when it is complete: a crash leaves nothing but that folder,
which a snapshot taken a day later clears away, and of two processes that write the same one, one wins. One that exists
is never written again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from artifacts.home import Home
from artifacts.removal import remove_tree
from artifacts.source_listing import list_candidates
from artifacts.source_manifest import SourceFile, manifest_bytes, snapshot_digest
from artifacts.source_rules import (
    DEFAULT_RULES,
    LeftOut,
    PlannedFile,
    Reason,
    SnapshotRules,
    look_at,
    read_planned,
)
from artifacts.source_selection import CodeRules
from artifacts.source_writer import Writer, clear_stale, publish
from ledger.dataclass import dataclass
from ledger.seams import seam

if TYPE_CHECKING:
    from ledger.canonical import Value  # at run time it would bring a JSON library along

LEFT_OUT_KEPT = 100
"""So many of the things left out are told with a snapshot; the others are only counted."""


_Sink = Callable[[str, str, bytes], None]


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What a snapshot of a project would hold.

    Attributes:
        project: absolute path of the project, or of the folder in it that the rules name.
        files: nearest to its top first.
        left_out: everything of the project that would be missing, what git ignores last.
    """

    project: str
    files: tuple[PlannedFile, ...]
    left_out: tuple[LeftOut, ...]


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
    project: str,
    rules: SnapshotRules,
    env: Mapping[str, str],
    home: Home | None = None,
    code: CodeRules | None = None,
) -> SnapshotPlan | SnapshotFailure:
    """Say what a snapshot of `project` would hold; nothing is read or written but names and sizes.

    Args:
        project: absolute path of the project's folder.
        rules: the limits.
        env: the user's environment, for git.
        home: the home of runs, left aside when it lies in the project.
        code: what is taken and below which folder; None for the usual.
    """
    if code is not None:
        project = os.path.normpath(os.path.join(project, code.root))
    try:
        candidates = list_candidates(project, rules, env, home.root if home else None, code)
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
    home: Home,
    project: str,
    env: Mapping[str, str],
    rules: SnapshotRules = DEFAULT_RULES,
    code: CodeRules | None = None,
) -> Snapshot | SnapshotFailure | None:
    """Make sure that the home holds a snapshot of `project` as it is now, and return what it is called.

    None when `code` says that there is to be none.

    Files that vanish or cannot be read meanwhile are left out. Never raises because of the file system.

    Args:
        home: where snapshots are kept.
        project: absolute path of the project's folder.
        env: the user's environment, for git.
        rules: the limits.
        code: what is taken and below which folder; None for the usual.
    """
    if code is not None and not code.enabled:
        return None
    plan = plan_snapshot(project, rules, env, home, code)
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


def _important_first(left_out: list[LeftOut]) -> tuple[LeftOut, ...]:
    """Put what the user may be surprised to miss before what they told git, or guild, to leave out."""
    return tuple(sorted(left_out, key=lambda item: item.reason in {Reason.IGNORED, Reason.RULED_OUT}))


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
    clear_stale(home.sources_dir)
    folder = os.path.join(home.sources_dir, ".new-" + os.urandom(8).hex())
    try:
        writer = Writer(folder)
        files, missed = _collect(plan, rules, writer.add)
        writer.finish(manifest_bytes(files))
        publish(folder, os.path.join(home.sources_dir, snapshot_digest(files)))
    finally:
        with suppress(OSError):
            remove_tree(folder)  # there is nothing when it was published
    return files, missed
