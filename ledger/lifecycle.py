"""What may follow what in the life of a run: the rules that an event is checked against before it is appended.

The state is folded from the stream itself, inside the write lock, never from the index, so that a damaged or stale
index can not make the ledger accept what did not follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ledger.canonical import Value
from ledger.errors import TransitionError

_LIFT = "`guild unprotect` lifts the protection."

ENDED = ("completed", "error", "terminated")

CLOSED = ("purging", "purged")
"""Places of a run whose history takes no other event but that its removal is done."""

_PLACES = {
    "run.deleted": "deleted",
    "run.restored": "live",
    "run.purge_started": "purging",
    "run.purged": "purged",
}
_STATUSES = {"run.staged": "staged", "run.started": "running", "run.restarted": "running"}


class Life(NamedTuple):
    """Where a run is in its life; a tuple, because a deletion of many runs folds the histories of them all.

    Attributes:
        status: None before it exists, then `staged`, `running` or one of `ENDED`.
        place: `live`, `deleted`, `purging` or `purged`.
        protected: whether deletion is refused.
    """

    status: str | None = None
    place: str = "live"
    protected: bool = False


UNBORN = Life()


def advance(life: Life, type_: str, body: Mapping[str, Value], name: str) -> Life:
    """Return the state after an event.

    Args:
        life: the state before.
        type_: the event's type.
        body: its body, in the current shape.
        name: what to call the run in a message.

    Raises:
        TransitionError: the event cannot follow; the message says why.
    """
    if type_ in ("run.staged", "run.started", "run.imported") and not _is_staged_start(life, type_):
        return _begun(life, type_, body, name)
    if life.status is None:
        raise TransitionError(f"run {name} does not exist")
    if life.place == "purged" or (life.place == "purging" and type_ != "run.purged"):
        raise TransitionError(f"run {name} was permanently deleted", hint="`guild log` shows when and by whom.")
    if type_ == "run.started":
        if life.place != "live":
            raise TransitionError(f"run {name} is deleted", hint="Restore it first.")
        return life._replace(status="running")
    if type_ == "run.restarted":
        return _restarted(life, name)
    if type_ == "run.status_changed":
        return _ended(life, body, name)
    if type_ == "run.protected":
        return life._replace(protected=bool(body["protected"]))
    place = _moved(life, type_, body, name)
    return life if place == life.place else Life(life.status, place, life.protected)


def settled(life: Life, type_: str, body: Mapping[str, Value]) -> Life:
    """Return the state after an event that is recorded, whether or not its writer would have been allowed to now.

    What several ledgers recorded of one run, not knowing of one another, need not follow: each fact counts for what it
    is about, the later one more, and after a purge has begun nothing counts but that it is done.

    Args:
        life: the state before.
        type_: the event's type.
        body: its body, in the current shape.
    """
    if life.place in CLOSED:
        return life._replace(place="purged") if type_ == "run.purged" else life
    if type_ in _PLACES:
        return life._replace(place=_PLACES[type_])
    if type_ in _STATUSES:
        return life._replace(status=_STATUSES[type_])
    if type_ in ("run.status_changed", "run.imported"):
        return life._replace(status=str(body["status"]) if body["status"] in ENDED else "terminated")
    if type_ == "run.protected":
        return life._replace(protected=bool(body["protected"]))
    return life


def _is_staged_start(life: Life, type_: str) -> bool:
    """Tell whether an event starts a run that was staged: the one beginning that another may go before."""
    return life.status == "staged" and type_ == "run.started"


def _begun(life: Life, type_: str, body: Mapping[str, Value], name: str) -> Life:
    if life.status is not None:
        raise TransitionError(f"run {name} exists already")
    if type_ == "run.imported":
        return Life(status=_final_status(body, name))
    return Life(status="staged" if type_ == "run.staged" else "running")


def _restarted(life: Life, name: str) -> Life:
    if life.place != "live":
        raise TransitionError(f"run {name} is deleted", hint="Restore it first.")
    if life.status not in ENDED:
        raise TransitionError(f"run {name} has not ended: it is {life.status}")
    return life._replace(status="running")


def _ended(life: Life, body: Mapping[str, Value], name: str) -> Life:
    if life.status != "running":
        raise TransitionError(f"run {name} is not running: it is {life.status}")
    return life._replace(status=_final_status(body, name))


def _final_status(body: Mapping[str, Value], name: str) -> str:
    status = body["status"]
    if status not in ENDED:
        raise TransitionError(f"run {name}: {status!r} is no status that a run can end with")
    return str(status)


def _moved(life: Life, type_: str, body: Mapping[str, Value], name: str) -> str:
    """Return the place after an event of deletion, restoring or purge; other events leave it as it is."""
    if type_ == "run.deleted":
        # With a cause it takes back a restoring that the file system refused: the run's directory never left the trash.
        return _deleted(life, name, is_taken_back=body.get("cause") is not None)
    if type_ == "run.restored":
        if life.place != "deleted":
            raise TransitionError(f"run {name} is not deleted")
        return "live"
    if type_ == "run.purge_started":
        if life.place != "deleted":
            raise TransitionError(f"run {name} is not deleted", hint="Delete it first, or delete it with -p.")
        if life.protected:
            raise TransitionError(f"run {name} is protected", hint=_LIFT)
        return "purging"
    if type_ == "run.purged":
        if life.place != "purging":
            raise TransitionError(f"run {name} is not being purged")
        return "purged"
    return life.place


def _deleted(life: Life, name: str, *, is_taken_back: bool) -> str:
    if life.place != "live":
        raise TransitionError(f"run {name} is already deleted")
    if life.status == "running":
        raise TransitionError(f"run {name} is still running", hint="Stop it first.")
    if life.protected and not is_taken_back:
        raise TransitionError(f"run {name} is protected", hint=_LIFT)
    return "deleted"
