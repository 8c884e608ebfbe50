"""Values out of the list of an archive of runs, which may be forged: of the right kind, or the archive is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from ledger.canonical import Value
from ledger.errors import GuildError
from ledger.text import printable

T = TypeVar("T")

_DAMAGED = "Nothing was imported. Get the archive again from where it was made."
_LONGEST_NAME = 255  # bytes: what every file system in use has
_LONGEST_PATH = 4000  # bytes; the home's own path comes before it, and Linux takes 4,096
_DIGEST_DIGITS = 64


class RunArchiveError(GuildError):
    """An archive of runs is refused: nothing of it was taken in."""

    def __init__(self, message: str, hint: str = _DAMAGED) -> None:
        super().__init__(message, hint=hint)


def check_path(path: str) -> None:
    """Refuse a path that is not, as it is written, that of something below a run directory.

    Raises:
        RunArchiveError: see above; or the system could not take it.
    """
    parts = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise RunArchiveError(f"'{printable(path, 300)}' in it is not a path below a run directory")
    if max(map(_length, parts)) > _LONGEST_NAME or _length(path) > _LONGEST_PATH:
        raise RunArchiveError(f"'{printable(path, 60)}' in it has a name that is longer than the system takes")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def refuse_twice(names: Iterable[str], what: str) -> None:
    """Refuse a name that stands there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RunArchiveError(f"the {what} '{printable(name, 300)}' is in it twice")
        seen.add(name)


def senseless(name: str) -> RunArchiveError:
    """Return what is said of a value that is missing or of the wrong kind."""
    return RunArchiveError(f"its list of runs makes no sense: '{name}' is missing or of the wrong kind")


def text_of(value: Mapping[str, Value], name: str) -> str:
    """Return a text; as all of these, raises RunArchiveError for anything else."""
    found = value.get(name)
    if not isinstance(found, str):
        raise senseless(name)
    return found


def number_of(value: Mapping[str, Value], name: str, least: int, most: int) -> int:
    """Return a whole number within bounds, which are included."""
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise senseless(name)
    return found


def _all(value: Mapping[str, Value], name: str, kind: type[T]) -> Iterator[T]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
        raise senseless(name)
    yield from cast("list[T]", found)


def mappings_of(value: Mapping[str, Value], name: str) -> Iterator[Mapping[str, Value]]:
    """Return the mappings of a list."""
    return _all(value, name, dict)


def texts_of(value: Mapping[str, Value], name: str) -> Sequence[str]:
    """Return the texts of a list."""
    return list(_all(value, name, str))


def digest_of(value: Mapping[str, Value], name: str) -> str:
    """Return a SHA-256, hexadecimal."""
    found = text_of(value, name)
    if len(found) != _DIGEST_DIGITS or found.strip("0123456789abcdef"):
        raise senseless(name)
    return found
