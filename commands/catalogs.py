"""The catalog of a command: what can be run from its directory, packages of the active environment included."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from commands.app import App
from operations.catalog import Catalog

if TYPE_CHECKING:
    from operations.definitions import ModelDef
    from operations.packages import Installed


def catalog_of(app: App, directory: str | None = None) -> Catalog:
    """Return what can be run from `directory`, by default the one that the command acts in."""
    return Catalog(app.cwd if directory is None else directory, packaged_models, installed_packages)


@lru_cache(maxsize=1)
def packaged_models() -> tuple[ModelDef, ...]:
    """Return the models of installed packages, read once a command; of what cannot be used there is a warning."""
    from commands.terminal import warn
    from operations import packages

    return packages.packaged_models(installed_packages, warn)


@lru_cache(maxsize=1)
def installed_packages() -> tuple[Installed, ...]:
    """Return the packages of the active environment that carry models, looked up once a command.

    Raises:
        PackagesError: the environment does not tell.
    """
    from commands.pip_calls import interpreter_of_runs
    from operations import packages

    return packages.installed_packages(interpreter_of_runs(), os.environ)
