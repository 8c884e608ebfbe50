"""YAML text as a small tree that knows where each part stands, read without trusting the text.

The YAML library's own composers overflow the C stack on deep nesting, let aliases grow without bound, and say
nothing of a key that is given twice. So the tree is built here, from the library's events, with limits.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from ledger.dataclass import dataclass

if TYPE_CHECKING:
    from yaml._yaml import Mark as _CompiledMark
    from yaml.error import Mark as _PurePythonMark

    from operations.definitions import FlagValue

MAX_NODES = 100_000
"""The most values a text may hold once its aliases are written out."""
MAX_DEPTH = 100
"""The deepest nesting of lists and mappings once aliases are written out."""

_MAX_NUMBER_LENGTH = 1000
_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {
    spelling: value
    for words, value in ((("yes", "true", "on"), True), (("no", "false", "off"), False))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?(?:0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
)
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NANS = frozenset((".nan", ".NaN", ".NAN"))
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Place(NamedTuple):
    """A position in a text; line and column count from 0, `source` numbers the text where there are several."""

    line: int
    column: int
    source: int = 0


class NodeError(Exception):
    """The text is not what it should be at this place; its reader adds the file's name and the line."""

    def __init__(self, problem: str, place: Place) -> None:
        super().__init__(problem)
        self.problem = problem
        self.place = place


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the text: `end` is the offset behind it; `size` and `depth` count aliases written out."""

    place: Place
    end: int
    size: int
    depth: int


@dataclass(frozen=True, slots=True)
class ScalarNode(Node):
    """A single value: `text` as written (quotes and escapes undone), `value` what it means."""

    text: str
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class SequenceNode(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MappingNode(Node):
    """A mapping; its keys are scalars, taken by their text, and no two are the same."""

    pairs: tuple[tuple[ScalarNode, Node], ...]


def plain_scalar(text: str) -> bool | int | float | str | None:
    """Return what an unquoted YAML 1.1 scalar means, but `1e-4` is a number, dates and `1:30` are text.

    A number too large to be kept (`1e999`, or over a thousand digits) stays text as well.
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] not in _NUMBER_STARTS or len(text) > _MAX_NUMBER_LENGTH:
        return text
    return _number(text)


def place_of(text: str, offset: int, source: int = 0) -> Place:
    """Return the line and column of a character's offset, counting line breaks as YAML does."""
    before = lines_of(text[:offset])
    return Place(len(before) - 1, len(before[-1]), source)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, split where YAML breaks lines."""
    return _LINE_BREAK.split(text)


def compose(text: str, source: int = 0) -> Node | None:
    """Return the only document of a YAML text, or None when it holds nothing but blanks and comments.

    Args:
        text: what to read.
        source: the number that all places in the tree, and in an error, carry.

    Raises:
        NodeError: not YAML, more than one document, a repeated or compound key, a merge key (`<<`), a tag of
            another type than null, bool, int, float, str, list and mapping, too deep, or too large.
    """
    import yaml

    _refuse_control_characters(text, source)
    builder = _Builder()
    try:
        _feed(builder, text, source)
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # the pure Python scanner lets the last two out
        place, _ = _at(getattr(error, "problem_mark", None) or getattr(error, "context_mark", None), source)
        raise NodeError(f"this is not valid YAML: {_yaml_problem(error, text, place)}", place) from error
    return builder.root


def value_of(node: Node) -> FlagValue:
    """Return the value that a tree stands for; every call makes new lists and mappings."""
    if isinstance(node, MappingNode):
        return {key.text: value_of(value) for key, value in node.pairs}
    if isinstance(node, SequenceNode):
        return [value_of(item) for item in node.items]
    return node.value if isinstance(node, ScalarNode) else None


def kind_of(node: Node) -> str:
    """Return what a node is, in the words of a message: `a list`, `a number`, ..."""
    if isinstance(node, ScalarNode):
        return _scalar_kind(node.value)
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


class _Open:
    """A list or mapping whose end was not seen yet."""

    __slots__ = ("anchor", "children", "depth", "is_mapping", "place", "size")

    def __init__(self, place: Place, anchor: str | None, *, is_mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.is_mapping = is_mapping
        self.children: list[Node] = []
        self.size = 1
        self.depth = 1


class _Builder:
    """Puts nodes together; never recursive, so that no input can exhaust the stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def start_document(self, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise NodeError("a second document starts here ('---'): expected only one", place)

    def start(self, place: Place, anchor: str | None, *, is_mapping: bool) -> None:
        if len(self._open) == MAX_DEPTH:
            raise NodeError(f"nested too deep: expected at most {MAX_DEPTH} levels", place)
        self._open.append(_Open(place, anchor, is_mapping=is_mapping))

    def end(self, end: int) -> None:
        done = self._open.pop()
        node: Node
        if done.is_mapping:
            node = MappingNode(done.place, end, done.size, done.depth, _pairs(done.children))
        else:
            node = SequenceNode(done.place, end, done.size, done.depth, tuple(done.children))
        self.add(node, done.anchor, node.place)

    def alias(self, anchor: str, place: Place) -> None:
        """Add the node that an anchor names; one still open is not known, so no tree holds itself."""
        if anchor not in self._anchors:
            raise NodeError(f"alias '*{anchor}' names nothing: expected '&{anchor}' on a complete value above", place)
        self.add(self._anchors[anchor], None, place)

    def add(self, node: Node, anchor: str | None, place: Place) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MAX_NODES or parent.depth > MAX_DEPTH:
            raise NodeError(f"too large: expected at most {MAX_NODES} values in {MAX_DEPTH} levels", place)


def _at(mark: _CompiledMark | _PurePythonMark | None, source: int = 0) -> tuple[Place, int]:
    """Return the place and offset of one of the library's marks; it has two kinds, and may leave one out."""
    return (Place(mark.line, mark.column, source), mark.index) if mark else (Place(0, 0, source), 0)


def _feed(builder: _Builder, text: str, source: int) -> None:
    import yaml
    from yaml import events

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for event in yaml.parse(text, Loader=loader):
        place, _ = _at(event.start_mark, source)
        _, end = _at(event.end_mark)
        if isinstance(event, events.ScalarEvent):
            plain = event.tag is None and event.implicit[0]
            value = plain_scalar(event.value) if plain else _tagged(event.tag, event.value, place)
            builder.add(ScalarNode(place, end, 1, 0, event.value, value), event.anchor, place)
        elif isinstance(event, events.CollectionStartEvent):
            is_mapping = isinstance(event, events.MappingStartEvent)
            _refuse_tag(event.tag, "map" if is_mapping else "seq", place)
            builder.start(place, event.anchor, is_mapping=is_mapping)
        elif isinstance(event, events.CollectionEndEvent):
            builder.end(end)
        elif isinstance(event, events.AliasEvent):
            builder.alias(event.anchor or "", place)
        elif isinstance(event, events.DocumentStartEvent):
            builder.start_document(place)


def _pairs(children: list[Node]) -> tuple[tuple[ScalarNode, Node], ...]:
    pairs: list[tuple[ScalarNode, Node]] = []
    seen: dict[str, int] = {}
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, ScalarNode):
            remedy = " (put '{{name}}' in quotes)" if isinstance(key, MappingNode) else ""
            raise NodeError(f"a key is {kind_of(key)}: expected text{remedy}", key.place)
        if key.text == "<<":
            raise NodeError("merge key '<<' is not supported: expected the keys written out", key.place)
        if key.text in seen:
            first = seen[key.text] + 1
            raise NodeError(
                f"duplicate key '{key.text}': expected it once, it already stands in line {first}", key.place
            )
        seen[key.text] = key.place.line
        pairs.append((key, value))
    return tuple(pairs)


def _tagged(tag: str | None, text: str, place: Place) -> bool | int | float | str | None:
    """Return the value of a scalar that is quoted or carries a tag such as `!!float`."""
    if tag in (None, "!", f"{_TAG}str"):
        return text
    value = plain_scalar(text)
    if tag == f"{_TAG}float" and type(value) is int:
        value = float(str(value))  # from text, because a large integer would overflow instead of becoming infinite
    if value is not None and tag == f"{_TAG}{type(value).__name__}":
        return value
    if value is None and tag == f"{_TAG}null":
        return value
    raise _unsupported_tag(tag, "a plain value", place)


def _refuse_tag(tag: str | None, allowed: str, place: Place) -> None:
    if tag not in (None, "!", f"{_TAG}{allowed}"):
        raise _unsupported_tag(tag, "a plain list or mapping", place)


def _unsupported_tag(tag: str | None, wanted: str, place: Place) -> NodeError:
    if tag == "!load":
        return NodeError("tag '!load' is not supported: expected an item 'include: FILE' in the list of models", place)
    shown = (tag or "").replace(_TAG, "!!")
    return NodeError(f"tag '{shown}' does not fit here: expected {wanted} without a tag", place)


def _refuse_control_characters(text: str, source: int) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        code = ord(found.group())
        problem = f"character U+{code:04X} is not allowed: expected text, with escapes in double quotes"
        raise NodeError(problem, place_of(text, found.start(), source))


def _yaml_problem(error: Exception, text: str, place: Place) -> str:
    lines = lines_of(text)
    line = lines[place.line] if place.line < len(lines) else ""
    if "\t" in line[: place.column + 1] and not line[: place.column].strip():
        return "a tab is used to indent: expected blanks"
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    if not context or not problem:
        return problem or str(error)
    began, _ = _at(getattr(error, "context_mark", None))
    return f"{context} (from line {began.line + 1}) {problem}"


def _number(text: str) -> int | float | str:
    bare = text.replace("_", "")
    if _INT.fullmatch(text):
        return _integer(bare)
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    if text in _NANS:
        return math.nan
    if _FLOAT.fullmatch(text):
        number = float(bare)
        return text if math.isinf(number) else number
    return text


def _integer(bare: str) -> int:
    digits = bare.lstrip("+-")
    base = 10
    if digits.startswith(("0b", "0x")):
        base = 2 if digits[1] == "b" else 16
    elif digits.startswith("0"):
        base = 8
    return int(bare, base)


def _scalar_kind(value: float | str | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {'true' if value else 'false'}"
    return "text" if isinstance(value, str) else "a number"
