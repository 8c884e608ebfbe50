"""The files of a run in an archive, as its list names them: listed and found as those of a run directory are."""

from __future__ import annotations

import os
from collections.abc import Iterator

from artifacts.run_archive import ArchivedRun
from artifacts.run_files import OWN, RunFile, RunFilesError, relative
from ledger.text import printable

_MOST_LINKS = 40


def archived_files(run: ArchivedRun, path: str, *, hidden: bool) -> Iterator[RunFile]:
    """Yield what is at and below `path`, sorted by path; no link is followed.

    Args:
        run: the run.
        path: relative to the run directory; empty for all.
        hidden: whether guild's own folder is listed too.

    Raises:
        RunFilesError: `path` is none below the run directory, or there is nothing.
    """
    name = relative(path)
    found = [RunFile(file.path, "file", file.size) for file in run.files]
    found += [RunFile(link, "link", None) for link, _ in run.links]
    found += [RunFile(folder, "folder", None) for folder in run.folders]
    below = [one for one in found if not name or one.path == name or one.path.startswith(f"{name}/")]
    if name and not below:
        raise _no_file(path)
    is_shown = hidden or name.split("/")[0] == OWN
    kept = [one for one in below if is_shown or one.path.split("/")[0] != OWN]
    # A folder that was asked for, and holds nothing, is not told to be in itself.
    yield from sorted((one for one in kept if (one.kind, one.path) != ("folder", name)), key=_place)


def _place(one: RunFile) -> str:
    return f"{one.path}/" if one.kind == "folder" else one.path


def archived_path(run: ArchivedRun, path: str) -> str:
    """Return under which path the content of a file is listed: a link to a file in the same run is followed.

    Raises:
        RunFilesError: there is no such file, or it is none.
    """
    links = dict(run.links)
    files = {file.path for file in run.files}
    name = relative(path)
    for _ in range(_MOST_LINKS):
        if name not in links:
            break
        name = os.path.normpath(os.path.join(os.path.dirname(name), links[name]))
    if name in files:
        return name
    if not name or name in run.folders or any(file.startswith(f"{name}/") for file in files):
        raise RunFilesError(f"'{printable(path)}' is a folder", hint="`guild ls` shows the files of a run.")
    raise _no_file(path)


def _no_file(path: str) -> RunFilesError:
    return RunFilesError(f"the run has no file '{printable(path)}'", hint="`guild ls` shows the files of a run.")
