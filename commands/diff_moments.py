"""`guild diff --at A --at B`: what changed of runs from one moment to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from commands.app import App
from commands.as_of import moment_of, replaying, told
from commands.options import Limits
from commands.run_columns import for_json
from commands.run_json import array_lines, json_text
from commands.selecting import filter_of, run_filter
from commands.table import SHORT_ID, local_time
from commands.terminal import note, page
from ledger.dataclass import replace
from ledger.errors import UsageError
from ledger.text import printable, utc_time
from projections.as_of import Moment, replay, replay_on
from projections.changes import Changed, Facts, Side, Value, changes
from projections.query import displayed
from projections.rows import RunFilter
from projections.schema import LIVE

_LONGEST = 200
_DETAILS = ("min:", "max:", "step:")
"""Of a scalar, what people are shown only when nothing else has changed."""


def show_moments(app: App, moments: Sequence[str], limits: Limits, *, as_json: bool) -> None:
    """Show what changed of runs between two moments.

    Raises:
        UsageError: they are not two, or no moments.
    """
    if len(moments) != 2:  # noqa: PLR2004 - from one to another
        raise UsageError(
            f"--at must be given twice, and was given {len(moments)} time(s)",
            hint="Example: guild diff --at yesterday --at now.",
        )
    if not all(moments):
        raise UsageError("--at needs a text, and got an empty one", hint="Example: guild diff --at 1 --at now.")
    before = run_filter(app, replace(limits, at=moments[0]))
    first = app.then or moment_of(app, moments[0])
    second = moment_of(app, moments[1])
    after = filter_of(limits, LIVE, app.cwd, before.project, second.now)
    note(f"From {told(first.end)} to {told(second.end)}")
    with _changed(app, (first, before), (second, after)) as found:
        page(_json_lines(app, found, first, second) if as_json else _lines(app, found))


_Asked = tuple[Moment, RunFilter]


@contextmanager
def _changed(app: App, first: _Asked, second: _Asked) -> Iterator[Iterator[Changed]]:
    """Give the runs that changed, read from two replays that are gone afterwards."""
    (start, early_filter), (end, late_filter) = sorted((first, second), key=lambda one: one[0].end.seq)
    begun = start.end.position
    with ExitStack() as opened:
        with replaying(end.end.position) as reached:
            early = opened.enter_context(closing(replay(app.ledger, start.end, reached)))
            onward = None if reached is None else lambda count: reached(begun + count)
            late = opened.enter_context(closing(replay_on(app.ledger, early, end.end, onward)))
        found = changes(Side(early, early_filter), Side(late, late_filter))
        if first[0].end.seq > second[0].end.seq:
            found = (Changed(one.row, one.after, one.before) for one in found)
        yield found


def _lines(app: App, found: Iterable[Changed]) -> Iterator[str]:
    is_empty = True
    for one in found:
        is_empty = False
        operation = printable(displayed(one.row.op, app.cwd), 300)
        yield f"[{one.row.run_id[:SHORT_ID]}]  {operation}  {_told(one.before, one.after)}"
    if is_empty:
        note("Nothing changed.")


def _told(before: Facts | None, after: Facts | None) -> str:
    """Return what changed, in one line."""
    keys = list(after or before or ())
    if before is None or after is None:  # the line has its operation anyway
        keys = [key for key in keys if key != "operation"]
    keys = [key for key in keys if not key.startswith(_DETAILS)] or keys
    return "; ".join(f"{printable(key)}: {_text(before, key)} -> {_text(after, key)}" for key in keys)


def _text(facts: Facts | None, key: str) -> str:
    value = None if facts is None else facts.get(key)
    if key in ("started", "stopped") and isinstance(value, int):
        return local_time(value)
    if isinstance(value, bool):
        return str(value).lower() if ":" in key else "yes" if value else "no"
    if key == "digest" and isinstance(value, str):
        return value[:SHORT_ID]
    text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return printable(text, _LONGEST) or "-"


def _json_lines(app: App, found: Iterable[Changed], first: Moment, second: Moment) -> Iterator[str]:
    """Yield one JSON object, with a run on each line, without collecting it."""
    ends = {"from": _end(first), "to": _end(second)}
    yield json_text(ends)[:-1] + ',"runs":'
    yield from array_lines(_object(app, one) for one in found)
    yield "}"


def _end(moment: Moment) -> dict[str, object]:
    return {"seq": moment.end.seq, "time": utc_time(moment.end.recorded_at)}


def _object(app: App, one: Changed) -> dict[str, object]:
    return {
        "id": one.row.run_id,
        "operation": displayed(one.row.op, app.cwd),
        "before": _values(one.before),
        "after": _values(one.after),
    }


def _values(facts: Facts | None) -> dict[str, object] | None:
    return None if facts is None else {key: _exact(key, value) for key, value in facts.items()}


def _exact(key: str, value: Value) -> object:
    if key in ("started", "stopped") and isinstance(value, int):
        return utc_time(value)
    return for_json(value)
