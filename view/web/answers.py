"""Answers as JSON: numbers that JSON cannot say travel as text; an error is a message and a hint, never a trace."""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson
from starlette.responses import Response

from artifacts.home import RunIdError
from artifacts.run_files import RunFilesError
from ledger.errors import (
    ConflictError,
    GuildError,
    HomeGoneError,
    IntegrityError,
    LedgerBusyError,
    NoSpaceError,
    UsageError,
)
from projections.expression import ExpressionError
from projections.selection import SelectionError

MOST_EXACT = 2**53 - 1
"""The largest integer that a browser's numbers hold exactly."""

_TYPE = "application/json"
REFUSED = 409


class TooLargeError(GuildError):
    """A request goes on and on."""


class BadRequestError(UsageError):
    """What was sent is not what is documented."""


_STATUSES: tuple[tuple[type[GuildError], int], ...] = (
    (HomeGoneError, 503),
    (TooLargeError, 413),
    (SelectionError, 404),
    (RunFilesError, 404),
    (UsageError, 400),
    (RunIdError, 400),
    (ConflictError, 409),
    (IntegrityError, 500),
    (LedgerBusyError, 503),
    (NoSpaceError, 507),
)


def answer(values: object, status: int = 200) -> Response:
    """Return a value as JSON: NaN and the infinities as the texts `nan`, `inf`, `-inf`, large integers as texts."""
    return Response(orjson.dumps(plain(values), option=orjson.OPT_NON_STR_KEYS), status, media_type=_TYPE)


def plain(value: object) -> object:
    """Return a value with every part that a browser could not read as it is as text."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= MOST_EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _name(value)
    if isinstance(value, Mapping):
        return {str(plain(str(key))): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _name(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def refusal(error: GuildError) -> Response:
    """Return an error: what happened, what to do next, and where in an expression it is."""
    found: dict[str, object] = {"error": error.message, "hint": error.hint}
    if isinstance(error, ExpressionError):
        found["column"] = getattr(error, "column", None)
    return answer(found, status_of(error))


def status_of(error: GuildError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), REFUSED)


def unforeseen(error: Exception) -> Response:
    """Return what is told of an error that is a mistake of the program."""
    what = f"something went wrong that was not foreseen: {type(error).__name__}"
    return problem(500, what, "What was recorded stays recorded.")


def problem(status: int, error: str, hint: str | None = None) -> Response:
    """Return an error that is not the program's own."""
    return answer({"error": error, "hint": hint}, status)
