"""What an event does to a run: pure functions of (state, event), without clock, files or environment.

Replay equals live, always: the same events in any split of batches give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.canonical import Value
from ledger.registry import VERSIONS, current_body
from ledger.rows import TimedEvent
from projections.schema import DELETED, LIVE, PURGED, PURGING, STATUSES, OpKey

Body = Mapping[str, Value]


class RunState:
    """What the index knows of one run; mutable, because a rebuild folds millions."""

    __slots__ = (
        "exit_status", "label", "marked", "new", "op", "place", "protected", "run", "run_id", "started",
        "status", "stopped", "version",
    )  # fmt: skip

    def __init__(self, run: int, run_id: str) -> None:
        self.run = run
        self.run_id = run_id
        self.op = OpKey(None, None, "", "")
        self.status = "unknown"
        self.place = LIVE
        self.started = 0
        self.stopped: int | None = None
        self.exit_status: int | None = None
        self.label: str | None = None
        self.marked = 0
        self.protected = 0
        self.version = 0
        self.new = True


def apply(state: RunState, event: TimedEvent) -> None:
    """Fold one event of the run's stream into its state.

    An event of a type or version that this program does not know changes nothing but the count of events: a newer
    program may have written it, and the run must still be listed.
    """
    state.version += 1
    handler = _HANDLERS.get(event.type)
    if handler is None or event.schema_version > VERSIONS[event.type]:
        return
    body: Body = {}
    if event.type in _WITH_BODY and event.body is not None:
        body = current_body(event.type, event.schema_version, event.body)
    handler(state, event.recorded_at, body)


def _started(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status, state.started = "running", time


def _restarted(state: RunState, time: int, _body: Body) -> None:
    state.status, state.started = "running", time
    state.stopped = state.exit_status = None


def _staged(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status, state.started = "staged", time


def _imported(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status = _status(body)
    state.started = _int(body.get("started")) or time
    state.stopped = _int(body.get("stopped"))
    state.exit_status = _int(body.get("exit_status"))


def _named(state: RunState, body: Body) -> None:
    state.op = OpKey(
        _text(body.get("project")),
        _text(body.get("package")),
        _text(body.get("model")) or "",
        _text(body.get("operation")) or "",
    )
    label = _text(body.get("label"))
    if label is not None:
        state.label = label


def _ended(state: RunState, time: int, body: Body) -> None:
    state.status = _status(body)
    state.exit_status = _int(body.get("exit_status"))
    state.stopped = _int(body.get("stopped")) or time


def _labeled(state: RunState, _time: int, body: Body) -> None:
    state.label = _text(body.get("label"))


def _marked(state: RunState, _time: int, body: Body) -> None:
    state.marked = int(bool(body.get("marked")))


def _protected(state: RunState, _time: int, body: Body) -> None:
    state.protected = int(bool(body.get("protected")))


def _deleted(state: RunState, _time: int, _body: Body) -> None:
    state.place = DELETED


def _restored(state: RunState, _time: int, _body: Body) -> None:
    state.place = LIVE


def _purge_started(state: RunState, _time: int, _body: Body) -> None:
    state.place = PURGING


def _purged(state: RunState, _time: int, _body: Body) -> None:
    state.place = PURGED


def _status(body: Body) -> str:
    """Return a final status; one that this program does not know counts as terminated, as a redacted one does."""
    status = body.get("status")
    return status if isinstance(status, str) and status in STATUSES else "terminated"


def _text(value: Value) -> str | None:
    """Return text that SQLite can hold: what is not UTF-8 is escaped."""
    if value is None:
        return None
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _int(value: Value) -> int | None:
    return value if isinstance(value, int) else None


_HANDLERS: Mapping[str, Callable[[RunState, int, Body], None]] = {
    "run.started": _started,
    "run.restarted": _restarted,
    "run.staged": _staged,
    "run.imported": _imported,
    "run.status_changed": _ended,
    "run.labeled": _labeled,
    "run.marked": _marked,
    "run.protected": _protected,
    "run.deleted": _deleted,
    "run.restored": _restored,
    "run.purge_started": _purge_started,
    "run.purged": _purged,
}
_WITH_BODY = frozenset(
    ("run.started", "run.staged", "run.imported", "run.status_changed", "run.labeled", "run.marked", "run.protected")
)
MOVING = frozenset(("run.deleted", "run.restored", "run.purge_started"))
"""Events after which the run's directory belongs somewhere else."""
