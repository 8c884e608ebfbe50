"""How the files of a project that may be source are found.

In a git work tree git is asked, because the user has told git what is source. Elsewhere the folder is walked,
nearest files first and only so far: a project may be a home directory with a million files. An environment of
Python is known by what is in it, whatever its name. Then comes what `.guildignore` and the operation say.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping

from artifacts.git_info import find_repository, finish_git, start_git
from artifacts.ignore_rules import IGNORE_FILE
from artifacts.source_rules import LeftOut, Reason, SnapshotRules
from artifacts.source_selection import NO_COPY_FILE, CodeRules, Selection
from ledger.dataclass import dataclass

_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The files that may be source.

    Attributes:
        paths: relative to the project, nearest to its top first, then by name; each once.
        left_out: what was left out while looking.
    """

    paths: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Search:
    """What stays the same while a project is searched: `inside` is the home's path in it, if it lies there."""

    project: str
    rules: SnapshotRules
    inside: str | None
    selection: Selection


def list_candidates(
    project: str, rules: SnapshotRules, env: Mapping[str, str], home: str | None, code: CodeRules | None = None
) -> Candidates | None:
    """Find the files of `project` that may be source; None when git did not list them in time.

    Args:
        project: absolute path of a folder.
        rules: the limits.
        env: the user's environment, for git.
        home: root of the home of runs, which is no source even when it lies in the project.
        code: what is taken of what is found; None for all but what `.guildignore` says.

    Raises:
        OSError: the project cannot be listed.
    """
    search = _Search(project, rules, _home_inside(project, home), Selection(project, code))
    search.selection.ignored.load("")
    repository = find_repository(project)
    if repository is not None:
        # Git takes an anchored pattern from the top of the repository, wherever it is called.
        excludes = _git_excludes(rules, _home_inside(repository, home))
        listed = _list_with_git(search, env, excludes)
        if listed is None:
            return None
        # Nothing at all: git refuses the repository, or an outer one (of dotfiles, say) ignores the project.
        if listed.paths:
            return _selected(search, listed)
    paths, left_out = _walk(search, "")
    found = Candidates(tuple(_nearest_first(paths)), tuple(left_out))
    return _selected(search, found)


def _selected(search: _Search, found: Candidates) -> Candidates:
    """Keep what is to be taken, also of what git ignores."""
    project, selection = search.project, search.selection
    marked = tuple(path.removesuffix(NO_COPY_FILE) for path in found.paths if path.endswith("/" + NO_COPY_FILE))
    if not selection and not marked:
        return found
    paths: list[str] = []
    left_out: list[LeftOut] = []
    for path in found.paths:
        if (marked and path.startswith(marked)) or not selection.keeps(path):
            left_out.append(LeftOut(path, Reason.RULED_OUT, _size(os.path.join(project, path))))
        else:
            paths.append(path)
    for item in found.left_out:
        again, rest = _readmitted(search, item) if item.reason is Reason.IGNORED else ([], True)
        paths += again
        if rest:
            left_out.append(item)
    return Candidates(tuple(_nearest_first(paths)), tuple(left_out))


def _readmitted(search: _Search, item: LeftOut) -> tuple[list[str], bool]:
    """Return the files that are taken although git ignores them, and whether others are left."""
    names = [item.path]
    if item.path.endswith("/"):
        if not search.selection.enters_ignored(item.path.rstrip("/")):
            return [], True
        names, _ = _walk(search, item.path)
    taken = [name for name in names if search.selection.keeps(name, git_ignores=True)]
    return taken, len(taken) < len(names) or not names


def _list_with_git(search: _Search, env: Mapping[str, str], excludes: list[str]) -> Candidates | None:
    """Ask git for its files and, at the same time, for what it ignores."""
    listing = ["ls-files", "-z", "--exclude-standard", *excludes]
    deadline = time.monotonic() + search.rules.git_seconds
    files = start_git(search.project, env, [*listing, "-co"])
    ignored = start_git(search.project, env, [*listing, "-oi", "--directory"])
    if files is None or ignored is None:
        return Candidates((), ())
    finish_git([files, ignored], deadline)
    if files.code is None:
        return None
    if files.code != 0:
        return Candidates((), ())
    names = _names(files.output)
    for name in names:
        if name.endswith("/" + IGNORE_FILE):
            search.selection.ignored.load(os.path.dirname(name))
    paths, left_out = _with_nested(search, names)
    left_out += _ignored(search, _names(ignored.output) if ignored.code == 0 else [])
    return Candidates(tuple(_nearest_first(paths)), tuple(left_out))


def _names(output: bytearray) -> list[str]:
    return [os.fsdecode(name) for name in bytes(output).split(b"\0") if name]


def _with_nested(search: _Search, names: list[str]) -> tuple[list[str], list[LeftOut]]:
    """Replace repositories inside the repository, whose files git does not list, by their files."""
    environments = tuple(
        os.path.dirname(name) + "/" for name in names if os.path.basename(name) == "pyvenv.cfg" and "/" in name
    )
    real = _RealFolders(search.project)
    paths: list[str] = []
    left_out: list[LeftOut] = []
    for name in dict.fromkeys(names):  # a file in a merge conflict is listed several times
        if (environments and name.startswith(environments)) or not real.has(os.path.dirname(name)):
            continue
        folder = name.rstrip("/")
        if _is_folder(os.path.join(search.project, folder)):
            found, missed = _walk(search, folder + "/")
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


def _ignored(search: _Search, names: list[str]) -> Iterator[LeftOut]:
    """Report what git ignores, whole folders as one, without what is never source."""
    names = sorted(names)
    for name, following in zip(names, [*names, ""][1:], strict=True):
        # A folder that is not itself ignored is listed too when all in it is, before its contents.
        if name.endswith("/") and following.startswith(name):
            continue
        path = name.rstrip("/")
        if path != search.inside and not any(map(search.rules.is_skipped, path.split("/"))):
            size = None if name.endswith("/") else _size(os.path.join(search.project, name))
            yield LeftOut(name, Reason.IGNORED, size)


def _walk(search: _Search, top: str) -> tuple[list[str], list[LeftOut]]:
    """List the files below `top`, level by level, until enough was looked at."""
    paths: list[str] = []
    left_out: list[LeftOut] = []
    level, seen = [top], 0
    while level:
        following: list[str] = []
        for folder in level:
            if seen > search.rules.max_seen:
                left_out.append(LeftOut(folder, Reason.TOO_MANY, None))
                continue
            entries = _entries(search.project, folder, left_out)
            seen += len(entries)
            if folder != top and any(name in entries for name in _ENVIRONMENT_MARKS):
                continue
            if IGNORE_FILE in entries:
                search.selection.ignored.load(folder)
            paths += (folder + name for name, is_folder in entries.items() if not is_folder)
            for name in _folders_of_interest(search, folder, entries):
                if search.selection.enters(name):
                    following.append(name + "/")
                else:
                    left_out.append(LeftOut(name + "/", Reason.RULED_OUT, None))
        level = following
    return [path for path in paths if os.path.basename(path) != ".git"], left_out


def _folders_of_interest(search: _Search, folder: str, entries: Mapping[str, bool]) -> Iterator[str]:
    for name, is_folder in entries.items():
        if is_folder and not search.rules.is_skipped(name) and folder + name != search.inside:
            yield folder + name


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
