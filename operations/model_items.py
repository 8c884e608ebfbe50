"""The items of a model file and of the files it includes: models, configs, a package, operations without a model.

Two vocabularies meet here. The early one (`name:`, files named `MODELS` and `MODEL`) and the later one (`model:`,
operations without any model) differ in what a text in the place of an operation means: `cmd` or `main`.
"""

from __future__ import annotations

import os.path

from ledger.dataclass import dataclass
from operations.model_shapes import DEFAULTS_WORDS, MODEL
from operations.model_text import Notes, Owner, Sources
from operations.model_tree import is_nothing, mapping_of, text_of, without, written_out
from operations.model_values import Keys, checked_name, mapping, texts_of
from operations.nodes import MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode, kind_of

MAX_FILES = 100
"""How many files a model file may include."""
MAX_INCLUDES = 20
"""How deep files may include each other."""

_KINDS = ("name", "model", "config", "package", "include")
_EARLY_FILES = ("MODELS", "MODEL")
_MODEL_WORDS = frozenset(
    (
        *("description", "extends", "extra", "flags", "output-scalars", "params", "private", "references"),
        *("resources", "sourcecode", "plugins", "disabled-plugins", *DEFAULTS_WORDS),
    )
)
_WANTED = "expected a model (a mapping with 'name' or 'model'), operations, or a list of them"


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        kind: `name`, `model`, `config` or `package`; empty for operations without a model.
        name: empty for operations without a model.
        place: where the name stands.
        node: its keys without the one that names it; shorthands are written out, except in a package.
    """

    kind: str
    name: str
    place: Place
    node: MappingNode

    @property
    def what(self) -> str:
        """What it is, for messages."""
        kind = "model" if self.kind == "name" else self.kind
        return f"{kind} '{self.name}'" if kind else "the operations without a model"


def read_items(path: str, sources: Sources, notes: Notes, owner: Owner | None = None) -> list[Item]:
    """Read a model file and the files it includes, in order.

    Args:
        path: of the model file.
        sources: where its text goes.
        notes: where warnings go.
        owner: the package that it belongs to when another file inherits from it, else None.

    Raises:
        OSError: the file itself cannot be read.
        NodeError: it, or a file that it includes, says something that a model file cannot say.
    """
    reader = _ItemReader(path, sources, notes, owner)
    reader.read(path, ())
    _refuse_duplicates(reader.items)
    return reader.items


class _ItemReader:
    """Collects the items of files that include each other."""

    def __init__(self, path: str, sources: Sources, notes: Notes, owner: Owner | None) -> None:
        self.items: list[Item] = []
        self._sources = sources
        self._owner = owner
        self._notes = notes
        self._early_file = os.path.basename(path) in _EARLY_FILES
        self._seen: set[str] = set()

    def read(self, path: str, chain: tuple[str, ...]) -> None:
        """Add the items of a file; `chain` are the files that include it."""
        self._seen.add(os.path.realpath(path))
        number, root = self._sources.read(path, self._owner)
        if root is None or is_nothing(root):
            raise NodeError(f"the file is empty: {_WANTED}", Place(0, 0, number))
        if isinstance(root, ScalarNode) or (isinstance(root, SequenceNode) and not root.items):
            raise NodeError(f"the file holds {kind_of(root)} and no model: {_WANTED}", root.place)
        for node in root.items if isinstance(root, SequenceNode) else [root]:
            self._add(mapping(node, "the model"), path, chain)

    def _add(self, node: MappingNode, path: str, chain: tuple[str, ...]) -> None:
        named = [(key, value) for key, value in node.pairs if key.text in _KINDS]
        if len(named) > 1:
            first, (second, value) = named[0][0].text, (named[1][0].text, named[1][1])
            kind = "package" if "package" in (first, second) else "include" if "include" in (first, second) else "model"
            raise NodeError(f"the {kind} has both '{first}' and '{second}': expected only one of them", value.place)
        if not named:
            self.items.append(self._anonymous(node))
            return
        key, value = named[0]
        if key.text == "include":
            self._include(node, value, path, chain)
        else:
            self.items.append(self._named(key.text, value, without(node, key.text)))

    def _named(self, kind: str, value: Node, rest: MappingNode) -> Item:
        if kind == "model" and isinstance(value, ScalarNode) and value.value == "":
            return self._item("", "", value.place, rest)
        name = _name_of(kind, value)
        if kind == "package":
            return Item(kind, name, value.place, rest)
        return self._item(kind, name, value.place, rest)

    def _anonymous(self, node: MappingNode) -> Item:
        """Return the item of a mapping that names no model: operations, under that key or by themselves."""
        keys = {key.text for key, _ in node.pairs}
        if "operations" in keys:
            return self._item("", "", node.place, node)
        if not keys or keys & _MODEL_WORDS:
            about = f" ('{min(keys & _MODEL_WORDS)}' is a key of models)" if len(keys) > 1 else ""
            wanted = "expected the key 'name' (or 'model'), or 'operations' with what belongs to no model"
            raise NodeError(f"the model has no name{about}: {wanted}", node.place)
        return self._item("", "", node.place, mapping_of([(text_of("operations", node.place), node)], node.place))

    def _item(self, kind: str, name: str, place: Place, node: MappingNode) -> Item:
        word = "cmd" if self._early_file or kind == "name" else "main"
        long = written_out(node, MODEL, word)
        return Item(kind, name, place, long if isinstance(long, MappingNode) else node)

    def _include(self, node: MappingNode, value: Node, path: str, chain: tuple[str, ...]) -> None:
        keys = Keys(node, "the include", self._notes)
        keys.get("include")
        keys.finish()
        if is_nothing(value):
            raise NodeError("'include' is empty: expected the name of a file or a list of them", value.place)
        places = [item.place for item in value.items] if isinstance(value, SequenceNode) else [value.place]
        for name, place in zip(texts_of(value, "'include'"), places, strict=True):
            self._include_file(os.path.join(os.path.dirname(path), name), name, place, (*chain, os.path.realpath(path)))

    def _include_file(self, path: str, name: str, place: Place, chain: tuple[str, ...]) -> None:
        real = os.path.realpath(path)
        if real in chain:
            raise NodeError(f"'{name}' includes itself: expected a file that is not being read already", place)
        if real in self._seen:
            return
        if len(chain) > MAX_INCLUDES or len(self._seen) > MAX_FILES:
            raise NodeError(f"too many includes: expected {MAX_FILES} files, {MAX_INCLUDES} deep, at most", place)
        try:
            self.read(path, chain)
        except OSError as error:
            raise NodeError(f"cannot include '{name}': {error.strerror}", place) from error


def _name_of(kind: str, node: Node) -> str:
    thing = "model" if kind in ("name", "model") else kind
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str | None):
        wanted = "expected text (put it in quotes)"
        if isinstance(node, MappingNode):
            wanted = "expected text (an operation of that name belongs under 'operations')"
        raise NodeError(f"'{kind}' of a {thing} is {kind_of(node)}: {wanted}", node.place)
    if node.value is None:
        raise NodeError(f"'{kind}' of a {thing} is empty: expected its name", node.place)
    return checked_name(node, f"{thing} name")


def _refuse_duplicates(items: list[Item]) -> None:
    seen: set[str] = set()
    package = None
    for item in items:
        if item.kind == "package":
            if package:
                raise NodeError(f"a second package '{item.name}': expected only one", item.place)
            package = item
            continue
        if item.name in seen:
            raise NodeError(_duplicate(item), item.place)
        seen.add(item.name)


def _duplicate(item: Item) -> str:
    if not item.name:
        return "a second mapping of operations without a model: expected all of them in one, or a name for this model"
    return f"duplicate {item.what}: expected another name"
