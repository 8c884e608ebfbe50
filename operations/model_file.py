"""Read a model file into definitions, refusing whatever is wrong by file, line, column and key.

The way of a file: items of it and of what it includes (`model_items`), with what they inherit (`model_inherit`) and
include (`model_include`), their parameters replaced (`model_params`), then read key by key. A key that nobody reads
becomes a warning, never silence.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from operations.definitions import ModelDef, ModelFile, OperationDef
from operations.model_flag import read_flags
from operations.model_include import Includes
from operations.model_inherit import Asked, Family, Lent
from operations.model_items import Item, read_items
from operations.model_operation import Inherited, folders_of, read_operation, read_output_scalars
from operations.model_package import read_package
from operations.model_params import Params
from operations.model_resource import read_resources
from operations.model_shapes import DEFAULTS_WORDS, OPERATION
from operations.model_sourcecode import read_sourcecode
from operations.model_text import MAX_FILE_BYTES, ModelFileError, Notes, Sources, shown_path
from operations.model_tree import Budget, found, merged
from operations.model_values import Keys, mapping
from operations.nodes import MappingNode, Node, NodeError, ScalarNode, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.model_parents import Parents
    from operations.packages import InstalledPackages

__all__ = ["MAX_FILE_BYTES", "ModelFileError", "load_model_file"]

_UNSUPPORTED = (
    *(
        "default",
        "default-operation",
        "disable-plugins",
        "disabled-plugins",
        "env",
        "env-secrets",
        "optimizers",
        "plugins",
    ),
    *("python-requires", "remote"),
)


def load_model_file(path: str, installed: InstalledPackages | None = None) -> ModelFile:
    """Read and check a model file, together with the files that it includes.

    Args:
        path: of the file.
        installed: gives the packages whose models others may extend; not called when none does, None for no packages.

    Raises:
        ModelFileError: a file cannot be read, is above `MAX_FILE_BYTES`, is not UTF-8 or not YAML, or says
            something that a model file cannot say.
    """
    sources = Sources()
    try:
        return _read(path, sources, installed)
    except OSError as error:
        raise ModelFileError(f"cannot read model file {shown_path(path)}: {error.strerror}") from error
    except NodeError as error:
        raise sources.located(error) from error


def _read(path: str, sources: Sources, installed: InstalledPackages | None) -> ModelFile:
    notes = Notes(sources)
    items = read_items(path, sources, notes)
    reader = _ModelReader(items, sources, notes, installed)
    models = tuple(reader.model(item) for item in items if item.kind not in ("package", "config"))
    packages = [read_package(item, notes) for item in items if item.kind == "package"]
    project = os.path.dirname(os.path.abspath(path))
    return ModelFile(path, project, models, notes.all(), packages[0] if packages else None)


class _ModelReader:
    """Reads the models of one file; they share what they inherit and how large all may grow."""

    def __init__(self, items: list[Item], sources: Sources, notes: Notes, installed: InstalledPackages | None) -> None:
        self._notes = notes
        self._budget = Budget()
        self._sources = sources
        self._installed = installed
        self._parents: Parents | None = None
        self._family = Family(items, self._budget, self._lent)
        self._wholes: Mapping[str, MappingNode] = {
            item.name: self._family.whole(item) for item in items if item.kind != "package"
        }
        self._includes = Includes(self._wholes, self._budget)

    def model(self, item: Item) -> ModelDef:
        """Return one model."""
        keys = Keys(self._tree(item), item.what, self._notes)
        keys.get("params")
        inherited = Inherited(
            flags=read_flags(keys.pairs("flags"), self._notes),
            sourcecode=read_sourcecode(keys.get("sourcecode"), item.what, self._notes),
            output_scalars=read_output_scalars(keys),
            main_by_name=item.kind != "name",
            parents=self._folders(item),
            folders=folders_of(keys, ("sourcecode",)),
        )
        model = ModelDef(
            name=item.name,
            description=keys.text("description"),
            operations=self._operations(keys, inherited),
            private=bool(keys.truth("private")),
            resources=read_resources(keys.pairs("resources"), self._notes),
            references=keys.texts("references"),
            extra={key.text: value_of(value) for key, value in keys.pairs("extra")},
        )
        keys.finish(_UNSUPPORTED)
        return model

    def _lent(self, asked: Asked) -> Lent:
        """Return the model of a package that one of the file extends."""
        if self._parents is None:
            from operations.model_parents import Parents

            self._parents = Parents(self._installed, self._sources, self._notes, self._budget)
        return self._parents.lend(asked)

    def _folders(self, item: Item) -> tuple[str, ...]:
        """Return the directories of the packages that a model inherits from, or includes something of."""
        names = (item.name, *self._includes.lenders(item.name))
        return tuple(dict.fromkeys(folder for name in names for folder in self._family.folders(name)))

    def _tree(self, item: Item) -> MappingNode:
        """Return the keys of a model as if nothing were inherited, included or a parameter."""
        full = self._includes.written_out(item.name)
        lenders = [self._wholes[name] for name in self._includes.lenders(item.name)]
        given = [found(node, "params") for node in (full, *lenders)]
        params = Params(given, item.what, self._notes, self._budget)
        pairs = [(key, value if key.text == "params" else params.put_into(value)) for key, value in full.pairs]
        return MappingNode(full.place, full.end, full.size, full.depth, tuple(pairs))

    def _operations(self, keys: Keys, inherited: Inherited) -> tuple[OperationDef, ...]:
        defaults = self._defaults(keys)
        operations = []
        for key, node in keys.pairs("operations"):
            whole = self._on_defaults(defaults, node) if defaults else node
            operations.append(read_operation(key, whole, inherited, self._notes, self._budget))
        return tuple(operations)

    def _defaults(self, keys: Keys) -> Node | None:
        """Return what every operation begins with; the name of a config is no mapping, and is warned of."""
        pair = keys.pair(*DEFAULTS_WORDS)
        if pair is None:
            return None
        key, node = pair
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            self._notes.warn(
                node.place, f"'{key.text}' of {keys.what} is a name, which is not supported and is ignored"
            )
            return None
        return mapping(node, f"'{key.text}' of {keys.what}")

    def _on_defaults(self, defaults: Node, node: Node) -> Node:
        self._budget.spend_values(defaults.size, node.place)
        return merged(defaults, node, OPERATION)
