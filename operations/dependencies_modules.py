"""Asking the interpreter of a run which modules it cannot import: this program's own may be another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.text import printable
from operations.dependencies import DependencyError, DependencyPlan, not_started

Ask = Callable[[Sequence[str]], tuple[int, str]]
"""Runs an argument vector with the environment of the run, in its project; returns exit status and standard output."""

# A script of the run does not see the directory that this program was called in, which `-c` would search first.
# What a package prints while it is looked into goes to the other stream, so that the answer stands alone.
_QUESTION = """
import sys
sys.path[:] = filter(None, sys.path)
import importlib.util as u
out, sys.stdout = sys.stdout, sys.stderr
def missing(name):
    try:
        return u.find_spec(name) is None
    except BaseException:
        return True
names = [name for name in sys.argv[1:] if missing(name)]
out.write('\\n'.join(['missing', *names]))
"""


def missing_modules(interpreter: str, names: Sequence[str], run: Ask) -> tuple[str, ...]:
    """Return those of `names` that `interpreter` cannot find.

    The parents of a dotted name are imported, nothing else.

    Args:
        interpreter: path of a Python.
        names: of modules.
        run: starts it; not called without names.

    Raises:
        DependencyError: it did not answer.
    """
    if not names:
        return ()
    status, output = run((interpreter, "-c", _QUESTION, *names))
    first, *missing = output.split("\n")
    if status != 0 or first.strip() != "missing":
        raise DependencyError(
            f"{interpreter!r} did not say which modules it has: it ended with status {status}",
            hint="Is it a Python?",
        )
    return tuple(name for name in names if name in missing)


def check_modules(plan: DependencyPlan, interpreter: str, run: Ask) -> None:
    """Refuse a plan whose modules `interpreter` does not have; arguments as of `missing_modules`.

    Raises:
        DependencyError: one is missing; the message names the first, the hint all of them.
    """
    missing = missing_modules(interpreter, plan.modules, run)
    for item in plan.items:
        absent = [name for name in item.modules if name in missing]
        if absent:
            raise not_started(
                item,
                f"{interpreter} has no module '{printable(absent[0])}'",
                f"Install what is missing: {', '.join(map(printable, missing))}.",
            )
