"""Find the model file of a directory; apart from its reader because listings ask for it and start fast."""

from __future__ import annotations

import os.path

MODEL_FILE_NAMES = ("MODELS", "MODEL", "guild.yml")
"""The names a model file may have; the first that exists wins."""


def find_model_file(directory: str) -> str | None:
    """Return the path of the directory's own model file, or None; parent directories are not searched.

    Only a regular file (or a link to one) counts, so a folder named `MODELS` is passed over.
    """
    for name in MODEL_FILE_NAMES:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
    return None


def folder_above(directory: str) -> str | None:
    """Return the nearest folder above an absolute `directory` that has a model file, for hints; None for none."""
    while (parent := os.path.dirname(directory)) != directory:
        directory = parent
        if find_model_file(directory) is not None:
            return directory
    return None
