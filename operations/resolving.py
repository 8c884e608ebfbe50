"""Putting what a run needs into its directory, as it was planned: copies, links, unpacked archives, downloads.

What is found before the start is looked at there as well (`check_local`), by the same steps, so that a run is not
started only to fail on a name that two sources want.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from artifacts.downloads import cached_path, fetch, local_path
from artifacts.placing import RESERVED, Claims, Placed, Placer, check_digest
from ledger.errors import GuildError
from ledger.text import printable
from operations.dependencies import DependencyError, DependencyPlan, PlannedSource, not_started, unresolved
from operations.resolving_files import Leaf, Told, Tree, chosen, leaves, target_of, unpacked_leaves, wanted_in_archive

if TYPE_CHECKING:
    from collections.abc import Callable


def check_local(plan: DependencyPlan, cache_dir: str) -> None:
    """Look for collisions and empty selections among the sources that are at hand; archives and downloads are not.

    Raises:
        DependencyError: a run with this plan could not start.
    """
    claims = Claims()
    skipped = _own_folders(cache_dir)
    for item in plan.items:
        with _explained(item, not_started):
            if item.kind == "module" or item.unpack:
                continue
            if _is_remote(item):
                claims.add(_target(item, cached_path(cache_dir, item.origin)), item.resource, item.origin)
                continue
            found = False
            for leaf, _linked in _planned_leaves(item, skipped, _silent):
                found = True
                if leaf.kind != "folder":
                    claims.add(leaf.path, item.resource, leaf.source)
            if not found and item.source.fail_if_empty:
                raise _nothing(item)


def materialise(
    plan: DependencyPlan, run_dir: str, *, cache_dir: str, told: Told, again: bool = False
) -> tuple[Placed, ...]:
    """Put all that a run needs into its directory.

    Args:
        plan: what it needs.
        run_dir: absolute path of the run directory, which is there.
        cache_dir: the home's cache, for downloads.
        told: takes lines about downloads, what is left out and what is empty.
        again: whether the run was started before: files that are there are renewed, and an archive that was unpacked
            as a whole is not unpacked a second time.

    Raises:
        DependencyError: a source cannot be resolved. What was placed before stays; nothing is there in part.
    """
    work = _Work(run_dir, cache_dir, told, again=again)
    for item in plan.items:
        with _explained(item, unresolved):
            work.resolve(item)
    return tuple(work.placed)


class _Work:
    """The state of `materialise`."""

    def __init__(self, run_dir: str, cache_dir: str, told: Told, *, again: bool) -> None:
        self.placed: list[Placed] = []
        self._again = again
        self._placer = Placer(run_dir, renew=again)
        self._claims = Claims()
        self._run_dir = run_dir
        self._note = os.path.join(run_dir, RESERVED, "unpacked")
        self._cache_dir = cache_dir
        self._skipped = _own_folders(cache_dir, run_dir)
        self._told = told

    def resolve(self, item: PlannedSource) -> None:
        """Place the files of one source."""
        before = len(self.placed)
        if item.kind == "module" or (item.unpack and self._again and self._is_unpacked(item)):
            return
        if item.content is not None:
            path = _config_target(item)
            if self._claims.add(path, item.resource, item.origin):
                self._placer.write(item.content, path)
                self.placed.append(Placed(item.resource, path, item.origin, False, len(item.content)))
            return
        local = self._fetched(item)
        if item.unpack:
            self._unpack(item, local)
        else:
            for leaf, linked in _planned_leaves(item, self._skipped, self._told, local):
                self._place(item, leaf, linked)
        if len(self.placed) == before:
            if item.source.fail_if_empty:
                raise _nothing(item)
            if item.source.warn_if_empty:
                self._told(f"Nothing was found for '{printable(item.title)}' in {printable(item.resource)} resource")
        if item.unpack:
            self._note_unpacked(item)

    def _fetched(self, item: PlannedSource) -> str:
        if not _is_remote(item):
            return local_path(item.origin) or item.origin if item.kind == "url" else item.origin
        return fetch(item.origin, self._cache_dir, sha256=item.source.sha256, told=self._told)[0]

    def _place(self, item: PlannedSource, leaf: Leaf, linked: bool) -> None:
        if leaf.kind == "folder":
            self._placer.folder(leaf.path)
            return
        if not self._claims.add(leaf.path, item.resource, leaf.source):
            return
        size, sha256 = 0, item.source.sha256
        if linked:
            if sha256 is not None:
                check_digest(leaf.source, sha256)
            self._placer.link(self._link_text(leaf.source, leaf.path), leaf.path)
        elif leaf.kind == "link":
            self._placer.link(os.readlink(leaf.source), leaf.path)
        else:
            size = self._placer.copy(leaf.source, leaf.path, sha256=sha256)
        self.placed.append(Placed(item.resource, leaf.path, leaf.source, linked, size, sha256))

    def _link_text(self, source: str, path: str) -> str:
        """Return a relative path for what lies in the home, which may be moved as a whole; else an absolute one."""
        real, home = os.path.realpath(source), os.path.realpath(os.path.dirname(self._cache_dir))
        if not real.startswith(home.rstrip("/") + "/"):
            return source
        return os.path.relpath(real, os.path.realpath(os.path.dirname(os.path.join(self._run_dir, path))))

    def _unpack(self, item: PlannedSource, archive: str) -> None:
        """Unpack in a folder of the run directory, from where files are moved; links to it would lead nowhere."""
        from artifacts.archives import unpack
        from artifacts.removal import remove_tree

        if item.source.sha256 is not None:
            check_digest(archive, item.source.sha256)
        folder = os.path.join(self._run_dir, f".unpacking-{os.urandom(8).hex()}")
        os.mkdir(folder, 0o700)
        try:
            unpack(archive, folder, wanted=wanted_in_archive(item.source))
            tree = Tree(folder, self._skipped, self._told)
            entries = {entry: _target(item, entry) for entry in chosen(tree, item.source)}
            # All of them are known before the first is moved: a link may lead to what another one takes away.
            for leaf in list(unpacked_leaves(tree, entries)):
                self._take(item, leaf, archive, folder)
        finally:
            with suppress(OSError):
                remove_tree(folder)

    def _is_unpacked(self, item: PlannedSource) -> bool:
        with suppress(FileNotFoundError), open(self._note, "rb") as file:
            return _key(item).encode() in file.read().split()
        return False

    def _note_unpacked(self, item: PlannedSource) -> None:
        """Take note of it beside the run's output: of a first start that failed only some archives are there."""
        os.makedirs(os.path.dirname(self._note), 0o700, exist_ok=True)
        with open(self._note, "a", encoding="ascii") as file:
            file.write(f"{_key(item)}\n")

    def _take(self, item: PlannedSource, leaf: Leaf, archive: str, folder: str) -> None:
        if leaf.kind == "folder":
            self._placer.folder(leaf.path)
            return
        origin = f"{archive}!{os.path.relpath(leaf.source, folder)}"
        if not self._claims.add(leaf.path, item.resource, origin):
            return
        size = os.lstat(leaf.source).st_size if leaf.kind in {"file", "copy"} else 0
        if leaf.leads_to is not None:
            self._placer.link(os.path.relpath(f"/{leaf.leads_to}", os.path.dirname(f"/{leaf.path}")), leaf.path)
        elif leaf.kind == "link":
            self._placer.link(os.readlink(leaf.source), leaf.path)
        elif leaf.kind == "copy":
            self._placer.copy(leaf.source, leaf.path)
        else:
            self._placer.move(leaf.source, leaf.path)
        self.placed.append(Placed(item.resource, leaf.path, origin, False, size))


def _planned_leaves(
    item: PlannedSource, skipped: frozenset[tuple[int, int]], told: Told, local: str | None = None
) -> Iterator[tuple[Leaf, bool]]:
    """Yield what a source places and whether as a link to where it is."""
    origin = local or (local_path(item.origin) if item.kind == "url" else None) or item.origin
    if item.content is not None:
        yield Leaf(item.origin, _config_target(item), "file"), False
        return
    selects = item.source.select or item.source.select_min or item.source.select_max
    if not os.path.isdir(origin):
        yield Leaf(origin, _target(item, origin), "file"), item.link
    elif item.kind != "operation" and not selects:
        name = os.path.basename(os.path.realpath(origin) if origin.endswith((".", "/")) else origin)
        if item.link:
            yield Leaf(origin, _target(item, name), "file"), True
        else:
            # The folder itself, by its own name; a link to one is followed, because the user has named it.
            real = os.path.realpath(origin)
            tree = Tree(os.path.dirname(real), skipped, told)
            yield from ((leaf, False) for leaf in leaves(tree, os.path.basename(real), _target(item, name)))
    else:
        tree = Tree(origin, skipped, told)
        for entry in chosen(tree, item.source):
            if item.link:
                yield Leaf(os.path.join(origin, entry), _target(item, entry), "file"), True
            else:
                yield from ((leaf, False) for leaf in leaves(tree, entry, _target(item, entry)))


def _target(item: PlannedSource, path: str) -> str:
    return target_of(os.path.basename(path), item.source, item.target_path)


def _config_target(item: PlannedSource) -> str:
    # What is filled in is no longer the pattern that `.in` marks.
    return _target(item, os.path.basename(item.origin).removesuffix(".in"))


def _is_remote(item: PlannedSource) -> bool:
    return item.kind == "url" and local_path(item.origin) is None


def _own_folders(cache_dir: str, run_dir: str | None = None) -> frozenset[tuple[int, int]]:
    """Return the folders that a copy must not enter: it would copy itself without end."""
    found = []
    for path in (cache_dir, os.path.dirname(cache_dir), run_dir):
        with suppress(OSError):
            if path is not None:
                status = os.stat(path)
                found.append((status.st_dev, status.st_ino))
    return frozenset(found)


def _key(item: PlannedSource) -> str:
    """Return what tells an archive, and how it is unpacked, from every other."""
    from hashlib import sha256

    source = item.source
    selects = (source.select, source.select_min, source.select_max)
    return sha256(repr((item.resource, item.origin, item.target_path, selects, source.rename)).encode()).hexdigest()


def _nothing(item: PlannedSource) -> GuildError:
    selected = ", ".join(printable(pattern) for pattern in item.source.select)
    return GuildError(f"nothing was found{f' that matches {selected}' if selected else ''} in {item.origin!r}")


def _silent(_line: str) -> None:
    """Tell nothing: the same is told when the files are placed."""


@contextmanager
def _explained(
    item: PlannedSource, error_of: Callable[[PlannedSource, str, str | None], DependencyError]
) -> Iterator[None]:
    """Turn whatever goes wrong into an error that names the source."""
    try:
        yield
    except DependencyError:
        raise
    except GuildError as error:
        raise error_of(item, error.message, error.hint) from error
    except OSError as error:
        where = f": {error.filename!r}" if error.filename else ""
        raise error_of(item, f"{error.strerror or error}{where}", None) from error
