"""Whether an index can be kept at all: on read-only media the answers come from one in memory."""

from __future__ import annotations

import os


def can_write(folder: str) -> bool:
    """Tell whether files can be made in `folder`, or `folder` itself can be made."""
    while not os.path.exists(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return os.access(folder, os.W_OK | os.X_OK)
