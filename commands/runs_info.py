"""`guild runs info`: what is known of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import click

from commands.app import App
from commands.notes import Notes, written
from commands.options import SELECTION_HELP, Limits, archive_option, at_option, json_option, limiting, run_words
from commands.run_folder import deleted_option, one_run
from commands.run_json import as_object, place_of
from commands.table import local_time
from commands.terminal import say
from ledger.canonical import Value
from ledger.ids import run_stream
from ledger.registry import current_body
from ledger.text import printable
from projections.query import RunRow

_SHOWN = 4_000
_OF_START = ("command", "flags", "environment", "sources", "git", "platform", "evidence")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "run.staged": ("command", "flags", "batch", "proto"),
    "run.started": (*_OF_START, "batch", "proto"),
    "run.restarted": _OF_START,
    "run.imported": (*_OF_START, "batch", "proto", "reason", "output"),
    "run.dependencies_resolved": ("dependencies",),
    "run.status_changed": ("reason", "output"),
    "run.scalars_recorded": ("scalars",),
}
"""What an event's body adds to what is known of a run."""


@click.command("info", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@limiting
@at_option
@archive_option
@deleted_option
@click.option("-e", "--env", "with_environment", is_flag=True, help="Show the recorded environment.")
@json_option
@click.pass_obj
def info(app: App, spec: str | None, limits: Limits, *, deleted: bool, with_environment: bool, as_json: bool) -> None:
    """Show information about a run: the latest one that matches when no RUN is given.

    \b
    Examples:
      guild runs info
      guild runs info 3 --env
      guild runs info -E      the latest run that failed
      guild runs info 9734f85e --archive best.tar.gz
    """
    details = run_details(app, one_run(app, spec, limits, deleted=deleted))
    if as_json:
        _say_json(details)
        return
    details["run_dir"] = str(place_of(details, app))
    for line in _lines(details, with_environment=with_environment):
        say(line)


def run_details(app: App, row: RunRow) -> dict[str, Value]:
    """Return everything known of a run: what the index lists, and what its start and end recorded in the ledger."""
    details = cast("dict[str, Value]", as_object(row, app))
    notes = Notes()
    for event in app.stream_events([run_stream(row.run_id)]):
        notes.take(event)
        if event.body is None or event.type not in _KEYS:
            continue
        body = current_body(event.type, event.schema_version, event.body)
        if event.type == "run.restarted":
            details.pop("scalars", None)
        known = {key: body.get(key) for key in _KEYS[event.type]}
        if "scalars" in known:
            known["scalars"] = _joined(details.get("scalars"), known["scalars"])
        details |= known
    notes.drop_withdrawn(app)
    details["tags"] = list(notes.tags)
    details["comments"] = [written(app, comment).values() for comment in notes.comments]
    return details


def _joined(before: Value, recorded: Value) -> Value:
    """Return scalars after some were recorded: what was recorded of others earlier stays."""
    return {**(before if isinstance(before, dict) else {}), **(recorded if isinstance(recorded, dict) else {})}


def _say_json(details: Mapping[str, Value]) -> None:
    import orjson

    from ledger.canonical import encode

    say(orjson.dumps(orjson.loads(encode(details)), option=orjson.OPT_INDENT_2).decode())


def _lines(details: Mapping[str, Value], *, with_environment: bool) -> Iterator[str]:
    from operations.command import format_command

    evidence = details.get("evidence")
    command = details.get("command")
    shown: dict[str, Value] = {
        "id": details["id"],
        "operation": details["operation"],
        "status": details["status"],
        "started": _local(details["started"]),
        "stopped": _local(details["stopped"]),
        "label": details["label"],
        "run_dir": details["run_dir"],
        "command": format_command([str(word) for word in command]) if isinstance(command, list) else None,
        "exit_status": details["exit_status"],
        "pid": evidence.get("pid") if isinstance(evidence, dict) else None,
        "reason": details.get("reason"),
        "tags": ", ".join(map(str, cast("list[str]", details["tags"]))),
        "marked": details["marked"],
        "protected": details["protected"],
    }
    for key, value in shown.items():
        if value is not None or key != "reason":
            yield f"{key}: {value_text(value)}".rstrip()
    yield from _comments(details["comments"])
    yield from _section("flags", details.get("flags"))
    yield from _section("scalars", _last_values(details.get("scalars")))
    yield from _section("git", details.get("git"))
    yield from _dependencies(details.get("dependencies"))
    yield from _section("sources", details.get("sources"))
    yield from _section("output", details.get("output"))
    if with_environment:
        yield from _section("environment", details.get("environment"))


def _local(iso: Value) -> str:
    if not isinstance(iso, str):
        return ""
    from datetime import datetime

    return local_time(int(datetime.fromisoformat(iso).timestamp()) * 1_000_000)


def _comments(comments: Value) -> Iterator[str]:
    if not isinstance(comments, list) or not comments:
        return
    yield "comments:"
    for comment in cast("list[dict[str, str]]", comments):
        yield f"  {_local(comment['time'])}  {printable(comment['actor'], 60)}: {printable(comment['text'], _SHOWN)}"


def _section(name: str, values: Value) -> Iterator[str]:
    if not isinstance(values, dict) or not values:
        return
    yield f"{name}:"
    for key in sorted(values):
        yield f"  {printable(str(key))}: {value_text(values[key])}".rstrip()


def _last_values(scalars: Value) -> Value:
    """Return the last value of each scalar, with its step where it has one."""
    shown: dict[str, Value] = {}
    for key, summary in scalars.items() if isinstance(scalars, dict) else ():
        last = summary.get("last") if isinstance(summary, dict) else None
        if isinstance(last, list) and last:
            step = last[1] if len(last) > 1 else None
            shown[key] = value_text(last[0]) if step is None else f"{value_text(last[0])} (step {value_text(step)})"
    return shown


def _dependencies(values: Value) -> Iterator[str]:
    found = [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    if found:
        yield "dependencies:"
    for one in found:
        yield f"  {printable(str(one.get('source')))}: {value_text(one.get('from'))}".rstrip()


def value_text(value: Value) -> str:
    """Return a value for people: 0, no and empty text are values too, only what is not there is blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, dict)):
        from operations.flags import flow_text

        return printable(flow_text(cast("list[object]", value)), _SHOWN)  # type: ignore[arg-type]  # JSON values
    return printable(str(value), _SHOWN)
