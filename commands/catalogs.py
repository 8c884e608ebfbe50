"""The catalog of a command: what can be run from its directory, packages of the active environment included."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from commands.app import App
from operations.catalog import Catalog

if TYPE_CHECKING:
    from operations.definitions import ModelDef
    from operations.packages import Installed


def catalog_of(app: App, directory: str | None = None) -> Catalog:
    """Return what can be run from `directory`, by default the one that the command acts in."""
    return Catalog(app.cwd if directory is None else directory, lambda: packaged_models_of(app), installed_packages)


@lru_cache(maxsize=1)
def packaged_models_of(app: App) -> tuple[ModelDef, ...]:  # noqa: ARG001 - what is installed is looked up once a command
    """Return the models of installed packages; what cannot be used is passed over, with a warning."""
    from commands.terminal import warn
    from operations.packages import packaged_models

    return packaged_models(installed_packages, warn)


@lru_cache(maxsize=1)
def installed_packages() -> tuple[Installed, ...]:
    """Return the packages of the active environment that carry models, looked up once a command.

    Raises:
        PackagesError: the environment does not tell.
    """
    from artifacts.environment import active_interpreter
    from operations import packages

    return packages.installed_packages(active_interpreter(os.environ, sys.executable), os.environ)
