"""Which parts of a model file are merged when one model extends another, and their shorthands written out."""

from __future__ import annotations

from operations.model_tree import Shape, is_nothing, mapping_of, sequence_of, text_of
from operations.nodes import MappingNode, Node, ScalarNode, SequenceNode

RUN_WORDS = ("cmd", "main", "exec", "steps")
"""The keys that say what an operation runs; an operation has exactly one of them."""
DEFAULTS_WORDS = ("op-defaults", "op-default-config", "operation-defaults")
"""The keys for what all operations of a model begin with."""


def _long_operation(node: Node, word: str) -> Node:
    if is_nothing(node):
        return mapping_of((), node.place)
    return mapping_of([(text_of(word, node.place), node)], node.place) if isinstance(node, ScalarNode) else node


def _long_flag(node: Node, _: str) -> Node:
    return node if isinstance(node, MappingNode) else mapping_of([(text_of("default", node.place), node)], node.place)


def _long_resource(node: Node, _: str) -> Node:
    if is_nothing(node) or isinstance(node, MappingNode):
        return node
    sources = node if isinstance(node, SequenceNode) else sequence_of([node], node.place)
    return mapping_of([(text_of("sources", node.place), sources)], node.place)


NAMES = Shape(each=None, inside={})
"""A mapping whose values are replaced one by one."""
FLAG = Shape(
    groups=(frozenset(("default", "value")), frozenset(("choices", "options"))),
    long=_long_flag,
)
FLAGS = Shape(each=FLAG)
OPERATION = Shape(groups=(frozenset(RUN_WORDS),), inside={"flags": FLAGS, "env": NAMES}, long=_long_operation)
OPERATIONS = Shape(each=OPERATION)
DEFAULTS = Shape(groups=OPERATION.groups, inside=OPERATION.inside)
RESOURCE = Shape(groups=(frozenset(("path", "target-path")),), long=_long_resource)
RESOURCES = Shape(each=RESOURCE)
MODEL = Shape(
    groups=(frozenset(DEFAULTS_WORDS),),
    inside={
        "operations": OPERATIONS,
        "flags": FLAGS,
        "resources": RESOURCES,
        "params": NAMES,
        "extra": NAMES,
        **dict.fromkeys(DEFAULTS_WORDS, DEFAULTS),
    },
)
