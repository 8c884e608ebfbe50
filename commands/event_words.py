"""What one event means, in words: how `guild history` tells the life of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from commands.change_words import change, shown
from commands.table import local_time
from ledger.canonical import Value
from ledger.registry import VERSIONS, current_body
from ledger.rows import EventRow
from ledger.text import printable, size
from projections.facts import Touch

_LONGEST = 500
Body = Mapping[str, Value]


def event_words(event: EventRow, touches: Sequence[Touch]) -> str:
    """Return what happened.

    Args:
        event: the event.
        touches: what it changed of its run.
    """
    if event.schema_version > VERSIONS.get(event.type, 0):
        return f"{event.type} (written by a newer program)"
    what = event.type.removeprefix("run.").replace("_", " ")
    if event.body is None:
        return f"{what} (redacted)"
    body = current_body(event.type, event.schema_version, event.body)
    tell = _WORDS.get(event.type)
    return what if tell is None else tell(body, touches)


def _begun(what: str) -> Callable[[Body, Sequence[Touch]], str]:
    def tell(_body: Body, touches: Sequence[Touch]) -> str:
        flags = [f"{touch.key[1]}={shown(touch.after)}" for touch in touches if touch.key[0] == "flag"]
        return printable(f"{what} with {', '.join(flags)}" if flags else what, _LONGEST)

    return tell


def _ended(body: Body, _touches: Sequence[Touch]) -> str:
    status, code, reason = body.get("status"), body.get("exit_status"), body.get("reason")
    words = "completed" if status == "completed" else "terminated" if status == "terminated" else "failed"
    if isinstance(code, int) and code != 0:
        words += f", exit status {code}" if code > 0 else f", ended by signal {-code}"
    return words if reason is None else f"{words}: {printable(str(reason), _LONGEST)}"


def _tagged(_body: Body, touches: Sequence[Touch]) -> str:
    added = [printable(touch.key[1]) for touch in touches if touch.after]
    removed = [printable(touch.key[1]) for touch in touches if not touch.after]
    parts = [f"tagged {', '.join(added)}"] * bool(added) + [f"tag {', '.join(removed)} taken away"] * bool(removed)
    return "; ".join(parts) or "tags as before"


def _withdrawn(body: Body, _touches: Sequence[Touch]) -> str:
    written = body.get("written")
    when = local_time(written) if isinstance(written, int) else ""
    return f"comment of {when} {'withdrawn' if body.get('withdrawn') else 'shown again'}"


def _scalars(_body: Body, touches: Sequence[Touch]) -> str:
    found = [f"{printable(touch.key[1])} {shown(touch.after)}" for touch in touches if touch.key[0] == "scalar"]
    return printable(f"reported {', '.join(found)}" if found else "reported scalars", _LONGEST)


def _moved(done: str, refused: str) -> Callable[[Body, Sequence[Touch]], str]:
    def tell(body: Body, _touches: Sequence[Touch]) -> str:
        return done if body.get("cause") is None else f"{refused}: {printable(str(body['cause']), _LONGEST)}"

    return tell


def _labeled(_body: Body, touches: Sequence[Touch]) -> str:
    return change(touches[0]) if touches else "label as before"


def purged_words(body: Body) -> str:
    """Return how much was removed for good: `12 files, 1.5 MiB`."""
    files, count = body.get("files"), body.get("bytes")
    return f"{files} file{'' if files == 1 else 's'}, {size(count if isinstance(count, int) else 0)}"


_WORDS: Mapping[str, Callable[[Body, Sequence[Touch]], str]] = {
    "run.staged": _begun("staged"),
    "run.started": _begun("started"),
    "run.restarted": _begun("started again"),
    "run.imported": lambda body, _touches: f"imported from {printable(str(body.get('source')), _LONGEST)}",
    "run.dependencies_resolved": lambda body, _touches: f"given what it requires: {_count(body.get('dependencies'))}",
    "run.status_changed": _ended,
    "run.scalars_recorded": _scalars,
    "run.labeled": _labeled,
    "run.tagged": _tagged,
    "run.commented": lambda body, _touches: f"comment: {printable(str(body.get('text')), _LONGEST)}",
    "run.comment_withdrawn": _withdrawn,
    "run.marked": lambda body, _touches: "marked" if body.get("marked") else "mark removed",
    "run.protected": lambda body, _touches: "protected" if body.get("protected") else "protection lifted",
    "run.deleted": _moved("deleted", "stays deleted, the system refused"),
    "run.restored": _moved("restored", "stays where it was, the system refused"),
    "run.purge_started": lambda _body, _touches: "removal for good began",
    "run.purged": lambda body, _touches: f"removed for good: {purged_words(body)}",
}


def _count(value: Value) -> str:
    count = len(value) if isinstance(value, list) else 0
    return f"{count} source{'' if count == 1 else 's'}"
