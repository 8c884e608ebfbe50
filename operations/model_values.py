"""The keys of one mapping of a model file, read with their kind checked; what nobody asks for becomes a warning."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING

from ledger.text import did_you_mean
from operations.model_tree import is_nothing
from operations.nodes import MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operations.model_text import Notes

_FORBIDDEN_IN_NAMES = "/:="
# No process, file or environment variable can have these in its name or arguments.
_NEVER_PASSED = re.compile("[\x00\ud800-\udfff]")


class Keys:
    """The keys of one mapping.

    Attributes:
        node: the mapping.
        what: what it is, for messages: `flag 'lr'`.
        notes: where warnings go.
    """

    def __init__(self, node: MappingNode, what: str, notes: Notes) -> None:
        self.node = node
        self.what = what
        self.notes = notes
        self._values = {key.text: (key, value) for key, value in node.pairs}
        self._asked: dict[str, None] = {}

    def pair(self, *words: str) -> tuple[ScalarNode, Node] | None:
        """Return key and value of the one of these synonyms that is given; None when none is, or it is empty.

        Raises:
            NodeError: more than one is given.
        """
        self._asked.update(dict.fromkeys(words))
        given = [self._values[word] for word in words if word in self._values]
        if len(given) > 1:
            given.sort(key=lambda pair: pair[0].place)
            both = f"both '{given[0][0].text}' and '{given[1][0].text}'"
            raise NodeError(f"{self.what} has {both}: expected only one of them", given[1][0].place)
        return None if not given or is_nothing(given[0][1]) else given[0]

    def get(self, *words: str) -> Node | None:
        """Return the value of the one of these synonyms that is given; None for none or nothing."""
        pair = self.pair(*words)
        return pair[1] if pair else None

    def text(self, *words: str) -> str:
        """Return a text without blanks around it; a number or truth value is taken as written, none is empty."""
        return self.optional_text(*words) or ""

    def optional_text(self, *words: str) -> str | None:
        """Return as `text`, but None when nothing is given."""
        pair = self.pair(*words)
        return plain_text(pair[1], self._of(pair[0])).strip() if pair else None

    def texts(self, *words: str) -> tuple[str, ...]:
        """Return a list of texts; a single one counts as a list."""
        pair = self.pair(*words)
        return texts_of(pair[1], self._of(pair[0])) if pair else ()

    def truth(self, *words: str) -> bool | None:
        """Return a truth value, None when nothing is given."""
        pair = self.pair(*words)
        if pair is None:
            return None
        key, node = pair
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            raise NodeError(f"{self._of(key)} is {kind_of(node)}: expected 'yes' or 'no'", node.place)
        return node.value

    def number(self, *words: str) -> float | None:
        """Return a finite number, None when nothing is given."""
        pair = self.pair(*words)
        if pair is None:
            return None
        key, node = pair
        if not isinstance(node, ScalarNode) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise NodeError(f"{self._of(key)} is {kind_of(node)}: expected a number", node.place)
        if math.isnan(node.value) or math.isinf(node.value):
            raise NodeError(f"{self._of(key)} is {node.text}: expected a number that can be compared", node.place)
        return node.value

    def pairs(self, *words: str, wanted: str = "a mapping of names") -> tuple[tuple[ScalarNode, Node], ...]:
        """Return the entries of a mapping, none when it is not given."""
        pair = self.pair(*words)
        return mapping(pair[1], self._of(pair[0]), wanted).pairs if pair else ()

    def one_of(self, words: tuple[str, ...], *keys: str) -> str | None:
        """Return a text that must be one of `words`; None when nothing is given."""
        pair = self.pair(*keys)
        text = self.optional_text(*keys)
        if pair and text not in words:
            near = did_you_mean(text or "", words)
            raise NodeError(f"{self._of(pair[0])} is '{text}': expected one of {', '.join(words)}{near}", pair[1].place)
        return text

    def finish(self, unsupported: Iterable[str] = ()) -> None:
        """Warn about keys that nobody asked for; those in `unsupported` mean something, but not here."""
        known = tuple(self._asked)
        for word, (key, _) in self._values.items():
            if word in self._asked:
                continue
            if word in unsupported:
                self.notes.warn(key.place, f"key '{word}' of {self.what} is not supported and is ignored")
            else:
                self.notes.warn(key.place, f"key '{word}' of {self.what} is not known and is ignored", word, known)

    def _of(self, key: ScalarNode) -> str:
        return f"'{key.text}' of {self.what}"


def mapping(node: Node, what: str, wanted: str = "a mapping") -> MappingNode:
    """Return a node that must be a mapping."""
    if not isinstance(node, MappingNode):
        raise NodeError(f"{what} is {kind_of(node)}: expected {wanted}", node.place)
    return node


def plain_text(node: Node, what: str) -> str:
    """Return the text of a scalar as written; nothing is the empty text."""
    if not isinstance(node, ScalarNode):
        raise NodeError(f"{what} is {kind_of(node)}: expected text", node.place)
    bad = _NEVER_PASSED.search(node.text)
    if bad:
        raise NodeError(f"{what} holds the character U+{ord(bad.group()):04X}: expected text without it", node.place)
    return "" if node.value is None else node.text


def texts_of(node: Node, what: str) -> tuple[str, ...]:
    """Return a list of texts, none of them empty; a single one counts as a list."""
    items = node.items if isinstance(node, SequenceNode) else (node,)
    texts = []
    for item in items:
        if not isinstance(item, ScalarNode) or is_nothing(item) or not item.text.strip():
            wrong = "empty" if isinstance(item, ScalarNode) and not item.text.strip() else kind_of(item)
            raise NodeError(f"{what} is {wrong}: expected text or a list of texts", item.place)
        texts.append(plain_text(item, what).strip())
    return tuple(texts)


def checked_name(node: ScalarNode, what: str) -> str:
    """Return a name that can be typed on a command line.

    Raises:
        NodeError: it is empty, or has a blank or `-` around it, or holds what a command line gives a meaning.
    """
    name = node.text
    if not name.strip():
        raise NodeError(f"{what} is empty: expected text", node.place)
    if not name.isprintable() or any(character in name for character in _FORBIDDEN_IN_NAMES):
        wanted = "expected no '/', ':', '=', line break or control character"
        raise NodeError(f"{what} '{name}' cannot be typed as a name: {wanted}", node.place)
    if name != name.strip() or name.startswith("-"):
        raise NodeError(f"{what} '{name}' cannot be typed as a name: expected no blank or '-' around it", node.place)
    return name


def checked_pattern(text: str, what: str, place: Place) -> str:
    """Return a regular expression that can be used; one with `${...}` in it is known only when a run starts."""
    if "${" in text:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise NodeError(f"{what} is no regular expression: {error}", place) from error
    return text
