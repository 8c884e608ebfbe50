"""`.guildignore` files, read as git reads `.gitignore`, because that is what people know."""

from __future__ import annotations

import os
import re
import stat

IGNORE_FILE = ".guildignore"
"""Name of the files with patterns."""

_MOST_BYTES = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pattern_regex(pattern: str, *, crossing: bool) -> str:
    """Return a pattern as a regular expression for a whole path.

    Args:
        pattern: with `*`, `?`, `[...]`, `**` and backslashes before characters that stand for themselves.
        crossing: whether `*` and `?` match slashes.
    """
    star, one = (".*", ".") if crossing else ("[^/]*", "[^/]")
    parts, at = [], 0
    while at < len(pattern):
        rest, letter = pattern[at:], pattern[at]
        starts = at == 0 or pattern[at - 1] == "/"
        if starts and (found := re.match(r"\*{2,}(/|$)", rest)):
            parts.append("(?:.*/)?" if found[1] else ".+")
            at += len(found[0])
        elif letter in "*?":
            parts.append(star if letter == "*" else one)
            at += 1
        elif letter == "[":
            found = re.match(r"\[[!^]?+\]?+(?:\\.|[^\]\\])*\]", rest, re.DOTALL)
            parts.append(_class(found[0]) if found else "(?!)")
            at += len(found[0]) if found else 1
        else:
            step = 2 if letter == "\\" and len(rest) > 1 else 1
            parts.append(re.escape(rest[step - 1]))
            at += step
    return "".join(parts)


def _class(text: str) -> str:
    """Return a character class as a regular expression; one that makes no sense matches nothing."""
    inner = text[1:-1]
    negated = inner[:1] in {"!", "^"}
    inner = (inner[1:] if negated else inner).replace("[", r"\[").replace("&&", r"&\&").replace("||", r"|\|")
    inner = inner.replace("~~", r"~\~")
    inner = "\\" + inner if inner[:1] in {"]", "^"} else inner
    found = f"[{'^/' if negated else ''}{inner}]"
    try:
        re.compile(found)
    except re.error:
        return "(?!)"
    return found if negated else f"(?!/){found}"


class _Pattern:
    """One line of a `.guildignore`."""

    def __init__(self, line: str) -> None:
        line = line.rstrip("\r\n")
        while line.endswith(" ") and not line.endswith("\\ "):
            line = line[:-1]
        self.negated = line.startswith("!")
        line = line[1:] if self.negated else line
        self.only_folders = line.endswith("/")
        line = line.rstrip("/") if self.only_folders else line
        anchored = "/" in line
        expression = pattern_regex(line.removeprefix("/"), crossing=False)
        trailing = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        self._regex = re.compile("(?!)" if trailing else expression if anchored else f"(?:.*/)?{expression}", re.DOTALL)

    def matches(self, path: str, is_folder: bool) -> bool:
        """Tell whether it says something about `path`, relative to the folder of its file."""
        return (is_folder or not self.only_folders) and self._regex.fullmatch(path) is not None


class IgnoreFiles:
    """The `.guildignore` files of a project, as far as they were found."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._files: dict[str, list[_Pattern]] = {}
        self._hiding: dict[str, str | None] = {"": None}

    def __bool__(self) -> bool:
        """Tell whether there is any pattern."""
        return any(self._files.values())

    def load(self, folder: str) -> None:
        """Read the file in `folder`, relative to the project; those of folders around it come before it.

        What cannot be read, or is no regular file, says nothing.
        """
        folder = folder.rstrip("/")
        if folder in self._files:
            return
        self._files[folder] = []
        data = file_start(os.path.join(self._project, folder, IGNORE_FILE), _MOST_BYTES)
        if data is not None:
            lines = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
            self._files[folder] = [_Pattern(line) for line in lines if line.strip() and not line.startswith("#")]

    def says(self, path: str, *, is_folder: bool) -> bool | None:
        """Return whether `path` is left out (True) or taken after all (False), None when nothing is said of it.

        Only what is said of itself counts, not of the folders that it is in.
        """
        folder = path
        while folder:
            folder = os.path.dirname(folder)
            inner = path[len(folder) :].lstrip("/")
            for pattern in reversed(self._files.get(folder, ())):
                if pattern.matches(inner, is_folder):
                    return not pattern.negated
        return None

    def hiding(self, folder: str) -> str | None:
        """Return the outermost folder that is left out and is or holds `folder`; None when there is none."""
        if folder not in self._hiding:
            outer = self.hiding(os.path.dirname(folder))
            self._hiding[folder] = outer or (folder if self.says(folder, is_folder=True) else None)
        return self._hiding[folder]


def file_start(path: str, limit: int) -> bytes | None:
    """Return the first bytes of a regular file, None for anything else."""
    try:
        fd = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return None
    try:
        return os.read(fd, limit) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)
