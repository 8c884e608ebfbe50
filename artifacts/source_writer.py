"""Writing a source snapshot, durably: under a name of its own, and renamed when all of it is there."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from artifacts.places import sync_folder
from artifacts.removal import remove_tree
from artifacts.source_manifest import SOURCE_MODES
from ledger.seams import seam

_STALE_SECONDS = 24 * 60 * 60
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Writer:
    """Writes one snapshot, durably: what is reused for ever must not be half a file after a power cut."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: set[str] = set()
        self._make(folder)
        self._make(os.path.join(folder, "files"))

    def add(self, path: str, kind: str, data: bytes) -> None:
        """Write one file; `kind` is that of `SourceFile`."""
        target = os.path.join(self._folder, "files", path)
        self._make(os.path.dirname(target))
        seam("sources.write")
        if kind == "l":
            os.symlink(os.fsdecode(data), target)
        else:
            _write_file(target, data, SOURCE_MODES[kind])

    def finish(self, manifest: bytes) -> None:
        """Write the manifest, and make all folders durable."""
        seam("sources.manifest")
        _write_file(os.path.join(self._folder, "manifest"), manifest, SOURCE_MODES["f"])
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


def publish(folder: str, target: str) -> None:
    """Give a finished snapshot its name, unless another process did meanwhile.

    Raises:
        OSError: the system could not.
    """
    seam("sources.rename")
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    seam("sources.sync")
    sync_folder(os.path.dirname(target))


def clear_stale(sources_dir: str) -> None:
    """Remove what snapshots that were interrupted more than a day ago left behind."""
    now = time.time()
    for name in os.listdir(sources_dir):
        path = os.path.join(sources_dir, name)
        with suppress(OSError):
            if is_stale(path, now):
                seam("sources.clear")
                remove_tree(path)


def is_stale(path: str, now: float) -> bool:
    """Tell whether a folder was left by a snapshot that was interrupted more than a day before `now`, in seconds."""
    if not os.path.basename(path).startswith(".new-"):
        return False
    return os.path.lexists(path) and os.lstat(path).st_mtime < now - _STALE_SECONDS
