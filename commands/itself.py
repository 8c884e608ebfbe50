"""How this program starts itself anew: the same code, whatever the working directory and PYTHONPATH hold."""

from __future__ import annotations

import os
import sys

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""Where this program's packages are: a checkout, or the one package of an installed wheel."""

_PYTHON = (sys.executable, "-P", "-c")
"""-P: or a file of the working directory that is called like a module of Python's is taken for it (`json.py`)."""

_CODE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main()"


def guild_itself() -> tuple[str, ...]:
    """Return the words that start the command line; its arguments follow."""
    if os.path.isdir(os.path.join(FOLDER, "guild_ledger")):
        return (*_PYTHON, _CODE.format(module="guild_ledger.main"), FOLDER)
    return (*_PYTHON, _CODE.format(module="guild_ledger.main"), os.path.dirname(FOLDER))


def module_itself(module: str) -> tuple[str, ...]:
    """Return the words that call `main` of one of this program's modules; its arguments follow."""
    return (*_PYTHON, _CODE.format(module=module), FOLDER)
