"""Which files of a project go into its wheel, and where: its source code, and what `data-files` adds.

The source code is what a run's snapshot would hold, so nothing that git ignores, and no file that looks like a secret.
All of it goes below one import package, laid out as in the project: what a model file says of paths and modules stays
true there. Only `packages` puts folders elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from artifacts.source_rules import LeftOut, PlannedFile, Reason, SnapshotRules
from ledger.dataclass import dataclass
from ledger.text import printable
from operations.package_metadata import PackageError

if TYPE_CHECKING:
    from artifacts.home import Home
    from operations.definitions import ModelFile

_RULES = SnapshotRules(max_files=50_000, max_bytes=1 << 30, max_seen=200_000, git_seconds=60)
_TOLD = 10
_FORBIDDEN = ("guild_ledger",)
_EXPECTED_GONE = (Reason.IGNORED, Reason.VANISHED)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a wheel.

    Attributes:
        target: its path in the wheel.
        source: absolute path of what it is a copy of; None for an empty file.
    """

    target: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the directories of a project go.

    Attributes:
        home: the import package that holds the model file.
        places: directories relative to the project (`` for itself) and import packages, the deepest first.
    """

    home: str
    places: tuple[tuple[str, str], ...]

    def target(self, path: str) -> str:
        """Return the path in the wheel of a file of the project."""
        for folder, package in self.places:
            if not folder or path.startswith(f"{folder}/"):
                return "/".join((*package.split("."), path.removeprefix(f"{folder}/")))
        return "/".join((*self.home.split("."), path))


def layout_of(file: ModelFile, default: str) -> Layout:
    """Return where the directories of a project go.

    Args:
        file: its model file, with a package.
        default: the import package for all that `packages` does not name.

    Raises:
        PackageError: `packages` names no directory of the project, or no import package.
    """
    places: dict[str, str] = {}
    for package, folder in (file.package.packages if file.package else {}).items():
        if not all(part.isidentifier() for part in package.split(".")) or package.split(".")[0] in _FORBIDDEN:
            raise PackageError(
                f"'{printable(package)}' under 'packages' is not the name of an import package",
                hint="For example: packages: {iris_models: .}",
            )
        path = _inside(file.project, folder, "packages")
        if not os.path.isdir(os.path.join(file.project, path)):
            raise PackageError(f"'{printable(folder)}' under 'packages' is not a directory of the project")
        if path in places:
            raise PackageError(f"'{printable(folder)}' under 'packages' is given to two import packages")
        places[path] = package
    ordered = sorted(places.items(), key=lambda place: -len(place[0]))
    return Layout(places.get("", default), tuple(ordered))


def package_files(
    file: ModelFile,
    layout: Layout,
    *,
    out_dir: str,
    env: Mapping[str, str],
    home: Home,
    warn: Callable[[str], None],
) -> tuple[PackageFile, ...]:
    """Return the files of a project's wheel, sorted by their place in it.

    Args:
        file: the project's model file, with a package.
        layout: where its directories go.
        out_dir: absolute directory that wheels are written to; left aside when it lies in the project.
        env: the user's environment, for git.
        home: the home of runs, left aside likewise.
        warn: told what is left out.

    Raises:
        PackageError: `data-files` leads out of the project or fits nothing, or two files would go to one place.
    """
    paths = {os.path.basename(file.path)}
    left_out: list[LeftOut] = []
    for path in _source_paths(file.project, env, home, left_out):
        if not _is_below(os.path.join(file.project, path), out_dir, file.project):
            paths.add(path)
    for pattern in file.package.data_files if file.package else ():
        paths.update(_matching(file.project, pattern, out_dir))
    _tell([item for item in left_out if item.path not in paths], warn)
    return _placed(file.project, sorted(paths), layout)


def _source_paths(project: str, env: Mapping[str, str], home: Home, left_out: list[LeftOut]) -> Iterator[str]:
    from artifacts.sources import SnapshotFailure, plan_snapshot

    plan = plan_snapshot(project, _RULES, env, home)
    if isinstance(plan, SnapshotFailure):
        raise PackageError(plan.reason)
    for item in plan.left_out:
        if item.reason is Reason.TOO_MANY:
            raise PackageError(
                f"the project has too many files, or too much in them; '{printable(item.path)}' is one too many",
                hint="Let git ignore what is no source code, and name data under 'data-files'.",
            )
        left_out.append(item)
    for planned in plan.files:
        reason = _against(project, planned)
        if reason is None:
            yield planned.path
        else:
            left_out.append(LeftOut(planned.path, reason, None))


def _against(project: str, planned: PlannedFile) -> Reason | None:
    """Say why a planned file is not taken: a wheel holds no links, so what one leads to must be a file in here."""
    if not _has_name(planned.path):
        return Reason.UNREADABLE
    return None if not planned.is_link or is_file_inside(project, planned.path) else Reason.LINK


def is_file_inside(project: str, path: str) -> bool:
    """Tell whether a path of the project is that of a file, and no link on the way leads out of the project."""
    full = os.path.join(project, path)
    return os.path.isfile(full) and _stays(project, full)


def _has_name(path: str) -> bool:
    """Tell whether a path can stand in a wheel's own list of its files: as UTF-8, on one line."""
    return not any(letter < " " or "\ud800" <= letter <= "\udfff" for letter in path)


def _tell(left_out: list[LeftOut], warn: Callable[[str], None]) -> None:
    told = [item for item in left_out if item.reason not in _EXPECTED_GONE]
    for item in told[:_TOLD]:
        warn(f"'{printable(item.path)}' is left out ({item.reason.value}); 'data-files' can take it along")
    if len(told) > _TOLD:
        warn(f"{len(told) - _TOLD} more are left out")


def _matching(project: str, pattern: str, out_dir: str) -> Iterator[str]:
    from glob import glob

    pattern = _inside(project, pattern, "data-files")
    count = 0
    for match in glob(pattern or "**", root_dir=project, recursive=True):
        for path in _files(project, os.path.normpath(match)):
            full = os.path.join(project, path)
            if not is_file_inside(project, path):
                raise PackageError(
                    f"'{printable(path)}', which 'data-files' takes along, is a link out of the project, or to no file",
                    hint="Copy the file into the project.",
                )
            if not _has_name(path):
                raise PackageError(f"'{printable(path)}' is a name that no wheel can hold", hint="Rename the file.")
            if not _is_below(full, out_dir, project):
                count += 1
                yield path
    if not count:
        raise PackageError(
            f"'{printable(pattern)}' under 'data-files' fits no file of the project",
            hint="Patterns are relative to the model file; ** stands for directories.",
        )


def _files(project: str, path: str) -> Iterator[str]:
    full = os.path.join(project, path)
    if not os.path.isdir(full) or os.path.islink(full):
        if os.path.isfile(full) or os.path.islink(full):
            yield path
        return
    for folder, _, names in os.walk(full):
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), project)


def _inside(project: str, path: str, key: str) -> str:
    """Return a path of the model file, normalised, empty for the project itself."""
    normal = os.path.normpath(path.strip() or ".")
    if os.path.isabs(normal) or normal.split("/")[0] == ".." or "\0" in path:
        raise PackageError(
            f"'{printable(path)}' under '{key}' leads out of the project",
            hint=f"Only what is in {project!r} can be in the package.",
        )
    return "" if normal == "." else normal


def _stays(project: str, full: str) -> bool:
    return os.path.realpath(full).startswith(os.path.realpath(project).rstrip("/") + "/")


def _is_below(full: str, folder: str, project: str) -> bool:
    """Tell whether a file lies in a folder that is less than the whole project."""
    real = os.path.realpath(folder)
    return real != os.path.realpath(project) and os.path.realpath(full).startswith(real + "/") and _stays(project, real)


def _placed(project: str, paths: list[str], layout: Layout) -> tuple[PackageFile, ...]:
    files: dict[str, PackageFile] = {}
    for path in paths:
        target = layout.target(path)
        if target in files:
            other = os.path.relpath(files[target].source or "", project)
            raise PackageError(
                f"'{printable(path)}' and '{printable(other)}' would both become '{printable(target)}' in the wheel",
                hint="Give another import package for one of their directories under 'packages'.",
            )
        files[target] = PackageFile(target, os.path.join(project, path))
    # A folder of that name in somebody's working directory would win over one without this file.
    start = "/".join((*layout.home.split("."), "__init__.py"))
    files.setdefault(start, PackageFile(start, None))
    return tuple(files[target] for target in sorted(files))
