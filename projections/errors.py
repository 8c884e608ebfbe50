"""What can be wrong with the index, apart so that reading and rebuilding can both raise it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import GuildError, NoSpaceError


class IndexDamagedError(GuildError):
    """The index cannot be used; it is derived, so the remedy is a rebuild, which the reader does by itself."""


class IndexOutrunError(IndexDamagedError):
    """What is new in the ledger counts before what the index has read, which only a rebuild can say."""


@contextmanager
def index_errors() -> Iterator[None]:
    """Turn errors of sqlite3 about the index into `IndexDamagedError`, or into what the user must mend.

    So are values that no index holds: a number without a name, text that is none.

    Raises:
        NoSpaceError: the disk is full: a rebuild would not help.
        GuildError: the index is locked: the same.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")):
            raise NoSpaceError(
                "no space left on the disk of the index", hint="The ledger is untouched. Free some space and repeat."
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise GuildError("the index is locked by another program", hint="Try again.") from error
        raise IndexDamagedError(f"{error}") from error
    except (LookupError, UnicodeDecodeError) as error:
        raise IndexDamagedError(f"a value in it cannot be: {error}") from error
