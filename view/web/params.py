"""The parameters of a request, each checked: what is not understood is an error, never silently left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ledger.text import did_you_mean, printable
from projections.schema import STATUSES
from view.web.answers import BadRequestError
from view.web.site import Asked

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST = 500
"""Parameters in one address."""

_STATUSES = tuple(status for status in STATUSES if status != "unknown")
FILTERS = (
    *("scope", "place", "op", "status", "label", "unlabeled", "tag", "marked", "comment", "started", "digest"),
    "filter",
)
"""Parameters that say which runs."""


class Params:
    """The parameters of one request.

    Args:
        request: the request.
        known: the names that it may have.

    Raises:
        BadRequestError: there is another.
    """

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        names = tuple(known)
        # Names of files need not be UTF-8: such bytes are kept as lone surrogates.
        try:
            pairs = parse_qsl(
                request.scope["query_string"].decode("latin-1"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=_MOST,
            )
        except ValueError as error:
            raise BadRequestError("there are too many parameters") from error
        self._given: dict[str, list[str]] = {}
        for name, text in pairs:
            if name == "token":
                continue  # the guard has seen it
            if name not in names:
                raise BadRequestError(
                    f"there is no parameter '{printable(name, 80)}'{did_you_mean(name, names)}",
                    hint=f"Parameters are {', '.join(names)}." if names else "None is taken here.",
                )
            self._given.setdefault(name, []).append(text)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter; empty ones count as not given."""
        return tuple(text for text in self._given.get(name, ()) if text)

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a parameter that may be given once."""
        found = self._given.get(name, [])
        if len(found) > 1:
            raise BadRequestError(f"'{name}' can be given once")
        return found[0] if found else default

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number."""
        text = self.text(name)
        if not text:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19) or not least <= int(text) <= most:  # noqa: PLR2004 - 64 bits
            raise BadRequestError(f"'{name}' is a whole number from {least} to {most}, not '{printable(text, 80)}'")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Return 1 as True, 0 as False, None for what is not given."""
        return None if not self.text(name) else self.one_of(name, ("0", "1")) == "1"

    def one_of(self, name: str, words: Sequence[str], default: str = "") -> str:
        """Return one of some words."""
        text = self.text(name, default) or default
        if text not in words:
            raise BadRequestError(f"'{name}' is one of {', '.join(words)}, not '{printable(text, 80)}'")
        return text

    def asked(self, scopes: Sequence[str]) -> Asked:
        """Return which runs are asked for; in the narrowest scope that there is, unless another is given."""
        unknown = [status for status in self.texts("status") if status not in _STATUSES]
        if unknown:
            raise BadRequestError(f"'status' is one of {', '.join(_STATUSES)}, not '{printable(unknown[0], 80)}'")
        return Asked(
            everywhere=self.one_of("scope", ("project", "all"), scopes[0]) == "all",
            place=self.one_of("place", ("live", "deleted"), "live"),
            operations=self.texts("op"),
            statuses=self.texts("status"),
            labels=self.texts("label"),
            unlabeled=bool(self.flag("unlabeled")),
            tags=self.texts("tag"),
            marked=self.flag("marked"),
            comments=self.texts("comment"),
            started=self.text("started"),
            digest=self.text("digest"),
            expression=_joined(self.texts("filter")),
        )


def _joined(filters: Sequence[str]) -> str:
    return filters[0] if len(filters) == 1 else " and ".join(f"({text})" for text in filters)


def field(body: Mapping[str, object], name: str, kind: type) -> object:
    """Return a field of a JSON object that was sent; None when it is not there.

    Raises:
        BadRequestError: it is of another kind.
    """
    found = body.get(name)
    if found is not None and (not isinstance(found, kind) or (kind is int and isinstance(found, bool))):
        kinds = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}
        raise BadRequestError(f"'{name}' is {kinds[kind]}")
    return found


def texts_field(body: Mapping[str, object], name: str) -> list[str]:
    """Return a field that is a list of texts.

    Raises:
        BadRequestError: it is not there, or something else.
    """
    found = field(body, name, list)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadRequestError(f"'{name}' is a list of texts")
    return found
