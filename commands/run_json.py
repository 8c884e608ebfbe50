"""Runs as JSON, for every command that prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from ledger.ids import RunId
from ledger.text import utc_time
from projections.query import RunRow, displayed
from projections.schema import LIVE

if TYPE_CHECKING:
    from commands.app import App


_NOT_TOLD = "(not told with --at: files are those of now)"


def json_lines(rows: Iterable[RunRow], app: App) -> Iterator[str]:
    """Yield a JSON array of runs, one line each, without collecting it."""
    return array_lines(as_object(row, app) for row in rows)


def array_lines(objects: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Yield a JSON array of objects, one line each, without collecting it."""
    yield "["
    before = ""
    for one in objects:
        if before:
            yield before + ","
        before = "  " + json_text(one)
    if before:
        yield before
    yield "]"


def json_text(values: Mapping[str, object]) -> str:
    """Return an object in one line."""
    import orjson

    try:
        return orjson.dumps(values).decode()
    except TypeError:  # a path that is no text, which JSON cannot say: in the form that the ledger's bodies have
        from ledger.canonical import Value, encode

        return encode(cast("dict[str, Value]", values)).decode()


def as_object(row: RunRow, app: App) -> dict[str, object]:
    """Return a run as the documented JSON object."""
    return {
        "id": row.run_id,
        "operation": displayed(row.op, app.cwd),
        "project": row.op.project,
        "package": row.op.package,
        "model": row.op.model,
        "operation_name": row.op.operation,
        "status": row.status,
        "exit_status": row.exit_status,
        "started": utc_time(row.started),
        "stopped": utc_time(row.stopped),
        "label": row.label,
        "marked": bool(row.marked),
        "protected": bool(row.protected),
        "deleted": row.place != LIVE,
        "run_dir": run_dir(row, app),
    }


def place_of(details: Mapping[str, object], app: App) -> object:
    """Return where a run's files are, for people."""
    if app.archived is not None:
        return app.archived.folder(RunId(str(details["id"])))
    return details["run_dir"] or _NOT_TOLD


def run_dir(row: RunRow, app: App) -> str | None:
    """Return where a run's directory is; None with `--at`: files are those of now, wherever the run was then.

    A run in an archive has none either.
    """
    if app.is_elsewhere:
        return None
    return app.home.run_dir(row.run_id) if row.place == LIVE else app.home.trash_run_dir(row.run_id)
