"""Write a YAML file anew: what is unchanged in the words of the old text, what is new as any YAML library reads it.

Dumping the values alone would turn a date or a number used as a key into text for whoever reads the file next.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from operations.nodes import MappingNode, Node, ScalarNode, SequenceNode, lines_of

if TYPE_CHECKING:
    from yaml import SafeDumper, nodes

    from operations.definitions import FlagValue

_TAG = "tag:yaml.org,2002:"


def written_yaml(value: FlagValue, text: str, origin: Node | None) -> bytes:
    """Return `value` as YAML; what equals its part of `origin`, the tree of `text`, is spelled as there."""
    return _Writer(text).written(value, origin)


class _Writer:
    """Turns values into the YAML library's own tree, because only that says how a scalar is spelled."""

    def __init__(self, text: str) -> None:
        import yaml

        self._lines = lines_of(text)
        self._stream = io.StringIO()
        self._dumper: SafeDumper = yaml.SafeDumper(
            self._stream, default_flow_style=False, allow_unicode=True, width=4096, sort_keys=False
        )

    def written(self, value: FlagValue, origin: Node | None) -> bytes:
        self._dumper.open()
        self._dumper.serialize(self._node(value, origin))
        self._dumper.close()
        return self._stream.getvalue().encode()

    def _node(self, value: FlagValue, origin: Node | None) -> nodes.Node:
        from yaml import nodes

        if isinstance(value, dict):
            old = {key.text: (key, node) for key, node in origin.pairs} if isinstance(origin, MappingNode) else {}
            pairs = [
                (self._kept(old[key][0]), self._node(item, old[key][1]))
                if key in old
                else (self._fresh(key), self._node(item, None))
                for key, item in value.items()
            ]
            return nodes.MappingNode(f"{_TAG}map", pairs, flow_style=not pairs)
        if isinstance(value, list):
            items = origin.items if isinstance(origin, SequenceNode) and len(origin.items) == len(value) else ()
            children = [self._node(item, items[index] if items else None) for index, item in enumerate(value)]
            return nodes.SequenceNode(f"{_TAG}seq", children, flow_style=True)
        if isinstance(origin, ScalarNode) and type(origin.value) is type(value) and origin.value == value:
            return self._kept(origin)
        return self._fresh(value)

    def _fresh(self, value: FlagValue) -> nodes.Node:
        if isinstance(value, str) and not value.isprintable():
            return self._dumper.represent_scalar(f"{_TAG}str", value, style='"')  # others lose rare line breaks
        return self._dumper.represent_data(value)

    def _kept(self, origin: ScalarNode) -> nodes.Node:
        """Return the scalar as written: plain text that YAML libraries take for a date stays without quotes."""
        from yaml import nodes

        head = self._lines[origin.place.line][origin.place.column :][:1]
        if head in ("&", "!"):
            return self._fresh(origin.value)
        if isinstance(origin.value, str) and head in ("'", '"', "|", ">"):
            return nodes.ScalarNode(f"{_TAG}str", origin.text, style=head)
        tag = self._dumper.resolve(nodes.ScalarNode, origin.text, (True, False))  # type: ignore[no-untyped-call]
        return nodes.ScalarNode(tag, origin.text)
