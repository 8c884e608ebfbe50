"""The expression language of filters: from text to a tree, with errors that point at the column.

expression  = conjunction { "or" conjunction }
conjunction = negation { "and" negation }
negation    = "not" negation | "(" expression ")" | comparison
comparison  = name ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
            | name [ "not" ] "in" "[" value { "," value } "]"
            | name "contains" value
            | name "is" [ "not" ] "undefined"
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ledger.dataclass import dataclass
from ledger.errors import UsageError
from ledger.text import printable

PREFIXES = ("attr", "flag", "scalar", "min", "max", "step")
TIMES = ("started", "stopped")
"""Attributes whose values may have several words, such as `last 2 hours`."""

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>==|!=|<>|<=|>=|[=<>()\[\],])|(?P<word>[^\s=<>()\[\],!\"']+)"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_SIGNS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORDS = frozenset(("and", "or", "not", "in", "contains", "is", "undefined"))
_DEEPEST = 20
"""SQLite reads no deeper statements than this makes."""

_MOST_COMPARISONS = 200
_MOST_VALUES = 1_000
_SHOWN = 60


class ExpressionError(UsageError):
    """An expression that cannot be understood; the message shows where."""

    def __init__(self, what: str, expression: str, column: int, *, hint: str | None = None) -> None:
        start = max(0, column - _SHOWN)
        before = printable(expression[start:column], 6 * _SHOWN) if column > start else ""
        shown = before + printable(expression[column : column + _SHOWN], 6 * _SHOWN)
        super().__init__(f"{what}\n  {shown}\n  {' ' * len(before)}^", hint=hint)
        self.column = column


class UnknownNameError(ExpressionError):
    """A bare name that is no attribute, and that no run has as a flag or scalar: more likely mistyped than meant."""


@dataclass(frozen=True, slots=True)
class Name:
    """What is compared: `kind` is one of `PREFIXES`, or empty for a bare name; `column` counts from 0."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: its text, and its number when it is one that was not quoted."""

    text: str
    number: int | float | None
    column: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison; `operator` is a sign, `in`, `not in`, `contains`, `undefined` or `defined`."""

    name: Name
    operator: str
    values: tuple[Literal, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match."""

    term: Node


@dataclass(frozen=True, slots=True)
class All:
    """What matches every term."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """What matches one of the terms."""

    terms: tuple[Node, ...]


Node = Comparison | Not | All | Any


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int
    end: int


def parse(expression: str) -> Node:
    """Return the tree of an expression.

    Raises:
        ExpressionError: it cannot be understood.
    """
    return _Parser(expression).whole()


def _tokens(expression: str) -> list[_Token]:
    found, place = [], 0
    end = len(expression.rstrip())
    while place < end:
        match = _TOKEN.match(expression, place)
        if match is None:
            column = place + len(expression[place:]) - len(expression[place:].lstrip())
            what = "this quote is not closed" if expression[column] in "\"'" else "this is not understood"
            raise ExpressionError(what, expression, column)
        kind = str(match.lastgroup)
        text = match[kind]
        if kind == "text":
            text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        found.append(_Token(kind, text, match.start(kind), match.end()))
        place = match.end()
    return [*found, _Token("end", "", end, end)]


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = _tokens(expression)
        self._at = 0
        self._depth = self._comparisons = 0

    def whole(self) -> Node:
        node = self._any()
        if self._token.kind != "end":
            raise self._error("expected 'and', 'or' or the end")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _error(self, what: str, column: int | None = None) -> ExpressionError:
        column = self._token.column if column is None else column
        return ExpressionError(what, self._expression, column)

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, *words: str) -> bool:
        token = self._token
        return (token.kind == "sign" and token.text in words) or (token.kind == "word" and token.text.lower() in words)

    def _skip(self, *words: str) -> bool:
        if not self._is(*words):
            return False
        self._at += 1
        return True

    def _any(self) -> Node:
        return self._joined(self._all, "or", Any)

    def _all(self) -> Node:
        return self._joined(self._negation, "and", All)

    def _joined(self, part: Callable[[], Node], word: str, kind: type[Any | All]) -> Node:
        terms = [part()]
        while self._skip(word):
            terms.append(part())
        return terms[0] if len(terms) == 1 else kind(tuple(terms))

    def _negation(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"this is nested deeper than {_DEEPEST} levels")
        if self._skip("not"):
            node: Node = Not(self._negation())
        elif self._skip("("):
            node = self._any()
            if not self._skip(")"):
                raise self._error("expected ')'")
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        name = self._name()
        self._comparisons += 1
        if self._comparisons > _MOST_COMPARISONS:
            raise self._error(f"there are more than {_MOST_COMPARISONS} comparisons", name.column)
        column = self._token.column
        if self._token.kind == "sign" and self._token.text in _SIGNS:
            return Comparison(name, _SIGNS[self._take().text], (self._value(name),), column)
        if self._skip("contains"):
            return Comparison(name, "contains", (self._value(name),), column)
        if self._skip("is"):
            operator = "defined" if self._skip("not") else "undefined"
            if not self._skip("undefined"):
                raise self._error("expected 'undefined'")
            return Comparison(name, operator, (), column)
        operator = "not in" if self._skip("not") else "in"
        if not self._skip("in"):
            raise self._error("expected 'in'" if operator == "not in" else "expected a comparison such as = or <")
        return Comparison(name, operator, self._list(name), column)

    def _name(self) -> Name:
        token = self._token
        if token.kind in ("end", "sign") or (token.kind == "word" and token.text.lower() in _WORDS):
            raise self._error("expected the name of an attribute, a flag or a scalar")
        self._take()
        if token.kind == "text":
            return Name("", token.text, token.column)
        kind, colon, rest = token.text.partition(":")
        if not colon or kind not in PREFIXES:
            return Name("", token.text, token.column)
        following = self._token
        if not rest and following.kind == "text" and following.column == token.end:
            rest = self._take().text
        if not rest:
            raise self._error(f"expected a name after '{kind}:'", token.end)
        return Name(kind, rest, token.column)

    def _list(self, name: Name) -> tuple[Literal, ...]:
        if not self._skip("["):
            raise self._error("expected '['")
        values: list[Literal] = []
        while not self._skip("]"):
            if values and not self._skip(","):
                raise self._error("expected ',' or ']'")
            if len(values) == _MOST_VALUES:
                raise self._error(f"there are more than {_MOST_VALUES} values")
            values.append(self._value(name))
        return tuple(values)

    def _value(self, name: Name) -> Literal:
        token = self._token
        if token.kind not in ("word", "text") or self._is("and", "or", "not"):
            raise self._error("expected a value")
        self._take()
        if token.kind == "text":
            return Literal(token.text, None, token.column)
        end = token.end
        if name.kind in ("", "attr") and name.text in TIMES:
            while self._token.kind == "word" and self._token.text.lower() not in ("and", "or"):
                end = self._take().end
        text = self._expression[token.column : end]
        return Literal(text, _number(text), token.column)


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text) and _INT_MIN <= int(text) <= _INT_MAX:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None
