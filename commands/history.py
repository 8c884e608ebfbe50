"""`guild history`: the life of one run in words, from the ledger alone; of a purged one it is all that is left."""

from __future__ import annotations

from collections.abc import Iterator

import click

from commands.app import App
from commands.change_words import change_object, command_line, header_of, shown, who
from commands.event_words import event_words, purged_words
from commands.options import json_option, run_words
from commands.run_named import named_run
from commands.table import local_time
from commands.terminal import page, say
from ledger.canonical import Value, encode
from ledger.dataclass import dataclass
from ledger.ids import RunId, run_stream
from ledger.registry import current_body
from ledger.rows import EventRow, TxnRow
from ledger.text import printable, utc_time
from ledger.transaction import Header
from projections.facts import LABEL, MARKED, PLACE, PROTECTED, STATUS, Facts, Touch
from projections.rows import displayed
from projections.schema import OpKey
from projections.undo_choice import brief_of

_SHOWN = ("flag", "scalar")


@click.command("history")
@click.argument("run", metavar="RUN", shell_complete=run_words)
@json_option
@click.pass_obj
def history(app: App, run: str, *, as_json: bool) -> None:
    """Tell the whole life of a run, oldest first: what happened, when, by whom, with which command.

    A RUN is an id or its beginning, also of a deleted or purged run, or an index in `guild runs`. Of a purged run this
    is all that is left: what it was, who removed it and when, and how many files and bytes that were.

    \b
    Examples:
      guild history 0
      guild history 9734f85e --json
    """
    told = Story(app, named_run(app, run))
    if as_json:
        import orjson

        say(orjson.dumps(orjson.loads(encode(told.values())), option=orjson.OPT_INDENT_2).decode())
    else:
        page(told.lines())


@dataclass(frozen=True, slots=True)
class _Chapter:
    """One event with its transaction, and what it changed."""

    event: EventRow
    txn: TxnRow
    header: Header
    touches: tuple[Touch, ...]


class Story:
    """The life of one run."""

    def __init__(self, app: App, run_id: RunId) -> None:
        self._run_id = run_id
        self._cwd = app.cwd
        self._facts = Facts()
        self._chapters: list[_Chapter] = []
        store = app.ledger.store
        with store.reading():
            for event in store.stream_events([run_stream(run_id)]):
                if txn := store.txn(event.txn_seq):
                    touches = tuple(self._facts.take(event, txn.recorded_at))
                    self._chapters.append(_Chapter(event, txn, header_of(store, txn), touches))
            briefs = {chapter.txn.seq: brief_of(chapter.txn) for chapter in self._chapters}
            seqs = {brief.txn_id: seq for seq, brief in briefs.items()}
            self._undoes = {seq: seqs[brief.undoes] for seq, brief in briefs.items() if brief.undoes in seqs}
            self._undone_by = {undone: seq for seq, undone in self._undoes.items()}

    @property
    def _operation(self) -> str:
        project, package, model, operation = (
            self._facts.value((name,)) for name in ("project", "package", "model", "operation")
        )
        key = OpKey(_text(project), _text(package), _text(model) or "", _text(operation) or "")
        return displayed(key, self._cwd)

    def lines(self) -> Iterator[str]:
        """Yield the story for people."""
        facts = self._facts
        place = facts.value(PLACE)
        state = shown(facts.value(STATUS)).strip("'")
        yield f"run {self._run_id}  {printable(self._operation, 300)}  {state}" + (
            "" if place in ("live", None) else f", {place}"
        )
        yield from self._tombstone()
        notes = [f"label {shown(facts.value(LABEL))}"] * (facts.value(LABEL) is not None)
        notes += [f"tags {', '.join(map(printable, sorted(facts.named('tag'))))}"] * bool(facts.named("tag"))
        notes += ["marked"] * bool(facts.value(MARKED)) + ["protected"] * bool(facts.value(PROTECTED))
        if notes:
            yield f"  {', '.join(notes)}"
        for kind in _SHOWN:
            values = facts.named(kind)
            if values:
                listed = ", ".join(f"{printable(name)}={shown(value)}" for name, value in sorted(values.items()))
                yield f"  {kind}s: {printable(listed, 2_000)}"
        yield ""
        width = max((len(who(chapter.header)) for chapter in self._chapters), default=0)
        for chapter in self._chapters:
            yield self._line(chapter, width)

    def _line(self, chapter: _Chapter, width: int) -> str:
        seq = chapter.txn.seq
        words = event_words(chapter.event, chapter.touches)
        if seq in self._undoes:
            words += f" [takes back {self._undoes[seq]}]"
        if seq in self._undone_by:
            words += f" [taken back by {self._undone_by[seq]}]"
        command = printable(command_line(chapter.header), 120)
        when = local_time(chapter.txn.recorded_at)
        return f"{when}  {who(chapter.header):<{width}}  {words}  ({seq}: {command})"

    def _tombstone(self) -> Iterator[str]:
        for chapter in self._chapters:
            if chapter.event.type == "run.purge_started":
                when = local_time(chapter.txn.recorded_at)
                yield f"  removed for good on {when} by {who(chapter.header)}{self._how_much()}"

    def _how_much(self) -> str:
        body = self._purged_body()
        return "; not finished yet" if body is None else f": {purged_words(body)}"

    def _purged_body(self) -> dict[str, Value] | None:
        for chapter in self._chapters:
            event = chapter.event
            if event.type == "run.purged":
                return {} if event.body is None else current_body(event.type, event.schema_version, event.body)
        return None

    def values(self) -> dict[str, Value]:
        """Return the documented JSON object."""
        facts = self._facts
        body = self._purged_body()
        return {
            "id": self._run_id,
            "operation": self._operation,
            "status": facts.value(STATUS),
            "place": facts.value(PLACE),
            "label": facts.value(LABEL),
            "tags": list(facts.named("tag")),
            "marked": facts.value(MARKED),
            "protected": facts.value(PROTECTED),
            "flags": facts.named("flag"),
            "scalars": facts.named("scalar"),
            "files": None if body is None else body.get("files"),
            "bytes": None if body is None else body.get("bytes"),
            "events": [self._object(chapter) for chapter in self._chapters],
        }

    def _object(self, chapter: _Chapter) -> Value:
        seq, header = chapter.txn.seq, chapter.header
        return {
            "seq": seq,
            "time": utc_time(chapter.txn.recorded_at),
            "actor": header.actor,
            "host": header.host,
            "command": list(header.argv),
            "type": chapter.event.type,
            "text": event_words(chapter.event, chapter.touches),
            "changes": [change_object(touch) for touch in chapter.touches],
            "undoes": self._undoes.get(seq),
            "undone_by": self._undone_by.get(seq),
        }


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
