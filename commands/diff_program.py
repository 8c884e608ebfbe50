"""`guild diff --cmd`: another program compares; it is given two paths and its exit code is passed on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from artifacts.output import OUTPUT
from artifacts.run_files import OWN, inside
from artifacts.source_diff import snapshot_files
from artifacts.source_manifest import snapshot_files_dir
from commands.diff_files import digest_of
from commands.diff_unified import NONE
from commands.diff_values import One, Pair, Values
from commands.program_calls import call, words_of
from commands.run_folder import folder_of
from ledger.errors import GuildError, UsageError

if TYPE_CHECKING:
    from commands.app import App
    from commands.diff import Asked
    from commands.diff_runs import Section


def compare_with(app: App, pair: Pair, found: Mapping[str, Section], asked: Asked) -> int:
    """Have the user's program compare two runs; returns its exit code.

    Raises:
        GuildError: there is nothing to give it, or it cannot be started.
    """
    words = words_of(asked.program or "", "guild diff 1 0 --cmd 'diff -ru'")
    if len(asked.paths) > 1:
        raise UsageError("--cmd compares one path at a time", hint="Give one --path.")
    section = found[asked.sections[0]] if asked.sections else None
    if isinstance(section, Values):
        return _with_texts(app, pair, section, words)
    paths = [_path(app, one, section.name if section else "files", asked.paths) for one in pair]
    app.close()  # no database stays open while another program works
    return call([*words, *paths], app.cwd, os.environ)


def _with_texts(app: App, pair: Pair, section: Values, words: Sequence[str]) -> int:
    """Have names and values compared as the lines of two files, which are gone afterwards."""
    import tempfile

    app.close()
    with tempfile.TemporaryDirectory(prefix="guild-diff-") as folder:
        paths = []
        for one, is_after in zip(pair, (False, True), strict=True):
            path = os.path.join(folder, f"{one.name}-{section.name}")
            with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(section.text(is_after=is_after))
            paths.append(path)
        return call([*words, *paths], app.cwd, os.environ)


def _path(app: App, one: One, name: str, paths: Sequence[str]) -> str:
    """Return what the program is given of a run."""
    if name == "output":
        return _existing(folder_of(app, one.row), os.path.join(OWN, OUTPUT))
    folder = _source(app, one) if name == "source" else folder_of(app, one.row)
    return _existing(folder, paths[0]) if paths else folder


def _source(app: App, one: One) -> str:
    digest = digest_of(one)
    if digest is None:
        raise GuildError(f"no source code was kept of run {one.name}")
    snapshot_files(app.home, digest)  # refuses one that is missing or damaged
    return snapshot_files_dir(app.home, digest)


def _existing(folder: str, path: str) -> str:
    """Return a path in a run directory, the null device for one that is not there."""
    is_there = os.path.lexists(os.path.join(folder, path)) or ".." in path.split("/")
    return inside(folder, path) if is_there else NONE
