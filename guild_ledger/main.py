"""The way in: makes `import commands` mean this program's `commands`, then hands over to it.

The program's folders (`ledger`, `commands`, ...) are imported by their plain names, which a user's project
may have too. The folder that holds them therefore goes to the front of `sys.path`, before the working
directory and PYTHONPATH. This file runs at every start, so it imports nothing that is not loaded anyway.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from guild_ledger.deferred import defer_modules

_CONTAINERS = 100_000
"""New lists, dicts and the like before the cycle collector looks at them: the imports of a command make fewer."""

_INTERRUPTED = 130

PACKAGES = ("ledger", "projections", "operations", "artifacts", "view", "commands", "migrations")


def main() -> NoReturn:
    """Run the `guild` command line with the arguments of this process, and exit."""
    import gc

    gc.set_threshold(_CONTAINERS)
    try:
        claim_packages()
        defer_modules()
        from commands.main import main as run_command_line

        run_command_line()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 1)
    except KeyboardInterrupt:
        # While the modules were loaded: the command line itself, which handles it later on, was not there yet.
        os.write(2, b"guild: interrupted\n")
        _leave(_INTERRUPTED)


def _leave(code: int) -> NoReturn:
    """Exit at once: taking the interpreter apart piece by piece takes half as long as starting it.

    The command has closed its databases and written out what it had to say. With GUILD_DEBUG the exit is the ordinary
    one, because profilers and tools that measure coverage write their results then.
    """
    if not os.environ.get("GUILD_DEBUG"):
        os._exit(code)
    sys.exit(code)


def claim_packages() -> str:
    """Make each name in `PACKAGES` mean this program's package; return the folder that holds them all.

    That is this file's own folder in an installed wheel and the folder above it in a checkout.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    if not os.path.isdir(os.path.join(folder, "ledger")):
        folder = os.path.dirname(folder)
    if sys.path[0] != folder:
        sys.path.insert(0, folder)
    if not sys.modules.keys().isdisjoint(PACKAGES):
        _forget_foreign_packages(folder)
    return folder


def _forget_foreign_packages(folder: str) -> None:
    """Drop what a `.pth` file or `sitecustomize` imported under our names; it would win over any path."""
    for name in PACKAGES:
        if name in sys.modules and not _lies_in(folder, name):
            for loaded in [module for module in sys.modules if module == name or module.startswith(name + ".")]:
                del sys.modules[loaded]


def _lies_in(folder: str, name: str) -> bool:
    origin = getattr(sys.modules[name], "__file__", None) or ""
    return os.path.abspath(origin) == os.path.join(folder, name, "__init__.py")
