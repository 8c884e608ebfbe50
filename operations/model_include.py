"""`$include` inside `flags`, `resources` and `operations`: definitions taken over from another place of the file.

What is written where the include stands wins over what is included, attribute by attribute; of several includes an
earlier one wins. Nothing is copied into a model until all that it inherits is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.text import did_you_mean
from operations.model_shapes import FLAGS, OPERATIONS, RESOURCES
from operations.model_tree import Budget, Pair, Shape, found, is_nothing, mapping_of, merged
from operations.model_values import mapping, texts_of
from operations.nodes import MappingNode, Node, NodeError, Place, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHAIN = 50
"""How deep includes may lead to other includes."""

_SPEC = re.compile(r"(?P<model>[^:#]*)(?P<colon>:(?P<operation>[^:#]*))?(?P<hash>#(?P<names>.*))?", re.DOTALL)
_OF_PACKAGES = " (models of packages can be extended: 'extends: PACKAGE/MODEL')"
_PARTS = (("colon", "operation"), ("hash", "names"))
_SHAPES = {"flags": FLAGS, "resources": RESOURCES, "operations": OPERATIONS}


@dataclass(frozen=True, slots=True)
class _Spot:
    """A mapping that can include others: a section of a model, or the flags of one of its operations."""

    model: str
    operation: str
    section: str

    def __str__(self) -> str:
        owner = f"{self.model}:{self.operation}" if self.operation else self.model
        return f"'{self.section}' of {owner or 'the operations without a model'}"


class Includes:
    """The models of a file with what they include."""

    def __init__(self, wholes: Mapping[str, MappingNode], budget: Budget) -> None:
        self._wholes = wholes
        self._budget = budget
        self._done: dict[_Spot, MappingNode] = {}
        self._open: dict[_Spot, None] = {}
        self._lenders: dict[str, dict[str, None]] = {}

    def written_out(self, model: str) -> MappingNode:
        """Return the keys of a model with all that its sections include.

        Raises:
            NodeError: what is included is not there, includes itself, or there is too much of it.
        """
        pairs = []
        for key, value in self._wholes[model].pairs:
            if key.text not in _SHAPES or not isinstance(value, MappingNode):
                pairs.append((key, value))
            elif key.text == "operations":
                pairs.append((key, self._with_flags(model, self._at(_Spot(model, "", "operations"), value))))
            else:
                pairs.append((key, self._at(_Spot(model, "", key.text), value)))
        return mapping_of(pairs, self._wholes[model].place)

    def lenders(self, model: str) -> tuple[str, ...]:
        """Return the models that a model included something of, whose parameters that may need."""
        return tuple(name for name in self._lenders.get(model, ()) if name != model)

    def _with_flags(self, model: str, operations: MappingNode) -> MappingNode:
        pairs: list[Pair] = []
        for key, value in operations.pairs:
            flags = found(value, "flags")
            if isinstance(value, MappingNode) and isinstance(flags, MappingNode):
                full = self._at(_Spot(model, key.text, "flags"), flags)
                inner = ((name, full if name.text == "flags" else part) for name, part in value.pairs)
                pairs.append((key, mapping_of(inner, value.place)))
            else:
                pairs.append((key, value))
        return mapping_of(pairs, operations.place)

    def _at(self, spot: _Spot, node: MappingNode) -> MappingNode:
        """Return the mapping at a spot without its `$include`."""
        include = found(node, "$include")
        if include is None:
            return node
        if spot not in self._done:
            if spot in self._open or len(self._open) > MAX_CHAIN:
                wanted = "expected no circle" if spot in self._open else f"expected at most {MAX_CHAIN} levels"
                raise NodeError(f"the include leads back to, or too far from, {spot}: {wanted}", include.place)
            self._open[spot] = None
            self._done[spot] = self._with_included(spot, node, include)
            del self._open[spot]
        return self._done[spot]

    def _with_included(self, spot: _Spot, node: MappingNode, include: Node) -> MappingNode:
        shape = _SHAPES[spot.section]
        result: Node = mapping_of((pair for pair in node.pairs if pair[0].text != "$include"), node.place)
        if is_nothing(include):
            return mapping(result, str(spot))
        texts = texts_of(include, f"'$include' in {spot}")
        places = [item.place for item in include.items] if isinstance(include, SequenceNode) else [include.place]
        for text, place in zip(texts, places, strict=True):
            result = self._laid_on(result, self._included(spot, text, place), shape, place)
        return mapping(result, str(spot))

    def _laid_on(self, own: Node, included: MappingNode, shape: Shape, place: Place) -> Node:
        self._budget.spend_values(own.size + included.size, place)
        return merged(included, own, shape)

    def _included(self, spot: _Spot, text: str, place: Place) -> MappingNode:
        """Return what `MODEL`, `MODEL:OPERATION` or either with `#NAME,NAME` means in a section."""
        match = _SPEC.fullmatch(text)
        if match is None or any(match[sign] and not match[part].strip(" ,") for sign, part in _PARTS):
            wanted = "expected MODEL, MODEL:OPERATION, or one of them with #NAME,NAME"
            raise NodeError(f"'$include' of '{text}': {wanted}", place)
        target = self._target(spot, match["model"].strip(), (match["operation"] or "").strip(), place)
        node = self._section(target, place)
        if spot.section == "operations" and match["operation"]:
            node = _only(node, (match["operation"].strip(),), target, place)
        if match["hash"]:
            names = tuple(name.strip() for name in match["names"].split(",") if name.strip())
            node = _only(node, names, target, place)
        lenders = self._lenders.setdefault(spot.model, {})
        lenders.update(dict.fromkeys((target.model, *self._lenders.get(target.model, ()))))
        return node

    def _target(self, spot: _Spot, model: str, operation: str, place: Place) -> _Spot:
        name = model or spot.model
        by_itself = not operation and model not in self._wholes and spot.section == "flags"
        if by_itself and self._operation(spot.model, model) is not None:
            return _Spot(spot.model, model, "flags")
        if name not in self._wholes:
            near = did_you_mean(name, [other for other in self._wholes if other])
            wanted = f"expected a model or config of this file{near or _OF_PACKAGES * ('/' in name)}"
            raise NodeError(f"'$include' names '{name}', which is not defined: {wanted}", place)
        if operation and spot.section == "resources":
            raise NodeError(
                f"'$include' names operation '{operation}': expected a model, operations have no resources", place
            )
        return _Spot(name, operation if spot.section == "flags" else "", spot.section)

    def _section(self, target: _Spot, place: Place) -> MappingNode:
        if target.operation:
            operation = self._operation(target.model, target.operation)
            if operation is None:
                raise NodeError(
                    f"'$include' names operation '{target.operation}', which {target.model or 'this file'} "
                    "does not define: expected one that it does",
                    place,
                )
            node = found(operation, target.section)
        else:
            node = found(self._wholes[target.model], target.section)
        if node is None or is_nothing(node):
            return mapping_of((), place)
        return self._at(target, mapping(node, str(target), "a mapping of names"))

    def _operation(self, model: str, name: str) -> Node | None:
        """Return an operation of a model as written, included ones as well."""
        node = found(self._wholes[model], "operations")
        if not isinstance(node, MappingNode):
            return None
        spot = _Spot(model, "", "operations")
        return found(self._at(spot, node), name)


def _only(node: MappingNode, names: tuple[str, ...], target: _Spot, place: Place) -> MappingNode:
    pairs = {key.text: (key, value) for key, value in node.pairs}
    for name in names:
        if name not in pairs:
            near = did_you_mean(name, pairs)
            raise NodeError(f"'$include' names '{name}', which is not in {target}: expected one that is{near}", place)
    return mapping_of((pairs[name] for name in names), place)
