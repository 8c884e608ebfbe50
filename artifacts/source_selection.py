"""What of the files of a project is taken: what `.guildignore` says of them, then the rules of an operation.

`.guildignore` also says what of the files that git has is no source, and with `!` what of those that git ignores is.
The rules come after it; the last one that matches decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Protocol

from artifacts.ignore_rules import IgnoreFiles, file_start, pattern_regex

NO_COPY_FILE = ".guild-nocopy"
"""A folder with a file of this name is no source code, nor is anything in it."""

_LOOKED_AT = 8192
_WILD = re.compile(r"[*?\[]")


class CodeRule(Protocol):
    """One rule; see `operations.definitions.SourceRule`."""

    @property
    def include(self) -> bool:
        """True to take, False to leave out."""
        ...

    @property
    def pattern(self) -> str:
        """Matches a path from the root, or without a slash a name at any depth; a folder stands for all in it."""
        ...

    @property
    def kind(self) -> str:
        """`any`, `text`, `binary` or `dir`."""
        ...


class CodeRules(Protocol):
    """What of a project is source code; see `operations.definitions.SourceCodeDef`."""

    @property
    def enabled(self) -> bool:
        """False to take no snapshot."""
        ...

    @property
    def root(self) -> str:
        """Directory relative to the project."""
        ...

    @property
    def rules(self) -> Sequence[CodeRule]:
        """In the order in which they apply."""
        ...

    @property
    def only(self) -> bool:
        """Whether nothing but what the rules include is taken."""
        ...


class _Rule:
    """A source code rule, made ready."""

    def __init__(self, rule: CodeRule) -> None:
        pattern = rule.pattern.strip().removeprefix("./").removeprefix("/").rstrip("/")
        anywhere = "" if "/" in pattern else "(?:.*/)?"
        self.include = rule.include
        self.kind = rule.kind
        self._regex = re.compile(anywhere + pattern_regex(pattern, crossing=True), re.DOTALL)
        parts = pattern.split("/")
        named = len(parts) > 1 or not _WILD.search(pattern)
        heads = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)] if named else []
        self._heads = [re.compile(pattern_regex(head, crossing=False), re.DOTALL) for head in heads]

    def matches(self, path: str, project: str) -> bool:
        """Tell whether it says something about the file `path`."""
        folder = os.path.dirname(path)
        if self.kind != "dir" and self._regex.fullmatch(path):
            return self.kind == "any" or self.kind == ("text" if _is_text(os.path.join(project, path)) else "binary")
        return self.kind in {"any", "dir"} and self.matches_folder(folder)

    def matches_folder(self, folder: str) -> bool:
        """Tell whether it says something about all that is in `folder`."""
        while folder:
            if self.kind in {"any", "dir"} and self._regex.fullmatch(folder):
                return True
            folder = os.path.dirname(folder)
        return False

    def reaches_into(self, folder: str) -> bool:
        """Tell whether its pattern leads into `folder` by name; `*.py` does not."""
        return any(head.fullmatch(folder) for head in self._heads)


class Selection:
    """What of a project is taken.

    Args:
        project: absolute path of the root that paths are relative to.
        code: the rules; None for none.
    """

    def __init__(self, project: str, code: CodeRules | None) -> None:
        self.ignored = IgnoreFiles(project)
        self._project = project
        self._rules = [_Rule(rule) for rule in code.rules] if code else []
        self._only = code.only if code else False

    def __bool__(self) -> bool:
        """Tell whether there is anything to decide."""
        return bool(self._rules or self._only or self.ignored)

    def keeps(self, path: str, *, git_ignores: bool = False) -> bool:
        """Tell whether the file `path` is taken.

        Args:
            path: relative to the root.
            git_ignores: whether it is none of the files that git lists.
        """
        hidden = self.ignored.hiding(os.path.dirname(path))
        said = self.ignored.says(path, is_folder=False)
        taken = not self._only and not hidden and not said and not (git_ignores and not self._readmitted(path))
        for rule in self._rules:
            if rule.matches(path, self._project) and not (rule.include and hidden and not rule.reaches_into(hidden)):
                taken = rule.include
        return taken

    def _readmitted(self, path: str) -> bool:
        """Tell whether the last word on `path`, or on a folder that it is in, takes it after all."""
        is_folder = False
        while path:
            said = self.ignored.says(path, is_folder=is_folder)
            if said is not None:
                return not said
            path, is_folder = os.path.dirname(path), True
        return False

    def enters(self, folder: str) -> bool:
        """Tell whether anything in `folder`, which is walked through, may be taken."""
        if self.ignored.hiding(folder) and not self._reached(folder):
            return False
        entered = True
        for rule in self._rules:
            entered = rule.include or (entered and not rule.matches_folder(folder))
        return entered

    def enters_ignored(self, folder: str) -> bool:
        """Tell whether anything in `folder`, which git ignores, may be taken."""
        return self.ignored.says(folder, is_folder=True) is False or self._reached(folder)

    def _reached(self, folder: str) -> bool:
        return any(rule.include and rule.reaches_into(folder) for rule in self._rules)


def _is_text(path: str) -> bool:
    """Tell whether a file is text: no zero byte near its start, as git has it."""
    data = file_start(path, _LOOKED_AT)
    return data is not None and b"\0" not in data
