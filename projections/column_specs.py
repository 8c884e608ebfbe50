"""The language in which columns of a comparison are named: from text to specs, with errors that point at the place.

columns = column { "," column }
column  = [ "first" | "last" | "min" | "max" | "mean" | "avg" | "total" | "count" ] KEY [ "step" ] [ "as" HEADING ]
        | "=" FLAG [ "as" HEADING ]
        | "." ATTRIBUTE [ "as" HEADING ]

A name with a blank, a comma or a quote in it is quoted, a quote in quotes doubled. What `guild runs --columns` takes is
understood as well:
`flag:NAME`, `attr:NAME`, `scalar:KEY`, `min:KEY`, `max:KEY`, `step:KEY`, and a bare name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ledger.dataclass import dataclass
from projections.expression import PREFIXES, ExpressionError

ATTRIBUTE, FLAG, SCALAR, ANY = ("attribute", "flag", "scalar", "")
"""What a spec names; `ANY` is a bare name: a scalar if runs have such a one, else a flag, else an attribute."""

LAST = "last"
QUALIFIERS = {"first": "first", LAST: LAST, "min": "min", "max": "max", "mean": "mean", "avg": "mean",
              "total": "total", "count": "count"}  # fmt: skip
"""What of a scalar may be asked for, by the word that is typed."""

WITH_STEP = ("first", LAST, "min", "max")
"""What of a scalar was reported at a step."""

_WORD = re.compile(
    r"""\s*(?:(?P<comma>,)|(?P<mark>[=.])?(?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<bare>[^\s,"']+))"""
)
_AT_LEAST = 2


class ColumnError(ExpressionError):
    """A column that cannot be understood, or that there is not; the message shows where."""


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column, as somebody asked for it.

    Attributes:
        kind: `attribute`, `flag`, `scalar`, or empty for a bare name.
        name: of the attribute or flag, or the scalar's key.
        part: of a scalar `first`, `last`, `min`, `max`, `mean`, `total` or `count`; else `last`.
        step: the step at which that was reported, not the value.
        heading: what follows `as`; empty for none.
        text: all of the columns as typed, for errors.
        column: where in it the spec begins, counted from 0.
    """

    kind: str
    name: str
    part: str = LAST
    step: bool = False
    heading: str = ""
    text: str = ""
    column: int = 0

    def __str__(self) -> str:
        """Return the spec in its shortest form, without a heading: what stands above its column."""
        if self.kind == ATTRIBUTE:
            return f".{quoted(self.name)}"
        if self.kind == FLAG:
            return f"={quoted(self.name)}"
        qualifier = "" if self.part == LAST else f"{self.part} "
        return f"{qualifier}{quoted(self.name)}{' step' if self.step else ''}"

    def error(self, what: str, *, hint: str | None = None) -> ColumnError:
        """Return an error that points at the spec."""
        return ColumnError(what, self.text or str(self), self.column, hint=hint)


class _Word(NamedTuple):
    """A word: `is_text` when it was quoted, so that it is a name and nothing else; `mark` is what stood before that."""

    text: str
    is_text: bool
    column: int
    mark: str = ""

    def is_key(self, word: str) -> bool:
        """Tell whether it is this word of the language."""
        return not self.is_text and self.text == word


def parse_columns(text: str) -> list[ColumnSpec]:
    """Return the columns that `text` names, in its order.

    Raises:
        ColumnError: it cannot be understood, or it names none.
    """
    groups: list[list[_Word]] = [[]]
    commas = [0]
    for word in _words(text):
        if word.is_key(","):
            groups.append([])
            commas.append(word.column)
        else:
            groups[-1].append(word)
    for words, comma in zip(groups, commas, strict=True):
        if not words:
            raise ColumnError("a column is missing", text, comma, hint="Example: --columns 'loss, min loss, =lr'.")
    return [_column(words, text) for words in groups]


def quoted(name: str) -> str:
    """Return a name as the language reads it: in quotes where it needs them."""
    is_plain = name and not re.search(r"[\s,\"']", name) and name[0] not in "=."
    if is_plain and name not in ("as", "step", *QUALIFIERS) and name.partition(":")[0] not in PREFIXES:
        return name
    quote = "'" if '"' in name else '"'
    return f"{quote}{name.replace(quote, 2 * quote)}{quote}"


def _words(text: str) -> list[_Word]:
    words, at = [], 0
    end = len(text.rstrip())
    while at < end:
        found = _WORD.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ColumnError("a quote is not closed", text, at)
        words.append(_word(found))
        at = found.end()
    return words


def _word(found: re.Match[str]) -> _Word:
    said = found["text"]
    if said is None:
        kind = str(found.lastgroup)
        return _Word(found[kind], is_text=False, column=found.start(kind))
    mark = found["mark"] or ""
    text = said[1:-1].replace(2 * said[0], said[0])
    return _Word(text, is_text=True, column=found.start("text") - len(mark), mark=mark)


def _column(words: Sequence[_Word], text: str) -> ColumnSpec:
    first = words[0]
    heading = ""
    if len(words) > _AT_LEAST and words[-2].is_key("as"):
        heading, words = words[-1].text, words[:-2]
    part, step = LAST, False
    is_step = len(words) > _AT_LEAST or (len(words) == _AT_LEAST and (first.is_text or first.text not in QUALIFIERS))
    if is_step and words[-1].is_key("step"):
        step, words = True, words[:-1]
    is_qualified = len(words) > 1 and not first.is_text and first.text in QUALIFIERS
    if is_qualified:
        part, words = QUALIFIERS[first.text], words[1:]
    if len(words) > 1:
        raise ColumnError(
            "expected a comma here", text, words[1].column,
            hint="A column is KEY, min KEY, KEY step, =FLAG or .ATTRIBUTE, each perhaps with `as HEADING`;"
            " a name with blanks is quoted.",
        )  # fmt: skip
    kind, name, part, step = _named(words[0], part, step=step)
    spec = ColumnSpec(kind, name, part, step, heading, text, first.column)
    if (is_qualified or step) and kind == ANY:
        spec = ColumnSpec(SCALAR, name, part, step, heading, text, first.column)
    _check(spec, words[0], is_scalar=is_qualified or step)
    return spec


def _named(word: _Word, part: str, *, step: bool) -> tuple[str, str, str, bool]:
    """Return what a word names: its kind and name, and the part and step, which a prefix may say."""
    text = word.text
    for mark, kind in (("=", FLAG), (".", ATTRIBUTE)):
        if word.mark == mark:
            return kind, text, part, step
        if not word.is_text and text.startswith(mark):
            return kind, text[1:], part, step
    prefix, colon, name = text.partition(":")
    if not colon or word.is_text or prefix not in PREFIXES:
        return ANY, text, part, step
    if prefix in ("attr", "flag"):
        return (ATTRIBUTE if prefix == "attr" else FLAG), name, part, step
    said = {"min": "min", "max": "max"}.get(prefix, part)
    return SCALAR, name, said, step or prefix == "step"


def _check(spec: ColumnSpec, word: _Word, *, is_scalar: bool) -> None:
    if not spec.name:
        raise ColumnError("a name is missing here", spec.text, word.column + len(word.text))
    if is_scalar and spec.kind != SCALAR:
        raise ColumnError("only a scalar has a lowest value, a step and the like", spec.text, spec.column)
    if spec.step and spec.part not in WITH_STEP:
        raise ColumnError(f"the {spec.part} of a scalar has no step", spec.text, spec.column)
