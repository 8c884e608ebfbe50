r"""The patterns of an operation that find numbers in its output: `output-scalars` of a model file.

    output-scalars: '- (\key): (\value)'              a key and its value, as often as a line has them
    output-scalars: 'epoch (?P<step>\step) loss (?P<loss>\value)'         groups named after the keys
    output-scalars: {step: 'Epoch (\step)', loss: 'loss=(\value)'}        a pattern for each key
    output-scalars: ['Epoch (?P<step>\step)', {loss: 'loss=(\value)'}]    all of these in a list

They are regular expressions, looked for anywhere in a line, in which three names stand for what is to be found. The
key `step` sets the step of what follows, and of what else is in its line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artifacts.output_lines import NUMBER
from artifacts.series import LONGEST_KEY, is_key
from ledger.errors import GuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.canonical import Value

_NAMES = {"key": r"[^\s:=,;]+", "value": NUMBER, "step": "[0-9]+"}
_NAME = re.compile(r"(?<!\\)((?:\\\\)*)\\(key|value|step)(?![A-Za-z0-9_])")
_PAIR = 2


class PatternError(GuildError):
    """A pattern cannot be used; the message says what was expected."""


class TooSlowError(Exception):
    """To be raised by whoever watches the clock, while a pattern is being tried."""


class _Pattern:
    """One expression, and what its groups are called; `key` is None when the first group finds the key."""

    __slots__ = ("expression", "key", "names")

    def __init__(self, text: str, key: str | None) -> None:
        self.key = key
        self.expression = _compiled(text)
        self.names = tuple(self.expression.groupindex) if key is None else ()
        groups = self.expression.groups
        if key is not None and not is_key(key):
            raise PatternError(
                f"'{text}' is of no key: expected one of 1 to {LONGEST_KEY} characters that can be printed, not {key!r}"
            )
        if key is not None and not groups:
            raise PatternError(f"'{text}' finds no number: expected a group, as in '{key}: (\\value)'")
        if key is None and not self.names and groups < _PAIR:
            raise PatternError(
                f"'{text}' finds no number: expected two groups, as in '(\\key): (\\value)', "
                "or groups named after their keys, as in 'loss (?P<loss>\\value)'"
            )
        if self.names and groups > len(self.names):
            raise PatternError(
                f"'{text}' has groups without a name beside named ones, and what they find is of no key: "
                "name them, as in '(?P<loss>\\value)', or write '(?:...)' for what is not to be found"
            )

    def search(self, line: str) -> Iterator[tuple[str, str | None]]:
        """Yield key and text of all that is found in a line."""
        for match in self.expression.finditer(line):
            if self.key is not None:
                yield self.key, match[1]
            elif self.names:
                yield from ((name, match[name]) for name in self.names)
            else:
                yield match[1] or "", match[2]


class Patterns:
    """The patterns of one operation.

    Args:
        written: a text, a mapping of keys to texts, or a list of both.

    Attributes:
        current: the number of the pattern that is being tried, -1 between lines.
        tried: how many times a pattern was tried.
        given_up: texts of those that took too long, and are tried no more.

    Raises:
        PatternError: one of them cannot be used.
    """

    def __init__(self, written: Value) -> None:
        self._patterns: list[_Pattern | None] = [_Pattern(text, key) for key, text in texts_of(written)]
        self._texts = [text for _, text in texts_of(written)]
        self.current = -1
        self.tried = 0
        self.given_up: list[str] = []

    def search(self, line: str) -> list[tuple[str, str]]:
        """Return keys and numbers, as they stand in a line, by pattern and place; what is no number is left out."""
        found: list[tuple[str, str]] = []
        for number, pattern in enumerate(self._patterns):
            if pattern is None:
                continue
            self.tried += 1
            try:
                self.current = number
                found += [(key, text) for key, text in pattern.search(line) if text and _is_point(key, text)]
                self.current = -1
            except TooSlowError:
                self.current = -1
                self._patterns[number] = None
                self.given_up.append(self._texts[number])
        return found


def check(text: str, key: str | None) -> None:
    """Refuse a pattern that cannot be used.

    Args:
        text: the expression.
        key: the key that it finds values of, None for one that finds keys itself.

    Raises:
        PatternError: with what was expected.
    """
    _Pattern(text, key)


def texts_of(written: Value) -> Iterator[tuple[str | None, str]]:
    """Yield key and text of each pattern; the key is None where the pattern finds it."""
    for item in written if isinstance(written, list) else (written,):
        if isinstance(item, dict):
            yield from ((key, str(text)) for key, text in item.items())
        else:
            yield None, str(item)


def _compiled(text: str) -> re.Pattern[str]:
    import warnings

    try:
        # What a later Python will read differently is no concern of who looks at a run.
        with warnings.catch_warnings(action="ignore"):
            expression = re.compile(_filled(text, "(?:%s)"))
            if not expression.groups and _NAME.search(text):
                # Nobody means to find a number and then not have it.
                expression = re.compile(_filled(text, "(%s)"))
    except (re.error, OverflowError, RecursionError) as error:
        # Not the position: it is that in what `\\value` and its like stand for.
        raise PatternError(f"'{text}' is no regular expression: {getattr(error, 'msg', error)}") from error
    return expression


def _filled(text: str, form: str) -> str:
    return _NAME.sub(lambda match: match[1] + form % _NAMES[match[2]], text)


def _is_point(key: str, text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return is_key(key)
