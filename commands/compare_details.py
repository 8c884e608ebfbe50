"""Everything about a run for the full-screen table: what `guild runs info` knows, and the end of its output."""

from __future__ import annotations

import os
from collections.abc import Mapping

from artifacts.output import OUTPUT
from commands.app import App
from commands.runs_info import run_details, value_text
from commands.table import local_time
from ledger.canonical import Value
from ledger.errors import GuildError
from ledger.ids import RunId, system_clock
from ledger.text import printable
from projections.cells import duration
from projections.query import RunRow, runs_by_id
from projections.schema import LIVE
from view.terminal.cells import duration as span
from view.terminal.port import Details

_TAIL = 64 * 1024
"""Bytes of the output that are shown."""

_SHOWN = 2_000


def details(app: App, run_id: RunId) -> Details:
    """Return what is known of a run.

    Raises:
        GuildError: there is no such run any more.
    """
    row = runs_by_id(app.index, [run_id]).get(run_id)
    if row is None:
        raise GuildError(f"there is no run {run_id} any more")
    known = run_details(app, row)
    sections = {
        "": _about(row, known),
        "flags": _texts(known.get("flags")),
        "scalars": _scalars(known.get("scalars")),
        "comments": _comments(known.get("comments")),
        "dependencies": _dependencies(known.get("dependencies")),
        "git": _texts(known.get("git")),
        "sources": _texts(known.get("sources")),
        "platform": _texts(known.get("platform")),
    }
    return Details(row, sections, tail(app, row))


def _about(row: RunRow, known: Mapping[str, Value]) -> dict[str, str]:
    from operations.command import format_command

    took = duration(row, system_clock())
    command = known.get("command")
    tags = known.get("tags")
    texts = {
        "id": row.run_id,
        "operation": str(known.get("operation") or ""),
        "status": row.status,
        "started": local_time(row.started),
        "stopped": local_time(row.stopped),
        "duration": "" if took is None else span(took),
        "label": row.label or "",
        "tags": ", ".join(map(str, tags)) if isinstance(tags, list) else "",
        "marked": "yes" if row.marked else "",
        "protected": "yes" if row.protected else "",
        "exit status": "" if row.exit_status is None else str(row.exit_status),
        "reason": value_text(known.get("reason")),
        "command": format_command([str(word) for word in command]) if isinstance(command, list) else "",
        "directory": str(known.get("run_dir") or ""),
    }
    return {name: printable(text, _SHOWN) for name, text in texts.items() if text}


def _texts(values: Value) -> dict[str, str]:
    if not isinstance(values, dict):
        return {}
    return {printable(key, 200): value_text(values[key]) for key in sorted(values) if values[key] is not None}


def _scalars(values: Value) -> dict[str, str]:
    """Return the last value of each scalar, its step, and its lowest and highest value, below each other."""
    rows: dict[str, list[str]] = {}
    for key, summary in sorted(values.items()) if isinstance(values, dict) else ():
        if isinstance(summary, dict):
            parts = [(name, _at(summary.get(part))) for name, part in (("", "last"), ("min ", "min"), ("max ", "max"))]
            rows[printable(key, 200)] = [f"{name}{text}" if text else "" for name, text in parts]
    widths = [max((len(row[place]) for row in rows.values()), default=0) for place in range(3)]
    return {
        key: "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for key, row in rows.items()
    }


def _at(pair: Value) -> str:
    """Return a value and the step at which it was reported."""
    if not isinstance(pair, list) or not pair:
        return ""
    value = f"{pair[0]:.6g}" if isinstance(pair[0], float) else str(pair[0])
    return value if len(pair) == 1 or pair[1] is None else f"{value} (step {pair[1]})"


def _comments(values: Value) -> dict[str, str]:
    """Return comments by when and by whom they were made; several of one second stand below each other."""
    found: dict[str, str] = {}
    for one in values if isinstance(values, list) else ():
        if isinstance(one, dict):
            head = f"{str(one.get('time'))[:19].replace('T', ' ')} {value_text(one.get('actor'))}"
            text = value_text(one.get("text"))
            found[head] = f"{found[head]}; {text}" if head in found else text
    return found


def _dependencies(values: Value) -> dict[str, str]:
    found = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    return {value_text(one.get("source")): value_text(one.get("from")) for one in found}


def tail(app: App, row: RunRow) -> str:
    """Return the end of what a run has printed; empty when nothing is there, or what is shown is the past."""
    if app.at:
        return ""
    folder = app.home.run_dir(row.run_id) if row.place == LIVE else app.home.trash_run_dir(row.run_id)
    try:
        with open(os.path.join(folder, ".guild", OUTPUT), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read(_TAIL)
    except OSError:
        return ""
    text = data.decode(errors="replace")
    return text if size <= _TAIL else text.partition("\n")[2]
