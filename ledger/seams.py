"""Marks between the steps of an effect, so that tests can stop the program at each of them.

What must survive a kill at any moment is proved by killing it at every moment: each step that changes
something on disk is preceded by a seam, and a test installs a hook that ends the process, or raises an error,
at the k-th seam.
"""

from __future__ import annotations

from collections.abc import Callable

_hooks: list[Callable[[str], None]] = []


def seam(name: str) -> None:
    """Mark the step `name` (stable, dotted) about to happen; does nothing unless a hook is installed."""
    for hook in _hooks:
        hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Call `hook` with the name of every seam from now on, instead of an earlier hook; None takes it away."""
    _hooks[:] = [] if hook is None else [hook]
