"""The point up to which a ledger was verified, kept beside the index: derived, and disposable like the index.

It saves reading, nothing rests on it: when it is missing, damaged or of another ledger, everything is verified. When
the ledger does not hold what was verified, that is an alteration found.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from ledger.verify import Point

_NAME = "verified"
_VERSION = 1


def load_point(folder: str, ledger_id: str) -> Point | None:
    """Return the point kept in the index folder; None when there is none of this ledger that can be used."""
    try:
        with open(os.path.join(folder, _NAME), encoding="ascii") as file:
            data = json.load(file)
        if (data["version"], data["ledger_id"]) != (_VERSION, ledger_id):
            return None
        ends = {
            bytes.fromhex(origin): (int(seq), bytes.fromhex(hash_), int(time))
            for origin, (seq, hash_, time) in data["ends"].items()
        }
        return Point(ledger_id, int(data["seq"]), int(data["position"]), bytes.fromhex(data["hash"]), ends)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def save_point(folder: str, point: Point) -> None:
    """Keep a point for the next time; where it cannot be written, none is kept."""
    ends = {origin.hex(): (seq, hash_.hex(), time) for origin, (seq, hash_, time) in point.ends.items()}
    data = {
        "version": _VERSION,
        "ledger_id": point.ledger_id,
        "seq": point.seq,
        "position": point.position,
        "hash": point.hash.hex(),
        "ends": ends,
    }
    path = os.path.join(folder, _NAME)
    own = f"{path}.{os.getpid()}"
    with suppress(OSError):
        with open(own, "w", encoding="ascii") as file:
            json.dump(data, file)
        os.replace(own, path)


def forget_point(folder: str) -> None:
    """Drop what is kept: the next verification reads everything."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(os.path.join(folder, _NAME))
