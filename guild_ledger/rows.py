"""How a point of a series is written down: one line of a run's `.guild/scalars.csv`.

    key,step,time,value
    loss,100,1700000000.250000,0.31

The user's process appends to the file as well as the program, so this is a module that any Python can import: it needs
nothing but itself, and takes no time to load.
"""

from __future__ import annotations

import os

FILE = ".guild/scalars.csv"
"""Where a run directory has its series."""

HEADER = b"key,step,time,value\n"

LONGEST_KEY = 256
"""Characters. What is longer is no key."""

MOST_STEP = 2**63 - 1
"""A step, or its negative, is at most that."""

_MILLION = 1_000_000


def row(key: str, step: int | None, time_us: int, value: float) -> str:
    r"""Return the line of one point, with its end.

    >>> row("val, loss", None, 1_700_000_000_250_000, float("nan"))
    '"val, loss",,1700000000.250000,nan\n'

    Args:
        key: its name, one that `is_key` accepts.
        step: where it belongs, None when that is not known.
        time_us: when it was reported, microseconds since 1970 UTC.
        value: any number; NaN and the infinities are written `nan`, `inf` and `-inf`.
    """
    return f"{beginning(key)}{'' if step is None else step},{moment_of(time_us)},{value!r}\n"


def beginning(key: str) -> str:
    """Return what the rows of a key begin with."""
    if '"' in key or "," in key:
        key = '"' + key.replace('"', '""') + '"'
    return key + ","


def moment_of(time_us: int) -> str:
    """Return a time as it is written in a row."""
    return f"{time_us // _MILLION}.{time_us % _MILLION:06d}"


def is_key(text: str) -> bool:
    """Tell whether a text can be the name of a series: not empty, not too long, and nothing that ends a line."""
    return 0 < len(text) <= LONGEST_KEY and text.isprintable()


class Appender:
    """Appends rows to the file of one run, in whole lines, beside others that do the same.

    The file is made, with its header, when the first rows come. After a failed write (a full disk) the next one begins
    on a new line, so that what was torn costs one row at most.

    Args:
        path: the file.
    """

    __slots__ = ("_descriptor", "_is_torn", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._is_torn = False

    def append(self, rows: str) -> int:
        """Write whole rows in one piece; return how many bytes that were.

        Raises:
            OSError: they are not in the file, or not all of them.
        """
        if self._descriptor < 0:
            self._open()
        data = rows.encode("utf-8", "replace")
        if self._is_torn:
            data = b"\n" + data
        self._is_torn = True
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        self._is_torn = False
        return len(data)

    def end(self) -> int:
        """Return where in the file the rows end that were appended last."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def identity(self) -> tuple[int, int]:
        """Return what tells the open file from every other; a different one when it was closed behind our back.

        Raises:
            OSError: it is not open.
        """
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino if status.st_nlink else -1

    def close(self) -> None:
        """Let go of the file; the next rows open it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        import fcntl

        # Not through a link that somebody put there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        try:
            # Of several that come first, one writes the header.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size == 0:
                os.write(descriptor, HEADER)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
