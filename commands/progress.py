"""A progress bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None] | None]:
    """Yield a function that is told how many of `length` are done; None when stderr is no terminal."""
    if not sys.stderr.isatty() or length == 0:
        yield None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:

        def reached(count: int) -> None:
            bar.update(max(0, min(count, length) - bar.pos))

        yield reached
        reached(length)
