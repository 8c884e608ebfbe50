"""Stand-ins for standard modules that click imports and a usual command hardly uses.

click imports `inspect` for one function that tidies up help texts, and `uuid`, which imports `platform` to learn the
system's name; with all that these two import themselves they are a fifth of the start of `guild runs`. A stand-in
answers that one question itself; asked for anything else, it loads the real module and passes on what that says.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Deferred(ModuleType):
    """A module that is loaded when something is asked of it that is not known here."""

    def __init__(self, name: str, **known: object) -> None:
        super().__init__(name)
        vars(self).update(known)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the real module."""
        if name in ("__path__", "__file__"):  # the import system asks, and needs no answer
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


def defer_modules() -> None:
    """Put the stand-ins where `import` finds them, unless the real modules are loaded already."""
    sys.modules.setdefault("inspect", Deferred("inspect", cleandoc=_cleandoc))
    if os.name == "posix":
        sys.modules.setdefault("platform", Deferred("platform", system=_system))


def _cleandoc(doc: str) -> str:
    if "\n" not in doc:
        return doc.expandtabs().lstrip()
    cleaned: Callable[[str], str] = _real("inspect").cleandoc
    return cleaned(doc)


def _system() -> str:
    return os.uname().sysname


def _real(name: str) -> ModuleType:
    """Return the module itself; from now on `import` finds it instead of the stand-in."""
    if isinstance(sys.modules.get(name), Deferred):
        del sys.modules[name]
    return import_module(name)
