"""Where symbolic links lead, judged by their text: what is not there yet, or may change, cannot be asked."""

from __future__ import annotations


def stays_inside(path: str, target: str) -> bool:
    """Tell whether a link at `path`, relative to some top folder, leads to a place below that folder.

    Only `..` at the start of the target can be understood without looking: after a name, which may be a link
    itself, it could lead anywhere.
    """
    parts = [part for part in target.split("/") if part not in {"", "."}]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    return not target.startswith("/") and ups <= path.count("/") and ".." not in parts[ups:]
