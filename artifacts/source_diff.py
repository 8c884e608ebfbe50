"""What differs between the source code of two runs: their snapshots file by file, verified as they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from artifacts.home import Home
from artifacts.line_diff import NOTHING, Text, text_of
from artifacts.run_files import open_file
from artifacts.source_manifest import SourceFile, read_manifest, snapshot_digest, snapshot_files_dir
from artifacts.source_rules import DEFAULT_RULES
from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable

_MOST = DEFAULT_RULES.max_file_bytes
"""No snapshot holds a larger file."""

_DAMAGED = "It was changed after it was made. A backup of the home, or an archive of the run, may have it whole."


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A file that differs between two snapshots.

    Attributes:
        change: `added`, `removed`, `changed` or `renamed` (the same content under another name).
        before: the file in the first; None for none.
        after: the file in the second.
    """

    change: str
    before: SourceFile | None
    after: SourceFile | None

    @property
    def path(self) -> str:
        """Its path, in the second snapshot if it is there."""
        file = self.after or self.before
        return "" if file is None else file.path


def snapshot_files(home: Home, digest: str) -> tuple[SourceFile, ...]:
    """Return what a snapshot holds.

    Raises:
        GuildError: there is no such snapshot, or its manifest is not the one that it was made with.
    """
    files = read_manifest(home, digest)
    if snapshot_digest(list(files)) != digest:
        raise GuildError(f"the manifest of source snapshot {digest} is damaged", hint=_DAMAGED)
    return files


def source_changes(before: Sequence[SourceFile], after: Sequence[SourceFile]) -> list[SourceChange]:
    """Return what differs between the files of two snapshots, in the order of the paths."""
    was, now = ({file.path: file for file in files} for files in (before, after))
    found = [
        SourceChange("changed", file, now[path])
        for path, file in was.items()
        if path in now and (file.sha256, file.kind) != (now[path].sha256, now[path].kind)
    ]
    gone: dict[tuple[str, str], list[SourceFile]] = {}
    for path, file in sorted(was.items(), reverse=True):
        if path not in now:
            gone.setdefault((file.sha256, file.kind), []).append(file)
    for path, file in sorted(now.items()):
        if path not in was:
            same = gone.get((file.sha256, file.kind))
            found.append(SourceChange("renamed", same.pop(), file) if same else SourceChange("added", None, file))
    found += [SourceChange("removed", file, None) for files in gone.values() for file in files]
    return sorted(found, key=lambda one: one.path)


def source_text(home: Home, digest: str, file: SourceFile | None) -> Text:
    """Return a file of a snapshot as a text, None as an empty one; of a link its target.

    Raises:
        GuildError: it is not there, or holds something else than when the snapshot was made.
    """
    if file is None:
        return NOTHING
    folder = snapshot_files_dir(home, digest)
    shown = printable(file.path)
    try:
        if file.kind == "l":
            data = os.fsencode(os.readlink(os.path.join(folder, file.path)))
        else:
            with open(open_file(folder, file.path), "rb") as opened:
                data = opened.read(_MOST + 1)
    except OSError as error:
        raise GuildError(f"'{shown}' of source snapshot {digest[:8]} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise GuildError(f"'{shown}' of source snapshot {digest[:8]} is not what was kept", hint=_DAMAGED)
    return text_of(b"-> " + data + b"\n" if file.kind == "l" else data)
