"""The numbers of a removal: taken before anything is removed, and kept beside it until the ledger has them.

What is counted after a crash in the middle of a removal would be less than what there was.
"""

from __future__ import annotations

import os

from artifacts.removal import measure_tree, refuse_mounts
from ledger.seams import seam


def counted(path: str, count_path: str) -> tuple[int, int]:
    """Return files and bytes as the first attempt found them, or take and keep them when this is the first.

    Raises:
        OSError: something cannot be looked at, or another file system is mounted there.
    """
    count = read_count(count_path)
    if count is None:
        refuse_mounts(path)
        seam("purge.measure")
        count = measure_tree(path, unlock=True)
        if os.path.lexists(path):
            _keep_count(count_path, count)
    return count


def read_count(path: str) -> tuple[int, int] | None:
    """Read the numbers; None when there are none or when a power cut left a part of the file."""
    try:
        with open(path, encoding="ascii") as file:
            words = file.read(100).split(" ")
    except (OSError, ValueError):
        return None
    if len(words) != 3 or words[2] != "\n" or not (words[0].isdecimal() and words[1].isdecimal()):  # noqa: PLR2004
        return None
    return int(words[0]), int(words[1])


def _keep_count(path: str, count: tuple[int, int]) -> None:
    """Write the numbers; a disk that is full must not stop a removal, which is what makes room."""
    try:
        seam("purge.count.write")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(f"{count[0]} {count[1]} \n")
            file.flush()
            os.fsync(file.fileno())
        seam("purge.count.rename")
        os.rename(path + ".new", path)
    except OSError:
        return
