"""`extends`: a model begins with all that others say, and what it says itself wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.text import did_you_mean
from operations.model_shapes import MODEL
from operations.model_tree import Budget, found, is_nothing, merged, without
from operations.model_values import texts_of
from operations.nodes import MappingNode, NodeError, Place, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operations.model_items import Item

MAX_ANCESTORS = 50
"""How deep models may extend each other."""

_NOT_INHERITED = ("private", "extends", "plugins", "disabled-plugins")


class Family:
    """All models and configs of a file, each with what it inherits."""

    def __init__(self, items: Iterable[Item], budget: Budget) -> None:
        self._items = {item.name: item for item in items if item.kind != "package"}
        self._budget = budget
        self._whole: dict[str, MappingNode] = {}

    def whole(self, item: Item, chain: tuple[str, ...] = ()) -> MappingNode:
        """Return the keys of a model together with those it inherits; of its parents, an earlier one wins.

        Args:
            item: the model.
            chain: names of the models that extend it, the outermost first.

        Raises:
            NodeError: a parent is not known, is one of its own children, or there is too much of all this.
        """
        if item.name in self._whole:
            return self._whole[item.name]
        result = without(item.node, "extends")
        for name, place in _parents(item):
            parent = self._parent(item, name, place, chain)
            inherited = without(self.whole(parent, (*chain, item.name)), *_NOT_INHERITED)
            result = self._laid_on(result, inherited, place)
        self._budget.spend_values(result.size, item.place)
        self._whole[item.name] = result
        return result

    def _laid_on(self, own: MappingNode, inherited: MappingNode, place: Place) -> MappingNode:
        self._budget.spend_values(own.size + inherited.size, place)
        both = merged(inherited, own, MODEL)
        return both if isinstance(both, MappingNode) else own

    def _parent(self, item: Item, name: str, place: Place, chain: tuple[str, ...]) -> Item:
        parent = self._items.get(name)
        if parent is None:
            known = [other for other in self._items if other]
            wanted = f"expected a model or config of this file{did_you_mean(name, known)}"
            raise NodeError(f"{item.what} extends '{name}', which is not defined: {wanted}", place)
        if name in (*chain, item.name):
            way = " -> ".join([*(*chain, item.name)[(*chain, item.name).index(name) :], name])
            raise NodeError(f"{item.what} extends itself ({way}): expected no circle", place)
        if len(chain) > MAX_ANCESTORS:
            raise NodeError(
                f"too deep: expected models that extend each other over {MAX_ANCESTORS} levels at most", place
            )
        return parent


def _parents(item: Item) -> list[tuple[str, Place]]:
    node = found(item.node, "extends")
    if node is None or is_nothing(node):
        return []
    places = [part.place for part in node.items] if isinstance(node, SequenceNode) else [node.place]
    return list(zip(texts_of(node, f"'extends' of {item.what}"), places, strict=True))
