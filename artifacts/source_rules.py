"""Which files of a project are its source code: the limits, the names left aside, and how files are found.

In a git work tree git is asked, because the user has told git what is source. Elsewhere the folder is walked,
nearest files first and only so far: a project may be a home directory with a million files. Folders are left
aside by name only where that name never means code. `build`, `dist` and `env` do hold code in some projects;
an `env` that is a virtual or conda environment is known by what is in it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from artifacts.git_info import find_repository, finish_git, start_git

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
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")


class Reason(StrEnum):
    """Why something of the project is not in its snapshot."""

    IGNORED = "ignored by git"
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


@dataclass(frozen=True, slots=True)
class Candidates:
    """The files that may be source.

    Attributes:
        paths: relative to the project, nearest to its top first, then by name; each once.
        left_out: what was left out while looking.
    """

    paths: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def list_candidates(project: str, rules: SnapshotRules, env: Mapping[str, str], home: str | None) -> Candidates | None:
    """Find the files of `project` that may be source; None when git did not list them in time.

    Args:
        project: absolute path of a folder.
        rules: the limits.
        env: the user's environment, for git.
        home: root of the home of runs, which is no source even when it lies in the project.

    Raises:
        OSError: the project cannot be listed.
    """
    inside = _home_inside(project, home)
    repository = find_repository(project)
    if repository is not None:
        # Git takes an anchored pattern from the top of the repository, wherever it is called.
        excludes = _git_excludes(rules, _home_inside(repository, home))
        listed = _list_with_git(project, rules, env, inside, excludes)
        if listed is None:
            return None
        # Nothing at all: git refuses the repository, or an outer one (of dotfiles, say) ignores the project.
        if listed.paths:
            return listed
    paths, left_out = _walk(project, "", rules, inside)
    return Candidates(tuple(_nearest_first(paths)), tuple(left_out))


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


def stays_inside(path: str, target: str) -> bool:
    """Tell whether a link at `path` leads to a place inside the project.

    Only `..` at the start of the target can be understood without looking: after a name, which may be a link
    itself, it could lead anywhere.
    """
    parts = [part for part in target.split("/") if part not in {"", "."}]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    return not target.startswith("/") and ups <= path.count("/") and ".." not in parts[ups:]


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


def _list_with_git(
    project: str, rules: SnapshotRules, env: Mapping[str, str], inside: str | None, excludes: list[str]
) -> Candidates | None:
    """Ask git for its files and, at the same time, for what it ignores."""
    listing = ["ls-files", "-z", "--exclude-standard", *excludes]
    deadline = time.monotonic() + rules.git_seconds
    files = start_git(project, env, [*listing, "-co"])
    ignored = start_git(project, env, [*listing, "-oi", "--directory"])
    if files is None or ignored is None:
        return Candidates((), ())
    finish_git([files, ignored], deadline)
    if files.code is None:
        return None
    if files.code != 0:
        return Candidates((), ())
    paths, left_out = _with_nested(project, rules, _names(files.output), inside)
    left_out += _ignored(project, rules, _names(ignored.output) if ignored.code == 0 else [], inside)
    return Candidates(tuple(_nearest_first(paths)), tuple(left_out))


def _names(output: bytearray) -> list[str]:
    return [os.fsdecode(name) for name in bytes(output).split(b"\0") if name]


def _with_nested(
    project: str, rules: SnapshotRules, names: list[str], inside: str | None
) -> tuple[list[str], list[LeftOut]]:
    """Replace repositories inside the repository, whose files git does not list, by their files."""
    environments = tuple(
        os.path.dirname(name) + "/" for name in names if os.path.basename(name) == "pyvenv.cfg" and "/" in name
    )
    real = _RealFolders(project)
    paths: list[str] = []
    left_out: list[LeftOut] = []
    for name in dict.fromkeys(names):  # a file in a merge conflict is listed several times
        if (environments and name.startswith(environments)) or not real.has(os.path.dirname(name)):
            continue
        folder = name.rstrip("/")
        if _is_folder(os.path.join(project, folder)):
            found, missed = _walk(project, folder + "/", rules, inside)
            paths += found
            left_out += missed
        else:
            paths.append(folder)
    return paths, left_out


class _RealFolders:
    """Knows which folders of a project are reached without a link.

    Git goes on listing the files of a folder that was replaced by a link; they now lie outside.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self._known = {"": True}

    def has(self, folder: str) -> bool:
        """Tell whether `folder`, relative to the project, is real all the way."""
        if folder not in self._known:
            parent = self.has(os.path.dirname(folder))
            self._known[folder] = parent and _is_folder(os.path.join(self._project, folder))
        return self._known[folder]


def _ignored(project: str, rules: SnapshotRules, names: list[str], inside: str | None) -> Iterator[LeftOut]:
    """Report what git ignores, whole folders as one, without what is never source."""
    names = sorted(names)
    for name, following in zip(names, [*names, ""][1:], strict=True):
        # A folder that is not itself ignored is listed too when all in it is, before its contents.
        if name.endswith("/") and following.startswith(name):
            continue
        path = name.rstrip("/")
        if path != inside and not any(map(rules.is_skipped, path.split("/"))):
            size = None if name.endswith("/") else _size(os.path.join(project, name))
            yield LeftOut(name, Reason.IGNORED, size)


def _walk(project: str, top: str, rules: SnapshotRules, inside: str | None) -> tuple[list[str], list[LeftOut]]:
    """List the files below `top`, level by level, until enough was looked at."""
    paths: list[str] = []
    left_out: list[LeftOut] = []
    level, seen = [top], 0
    while level:
        following: list[str] = []
        for folder in level:
            if seen > rules.max_seen:
                left_out.append(LeftOut(folder, Reason.TOO_MANY, None))
                continue
            entries = _entries(project, folder, left_out)
            seen += len(entries)
            if folder != top and any(name in entries for name in _ENVIRONMENT_MARKS):
                continue
            for name, is_folder in entries.items():
                if not is_folder:
                    paths.append(folder + name)
                elif not rules.is_skipped(name) and folder + name != inside:
                    following.append(folder + name + "/")
        level = following
    return [path for path in paths if os.path.basename(path) != ".git"], left_out


def _entries(project: str, folder: str, left_out: list[LeftOut]) -> dict[str, bool]:
    """Return the names in a folder, sorted, and whether each is a folder itself."""
    try:
        with os.scandir(os.path.join(project, folder)) as entries:
            return dict(sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries))
    except OSError:
        if not folder:
            raise
        left_out.append(LeftOut(folder, Reason.UNREADABLE, None))
        return {}


def _nearest_first(paths: list[str]) -> list[str]:
    """Sort so that a cut takes from the deepest folders, and the script at the top stays."""
    return sorted(paths, key=lambda path: (path.count("/"), path))


def _home_inside(folder: str, home: str | None) -> str | None:
    """Return the home's path relative to a folder when it lies in there."""
    if home is None:
        return None
    relative = os.path.relpath(os.path.realpath(home), os.path.realpath(folder))
    return None if relative in {".", ".."} or relative.startswith("../") else relative


def _git_excludes(rules: SnapshotRules, home: str | None) -> list[str]:
    """Return options that keep git from walking through folders without source, as a home full of runs."""
    excludes = [f"--exclude={name}/" for name in rules.skipped_folders]
    if home is not None:
        escaped = "".join("\\" + letter if letter in "\\*?[!# " else letter for letter in home)
        excludes.append(f"--exclude=/{escaped}/")
    return excludes


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name.endswith(p[1:]) if p.startswith("*") else name == p for p in patterns)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _size(path: str) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None
