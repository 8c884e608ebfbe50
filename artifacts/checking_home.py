"""A look at a home's folders: are they there, can they be used, do they lie on one local file system."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from artifacts.findings import Finding, shell_word
from artifacts.home import Home

AREA = "home"
_REMOTE = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "9p",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "gpfs",
        "pvfs2",
    )
)
_REMOTE_FUSE = ("sshfs", "s3fs", "gcsfuse", "glusterfs", "rclone", "davfs", "juicefs", "ceph", "blobfuse", "goofys")
_MOUNTS = "/proc/self/mountinfo"


def check_home(home: Home, mounts: bytes | None = None) -> Iterator[Finding]:
    """Yield what is wrong with the folders of a home that is there.

    Args:
        home: the home.
        mounts: what Linux says of mounted file systems; None asks it.
    """
    yield from _network(home, file_system(home.root, mounts))
    status = os.stat(home.root)
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        yield _note(
            home.root, "belongs to another user", "Use a home of your own, unless this one is shared on purpose."
        )
    elif status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        yield _note(
            home.root,
            f"can be entered by other users (mode {mode:o}), and holds command lines and outputs",
            f"`chmod 700 {shell_word(home.root)}`, unless it is shared on purpose.",
        )
    if not os.access(home.root, os.W_OK | os.X_OK):
        yield _note(
            home.root, "is read-only for you: runs can be looked at, nothing can be recorded", "Have it made writable."
        )
        return
    for folder in home.folders():
        yield from _check_folder(folder)
    yield from _check_devices(home)


def _check_folder(folder: str) -> Iterator[Finding]:
    if not os.path.lexists(folder):
        yield Finding(
            AREA, "this folder of the home is missing", "The next command that needs it makes it.", folder,
            is_problem=False, mend="folders",
        )  # fmt: skip
    elif not os.path.isdir(folder):
        yield Finding(AREA, "this should be a folder", "Move what stands in its place elsewhere.", folder)
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            AREA,
            "you may not write in this folder",
            f"`chmod u+rwx {shell_word(folder)}`, or have its owner do it.",
            folder,
        )


def _check_devices(home: Home) -> Iterator[Finding]:
    """Yield the folders between which a run directory cannot be renamed."""
    folders = [folder for folder in (home.runs_dir, home.trash_dir, home.purging_dir) if os.path.isdir(folder)]
    devices = {folder: os.stat(folder).st_dev for folder in folders}
    for folder in folders[1:]:
        if devices[folder] != devices[folders[0]]:
            yield Finding(
                AREA,
                f"this folder and {folders[0]!r} lie on different file systems, so runs cannot be deleted or restored",
                "Put runs, trash and purging on one file system: a link or a mount for the whole home, not for a part.",
                folder,
            )


def _network(home: Home, kind: str | None) -> Iterator[Finding]:
    if kind is not None and is_remote(kind):
        yield Finding(
            AREA,
            f"the home lies on a network file system ({kind}), where SQLite's write-ahead log and leases are not safe",
            "Put it on a local disk (-H PATH or GUILD_HOME); what is shared belongs in PostgreSQL (GUILD_LEDGER).",
            home.root,
        )


def is_remote(kind: str) -> bool:
    """Tell whether a type of file system is one over a network."""
    return kind in _REMOTE or (kind.startswith("fuse") and any(name in kind for name in _REMOTE_FUSE))


def file_system(path: str, mounts: bytes | None = None) -> str | None:
    """Return the type of the file system that `path` lies on, as Linux calls it; None where that is not known.

    Args:
        path: something that is there.
        mounts: the text of `/proc/self/mountinfo`; None reads it.
    """
    if mounts is None:
        try:
            with open(_MOUNTS, "rb") as file:
                mounts = file.read()
        except OSError:
            return None
    real = os.fsencode(os.path.realpath(path))
    found: tuple[int, bytes] | None = None
    for line in mounts.splitlines():
        left, dash, right = line.partition(b" - ")
        words = left.split(b" ")
        if not dash or len(words) < 5:  # noqa: PLR2004 - the fifth word is the mount point
            continue
        point = _unescaped(words[4])
        # Of several mounts on one folder the last one is what is seen.
        is_above = real == point or real.startswith(point.rstrip(b"/") + b"/")
        if is_above and (found is None or len(point) >= found[0]):
            found = len(point), right.split(b" ")[0]
    return None if found is None else os.fsdecode(found[1])


def _unescaped(point: bytes) -> bytes:
    for octal, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        point = point.replace(octal, byte)
    return point


def _note(path: str, what: str, remedy: str) -> Finding:
    return Finding(AREA, f"the home {what}", remedy, path, is_problem=False)
