"""Which event types there are and how old bodies are read: names to classes, and upcasters between schema versions.

Stored bytes are never rewritten. A body of an older schema version is lifted, one version at a time, by pure functions
of the body alone; a projection sees only current shapes. A golden file for each (type, version) is replayed for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from importlib import import_module

from ledger.canonical import Value, decode
from ledger.errors import LedgerError
from ledger.events.base import Event

Body = dict[str, Value]
Upcaster = Callable[[Body], Body]

VERSIONS: Mapping[str, int] = {
    "ledger.anchored": 1,
    "ledger.created": 1,
    "ledger.imported": 1,
    "ledger.redacted": 1,
    "run.comment_withdrawn": 1,
    "run.commented": 2,
    "run.deleted": 1,
    "run.dependencies_resolved": 1,
    "run.imported": 2,
    "run.labeled": 1,
    "run.marked": 1,
    "run.protected": 1,
    "run.purge_started": 1,
    "run.purged": 1,
    "run.restarted": 1,
    "run.restored": 1,
    "run.scalars_recorded": 1,
    "run.staged": 2,
    "run.started": 2,
    "run.status_changed": 1,
    "run.tagged": 1,
}
"""Current schema version of each event type. Kept apart from the classes, which a reader of bodies need not import."""


def _of_no_batch(body: Body) -> Body:
    """Lift a beginning from the time when runs were started one by one."""
    return {**body, "batch": None, "proto": None}


def _staged_of_no_batch(body: Body) -> Body:
    return {**_of_no_batch(body), "overrides": {}}


def _commented_here(body: Body) -> Body:
    """Lift a comment from the time when none was imported."""
    return {**body, "author": None}


def _imported_with_little(body: Body) -> Body:
    """Lift an import from the time when it told only what a listing shows."""
    unknown = dict.fromkeys(("sources", "git", "batch", "proto", "reason", "output", "home"))
    empty: Body = {"command": [], "environment": {}, "platform": {}, "evidence": {}, "overrides": {}}
    return {**body, **unknown, **empty}


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("run.commented", 1): _commented_here,
    ("run.imported", 1): _imported_with_little,
    ("run.staged", 1): _staged_of_no_batch,
    ("run.started", 1): _of_no_batch,
}
"""From (type, version) to the function that lifts its body to version + 1."""

_MODULES = ("start", "life", "notes", "book")


def event_classes() -> dict[str, type[Event]]:
    """Return the class of each event type."""
    modules = [import_module(f"ledger.events.{name}") for name in _MODULES]
    found = [item for module in modules for item in vars(module).values() if isinstance(item, type)]
    return {cls.type: cls for cls in found if issubclass(cls, Event) and cls is not Event}


def current_body(type_: str, schema_version: int, data: bytes) -> Body:
    """Return a stored body in its type's current shape.

    Raises:
        LedgerError: the type or version is not known to this program, or the bytes do not decode.
    """
    current = VERSIONS.get(type_)
    if current is None or schema_version > current:
        raise LedgerError(
            f"event type {type_!r} version {schema_version} is not known to this program",
            hint="The ledger was written by a newer program: update guild-ledger.",
        )
    body = decode(data)
    if not isinstance(body, dict):
        raise LedgerError(f"{type_}: its body is no mapping")
    lift = lifting(type_, schema_version)
    return body if lift is None else lift(body)


def lifting(type_: str, schema_version: int) -> Upcaster | None:
    """Return what lifts a body of a known type and version to its current shape; None when it has that already."""
    steps = [UPCASTERS[type_, version] for version in range(schema_version, VERSIONS[type_])]
    if len(steps) < 2:  # noqa: PLR2004 - none, or the one
        return steps[0] if steps else None
    return lambda body: reduce(lambda lifted, step: step(lifted), steps, body)


def read_event(type_: str, schema_version: int, data: bytes) -> Event:
    """Return a stored event as an instance of its class.

    Raises:
        LedgerError: as `current_body`, or a required key is missing.
    """
    return event_classes()[type_].from_body(current_body(type_, schema_version, data))
