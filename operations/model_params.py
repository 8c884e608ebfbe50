"""`{{name}}`: parameters of a model put into all of its texts, after everything that it inherits is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operations.model_tree import Budget, mapping_of, sequence_of, text_of
from operations.model_values import mapping
from operations.nodes import MappingNode, Node, NodeError, ScalarNode, SequenceNode, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operations.model_text import Notes

MAX_CHAIN = 50
"""Over how many others the value of a parameter may lead."""

_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")


class Params:
    """The parameters of one model; their values may hold other parameters."""

    def __init__(self, given: Iterable[Node | None], what: str, notes: Notes, budget: Budget) -> None:
        """Take `params` mappings, of which an earlier one wins."""
        self._what = what
        self._notes = notes
        self._budget = budget
        self._raw: dict[str, Node] = {}
        self._open: list[str] = []
        self._done: dict[str, Node] = {}
        for node in given:
            if node is None or (isinstance(node, ScalarNode) and node.value is None):
                continue
            for key, value in mapping(node, f"'params' of {what}", "a mapping of names").pairs:
                self._raw.setdefault(key.text, value)

    def put_into(self, node: Node) -> Node:
        """Return a tree whose texts have their parameters replaced; unknown ones stay, with a warning.

        Raises:
            NodeError: a parameter stands for itself, or a list or mapping stands inside a text, or it grows too large.
        """
        if isinstance(node, ScalarNode):
            return self._scalar(node) if isinstance(node.value, str) and "{{" in node.text else node
        if isinstance(node, MappingNode):
            pairs = tuple((key, self.put_into(value)) for key, value in node.pairs)
            same = all(new is old for (_, new), (_, old) in zip(pairs, node.pairs, strict=True))
            return node if same else mapping_of(pairs, node.place)
        if isinstance(node, SequenceNode):
            items = tuple(self.put_into(item) for item in node.items)
            same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if same else sequence_of(items, node.place)
        return node

    def _scalar(self, node: ScalarNode) -> Node:
        alone = _REFERENCE.fullmatch(node.text.strip())
        if alone:
            value = self._value(alone[1], node)
            if isinstance(value, ScalarNode):
                # What a path is relative to is said by the file that says it.
                place = node.place if value.place.source == node.place.source else value.place
                return ScalarNode(place, 0, 1, 0, value.text, value.value)
            self._budget.spend_values(value.size if value else 0, node.place)
            return value or node
        return self._filled(node)

    def _filled(self, node: ScalarNode) -> ScalarNode:
        parts: list[str] = []
        end = 0
        self._budget.spend_characters(len(node.text), node.place)
        for match in _REFERENCE.finditer(node.text):
            parts += [node.text[end : match.start()], self._text(match, node)]
            # Before the parts are joined: a long text that holds a long parameter often would not fit into memory.
            self._budget.spend_characters(len(parts[-1]), node.place)
            end = match.end()
        return text_of("".join([*parts, node.text[end:]]), node.place) if parts else node

    def _text(self, match: re.Match[str], node: ScalarNode) -> str:
        value = self._value(match[1], node)
        if value is None:
            return match[0]
        if not isinstance(value, ScalarNode):
            raise NodeError(
                f"parameter '{match[1]}' is {kind_of(value)} inside a text: expected a single value there, "
                f"or '{{{{{match[1]}}}}}' alone",
                node.place,
            )
        return "" if value.value is None else value.text

    def _value(self, name: str, node: ScalarNode) -> Node | None:
        """Return the value of a parameter, its own parameters replaced; None for an unknown one."""
        if name in self._done:
            return self._done[name]
        if name in self._open:
            way = " -> ".join([*self._open[self._open.index(name) :], name])
            raise NodeError(
                f"parameter '{name}' of {self._what} stands for itself ({way}): expected no circle", node.place
            )
        raw = self._raw.get(name)
        if raw is None:
            text = f"'{{{{{name}}}}}' is no parameter of {self._what} and is left as it is"
            self._notes.warn(node.place, text, name, self._raw)
            return None
        if len(self._open) > MAX_CHAIN:
            raise NodeError(f"too deep: expected parameters that lead to {MAX_CHAIN} others at most", node.place)
        self._open.append(name)
        self._done[name] = self.put_into(raw)
        self._open.pop()
        return self._done[name]
