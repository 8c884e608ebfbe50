"""After a redaction: nothing of what was emptied stays in the index or in old pages of the ledger's file.

A mark beside the ledger, made before the redaction is recorded, stays until that is done: whatever the command died of,
the next one that changes something goes on.
"""

from __future__ import annotations

import os
from contextlib import suppress

from commands.app import App
from ledger.files import make_mark
from ledger.seams import seam
from projections.files import forget_all, rebuilding
from projections.verified import forget_point


def mark(app: App) -> None:
    """Note, durably, that something is to be wiped."""
    make_mark(_mark(app))


def unmark(app: App) -> None:
    """Take the note back: there is nothing to wipe."""
    with suppress(FileNotFoundError):
        os.unlink(_mark(app))


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
    unmark(app)


def _mark(app: App) -> str:
    return os.path.join(app.home.root, "ledger.db-unwiped")
