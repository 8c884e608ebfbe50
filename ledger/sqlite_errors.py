"""What sqlite3 raises, said in the ledger's own terms, so that no driver error and no traceback reaches a user."""

from __future__ import annotations

import sqlite3

from ledger.errors import IntegrityError, LedgerBusyError, LedgerError, NoSpaceError

_BACKUP = "Nothing was changed. Put ledger.db aside together with its -wal and -shm files, and bring back a backup."


class translated:  # noqa: N801 - used as a statement
    """Turn errors of sqlite3 about the database at `place` into `LedgerError`.

    A class, because every statement of the ledger runs inside it, and a generator takes several times as long.
    """

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise the ledger's own error in place of the database's."""
        if isinstance(error, sqlite3.Error):
            raise _said(self.place, error) from error
        if isinstance(error, UnicodeDecodeError):
            # The driver's, when an error of SQLite quotes a damaged name.
            raise IntegrityError(
                f"{self.place!r} is damaged: its tables' names cannot be read", hint=_BACKUP
            ) from error


def no_space(place: str) -> NoSpaceError:
    """Return the error for a full disk."""
    return NoSpaceError(
        f"no space left on the disk of {place!r}",
        hint="Nothing was recorded. Free some space, and try again; the folder 'index' of the home may be removed: it"
        " is made anew.",
    )


def _said(place: str, error: sqlite3.Error) -> LedgerError | IntegrityError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return IntegrityError(f"{place!r} is damaged or is no ledger: {error}", hint=_BACKUP)
    # A database in WAL mode needs a few kilobytes of shared memory beside it, even to be read.
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")) or "disk is full" in str(error):
        return no_space(place)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LedgerBusyError(f"{place!r} is locked by another program", hint="Nothing was changed. Try again.")
    if name.startswith("SQLITE_READONLY"):
        return LedgerError(f"{place!r} is read-only", hint="Make the home writable, or choose another with -H.")
    if name.startswith("SQLITE_CANTOPEN"):
        return LedgerError(
            f"cannot open {place!r}: {error}", hint="Check that the home is there and that you may write in it."
        )
    if name.startswith("SQLITE_CONSTRAINT_TRIGGER"):
        return LedgerError(f"the ledger refused the change: {error}")
    if "no such table" in str(error):
        return IntegrityError(f"{place!r} is no ledger: {error}", hint=_BACKUP)
    return LedgerError(
        f"the ledger at {place!r} could not be used: {error} ({name or 'unknown cause'})",
        hint="Nothing was changed. Check the disk of the home: its space, its health and that it is there.",
    )
