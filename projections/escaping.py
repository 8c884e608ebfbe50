"""Text as the index holds it, apart because what folds and what asks must agree on it."""

from __future__ import annotations


def as_stored(text: str) -> str:
    """Return text that SQLite can hold: what is not UTF-8 (paths, labels and flags may be) is escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
