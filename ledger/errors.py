"""The one family of errors that a user may see; kept apart so that every package can raise them without import loops.

Each error carries what happened and why (`message`), what to do next (`hint`) and the public exit code. `commands/`
prints them; nothing else does.
"""

from __future__ import annotations


class GuildError(Exception):
    """Something was refused or failed: nothing was changed unless the message says so.

    Attributes:
        message: what happened and why, one sentence, no trailing full stop.
        hint: what the user can do next, or None when there is nothing to add.
        exit_code: the process's exit code (1 refused or failed, 2 usage, 3 integrity, 130 interrupted).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GuildError):
    """The command line itself is wrong."""

    exit_code = 2


class IntegrityError(GuildError):
    """Stored history is not what was written: an integrity check found something."""

    exit_code = 3


class LedgerError(GuildError):
    """The ledger could not be opened, read or appended to."""


class LedgerBusyError(LedgerError):
    """Another process holds the ledger's write lock for longer than the time limit."""


def replaced(place: str) -> LedgerBusyError:
    """Return what is told to who has a ledger open that a restored backup took the place of."""
    return LedgerBusyError(f"{place!r} was replaced by another file meanwhile", hint="Nothing was changed. Try again.")


class HomeGoneError(GuildError):
    """The home that was looked at is not there any more."""


class NoSpaceError(LedgerError):
    """The disk is full: of the ledger, or of the index, of which nothing needs to be kept."""


class LedgerTooNewError(LedgerError):
    """The ledger was written by a newer program than this one."""


class ConflictError(LedgerError):
    """A run changed between the moment the command looked at it and the moment it wrote."""


class TransitionError(LedgerError):
    """An event would not follow from the state of its stream (for example: restore of a run that is not deleted)."""
