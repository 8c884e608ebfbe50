"""`extends`: a model begins with all that others say, and what it says itself wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model extends.

    Attributes:
        child: the model that does, for messages: `model 'tulip'`.
        name: the name that it gives.
        place: where that stands.
        chain: names of the child and of the models that extend it, the outermost first.
    """

    child: str
    name: str
    place: Place
    chain: tuple[str, ...]

    def check_depth(self) -> None:
        """Raise a `NodeError` when models extend each other too deep."""
        if len(self.chain) > MAX_ANCESTORS + 1:
            wanted = f"expected models that extend each other over {MAX_ANCESTORS} levels at most"
            raise NodeError(f"too deep: {wanted}", self.place)

    def circle(self, name: str) -> NodeError:
        """Return the error for a model that is extended by itself."""
        way = " -> ".join([*self.chain[self.chain.index(name) :], name])
        return NodeError(f"{self.child} extends itself ({way}): expected no circle", self.place)


@dataclass(frozen=True, slots=True)
class Lent:
    """What a model of a package says, and where its files are.

    Attributes:
        node: its keys, with all that it inherits and includes there.
        folders: absolute directories of its package, and of those that it inherits from in turn.
    """

    node: MappingNode
    folders: tuple[str, ...]


Lend = Callable[[Asked], Lent]
"""Returns the model of a package that `PACKAGE/MODEL` names; raises a `NodeError`."""


class Family:
    """All models and configs of a file, each with what it inherits."""

    def __init__(self, items: Iterable[Item], budget: Budget, lend: Lend, package: str = "") -> None:
        """Take the items of a file.

        Args:
            items: models and configs; a package is passed over.
            budget: how much may be copied.
            lend: gives the models of packages.
            package: name of the package whose file this is, empty for the file that is read.
        """
        self.items = {item.name: item for item in items if item.kind != "package"}
        self._budget = budget
        self._lend = lend
        self._prefix = f"{package}/" if package else ""
        self._whole: dict[str, MappingNode] = {}
        self._folders: dict[str, tuple[str, ...]] = {}

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
        folders: list[str] = []
        for name, place in _parents(item):
            parent = self._parent(Asked(item.what, name, place, (*chain, self._prefix + item.name)))
            result = self._laid_on(result, without(parent.node, *_NOT_INHERITED), place)
            folders += parent.folders
        self._budget.spend_values(result.size, item.place)
        self._whole[item.name] = result
        self._folders[item.name] = tuple(dict.fromkeys(folders))
        return result

    def folders(self, name: str) -> tuple[str, ...]:
        """Return the absolute directories of the packages that a model of the file inherits from."""
        return self._folders.get(name, ())

    def _laid_on(self, own: MappingNode, inherited: MappingNode, place: Place) -> MappingNode:
        self._budget.spend_values(own.size + inherited.size, place)
        both = merged(inherited, own, MODEL)
        return both if isinstance(both, MappingNode) else own

    def _parent(self, asked: Asked) -> Lent:
        if "/" in asked.name:
            return self._lend(asked)
        parent = self.items.get(asked.name)
        if parent is None:
            near = did_you_mean(asked.name, [other for other in self.items if other])
            wanted = f"expected a model or config of this file{near}, or PACKAGE/MODEL"
            raise NodeError(f"{asked.child} extends '{asked.name}', which is not defined: {wanted}", asked.place)
        name = self._prefix + parent.name
        if name in asked.chain:
            raise asked.circle(name)
        asked.check_depth()
        node = self.whole(parent, asked.chain)
        return Lent(node, self.folders(parent.name))


def _parents(item: Item) -> list[tuple[str, Place]]:
    node = found(item.node, "extends")
    if node is None or is_nothing(node):
        return []
    places = [part.place for part in node.items] if isinstance(node, SequenceNode) else [node.place]
    return list(zip(texts_of(node, f"'extends' of {item.what}"), places, strict=True))
