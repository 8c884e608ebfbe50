"""Which files may be part of a source snapshot: the limits, the names left aside, and a last look at each file.

Folders are left aside by name only where that name never means code. `build`, `dist` and `env` do hold code in
some projects.
"""

from __future__ import annotations

import errno
import os
import stat
from enum import StrEnum

from artifacts.links import stays_inside
from ledger.dataclass import dataclass

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SKIPPED_FOLDERS = (
    *(".git", ".hg", ".svn", ".guild", ".venv", "venv", "node_modules", "*.egg-info"),
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", ".tox", ".nox"),
)
_SECRET_FILES = (
    *(".env", ".env.local", ".env.development", ".env.production", ".env.staging", ".env.test", ".netrc", ".pypirc"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore"),
    *(".git-credentials", ".htpasswd", "credentials", "credentials.json"),
)


class Reason(StrEnum):
    """Why something of the project is not in its snapshot."""

    IGNORED = "ignored by git"
    RULED_OUT = "left out by a rule"
    """By `.guildignore`, or by the source code rules of the operation or its model."""
    LARGE = "large"
    TOO_MANY = "too many"
    """More files, or more bytes together, than a snapshot holds."""
    LINK = "link"
    """A link out of the project, or one whose way cannot be told from its text."""
    SPECIAL = "special"
    """A pipe, socket or device."""
    SECRET = "secret"  # noqa: S105 - not a password, a reason
    """A file whose name says that it holds passwords or private keys."""
    UNREADABLE = "unreadable"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the project that is not in its snapshot.

    Attributes:
        path: relative to the project; a folder ends with `/`.
        reason: why.
        bytes: its size; None for folders and what could not be looked at.
    """

    path: str
    reason: Reason
    bytes: int | None


@dataclass(frozen=True, slots=True)
class SnapshotRules:
    """The limits of a snapshot.

    Attributes:
        max_file_bytes: size of the largest file that is taken.
        max_files: how many files are taken at most.
        max_bytes: their size together, at most.
        max_seen: outside git, how many entries are looked at before the folders that are left are not.
        git_seconds: how long git may take to list a project.
        skipped_folders: folders that are never source and not reported either: names, or `*` and an ending.
        secret_files: files that are left out because of what they hold, given likewise.
    """

    max_file_bytes: int = 1 << 20
    max_files: int = 2_000
    max_bytes: int = 50 << 20
    max_seen: int = 10_000
    git_seconds: float = 5.0
    skipped_folders: tuple[str, ...] = _SKIPPED_FOLDERS
    secret_files: tuple[str, ...] = _SECRET_FILES

    def is_skipped(self, name: str) -> bool:
        """Tell whether a folder of this name is left aside."""
        return _matches(name, self.skipped_folders)

    def is_secret(self, name: str) -> bool:
        """Tell whether a file of this name is taken to hold secrets."""
        return _matches(name, self.secret_files)


DEFAULT_RULES = SnapshotRules()


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that a snapshot would hold.

    Attributes:
        path: relative to the project.
        size: in bytes, when it was planned; 0 for a link.
        is_link: whether it is a symbolic link, kept as such.
    """

    path: str
    size: int
    is_link: bool


def look_at(project: str, path: str, rules: SnapshotRules) -> PlannedFile | LeftOut | None:
    """Decide about one candidate; None when nothing is there (git still lists what was removed by hand)."""
    full = os.path.join(project, path)
    try:
        status = os.lstat(full)
        target = os.readlink(full) if stat.S_ISLNK(status.st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return LeftOut(path, Reason.UNREADABLE, None)
    reason = _reason_against(path, status, target, rules)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return PlannedFile(path, size, target is not None) if reason is None else LeftOut(path, reason, size)


def _reason_against(path: str, status: os.stat_result, target: str | None, rules: SnapshotRules) -> Reason | None:
    if target is not None:
        return None if stays_inside(path, target) else Reason.LINK
    if not stat.S_ISREG(status.st_mode):
        return Reason.SPECIAL
    if rules.is_secret(os.path.basename(path)):
        return Reason.SECRET
    return Reason.LARGE if status.st_size > rules.max_file_bytes else None


def read_planned(project: str, planned: PlannedFile, rules: SnapshotRules) -> tuple[str, bytes] | LeftOut:
    """Return (kind, content) of a planned file, or why it cannot be had any more."""
    path = planned.path
    full = os.path.join(project, path)
    try:
        if planned.is_link:
            target = os.readlink(full)
            return ("l", os.fsencode(target)) if stays_inside(path, target) else LeftOut(path, Reason.LINK, 0)
        fd = os.open(full, _READ_FLAGS)
    except OSError as error:
        return LeftOut(path, _reason(error), None)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return LeftOut(path, Reason.SPECIAL, None)
        data = _read_up_to(fd, rules.max_file_bytes + 1)
    except OSError as error:
        return LeftOut(path, _reason(error), None)
    finally:
        os.close(fd)
    if len(data) > rules.max_file_bytes:
        return LeftOut(path, Reason.LARGE, status.st_size)
    return ("x" if status.st_mode & stat.S_IXUSR else "f"), data


def _read_up_to(fd: int, limit: int) -> bytes:
    chunks = []
    while limit > 0 and (chunk := os.read(fd, limit)):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


def _reason(error: OSError) -> Reason:
    """Say why a planned file could not be read: some errors tell that it has become something else."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EINVAL}:
        return Reason.VANISHED
    if error.errno == errno.ELOOP:
        return Reason.LINK
    return Reason.SPECIAL if error.errno == errno.ENXIO else Reason.UNREADABLE


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name.endswith(p[1:]) if p.startswith("*") else name == p for p in patterns)
