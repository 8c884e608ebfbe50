"""The files that a model file is made of, and errors shown at their place in them.

Apart from what the files say, because one that is included can be at fault just as the one that was asked for.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.nodes import Node, NodeError, Place, compose, lines_of, place_of

MAX_FILE_BYTES = 10 * 1024 * 1024
"""The largest model file that is read."""
MAX_WARNINGS = 50
"""How many warnings are kept; of more, only their number."""

_UTF8_MARK = b"\xef\xbb\xbf"
_LONGEST_PATH = 4096
_LONGEST_PROBLEM = 400
_EXCERPT_BEFORE = 60
_EXCERPT_LENGTH = 100


class ModelFileError(GuildError):
    """A model file cannot be used; the message names file, line and column and shows the line."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The installed package whose model file says something that a model of another file inherits.

    Attributes:
        package: what it is called by: `PACKAGE/MODEL`.
        folder: the absolute directory of its model file.
    """

    package: str
    folder: str


class Sources:
    """The texts read so far; the `source` of a place is a number of this table."""

    def __init__(self) -> None:
        self._read: list[tuple[str, str]] = []
        self._owners: dict[int, Owner] = {}

    def read(self, path: str, owner: Owner | None = None) -> tuple[int, Node | None]:
        """Read a file and return its number and its tree, None when it holds nothing.

        Args:
            path: the file.
            owner: the package that it belongs to when another file inherits from it, else None.

        Raises:
            OSError: it cannot be read, is no regular file or is above `MAX_FILE_BYTES`.
            NodeError: it is not UTF-8 or not YAML.
        """
        data = _bytes_of(path).removeprefix(_UTF8_MARK)
        number = len(self._read)
        self._read.append((path, data.decode("utf-8", "surrogateescape")))
        if owner is not None:
            self._owners[number] = owner
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            place = place_of(data[: error.start].decode("utf-8"), error.start, number)
            raise NodeError(f"byte 0x{data[error.start]:02x} is not UTF-8: expected UTF-8 text", place) from error
        return number, compose(text, number)

    def owner(self, place: Place) -> Owner | None:
        """Return the package that has said what stands at a place; None for the file that is read, or its parts."""
        return self._owners.get(place.source)

    def line_at(self, place: Place) -> str:
        """Return `FILE:LINE`, safe to show."""
        return f"{printable(self._read[place.source][0], _LONGEST_PATH)}:{place.line + 1}"

    def located(self, error: NodeError) -> ModelFileError:
        """Return the error to show: file, line, column and problem, the line, and a caret under the fault."""
        place = error.place
        lines = lines_of(self._read[place.source][1])
        line = lines[place.line] if place.line < len(lines) else ""
        number = str(place.line + 1)
        shown, offset = _excerpt(line, place.column)
        return ModelFileError(
            f"{self.line_at(place)}:{place.column + 1}: {printable(error.problem, _LONGEST_PROBLEM)}\n"
            f"{f'  {number} | {shown}'.rstrip()}\n"
            f"  {' ' * len(number)} | {' ' * offset}^"
        )


class Notes:
    """What is said in warnings, each fault once however many models inherit it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._texts: dict[tuple[Place, str], str] = {}
        self._more = 0

    def warn(self, place: Place, text: str, word: str = "", known: Iterable[str] = ()) -> None:
        """Note a warning about the line of a place; of the words known there, one near to `word` is offered."""
        if (place, word) in self._texts:
            return
        if len(self._texts) == MAX_WARNINGS:
            self._more += 1
            return
        near = did_you_mean(word, known) if word else ""
        self._texts[place, word] = f"{self._sources.line_at(place)}: {printable(text + near, _LONGEST_PROBLEM)}"

    def owner(self, place: Place) -> Owner | None:
        """Return the package that has said what stands at a place, None for none; see `Sources.owner`."""
        return self._sources.owner(place)

    def folder(self, place: Place) -> str:
        """Return the directory of that package, empty for none."""
        owner = self._sources.owner(place)
        return owner.folder if owner else ""

    def named(self, name: str, place: Place) -> str:
        """Return `MODEL:NAME` as it is found from elsewhere when a package says it; anything else as it is."""
        owner = self._sources.owner(place)
        return f"{owner.package}/{name}" if owner and "/" not in name and name.rfind(":") > 0 else name

    def all(self) -> tuple[str, ...]:
        """Return the warnings in the order of the files and their lines."""
        more = (f"... and {self._more} more warnings",) if self._more else ()
        ordered = sorted(self._texts.items(), key=lambda item: (item[0][0].source, item[0]))
        return (*(text for _, text in ordered), *more)


def shown_path(path: str) -> str:
    """Return a path as messages show it."""
    return printable(path, _LONGEST_PATH)


def _bytes_of(path: str) -> bytes:
    # Opening a pipe waits for a writer unless it is told not to, and reading a device may never end.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_FILE_BYTES // (1024 * 1024)} MB")
    return data


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, safe to show, and how many cells lie left of that column."""
    start = max(0, column - _EXCERPT_BEFORE)
    safe_length = _EXCERPT_LENGTH * len("\\U00000000")
    before = printable(line[start:column].replace("\t", " "), safe_length)
    part = printable(line[start : start + _EXCERPT_LENGTH].replace("\t", " "), safe_length)
    return part, _cells(before)


def _cells(text: str) -> int:
    import unicodedata

    wide = sum(unicodedata.east_asian_width(character) in ("W", "F") for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
