"""What the events of a run that happened elsewhere come to: the events that say the same of it in this ledger.

One `run.imported` tells how it began and ended; what people and its process said of it follows in events of the usual
types. So whoever reads a run's stream knows an imported run as any other. What is read here may be forged: nothing gets
through that the rest of the program would stumble over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from ledger.canonical import Value, encode
from ledger.errors import GuildError, LedgerError
from ledger.events.base import Event
from ledger.events.notes import RunCommented, RunMarked, RunProtected, RunScalarsRecorded, RunTagged
from ledger.events.start import RunDependenciesResolved, RunImported
from ledger.ids import RunId
from ledger.lifecycle import ENDED, UNBORN, advance, settled
from ledger.registry import current_body
from projections.query import RunRow
from projections.schema import LIVE, OpKey

_LAST_MOMENT = 253_402_300_799_999_999  # the last of the year 9999, in microseconds
_MOST_EXIT = 1 << 31
_REDACTED: Mapping[str, Value] = {"status": "terminated", "protected": False, "cause": "", "marked": False}
_OF_START = ("command", "flags", "environment", "sources", "git", "platform", "evidence")
_OF_BEGINNING = (
    *("project", "package", "model", "operation", "batch", "proto", "overrides"),
    *_OF_START,
)


class PastEvent(NamedTuple):
    """An event of another ledger, and what its transaction says: who, when (microseconds UTC), and of which origin."""

    type: str
    version: int
    body: Mapping[str, Value] | None
    time: int
    actor: str
    host: str
    origin: str = ""


class SenselessError(GuildError):
    """Events that no ledger can hold: they were forged, or damaged where nobody noticed."""


def retold(run_id: RunId, past: Sequence[PastEvent], source: str, home: str) -> tuple[Event, ...]:
    """Return the events that take a run over into another ledger.

    Args:
        run_id: which run.
        past: its whole stream.
        source: where it comes from.
        home: identity of the home that takes in its directory.

    Raises:
        SenselessError: the events are not those of a run that has ended and is not deleted.
        LedgerError: they are of a newer program.
    """
    told = _Told(run_id[:8], merged=len({event.origin for event in past}) > 1)
    for event in past:
        told.take(event)
    return told.events(source, home)


def as_row(run_id: RunId, event: RunImported) -> RunRow:
    """Return how a run that is not in the index yet is listed."""
    op = OpKey(event.project, event.package, event.model, event.operation)
    ended = (event.started, event.stopped, event.exit_status)
    return RunRow(run_id, op, event.status, LIVE, *ended, event.label, marked=0, protected=0, version=0, number=0)


class _Told:
    """What is known of a run after some of its events."""

    def __init__(self, name: str, *, merged: bool) -> None:
        self._name = name
        self._merged = merged  # then what one ledger recorded need not follow from what another one had
        self._life = UNBORN
        self._known: dict[str, Value] = {}
        self._label: str | None = None
        self._tags: dict[str, None] = {}
        self._marked = False
        self._comments: list[RunCommented] = []
        self._scalars: dict[str, Value] = {}
        self._dependencies: tuple[Mapping[str, Value], ...] | None = None

    def take(self, event: PastEvent) -> None:
        """Fold one event."""
        if not 0 <= event.time <= _LAST_MOMENT:
            raise self._senseless("time")
        body: Mapping[str, Value] = _REDACTED
        if event.body is not None:
            body = current_body(event.type, event.version, encode(event.body))
        try:
            if self._merged and self._life.status is not None:
                self._life = settled(self._life, event.type, body)
            else:
                self._life = advance(self._life, event.type, body, self._name)
        except LedgerError as error:
            raise SenselessError(f"its events make no sense: {error.message}", hint=_DAMAGED) from error
        except KeyError as error:
            raise self._senseless(str(error.args[0])) from error
        self._fold(event, {} if event.body is None else body)

    def _fold(self, event: PastEvent, body: Mapping[str, Value]) -> None:
        if event.type in ("run.staged", "run.started", "run.imported"):
            self._begin(event, body)
        elif event.type == "run.restarted":
            self._known |= {name: body.get(name) for name in _OF_START}
            self._known |= {"started": event.time, "stopped": None, "exit_status": None}
            self._scalars = {}
        elif event.type == "run.status_changed":
            self._end(event, body)
        elif event.type == "run.scalars_recorded":
            self._scalars |= self._mapping(body, "scalars") or {}
        elif event.type == "run.dependencies_resolved":
            self._dependencies = self._mappings(body, "dependencies")
        else:
            self._say(event, body)

    def _say(self, event: PastEvent, body: Mapping[str, Value]) -> None:
        """Fold what people said."""
        if event.type == "run.labeled":
            self._label = self._text_or_none(body, "label")
        elif event.type == "run.tagged":
            for tag in self._texts(body, "removed"):
                self._tags.pop(tag, None)
            self._tags |= dict.fromkeys(self._texts(body, "added"))
        elif event.type == "run.commented":
            self._comment(event, body)
        elif event.type == "run.marked":
            self._marked = bool(body.get("marked"))

    def _begin(self, event: PastEvent, body: Mapping[str, Value]) -> None:
        # A staged run keeps what only its staging told.
        self._known |= {name: body[name] for name in _OF_BEGINNING if name in body}
        self._known["started"] = event.time
        label = self._text_or_none(body, "label")
        self._label = self._label if label is None else label
        if event.type == "run.imported":
            self._known["started"] = body.get("started") or event.time
            self._end(event, body)
            self._known["stopped"] = body.get("stopped")

    def _end(self, event: PastEvent, body: Mapping[str, Value]) -> None:
        self._known |= {name: body.get(name) for name in ("exit_status", "reason", "output")}
        self._known["stopped"] = body.get("stopped") or event.time

    def _comment(self, event: PastEvent, body: Mapping[str, Value]) -> None:
        text = self._text_or_none(body, "text")
        author: Mapping[str, Value] = {"actor": event.actor, "host": event.host, "time": event.time}
        given = self._mapping(body, "author")
        if given is not None:
            self._time(given, "time")
            author = {**author, **{name: given[name] for name in author if name in given}}
        self._comments.append(RunCommented(text="(redacted)" if text is None else text, author=author))

    def events(self, source: str, home: str) -> tuple[Event, ...]:
        """Return the events to append; raises as `retold`."""
        if self._life.status not in ENDED or self._life.place != LIVE:
            raise SenselessError(f"run {self._name} in it has not ended, or is deleted", hint=_DAMAGED)
        events: list[Event] = [self._imported(source, home)]
        if self._tags:
            events.append(RunTagged(added=tuple(self._tags)))
        if self._marked:
            events.append(RunMarked(marked=True))
        events += self._comments
        if self._dependencies is not None:
            events.append(RunDependenciesResolved(dependencies=self._dependencies))
        if self._scalars:
            events.append(RunScalarsRecorded(scalars=self._scalars))
        if self._life.protected:
            events.append(RunProtected(protected=True))
        return tuple(events)

    def _imported(self, source: str, home: str) -> RunImported:
        known = self._known
        return RunImported(
            source=source,
            project=self._text_or_none(known, "project"),
            package=self._text_or_none(known, "package"),
            model=self._text_or_none(known, "model") or "",
            operation=self._text_or_none(known, "operation") or "",
            flags=self._mapping(known, "flags") or {},
            started=self._time(known, "started") or 0,
            stopped=self._time(known, "stopped"),
            status=str(self._life.status),
            exit_status=self._number(known, "exit_status", -_MOST_EXIT, _MOST_EXIT),
            label=self._label,
            command=self._texts(known, "command"),
            environment=self._mapping(known, "environment") or {},
            sources=self._mapping(known, "sources"),
            git=self._mapping(known, "git"),
            platform=self._mapping(known, "platform") or {},
            evidence=self._mapping(known, "evidence") or {},
            batch=self._text_or_none(known, "batch"),
            proto=self._text_or_none(known, "proto"),
            overrides=self._mapping(known, "overrides") or {},
            reason=self._text_or_none(known, "reason"),
            output=self._mapping(known, "output"),
            home=home,
        )

    def _text_or_none(self, body: Mapping[str, Value], name: str) -> str | None:
        found = body.get(name)
        if found is not None and not isinstance(found, str):
            raise self._senseless(name)
        return found

    def _texts(self, body: Mapping[str, Value], name: str) -> tuple[str, ...]:
        found = body.get(name) or ()
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
            raise self._senseless(name)
        return tuple(cast("Sequence[str]", found))

    def _mapping(self, body: Mapping[str, Value], name: str) -> Mapping[str, Value] | None:
        found = body.get(name)
        if found is not None and not (isinstance(found, dict) and all(isinstance(key, str) for key in found)):
            raise self._senseless(name)
        return found

    def _mappings(self, body: Mapping[str, Value], name: str) -> tuple[Mapping[str, Value], ...]:
        found = body.get(name) or ()
        if not isinstance(found, list | tuple) or not all(isinstance(one, dict) for one in found):
            raise self._senseless(name)
        return tuple(cast("Sequence[Mapping[str, Value]]", found))

    def _time(self, body: Mapping[str, Value], name: str) -> int | None:
        return self._number(body, name, 0, _LAST_MOMENT)

    def _number(self, body: Mapping[str, Value], name: str, least: int, most: int) -> int | None:
        found = body.get(name)
        if found is not None and not (isinstance(found, int) and least <= found <= most):
            raise self._senseless(name)
        return found

    def _senseless(self, name: str) -> SenselessError:
        return SenselessError(f"the events of run {self._name} in it make no sense: '{name}'", hint=_DAMAGED)


_DAMAGED = "Nothing was imported. Get the archive again from where it was made."
