"""What an event changed of a run: each attribute with its value before and after, read from the run's own stream.

The index keeps only how things are. Who wants to take something back, or to show what was done, needs how they were:
these pure functions fold the few events of one run for that, letter for letter as the ledger has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from ledger.canonical import Value
from ledger.lifecycle import CLOSED, ENDED
from ledger.registry import VERSIONS, current_body
from ledger.rows import EventRow

Key = tuple[str, ...]
"""An attribute: `("label",)`, `("tag", "best")`, `("flag", "lr")`, `("comment", "1767323045000001")` and so on."""

REDACTED = "(redacted)"
LABEL, PLACE, STATUS, MARKED, PROTECTED = ("label",), ("place",), ("status",), ("marked",), ("protected",)
_FALSE = frozenset((MARKED, PROTECTED))


class Touch(NamedTuple):
    """One attribute that an event changed.

    Attributes:
        event: the event.
        key: the attribute.
        before: its value before; None when there was none, for tags whether the run had it.
        after: its value after.
    """

    event: EventRow
    key: Key
    before: Value
    after: Value


class Facts:
    """A run while its events are read in order."""

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._comments: dict[int, str] = {}

    def value(self, key: Key) -> Value:
        """Return an attribute as it is."""
        return self._values.get(key, False if key in _FALSE or key[0] == "tag" else None)

    def named(self, kind: str) -> dict[str, Value]:
        """Return all attributes of a kind, such as flags, by name; what is not there is left out."""
        found = {key[1]: value for key, value in self._values.items() if len(key) > 1 and key[0] == kind}
        return {name: value for name, value in found.items() if value is not None and not (kind == "tag" and not value)}

    def take(self, event: EventRow, time: int) -> list[Touch]:
        """Fold one event and return what it changed; what a newer program wrote changes nothing.

        Args:
            event: the next of the run's events.
            time: when its transaction was recorded, microseconds UTC.
        """
        touches = []
        for key, after in self._said(event, time):
            before = self.value(key)
            # 1 equals True, and 1 equals 1.0: of flags that is a change nevertheless.
            if (type(before), before) != (type(after), after):
                touches.append(Touch(event, key, before, after))
                self._values[key] = after
        return touches

    def _said(self, event: EventRow, time: int) -> Iterator[tuple[Key, Value]]:
        """Yield what an event says of which attribute."""
        if event.schema_version > VERSIONS.get(event.type, 0):
            return
        if self._values.get(PLACE) in CLOSED and event.type != "run.purged":
            return  # another ledger, merged in, did not know that the run's history was closed
        body = {} if event.body is None else current_body(event.type, event.schema_version, event.body)
        if event.type in ("run.staged", "run.started", "run.imported", "run.restarted"):
            yield from self._begun(event.type, body)
        elif event.type == "run.status_changed":
            yield STATUS, _final(body)
            yield ("exit_status",), body.get("exit_status")
        elif event.type == "run.scalars_recorded":
            yield from (((("scalar", name)), _last(summary)) for name, summary in _mapping(body.get("scalars")).items())
        elif event.type in ("run.commented", "run.comment_withdrawn"):
            yield from self._commented(event, body, time)
        elif event.type == "run.tagged":
            yield from ((("tag", tag), False) for tag in _texts(body.get("removed")))
            yield from ((("tag", tag), True) for tag in _texts(body.get("added")))
        elif event.type in _SIMPLE:
            yield _SIMPLE[event.type](body)

    def _begun(self, type_: str, body: Mapping[str, Value]) -> Iterator[tuple[Key, Value]]:
        statuses: dict[str, Value] = {"run.staged": "staged", "run.imported": _final(body)}
        yield STATUS, statuses.get(type_, "running")
        if type_ == "run.restarted":
            yield ("exit_status",), None
        else:
            yield PLACE, "live"
            for name in ("project", "package", "model", "operation"):
                yield (name,), body.get(name)
            if body.get("label") is not None:
                yield LABEL, body["label"]
        if type_ == "run.imported":
            yield ("exit_status",), body.get("exit_status")
        flags = _mapping(body.get("flags"))
        gone = [key for key in self._values if key[0] == "scalar" or (key[0] == "flag" and key[1] not in flags)]
        yield from ((key, None) for key in gone)
        yield from ((("flag", name), value) for name, value in flags.items())

    def _commented(self, event: EventRow, body: Mapping[str, Value], time: int) -> Iterator[tuple[Key, Value]]:
        if event.type == "run.commented":
            self._comments[time] = REDACTED if event.body is None else str(body.get("text"))
            yield ("comment", str(time)), self._comments[time]
            return
        written = body.get("written")
        if isinstance(written, int) and written in self._comments:
            yield ("comment", str(written)), None if body.get("withdrawn") else self._comments[written]


def touches_of(rows: Iterable[EventRow], times: Mapping[int, int]) -> list[Touch]:
    """Return everything that the events of one run changed, in order.

    Args:
        rows: all its events, in the order in which they count.
        times: when each of their transactions was recorded, microseconds UTC.
    """
    facts = Facts()
    return [touch for row in rows for touch in facts.take(row, times[row.txn_seq])]


def _final(body: Mapping[str, Value]) -> Value:
    """Return a final status; an unknown or a redacted one counts as terminated, as everywhere."""
    status = body.get("status")
    return status if status in ENDED else "terminated"


def _last(summary: Value) -> Value:
    last = _mapping(summary).get("last")
    return last[0] if isinstance(last, list) and last else None


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


_SIMPLE: Mapping[str, Callable[[Mapping[str, Value]], tuple[Key, Value]]] = {
    "run.labeled": lambda body: (LABEL, body.get("label")),
    "run.marked": lambda body: (MARKED, bool(body.get("marked"))),
    "run.protected": lambda body: (PROTECTED, bool(body.get("protected"))),
    "run.deleted": lambda _body: (PLACE, "deleted"),
    "run.restored": lambda _body: (PLACE, "live"),
    "run.purge_started": lambda _body: (PLACE, "purging"),
    "run.purged": lambda _body: (PLACE, "purged"),
}
"""Events that say one thing."""
