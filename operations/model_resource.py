"""Resources of a model file, and what operations require: by name, or written where it is needed."""

from __future__ import annotations

import os.path
import re
from typing import TYPE_CHECKING

from operations.definitions import SOURCE_KINDS, FlagValue, RequirementDef, ResourceDef, SourceDef
from operations.model_tree import is_nothing
from operations.model_values import Keys, checked_name, checked_pattern, mapping, plain_text, texts_of
from operations.nodes import MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode, kind_of, value_of

if TYPE_CHECKING:
    from operations.model_text import Notes

_UNSUPPORTED = (
    "flag-name",
    "help",
    "label",
    "post-process",
    "post-resolve",
    "preserve-path",
    "references",
    "replace-existing",
)
_SOURCE_UNSUPPORTED = (*_UNSUPPORTED, "always-pull", "always-resolve", "replace", "type")
_TARGET_TYPES = ("copy", "link")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_PREFIX = re.compile(rf"({'|'.join(SOURCE_KINDS)}):(.+)", re.DOTALL)
_URL = re.compile(r"https?://.*", re.DOTALL | re.IGNORECASE)
_REQUIRED_RESOURCE = ("resource",)


def read_resources(pairs: tuple[tuple[ScalarNode, Node], ...], notes: Notes) -> tuple[ResourceDef, ...]:
    """Return the resources of a mapping of names.

    Raises:
        NodeError: a name cannot be typed, or a resource says something that it cannot say.
    """
    return tuple(_named_resource(key, node, notes) for key, node in pairs)


def read_requirements(node: Node | None, what: str, notes: Notes) -> tuple[RequirementDef, ...]:
    """Return what `requires` of an operation says.

    Raises:
        NodeError: it is no name, no source, no resource and no list of them.
    """
    if node is None or is_nothing(node):
        return ()
    items = node.items if isinstance(node, SequenceNode) else (node,)
    return tuple(_requirement(item, f"'requires' of {what}", notes) for item in items)


def _named_resource(key: ScalarNode, node: Node, notes: Notes) -> ResourceDef:
    name = checked_name(key, "resource name")
    what = f"resource '{name}'"
    keys = Keys(mapping(node, what, "a list of sources or a mapping with 'sources'"), what, notes)
    resource = _resource(keys, name)
    keys.finish(_UNSUPPORTED)
    return resource


def _resource(keys: Keys, name: str) -> ResourceDef:
    for key, _ in keys.node.pairs:
        if key.text in SOURCE_KINDS:
            raise NodeError(f"{keys.what} has the key '{key.text}': expected it in the list 'sources'", key.place)
    sources = _sources(keys)
    return ResourceDef(
        name=name or (sources[0].name or sources[0].target if sources else ""),
        sources=sources,
        description=keys.text("description"),
        target_path=_target_path(keys),
        target_type=keys.one_of(_TARGET_TYPES, "target-type"),
        default_unpack=keys.truth("default-unpack"),
        private=bool(keys.truth("private")),
    )


def _sources(keys: Keys) -> tuple[SourceDef, ...]:
    node = keys.get("sources")
    if node is None:
        return ()
    items = node.items if isinstance(node, SequenceNode) else (node,)
    return tuple(_source(item, f"a source of {keys.what}", keys.notes) for item in items)


def _source(node: Node, what: str, notes: Notes) -> SourceDef:
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.text.strip():
        return _from_text(plain_text(node, what).strip(), node.place, notes)
    wanted = f"the name of a file, or a mapping with one of {', '.join(SOURCE_KINDS)}"
    keys = Keys(mapping(node, what, wanted), what, notes)
    source = _from_keys(keys)
    keys.finish(_SOURCE_UNSUPPORTED)
    return source


def _from_text(text: str, place: Place, notes: Notes) -> SourceDef:
    """Return a source written as `KIND:TARGET`, as a URL, or as the name of a file."""
    if _URL.fullmatch(text):
        return SourceDef("url", text)
    prefixed = _PREFIX.fullmatch(text)
    kind, target = (prefixed[1], prefixed[2].strip()) if prefixed else ("file", text)
    return SourceDef(kind, _target(kind, target, place, notes), folder=notes.folder(place))


def _target(kind: str, text: str, place: Place, notes: Notes) -> str:
    """Return what a source names; operations of a package as they are found from elsewhere."""
    if kind != "operation" or notes.owner(place) is None:
        return text
    return ",".join(notes.named(name.strip(), place) for name in text.split(","))


def _from_keys(keys: Keys) -> SourceDef:
    pair = keys.pair(*SOURCE_KINDS)
    if pair is None:
        wanted = f"expected one of {', '.join(SOURCE_KINDS)}"
        raise NodeError(f"{keys.what} does not say where it comes from: {wanted}", keys.node.place)
    key, node = pair
    target = _target(key.text, ",".join(texts_of(node, f"'{key.text}' of {keys.what}")), node.place, keys.notes)
    expressions, least, greatest = _selection(keys)
    return SourceDef(
        kind=key.text,
        target=target,
        name=keys.text("name"),
        sha256=_digest(keys),
        unpack=keys.truth("unpack"),
        select=expressions,
        select_min=least,
        select_max=greatest,
        rename=_renaming(keys),
        target_path=_target_path(keys),
        target_type=keys.one_of(_TARGET_TYPES, "target-type"),
        warn_if_empty=keys.truth("warn-if-empty") is not False,
        fail_if_empty=bool(keys.truth("fail-if-empty")),
        params=_params(keys, key.text),
        folder=keys.notes.folder(node.place),
    )


def _digest(keys: Keys) -> str | None:
    pair = keys.pair("sha256")
    text = keys.optional_text("sha256")
    if pair and not _SHA256.fullmatch(text or ""):
        raise NodeError(f"'sha256' of {keys.what} is no digest: expected 64 hexadecimal digits", pair[1].place)
    return text.lower() if text else None


def _selection(keys: Keys) -> tuple[tuple[str, ...], str | None, str | None]:
    """Return the expressions of `select`, or the scalar whose least or greatest value chooses."""
    node = keys.get("select")
    if node is None:
        return (), None, None
    about = f"'select' of {keys.what}"
    expressions: list[str] = []
    least = greatest = None
    for item in node.items if isinstance(node, SequenceNode) else (node,):
        if isinstance(item, MappingNode):
            inner = Keys(item, about, keys.notes)
            expressions += [checked_pattern(text, about, item.place) for text in inner.texts("regex")]
            least = inner.optional_text("min") or least
            greatest = inner.optional_text("max") or greatest
            inner.finish()
        else:
            expressions += [checked_pattern(text, about, item.place) for text in texts_of(item, about)]
    if least and greatest:
        raise NodeError(f"{about} has both 'min' and 'max': expected only one of them", node.place)
    return tuple(expressions), least, greatest


def _renaming(keys: Keys) -> tuple[tuple[str, str], ...]:
    node = keys.get("rename")
    if node is None:
        return ()
    items = node.items if isinstance(node, SequenceNode) else (node,)
    return tuple(_rename(item, f"'rename' of {keys.what}", keys.notes) for item in items)


def _rename(node: Node, about: str, notes: Notes) -> tuple[str, str]:
    wanted = "expected 'PATTERN REPLACEMENT' or a mapping with 'pattern' and 'repl'"
    if isinstance(node, MappingNode):
        keys = Keys(node, about, notes)
        pattern, replacement = keys.text("pattern"), keys.text("repl")
        keys.finish()
        if not pattern:
            raise NodeError(f"{about} has no 'pattern': {wanted}", node.place)
        return checked_pattern(pattern, about, node.place), replacement
    words = plain_text(node, about).split()
    if len(words) != 2:  # noqa: PLR2004 - a pattern and what replaces it
        raise NodeError(f"{about} holds {len(words)} words: {wanted}", node.place)
    return checked_pattern(words[0], about, node.place), words[1]


def _target_path(keys: Keys) -> str:
    pair = keys.pair("target-path", "path")
    path = keys.text("target-path", "path")
    if pair and (os.path.isabs(path) or ".." in path.split("/")):
        key, node = pair
        wanted = "expected a directory below the run directory"
        raise NodeError(f"'{key.text}' of {keys.what} is '{path}': {wanted}", node.place)
    return path


def _params(keys: Keys, kind: str) -> dict[str, FlagValue]:
    pair = keys.pair("params")
    if pair and kind != "config":
        raise NodeError(f"'params' of {keys.what} has no meaning for '{kind}': expected 'config'", pair[0].place)
    return {key.text: value_of(value) for key, value in keys.pairs("params")}


def _requirement(node: Node, about: str, notes: Notes) -> RequirementDef:
    wanted = "the name of a resource, or a mapping with a source, 'resource' or 'sources'"
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.text.strip():
        return _from_name(plain_text(node, about).strip(), node.place, notes)
    if not isinstance(node, MappingNode):
        raise NodeError(f"{about} has {kind_of(node)}: expected {wanted}", node.place)
    keys = Keys(node, about, notes)
    words = {key.text for key, value in node.pairs if not is_nothing(value)}
    if "resource" in words:
        pair = keys.pair("resource")
        name = keys.text("resource")
        name = notes.named(name, pair[1].place) if pair else name
        requirement = RequirementDef(name, None, keys.text("description"))
        keys.finish(_UNSUPPORTED)
        return requirement
    if "sources" in words:
        resource = _resource(keys, keys.text("name"))
        keys.finish(_UNSUPPORTED)
        return RequirementDef(resource.name, resource, resource.description)
    if words.isdisjoint(SOURCE_KINDS):
        raise NodeError(f"{about} has a mapping that names nothing: expected {wanted}", node.place)
    return _inline_source(keys)


def _from_name(text: str, place: Place, notes: Notes) -> RequirementDef:
    if not _URL.fullmatch(text) and not _PREFIX.fullmatch(text):
        return RequirementDef(notes.named(text, place))
    source = _from_text(text, place, notes)
    return RequirementDef(source.target, ResourceDef(source.target, (source,)))


def _inline_source(keys: Keys) -> RequirementDef:
    source = _from_keys(keys)
    description = keys.text("description")
    keys.finish(_SOURCE_UNSUPPORTED)
    name = source.name or source.target
    return RequirementDef(name, ResourceDef(name, (source,), description), description)
