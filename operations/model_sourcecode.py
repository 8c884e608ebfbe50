"""`sourcecode` of a model file: which files belong to the snapshot of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.definitions import SourceCodeDef, SourceRule
from operations.model_tree import is_nothing
from operations.model_values import Keys, texts_of
from operations.nodes import MappingNode, Node, NodeError, ScalarNode, SequenceNode, kind_of

if TYPE_CHECKING:
    from operations.model_text import Notes

_FILE_KINDS = ("any", "text", "binary", "dir")
_UNSUPPORTED = ("dest", "digest")


def read_sourcecode(node: Node | None, what: str, notes: Notes) -> SourceCodeDef | None:
    """Return what `sourcecode` says, None when it says nothing.

    A list that begins with a pattern takes only what it names; one that begins with a rule changes the usual rules.

    Raises:
        NodeError: it is none of `yes`, `no`, patterns, rules or a mapping of `root` and `select`.
    """
    if node is None or is_nothing(node):
        return None
    about = f"'sourcecode' of {what}"
    if not isinstance(node, MappingNode):
        return _selected(node, ".", about, notes)
    keys = Keys(node, about, notes)
    if any(key.text in ("include", "exclude") for key, _ in node.pairs):
        return SourceCodeDef(rules=_rules(node, about, notes))
    root = keys.text("root") or "."
    select = keys.get("select")
    keys.finish(_UNSUPPORTED)
    return SourceCodeDef(root=root) if select is None else _selected(select, root, f"'select' of {about}", notes)


def _selected(node: Node, root: str, about: str, notes: Notes) -> SourceCodeDef:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return SourceCodeDef(enabled=node.value, root=root)
    items = node.items if isinstance(node, SequenceNode) else (node,)
    if not items:
        return SourceCodeDef(enabled=False, root=root)
    rules = tuple(rule for item in items for rule in _rules(item, about, notes))
    return SourceCodeDef(root=root, rules=rules, only=isinstance(items[0], ScalarNode))


def _rules(node: Node, about: str, notes: Notes) -> tuple[SourceRule, ...]:
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.text.strip():
        return tuple(SourceRule(include=True, pattern=pattern) for pattern in texts_of(node, about))
    wanted = "expected 'yes', 'no', a pattern, 'include: PATTERN' or 'exclude: PATTERN'"
    if not isinstance(node, MappingNode):
        raise NodeError(f"{about} has {kind_of(node)}: {wanted}", node.place)
    keys = Keys(node, f"a rule of {about}", notes)
    rules: list[SourceRule] = []
    for word in ("include", "exclude"):
        value = keys.get(word)
        if value is not None:
            rules += _of_kind(value, include=word == "include", about=f"'{word}' of {about}", notes=notes)
    keys.finish()
    if not rules:
        raise NodeError(f"a rule of {about} says nothing: {wanted}", node.place)
    return tuple(rules)


def _of_kind(node: Node, *, include: bool, about: str, notes: Notes) -> list[SourceRule]:
    if not isinstance(node, MappingNode):
        return [SourceRule(include, pattern) for pattern in texts_of(node, about)]
    keys = Keys(node, about, notes)
    rules = [SourceRule(include, pattern, kind) for kind in _FILE_KINDS for pattern in keys.texts(kind)]
    keys.finish()
    return rules
