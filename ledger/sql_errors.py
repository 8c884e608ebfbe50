"""What SQLAlchemy and the drivers below it raise, said in the ledger's terms, never with a password or a row.

The text of SQLAlchemy's own errors holds the statement and its parameters; only the driver's message is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ledger import sqlite_errors
from ledger.errors import GuildError, IntegrityError, LedgerBusyError, LedgerError

if TYPE_CHECKING:
    from sqlalchemy import URL

_NOTHING = "Nothing was recorded."
_RESTORE = "Nothing was changed. Bring the database back from a backup."
_SECRET_OPTIONS = ("password", "sslpassword", "passfile")

_KNOWN: dict[str, tuple[type[GuildError], str, str]] = {
    "25006": (LedgerError, "is read-only", "Connect to the primary server, with a role that may write."),
    "25P03": (LedgerError, "ended a transaction that had stood still for too long", f"{_NOTHING} Try again."),
    "42501": (LedgerError, "refused for lack of a right", "Ask the database's owner for that right."),
    "42P01": (
        IntegrityError,
        "is no ledger",
        "Check the name of the database, or bring it back from a backup.",
    ),
    "53100": (
        LedgerError,
        "has no space left on its disk",
        f"{_NOTHING} Free some space there, and try again.",
    ),
    "55P03": (LedgerBusyError, "is locked by another program", f"{_NOTHING} Try again."),
    "XX001": (IntegrityError, "is damaged", _RESTORE),
    "XX002": (IntegrityError, "is damaged", _RESTORE),
}
"""PostgreSQL's own codes: what kind of error, what is said of the ledger, what to do."""


def shown(url: URL) -> str:
    """Return a URL for people: without any password."""
    kept = {name: "***" if name in _SECRET_OPTIONS else value for name, value in url.query.items()}
    return url.set(query=kept).render_as_string(hide_password=True)


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn errors of SQLAlchemy about the database at `place` into `LedgerError`."""
    try:
        yield
    except SQLAlchemyError as error:
        _reraise(place, error)


def driver_missing(place: str, error: Exception) -> LedgerError:
    """Return what to say when the driver of a database server cannot be imported."""
    return LedgerError(
        f"{place} cannot be spoken to: the driver is not installed ({error})",
        hint='Install it: pip install "guild-ledger[postgres]"',
    )


def _reraise(place: str, error: SQLAlchemyError) -> NoReturn:
    driver_error = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(driver_error, sqlite3.Error):
        with sqlite_errors.translated(place):
            raise driver_error
    if not isinstance(error, DBAPIError):
        # args[0] is the message alone; str() would add the statement and its parameters.
        raise LedgerError(f"{place} could not be used: {_one_line(error.args[0] if error.args else error)}") from error
    raise _postgres_said(place, error) from error


def _postgres_said(place: str, error: DBAPIError) -> GuildError:
    state = getattr(error.orig, "sqlstate", None) or ""
    # The server's message alone, without the context (statements, values) that the driver adds to it.
    diagnosis = getattr(error.orig, "diag", None)
    text = _one_line(getattr(diagnosis, "message_primary", None) or error.orig)
    if state in _KNOWN:
        kind, what, hint = _KNOWN[state]
        return kind(f"{place} {what}: {text}", hint=hint)
    if state.startswith("23"):
        return LedgerError(f"the ledger refused the change: {text}")
    # 08: connection; 57P: the server is being shut down.
    if state.startswith(("08", "57P")) or (error.connection_invalidated and not state):
        return LedgerError(
            f"the connection to {place} was lost: {text}",
            hint="The last change may have been recorded or not: look with `guild log` before repeating it.",
        )
    if isinstance(error, OperationalError) and not state:
        return LedgerError(
            f"{place} cannot be reached: {text}",
            hint="Check host, port, database, user and password, and that the server runs.",
        )
    return LedgerError(f"{place} could not be used: {text} ({state or type(error.orig).__name__})")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")
