"""Trees of a model file made from other trees: how two mappings become one, and how large all of it may grow.

Inheritance, includes and parameters copy parts of a file; without a limit on all copies together, a few lines could
stand for more values than memory holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ledger.dataclass import dataclass, field
from operations.nodes import MAX_DEPTH, MAX_NODES, MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode

MAX_EXPANDED = 300_000
"""The most values that all models of a file may hold together once nothing is inherited or included any more."""
MAX_CHARACTERS = 10 * 1024 * 1024
"""The most characters that replacing parameters may write."""

Pair = tuple[ScalarNode, Node]


class Budget:
    """What may still be copied."""

    def __init__(self) -> None:
        self._values = MAX_EXPANDED
        self._characters = MAX_CHARACTERS

    def spend_values(self, count: int, place: Place) -> None:
        """Take note of values about to be copied.

        Raises:
            NodeError: it is more than `MAX_EXPANDED` altogether.
        """
        self._values -= count
        if self._values < 0:
            raise NodeError(f"too large: expected at most {MAX_EXPANDED} values in all models together", place)

    def spend_characters(self, count: int, place: Place) -> None:
        """Take note of text about to be written.

        Raises:
            NodeError: it is more than `MAX_CHARACTERS` altogether.
        """
        self._characters -= count
        if self._characters < 0:
            raise NodeError("too large: the parameters stand for more than 10 MB of text", place)


@dataclass(frozen=True, slots=True)
class Shape:
    """How two mappings of one kind become one; values without a shape of their own are replaced.

    Attributes:
        groups: keys of which only one can hold: that of the upper mapping drops all of the lower.
        inside: shapes of the values, by key.
        each: shape of the values of all keys, for mappings of names.
        long: writes a shorthand out, so that `lr: 0.1` can meet `lr: {default: 1, description: ...}`.
    """

    groups: tuple[frozenset[str], ...] = ()
    inside: Mapping[str, Shape] = field(default_factory=dict)
    each: Shape | None = None
    long: Callable[[Node, str], Node] | None = None

    def of(self, key: str) -> Shape | None:
        """Return the shape of the value of a key."""
        return self.inside.get(key, self.each)


def mapping_of(pairs: Iterable[Pair], place: Place) -> MappingNode:
    """Return a mapping of these pairs.

    Raises:
        NodeError: it is larger or deeper than a text may be.
    """
    kept = tuple(pairs)
    size = 1 + sum(key.size + value.size for key, value in kept)
    depth = 1 + max((value.depth for _, value in kept), default=0)
    _check_limits(size, depth, place)
    return MappingNode(place, 0, size, depth, kept)


def sequence_of(items: Iterable[Node], place: Place) -> SequenceNode:
    """Return a list of these items; limits as for `mapping_of`."""
    kept = tuple(items)
    size = 1 + sum(item.size for item in kept)
    depth = 1 + max((item.depth for item in kept), default=0)
    _check_limits(size, depth, place)
    return SequenceNode(place, 0, size, depth, kept)


def text_of(text: str, place: Place) -> ScalarNode:
    """Return a text as if it stood at a place."""
    return ScalarNode(place, 0, 1, 0, text, text)


def is_nothing(node: Node | None) -> bool:
    """Tell whether a value is left out or left empty, which means the same."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def found(node: Node | None, key: str) -> Node | None:
    """Return the value of a key; None without it, and in what is no mapping."""
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.pairs if name.text == key), None)


def without(node: MappingNode, *keys: str) -> MappingNode:
    """Return a mapping without some of its keys."""
    return mapping_of((pair for pair in node.pairs if pair[0].text not in keys), node.place)


def written_out(node: Node, shape: Shape, word: str) -> Node:
    """Return a tree whose shorthands are written out; `word` is the key that a string as operation stands for."""
    if shape.long:
        node = shape.long(node, word)
    if not isinstance(node, MappingNode) or not (shape.inside or shape.each):
        return node
    pairs = []
    for key, value in node.pairs:
        inner = None if key.text == "$include" else shape.of(key.text)
        pairs.append((key, written_out(value, inner, word) if inner else value))
    return mapping_of(pairs, node.place)


def merged(under: Node, over: Node, shape: Shape | None) -> Node:
    """Return `over` laid on `under`: mappings that have a shape become one, anything else is replaced."""
    if shape is None or not isinstance(under, MappingNode) or not isinstance(over, MappingNode):
        return over
    upper = {key.text: (key, value) for key, value in over.pairs}
    dropped = {word for group in shape.groups if not group.isdisjoint(upper) for word in group}
    pairs = []
    for key, value in under.pairs:
        if key.text in upper:
            upper_key, upper_value = upper.pop(key.text)
            pairs.append((upper_key, _joined(key, value, upper_value, shape)))
        elif key.text not in dropped:
            pairs.append((key, value))
    return mapping_of([*pairs, *upper.values()], over.place)


def _joined(key: ScalarNode, under: Node, over: Node, shape: Shape) -> Node:
    if key.text == "$include" and shape.each:
        return sequence_of((*_items(over), *_items(under)), over.place)
    if is_nothing(over) and shape.of(key.text):
        return under
    return merged(under, over, shape.of(key.text))


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, SequenceNode) else (node,)


def _check_limits(size: int, depth: int, place: Place) -> None:
    if size > MAX_NODES or depth > MAX_DEPTH:
        raise NodeError(f"too large: expected at most {MAX_NODES} values in {MAX_DEPTH} levels", place)
