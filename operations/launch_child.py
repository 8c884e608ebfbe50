"""What a run's process starts with when its flags are variables: loads the program for that, and no more.

Python compiles the file it is started with every time, so this one is short; its neighbour is compiled only once.

Arguments: DEST VALUES SCRIPT|-m MODULE [ARGUMENT]..., with VALUES in JSON, and DEST as an operation defines it.
"""

from __future__ import annotations

import sys

path = __file__.removesuffix("child.py") + "program.py"
program = type(sys)("launch_program")
program.__file__ = path
sys.modules["_frozen_importlib_external"].SourceFileLoader("launch_program", path).exec_module(program)
program.start(globals())
