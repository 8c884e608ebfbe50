"""After a redaction: nothing of what was emptied stays in the index or in old pages of the ledger's file.

A mark beside the ledger, made before the redaction is recorded, stays until that is done: whatever the command died of,
the next one that changes something goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from commands.app import App
from ledger.errors import GuildError
from ledger.files import make_mark
from ledger.seams import seam
from projections.files import forget_all, rebuilding
from projections.verified import forget_point

T = TypeVar("T")


def emptying(app: App, do: Callable[[], T], count: Callable[[T], int]) -> T:
    """Do what may empty bodies and headers, marked before it is known whether anything will be emptied.

    Args:
        app: the command's context.
        do: records it.
        count: tells of its result how much was emptied; when that is nothing, there is nothing to wipe either.

    Raises:
        GuildError: it was refused, so nothing was emptied.
    """
    was_marked = is_marked(app)
    make_mark(_mark(app))
    try:
        done = do()
    except GuildError:
        if not was_marked:
            _unmark(app)
        raise
    if not (count(done) or was_marked):
        _unmark(app)
    return done


def is_marked(app: App) -> bool:
    """Tell whether a redaction is not wiped yet."""
    return os.path.lexists(_mark(app))


def wipe(app: App, patience: float = 60.0) -> None:
    """Throw every index away, and write the ledger's file anew.

    Args:
        app: the command's context.
        patience: seconds to wait for those that are reading the ledger; with 0 it is tried once.

    Raises:
        LedgerBusyError: other commands were reading the ledger all the time; the next change tries again.
        GuildError: the disk is full, or cannot be written.
    """
    app.close_index()
    seam("redact.index")
    with rebuilding(app.home.index_dir):
        forget_all(app.home.index_dir)
        forget_point(app.home.index_dir)
    seam("redact.wipe")
    app.ledger.store.wipe(patience)
    seam("redact.wiped")
    _unmark(app)


def _unmark(app: App) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_mark(app))


def _mark(app: App) -> str:
    return os.path.join(app.home.root, "ledger.db-unwiped")
