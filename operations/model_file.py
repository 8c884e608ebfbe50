"""Read a model file into definitions, refusing whatever is wrong by file, line, column and key.

A later part of the format adds its keys here; until then an unknown key becomes a warning, never silence.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import printable
from operations.definitions import FlagDef, ModelDef, ModelFile, OperationDef
from operations.nodes import (
    MappingNode,
    Node,
    NodeError,
    Place,
    ScalarNode,
    SequenceNode,
    compose,
    kind_of,
    lines_of,
    place_of,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_FILE_BYTES = 10 * 1024 * 1024
"""The largest model file that is read."""

_UTF8_MARK = b"\xef\xbb\xbf"
_LONGEST_PATH = 4096
_EXCERPT_BEFORE = 60
_EXCERPT_LENGTH = 100
_FORBIDDEN_IN_NAMES = "/:="


class ModelFileError(GuildError):
    """A model file cannot be used; the message names file, line and column and shows the line."""


def load_model_file(path: str) -> ModelFile:
    """Read and check a model file.

    Raises:
        ModelFileError: the file cannot be read, is above `MAX_FILE_BYTES`, is not UTF-8 or not YAML, or says
            something that a model file cannot say.
    """
    text = _text(path)
    reader = _Reader(path)
    try:
        models = reader.models(compose(text))
    except NodeError as error:
        raise _located(path, text, error) from error
    project = os.path.dirname(os.path.abspath(path))
    return ModelFile(path, project, models, tuple(dict.fromkeys(reader.warnings)))


class _Reader:
    """Walks the tree of one file; collects what it does not know as warnings."""

    def __init__(self, path: str) -> None:
        self.warnings: list[str] = []
        self._path = printable(path, _LONGEST_PATH)

    def models(self, root: Node | None) -> tuple[ModelDef, ...]:
        wanted = "expected a model (a mapping with 'name') or a list of models"
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            raise NodeError(f"the file is empty: {wanted}", Place(0, 0))
        if isinstance(root, ScalarNode) or (isinstance(root, SequenceNode) and not root.items):
            raise NodeError(f"the file holds {kind_of(root)} and no model: {wanted}", root.place)
        models: dict[str, ModelDef] = {}
        for node in root.items if isinstance(root, SequenceNode) else [root]:
            model, place = self._model(_mapping(node, "the model"))
            if model.name in models:
                raise NodeError(f"duplicate model '{model.name}': expected another name", place)
            models[model.name] = model
        return tuple(models.values())

    def _model(self, node: MappingNode) -> tuple[ModelDef, Place]:
        """Return the model and where its name stands."""
        keys = dict(_by_text(node))
        name_node = _model_name(node, keys)
        what = f"model '{name_node.text}'"
        self._warn_unknown(node, ("name", "model", "description", "operations"), what)
        operations = tuple(
            self._operation(key, value) for key, value in _entries(keys.get("operations"), f"'operations' of {what}")
        )
        return ModelDef(name_node.text, _description(keys, what), operations), name_node.place

    def _operation(self, key: ScalarNode, node: Node) -> OperationDef:
        name = _checked_name(key, "operation name")
        what = f"operation '{name}'"
        if isinstance(node, ScalarNode):
            return OperationDef(name, "", _command(key, node, what), ())
        mapping = _mapping(node, what, "a command (text) or a mapping with 'cmd'")
        keys = dict(_by_text(mapping))
        self._warn_unknown(mapping, ("cmd", "description", "flags"), what)
        flags = tuple(self._flag(*pair) for pair in _entries(keys.get("flags"), f"'flags' of {what}"))
        return OperationDef(name, _description(keys, what), _command(key, keys.get("cmd"), what), flags)

    def _flag(self, key: ScalarNode, node: Node) -> FlagDef:
        name = _checked_name(key, "flag name")
        what = f"flag '{name}'"
        if isinstance(node, ScalarNode):
            return FlagDef(name, node.value, "", required=False)
        mapping = _mapping(node, what, "a default value or a mapping (write a list as 'default: [...]')")
        keys = dict(_by_text(mapping))
        self._warn_unknown(mapping, ("default", "description", "required"), what)
        default = value_of(keys["default"]) if "default" in keys else None
        return FlagDef(name, default, _description(keys, what), required=_truth(keys, "required", what))

    def _warn_unknown(self, node: MappingNode, known: Collection[str], what: str) -> None:
        for key, _ in node.pairs:
            if key.text not in known:
                text = printable(f"key '{key.text}' of {what} is not supported and is ignored")
                self.warnings.append(f"{self._path}:{key.place.line + 1}: {text}")


def _model_name(node: MappingNode, keys: dict[str, Node]) -> ScalarNode:
    given = [(word, keys[word]) for word in ("name", "model") if word in keys]
    if not given:
        raise NodeError("the model has no name: expected the key 'name' (or 'model')", node.place)
    if len(given) > 1:
        raise NodeError("the model has both 'name' and 'model': expected only one of them", given[1][1].place)
    word, name = given[0]
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str | None):
        raise NodeError(f"'{word}' of a model is {kind_of(name)}: expected text (put it in quotes)", name.place)
    if name.value is None:
        raise NodeError(f"'{word}' of a model is empty: expected its name", name.place)
    _checked_name(name, "model name")
    return name


def _checked_name(node: ScalarNode, what: str) -> str:
    name = node.text
    if not name.strip():
        raise NodeError(f"{what} is empty: expected text", node.place)
    if not name.isprintable() or any(character in name for character in _FORBIDDEN_IN_NAMES):
        wanted = "expected no '/', ':', '=', line break or control character"
        raise NodeError(f"{what} '{name}' cannot be typed as a name: {wanted}", node.place)
    if name != name.strip() or name.startswith("-"):
        raise NodeError(f"{what} '{name}' cannot be typed as a name: expected no blank or '-' around it", node.place)
    return name


def _command(key: ScalarNode, node: Node | None, what: str) -> str:
    if node is None or (isinstance(node, ScalarNode) and (node.value is None or not node.text.strip())):
        place = key.place if node is None else node.place
        raise NodeError(f"{what} has no 'cmd': expected the command that it runs", place)
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise NodeError(f"'cmd' of {what} is {kind_of(node)}: expected a command (text)", node.place)
    return node.text.strip()


def _description(keys: dict[str, Node], what: str) -> str:
    node = keys.get("description")
    if node is None:
        return ""
    if not isinstance(node, ScalarNode):
        raise NodeError(f"'description' of {what} is {kind_of(node)}: expected text", node.place)
    return "" if node.value is None else node.text.strip()


def _truth(keys: dict[str, Node], key: str, what: str) -> bool:
    node = keys.get(key)
    if node is None:
        return False
    if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
        raise NodeError(f"'{key}' of {what} is {kind_of(node)}: expected 'yes' or 'no'", node.place)
    return node.value


def _mapping(node: Node, what: str, wanted: str = "a mapping") -> MappingNode:
    if not isinstance(node, MappingNode):
        raise NodeError(f"{what} is {kind_of(node)}: expected {wanted}", node.place)
    return node


def _entries(node: Node | None, what: str) -> Iterable[tuple[ScalarNode, Node]]:
    """Return the pairs of a mapping of names; one that is left out or left empty has none."""
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return ()
    return _mapping(node, what, "a mapping of names").pairs


def _by_text(node: MappingNode) -> Iterable[tuple[str, Node]]:
    return ((key.text, value) for key, value in node.pairs)


def _text(path: str) -> str:
    shown = printable(path, _LONGEST_PATH)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelFileError(f"cannot read model file {shown}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // (1024 * 1024)
        raise ModelFileError(f"cannot use model file {shown}: it is larger than {limit} MB")
    data = data.removeprefix(_UTF8_MARK)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = place_of(data[: error.start].decode("utf-8"), error.start)
        problem = NodeError(f"byte 0x{data[error.start]:02x} is not UTF-8: expected UTF-8 text", place)
        raise _located(path, data.decode("utf-8", "surrogateescape"), problem) from error


def _located(path: str, text: str, error: NodeError) -> ModelFileError:
    place = error.place
    lines = lines_of(text)
    line = lines[place.line] if place.line < len(lines) else ""
    number = str(place.line + 1)
    shown, offset = _excerpt(line, place.column)
    return ModelFileError(
        f"{printable(path, _LONGEST_PATH)}:{number}:{place.column + 1}: {printable(error.problem, 400)}\n"
        f"{f'  {number} | {shown}'.rstrip()}\n"
        f"  {' ' * len(number)} | {' ' * offset}^"
    )


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, safe to show, and how many cells lie left of that column."""
    start = max(0, column - _EXCERPT_BEFORE)
    safe_length = _EXCERPT_LENGTH * len("\\U00000000")
    before = printable(line[start:column].replace("\t", " "), safe_length)
    part = printable(line[start : start + _EXCERPT_LENGTH].replace("\t", " "), safe_length)
    return part, _cells(before)


def _cells(text: str) -> int:
    import unicodedata

    wide = sum(unicodedata.east_asian_width(character) in ("W", "F") for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
