"""The catalog of a command: what can be run from its directory, packages of the active environment included."""

from __future__ import annotations

from commands.app import App
from operations.catalog import Catalog


def catalog_of(app: App, directory: str | None = None) -> Catalog:
    """Return what can be run from `directory`, by default the one that the command acts in."""
    return Catalog(app.cwd if directory is None else directory, list)
