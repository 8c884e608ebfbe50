"""The series of numbers that a run reported: `.guild/scalars.csv` in its directory, written and read.

The code lies in `guild_ledger`, the one package that a user's own Python can import: scripts append to the same file,
and notebooks read it. From here it is one of the things that runs leave behind.
"""

from __future__ import annotations

from guild_ledger.rows import FILE, HEADER, LONGEST_KEY, MOST_STEP, Appender, beginning, is_key, moment_of, row
from guild_ledger.series import (
    MOST_KEYS,
    MOST_POINTS,
    LineFollower,
    Series,
    SeriesFollower,
    points,
    read_series,
)

__all__ = [
    "FILE",
    "HEADER",
    "LONGEST_KEY",
    "MOST_KEYS",
    "MOST_POINTS",
    "MOST_STEP",
    "Appender",
    "LineFollower",
    "Series",
    "SeriesFollower",
    "beginning",
    "is_key",
    "moment_of",
    "points",
    "read_series",
    "row",
]
