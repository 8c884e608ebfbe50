"""What an event does to a run: pure functions of (state, event), without clock, files or environment.

Replay equals live, always: the same events in any split of batches give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.canonical import Value
from ledger.lifecycle import CLOSED
from ledger.registry import VERSIONS, current_body
from ledger.rows import TimedEvent
from projections.escaping import as_stored
from projections.schema import DELETED, LIVE, PURGED, PURGING, STATUSES, OpKey

Body = Mapping[str, Value]


class RunState:
    """What the index knows of one run; mutable, because a rebuild folds millions.

    What a run has many of is not loaded with it: `flags` (all of them anew, and no scalars), `scalars` (those that were
    recorded), `tags` (whether added or removed), `comments` (each with its number and time) and `withdrawn` (times of
    comments that were taken back, or shown again) hold only what the events of a batch say, None when they say nothing.
    `stored` is the run's row as the index has it, None when it has none yet.
    """

    __slots__ = (
        "comments", "digest", "exit_status", "flags", "label", "marked", "op", "place", "protected", "run", "run_id",
        "scalars", "started", "status", "stopped", "stored", "tags", "version", "withdrawn",
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
        self.digest: bytes | None = None
        self.version = 0
        self.stored: tuple[object, ...] | None = None
        self.flags: Body | None = None
        self.scalars: Body | None = None
        self.tags: dict[str, bool] | None = None
        self.comments: list[tuple[int, str, int]] | None = None
        self.withdrawn: list[tuple[int, bool]] | None = None


def apply(state: RunState, event: TimedEvent) -> None:
    """Fold one event of the run's stream into its state.

    Behind the beginning of a purge only its end counts: another ledger, merged in, may not have known of it. An event
    of a type or version that this program does not know changes nothing but the count of events: a newer program may
    have written it, and the run must still be listed.
    """
    state.version += 1
    handler = _HANDLERS.get(event.type)
    if handler is None or event.schema_version > VERSIONS[event.type]:
        return
    if state.place in CLOSED and event.type != "run.purged":
        return
    body: Body = {}
    if event.body is not None and event.type not in _WITHOUT_BODY:
        body = current_body(event.type, event.schema_version, event.body)
    handler(state, event.recorded_at, body)


def _started(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status, state.started = "running", time
    state.digest = _digest(body)


def _restarted(state: RunState, time: int, body: Body) -> None:
    state.status, state.started = "running", time
    state.stopped = state.exit_status = None
    state.flags = _mapping(body.get("flags"))
    state.digest = _digest(body)


def _staged(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status, state.started = "staged", time


def _imported(state: RunState, time: int, body: Body) -> None:
    _named(state, body)
    state.status = _status(body)
    state.digest = _digest(body)
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
    state.flags = _mapping(body.get("flags"))
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


def _tagged(state: RunState, _time: int, body: Body) -> None:
    tags = state.tags = state.tags or {}
    tags.update(dict.fromkeys(_texts(body.get("removed")), False))
    tags.update(dict.fromkeys(_texts(body.get("added")), True))


def _commented(state: RunState, time: int, body: Body) -> None:
    text = _text(body.get("text"))
    if text is not None:
        state.comments = [*(state.comments or ()), (state.version, text, time)]


def _comment_withdrawn(state: RunState, _time: int, body: Body) -> None:
    written = _int(body.get("written"))
    if written is not None:
        state.withdrawn = [*(state.withdrawn or ()), (written, bool(body.get("withdrawn")))]


def _scalars(state: RunState, _time: int, body: Body) -> None:
    state.scalars = _mapping(body.get("scalars"))


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
    try:
        return None if value is None else as_stored(str(value))
    except ValueError:  # an integer of more digits than Python writes
        return None


def _texts(value: Value) -> list[str]:
    return [text for text in map(_text, value) if text is not None] if isinstance(value, list) else []


def _mapping(value: Value) -> Body:
    return value if isinstance(value, dict) else {}


def _digest(body: Body) -> bytes | None:
    digest = _mapping(body.get("sources")).get("digest")
    try:
        return bytes.fromhex(digest) if isinstance(digest, str) else None
    except ValueError:
        return None


def _int(value: Value) -> int | None:
    """Return an integer; one that 64 bits cannot hold is none: the index could not be made any more."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


_HANDLERS: Mapping[str, Callable[[RunState, int, Body], None]] = {
    "run.started": _started,
    "run.restarted": _restarted,
    "run.staged": _staged,
    "run.imported": _imported,
    "run.status_changed": _ended,
    "run.labeled": _labeled,
    "run.marked": _marked,
    "run.tagged": _tagged,
    "run.commented": _commented,
    "run.comment_withdrawn": _comment_withdrawn,
    "run.scalars_recorded": _scalars,
    "run.protected": _protected,
    "run.deleted": _deleted,
    "run.restored": _restored,
    "run.purge_started": _purge_started,
    "run.purged": _purged,
}
_WITHOUT_BODY = frozenset(("run.deleted", "run.restored", "run.purge_started", "run.purged"))
MOVING = frozenset(("run.imported", "run.deleted", "run.restored", "run.purge_started"))
"""Events after which the run's directory belongs somewhere else."""
