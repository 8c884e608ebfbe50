"""Which files of a directory, an archive or a run are meant, and what they are called in the run directory."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from artifacts.links import stays_inside
from artifacts.placing import RESERVED, safe_relative
from ledger.dataclass import dataclass, replace
from ledger.text import printable

if TYPE_CHECKING:
    from operations.definitions import SourceDef

Told = Callable[[str], None]
"""Takes one line for the user."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One file that is placed.

    Attributes:
        source: absolute path of the original.
        path: relative to the run directory.
        kind: `file`, `link` (copied as a link), `folder` (without anything in it) or `copy` (a file of an archive that
            is wanted at another place as well).
        leads_to: of a link at the top of an archive: what it leads to, relative to the run directory.
    """

    source: str
    path: str
    kind: str
    leads_to: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory that files are taken from.

    Attributes:
        root: its absolute path.
        skipped: device and inode of directories that are never entered: where this program works itself.
        told: takes lines about what is left out.
    """

    root: str
    skipped: frozenset[tuple[int, int]]
    told: Told


def chosen(tree: Tree, source: SourceDef) -> list[str]:
    """Return the paths of what a source selects, relative to the tree, sorted; without selection what lies at its top.

    A folder that is selected stands for all that is in it.

    Raises:
        OSError: the directory cannot be listed.
    """
    extreme = _extreme(source)
    if not source.select and extreme is None:
        return sorted(name for name in os.listdir(tree.root) if name != RESERVED)
    patterns = [re.compile(pattern) for pattern in source.select]
    paths = list(_walk(tree, "", patterns or [re.compile(extreme[0])])) if extreme else list(_walk(tree, "", patterns))
    return sorted(paths) if extreme is None else _most(paths, *extreme)


def wanted_in_archive(source: SourceDef) -> Callable[[str], bool] | None:
    """Return what tells whether a member of an archive is needed, None when all are."""
    extreme = _extreme(source)
    if not source.select and extreme is None:
        return None
    patterns = [re.compile(pattern) for pattern in (*source.select, *((extreme[0],) if extreme else ()))]

    def wanted(path: str) -> bool:
        parts = path.split("/")
        heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        return any(pattern.fullmatch(head) for head in heads for pattern in patterns)

    return wanted


def target_of(name: str, source: SourceDef, target_path: str) -> str:
    """Return where something called `name` goes: the first pair of `rename` that changes the name decides.

    Raises:
        PlacingError: that is not below the run directory.
    """
    renamed = name
    for pattern, replacement in source.rename:
        renamed = re.sub(pattern, replacement, name, count=1)
        if renamed != name:
            break
    if not safe_relative(renamed):
        renamed = name
    return safe_relative(f"{target_path}/{safe_relative(renamed)}" if target_path else renamed)


def leaves(tree: Tree, entry: str, path: str) -> Iterator[Leaf]:
    """Yield the files to place at `path` for the file or folder `entry` of a tree.

    A link is followed when it is the entry itself and leads to something in the tree; inside folders links that stay
    in the folder are kept as links. Others are left out, as pipes and devices are, and told.

    Raises:
        OSError: something cannot be read.
    """
    full = os.path.join(tree.root, entry)
    status = os.lstat(full)
    if stat.S_ISLNK(status.st_mode):
        real, top = os.path.realpath(full), os.path.realpath(tree.root)
        if not real.startswith(top.rstrip("/") + "/") or not os.path.exists(real):
            tree.told(f"{printable(entry)} is left out: it is a link to {printable(os.readlink(full))}")
            return
        full, status = real, os.stat(real)
    if stat.S_ISDIR(status.st_mode):
        if (status.st_dev, status.st_ino) not in tree.skipped:
            yield from _folder_leaves(tree, full, "", path)
    elif stat.S_ISREG(status.st_mode):
        yield Leaf(full, path, "file")
    else:
        tree.told(f"{printable(entry)} is left out: it is a pipe, socket or device")


def unpacked_leaves(tree: Tree, entries: Mapping[str, str]) -> Iterator[Leaf]:
    """Yield what to place of an unpacked archive, the originals of which are moved; raises as `leaves`.

    A link that is an entry itself stays a link when what it leads to is placed as well, by whatever name; else it
    is followed and what it leads to copied, because another link may lead there too.

    Args:
        tree: the folder that it was unpacked in.
        entries: the chosen paths in it, and where each goes.
    """
    links = [entry for entry in entries if os.path.islink(os.path.join(tree.root, entry))]
    others = [entry for entry in entries if entry not in links]
    for entry in links:
        real = os.path.relpath(os.path.realpath(os.path.join(tree.root, entry)), os.path.realpath(tree.root))
        over = next((one for one in others if f"{real}/".startswith(f"{one}/")), None)
        if over is not None and os.path.exists(os.path.join(tree.root, real)):
            yield Leaf(os.path.join(tree.root, entry), entries[entry], "link", entries[over] + real[len(over) :])
            continue
        for leaf in leaves(tree, entry, entries[entry]):
            yield replace(leaf, kind="copy") if leaf.kind == "file" else leaf
    for entry in others:
        yield from leaves(tree, entry, entries[entry])


def _folder_leaves(tree: Tree, top: str, inner: str, path: str) -> Iterator[Leaf]:
    pending = [inner]
    while pending:
        folder = pending.pop()
        here = os.path.join(top, folder)
        with os.scandir(here) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if not entries:
            yield Leaf(here, os.path.join(path, folder).rstrip("/"), "folder")
        for entry in entries:
            below = os.path.join(folder, entry.name)
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) not in tree.skipped:
                    pending.append(below)
            elif stat.S_ISREG(status.st_mode):
                yield Leaf(entry.path, os.path.join(path, below), "file")
            elif stat.S_ISLNK(status.st_mode) and stays_inside(below, os.readlink(entry.path)):
                yield Leaf(entry.path, os.path.join(path, below), "link")
            else:
                what = "a link out of it" if stat.S_ISLNK(status.st_mode) else "a pipe, socket or device"
                tree.told(f"{printable(os.path.join(path, below))} is left out: it is {what}")


def _walk(tree: Tree, folder: str, patterns: list[re.Pattern[str]]) -> Iterator[str]:
    pending = [folder]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(tree.root, folder)) as found:
            entries = list(found)
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if path == RESERVED:
                continue
            if any(pattern.fullmatch(path) for pattern in patterns):
                yield path
            elif entry.is_dir(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if (status.st_dev, status.st_ino) not in tree.skipped:
                    pending.append(path)


def _extreme(source: SourceDef) -> tuple[str, bool] | None:
    """Return the expression whose group chooses one file, and whether the greatest value wins."""
    for pattern, greatest in ((source.select_min, False), (source.select_max, True)):
        if pattern is not None and re.compile(pattern).groups:
            return pattern, greatest
    return None


def _most(paths: list[str], pattern: str, greatest: bool) -> list[str]:
    """Return the path with the least or the greatest value in the group of `pattern`."""

    def value(path: str) -> tuple[bool, float, str]:
        match = re.fullmatch(pattern, path)
        text = (match[1] or "") if match else ""
        try:
            return True, float(text), path
        except ValueError:
            return False, 0.0, text

    fitting = [path for path in paths if re.fullmatch(pattern, path)]
    return [(max if greatest else min)(fitting, key=value)] if fitting else []
