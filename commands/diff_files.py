"""`guild diff` of what two runs left behind: source code, output and files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from artifacts.home import Home
from artifacts.line_diff import NOTHING, TextDiff, diff_texts
from artifacts.output import OUTPUT
from artifacts.run_files import OWN, RunFile
from artifacts.source_diff import SourceChange, snapshot_files, source_changes, source_text
from artifacts.source_manifest import SourceFile
from artifacts.tree_diff import UNKNOWN, FileChange, Trees
from commands.diff_unified import NONE, counted, counts, plain_lines, unified_lines
from commands.diff_values import One, Pair, heading
from commands.terminal import warn
from ledger.canonical import Value
from ledger.errors import GuildError
from ledger.text import printable, size

_LONGEST = 4_000


def digest_of(one: One) -> str | None:
    """Return which source snapshot a run has; None for none."""
    sources = one.details.get("sources")
    digest = sources.get("digest") if isinstance(sources, dict) else None
    return digest if isinstance(digest, str) else None


def _below(path: str, wanted: Sequence[str]) -> bool:
    tops = [one.strip("/") for one in wanted]
    return not tops or any(path == top or path.startswith(f"{top}/") or not top for top in tops)


class Source:
    """The section of source code; `paths` limit it when there are any."""

    name = "source"

    def __init__(self, home: Home, pair: Pair, paths: Sequence[str] = ()) -> None:
        self._home, self._pair, self._paths = home, pair, paths
        self._digests = digest_of(pair.before), digest_of(pair.after)
        self.troubles: list[str] = []
        self._read: list[SourceChange] | None = None

    def changes(self) -> list[SourceChange]:
        """Return the files that differ; of a snapshot that cannot be read none, and `troubles` says so."""
        if self._read is None:
            self._read = self._found()
        return self._read

    def _found(self) -> list[SourceChange]:
        if self._digests[0] == self._digests[1]:
            if self._digests[0] is None:
                self.troubles = [_why_none(one) for one in self._pair]
            return []
        listed: list[tuple[SourceFile, ...]] = []
        for one, digest in zip(self._pair, self._digests, strict=True):
            try:
                listed.append(snapshot_files(self._home, digest) if digest is not None else ())
            except GuildError as error:
                self.troubles.append(f"run {one.name}: {error.message}")
            if digest is None:
                self.troubles.append(_why_none(one))
        if self.troubles:
            return []
        found = source_changes(listed[0], listed[1])
        return [one for one in found if any(_below(path, self._paths) for path in _paths_of(one))]

    def diff(self, change: SourceChange) -> TextDiff:
        """Return what differs in a file.

        Raises:
            GuildError: it is not what was kept.
        """
        before, after = self._digests
        return diff_texts(
            source_text(self._home, before or "", change.before), source_text(self._home, after or "", change.after)
        )

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield a unified diff of each file, or a line for each with how many lines differ."""
        changes = self.changes()
        is_said = in_full or self._digests != (None, None)
        yield from (f"{heading(self.name)} {trouble}" for trouble in self.troubles if is_said)
        if changes and not in_full:
            yield heading(self.name)
        for change in changes:
            yield from self._in_full(change) if in_full else [self._line(change)]

    def _line(self, change: SourceChange) -> str:
        try:
            lines = counted(self.diff(change))
        except GuildError as error:
            lines = f"({error.message})"
        renamed = (
            f"  from {printable(change.before.path, _LONGEST)}" if change.change == "renamed" and change.before else ""
        )
        shown = lines if change.change != "renamed" else ""
        return f"  {change.change:<8}  {printable(change.path, _LONGEST)}{renamed}  {shown}{_mode(change)}".rstrip()

    def _in_full(self, change: SourceChange) -> Iterator[str]:
        before, after = _names(self._pair, change)
        if change.change == "renamed":
            yield f"{printable(before, _LONGEST)} renamed to {printable(after, _LONGEST)}"
            return
        if mode := _mode(change):
            yield f"{printable(after, _LONGEST)}:{mode}"
        try:
            yield from unified_lines(self.diff(change), before, after)
        except GuildError as error:
            yield f"{printable(change.path, _LONGEST)} cannot be compared: {error.message}"

    def data(self, *, in_full: bool) -> Value:
        """Return what differs, for JSON, with the lines of the diffs when they are asked for."""
        files = [self._object(change, in_full=in_full) for change in self.changes()]
        return {"before": self._digests[0], "after": self._digests[1], "troubles": [*self.troubles], "files": files}

    def _object(self, change: SourceChange, *, in_full: bool) -> Value:
        known: dict[str, Value] = {"path": change.path, "change": change.change}
        if change.change == "renamed" and change.before is not None:
            known["from"] = change.before.path
        try:
            diff = self.diff(change)
        except GuildError as error:
            return {**known, "trouble": error.message}
        return {**known, **counts(diff), **({"diff": plain_lines(diff)} if in_full else {})}


def _names(pair: Pair, change: SourceChange | FileChange) -> tuple[str, str]:
    """Return what a file is called above a unified diff, in the one run and in the other."""
    before, after = (
        NONE if file is None else f"{one.name}/{file.path}"
        for one, file in zip(pair, (change.before, change.after), strict=True)
    )
    return before, after


def _paths_of(change: SourceChange) -> list[str]:
    return [file.path for file in (change.before, change.after) if file is not None]


def _mode(change: SourceChange) -> str:
    """Return what became of the kind of a file, with a blank before it; empty when it stayed."""
    kinds = {"f": "a file", "x": "executable", "l": "a link"}
    if change.before is None or change.after is None or change.before.kind == change.after.kind:
        return ""
    return f" {kinds[change.before.kind]} before, {kinds[change.after.kind]} now"


def _why_none(one: One) -> str:
    sources = one.details.get("sources")
    failure = sources.get("failure") if isinstance(sources, dict) else None
    why = f": {printable(str(failure))}" if failure else ""
    return f"no source code was kept of run {one.name}{why}"


class Output:
    """The section of what the runs printed."""

    name = "output"

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._path = os.path.join(OWN, OUTPUT)
        self._trees = Trees(pair.before.folder, pair.after.folder, _refused)

    def _diff(self) -> TextDiff:
        """Return what differs; of what is the same byte for byte, nothing is read as lines."""
        if not any(True for _ in self._trees.changes(self._path)):
            return diff_texts(NOTHING, NOTHING)
        return diff_texts(*self._trees.texts(self._path))

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield a unified diff, or one line that says how many lines differ."""
        if _has_no_folder(self._pair):
            yield from _no_folders(self.name, self._pair, in_full=in_full)
            return
        try:
            diff = self._diff()
        except GuildError as error:
            yield heading(self.name, f"it cannot be compared: {error.message}")
            return
        if in_full:
            yield from unified_lines(diff, *(f"{one.name}/output" for one in self._pair))
        elif diff.changes or diff.is_binary or diff.is_cut:
            yield heading(self.name, counted(diff))

    def data(self, *, in_full: bool) -> Value:
        """Return how many lines differ, for JSON; null when a run has no directory."""
        if _has_no_folder(self._pair):
            return None
        diff = self._diff()
        return {**counts(diff), **({"diff": plain_lines(diff)} if in_full else {})}


class Files:
    """The section of the files in the run directories, below `paths` when there are any."""

    name = "files"

    def __init__(self, pair: Pair, paths: Sequence[str] = ()) -> None:
        self._pair, self._paths = pair, paths
        self._trees = Trees(pair.before.folder, pair.after.folder, _refused)

    def changes(self) -> Iterator[FileChange]:
        """Yield the files that differ."""
        for path in self._paths or ("",):
            yield from self._trees.changes(path)

    def has(self, path: str) -> bool:
        """Tell whether there is anything at a path in one of the runs."""
        return self._trees.has(path)

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield a line for each file that differs; where paths were named, unified diffs."""
        if _has_no_folder(self._pair):
            yield from _no_folders(self.name, self._pair, in_full=in_full)
            return
        for number, change in enumerate(self.changes()):
            if in_full and self._paths:
                yield from self._in_full(change)
                continue
            if number == 0:
                yield heading(self.name)
            yield f"  {change.change:<8}  {printable(change.path, _LONGEST)}{_sizes(change.before, change.after)}"

    def _in_full(self, change: FileChange) -> Iterator[str]:
        before, after = _names(self._pair, change)
        is_text = all(file is None or file.kind in ("file", "link") for file in (change.before, change.after))
        if not is_text or change.change == UNKNOWN:
            yield f"{change.change} {printable(change.path, _LONGEST)}{_sizes(change.before, change.after)}"
            return
        try:
            yield from unified_lines(diff_texts(*self._trees.texts(change.path)), before, after)
        except GuildError as error:
            yield f"{printable(change.path, _LONGEST)} cannot be compared: {error.message}"

    def data(self, *, in_full: bool) -> Value:
        """Return the files that differ, for JSON, with the lines of the diffs when paths were named.

        Null when a run has no directory.
        """
        if _has_no_folder(self._pair):
            return None
        return [self._object(change, in_full=in_full) for change in self.changes()]

    def _object(self, change: FileChange, *, in_full: bool) -> Value:
        known: dict[str, Value] = {
            "path": change.path, "change": change.change, "before": _kind(change.before), "after": _kind(change.after)
        }  # fmt: skip
        if not (in_full and self._paths):
            return known
        try:
            diff = diff_texts(*self._trees.texts(change.path))
        except GuildError as error:
            return {**known, "trouble": error.message}
        return {**known, **counts(diff), "diff": plain_lines(diff)}


def _has_no_folder(pair: Pair) -> bool:
    return any(one.folder is None for one in pair)


def _no_folders(name: str, pair: Pair, *, in_full: bool) -> Iterator[str]:
    """Yield which run has nothing to compare; when neither has, only who asked for it is told."""
    troubles = [one.trouble for one in pair if one.folder is None]
    if in_full or len(troubles) == 1:
        yield from (heading(name, trouble) for trouble in troubles)


def _kind(file: RunFile | None) -> Value:
    return None if file is None else {"type": file.kind, "size": file.size}


def _sizes(before: RunFile | None, after: RunFile | None) -> str:
    """Return sizes and kinds, with two blanks before them."""
    was, now = (
        None if file is None else file.kind if file.size is None else size(file.size) for file in (before, after)
    )
    told = " -> ".join(dict.fromkeys(text for text in (was, now) if text is not None))
    return f"  {told}"


def _refused(name: str, error: OSError) -> None:
    warn(f"'{printable(name or '.')}' cannot be read: {error.strerror}")
