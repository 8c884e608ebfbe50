"""The `package` item of a model file: what a wheel built from the project is called and carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.definitions import PackageDef
from operations.model_values import Keys, plain_text
from operations.nodes import SequenceNode

if TYPE_CHECKING:
    from operations.model_items import Item
    from operations.model_text import Notes

_UNSUPPORTED = ("build-command", "dev-mode", "maintainer", "maintainer-email", "models", "python-tag", "resources")
_NO_VERSION = "0.0.0"


def read_package(item: Item, notes: Notes) -> PackageDef:
    """Return a package; one without a version has 0.0.0.

    Raises:
        NodeError: a value is of another kind than expected.
    """
    keys = Keys(item.node, item.what, notes)
    package = PackageDef(
        name=item.name,
        version=keys.text("version") or _NO_VERSION,
        description=keys.text("description"),
        url=keys.text("url"),
        author=keys.text("author"),
        author_email=keys.text("author-email"),
        license=keys.text("license"),
        tags=keys.texts("tags"),
        data_files=keys.texts("data-files"),
        python_requires=keys.text("python-requires"),
        requires=keys.texts("requires"),
        packages=_packages(keys),
    )
    keys.finish(_UNSUPPORTED)
    return package


def _packages(keys: Keys) -> dict[str, str]:
    """Return the directory of each Python package; in a plain list each is in the one of its name."""
    if isinstance(keys.get("packages"), SequenceNode):
        return {name: name for name in keys.texts("packages")}
    return {key.text: plain_text(node, f"package '{key.text}'") for key, node in keys.pairs("packages")}
