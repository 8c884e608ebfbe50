"""Archives of runs on the command line: the events of runs as they are kept in a list, and as they are told again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from artifacts.run_archive import ArchivedRun
from artifacts.run_archive_values import RunArchiveError
from commands.app import App
from ledger.canonical import Value, decode
from ledger.ids import RunId, run_of, run_stream
from projections.imported import PastEvent
from projections.query import RunRow

ENDINGS = (".tar.gz", ".tgz", ".zip")
"""Of the names of archives that can be written."""


def archive_path(text: str) -> str:
    """Return the absolute path of an archive as the shell means it."""
    return os.path.abspath(os.path.expanduser(text))


def with_events(app: App, row: RunRow) -> ArchivedRun:
    """Return a run with its whole history, and without its files."""
    headers: dict[int, Mapping[str, Value]] = {}
    events: list[Mapping[str, Value]] = []
    for event in app.ledger.store.stream_events([run_stream(row.run_id)]):
        if event.txn_seq not in headers:
            headers[event.txn_seq] = _transaction(app, event.txn_seq)
        events.append(
            {
                **headers[event.txn_seq],
                "type": event.type,
                "version": event.schema_version,
                "body_hash": event.body_hash.hex(),
                "body": None if event.body is None else decode(event.body),
            }
        )
    return ArchivedRun(row.run_id, tuple(events))


def _transaction(app: App, seq: int) -> Mapping[str, Value]:
    txn = app.ledger.store.txn(seq)
    assert txn is not None  # noqa: S101 - it was read with its event
    header = None if txn.header is None else decode(txn.header)
    return {
        "txn_id": txn.txn_id.hex(),
        "origin_id": txn.origin_id.hex(),
        "time": txn.recorded_at,
        "header": header,
    }


def source_digest(run: ArchivedRun) -> str | None:
    """Return the digest of the source snapshot that a run was last started with; None when it has none."""
    digest: Value = None
    for event in run.events:
        body = event.get("body")
        if isinstance(body, dict) and "sources" in body:
            sources = body["sources"]
            digest = sources.get("digest") if isinstance(sources, dict) else None
    return digest if isinstance(digest, str) else None


def known_runs(app: App, run_ids: Sequence[RunId]) -> set[RunId]:
    """Return which of these runs the ledger knows of."""
    found = (run_of(event.stream) for event in app.ledger.store.stream_events(map(run_stream, run_ids)))
    return {run_id for run_id in found if run_id is not None}


def past_events(run: ArchivedRun) -> list[PastEvent]:
    """Return the events of a run in an archive.

    Raises:
        RunArchiveError: they make no sense.
    """
    return [_past_event(run, event) for event in run.events]


def _past_event(run: ArchivedRun, event: Mapping[str, Value]) -> PastEvent:
    type_, version, body, time = (event.get(name) for name in ("type", "version", "body", "time"))
    header = event.get("header")
    is_whole = (
        isinstance(type_, str)
        and type_.startswith("run.")
        and isinstance(version, int)
        and version > 0
        and isinstance(time, int)
        and (body is None or isinstance(body, dict))
        and (header is None or isinstance(header, dict))
    )
    if not is_whole:
        raise RunArchiveError(f"the events of run {run.run_id[:8]} in it make no sense")
    who = header if isinstance(header, dict) else {}
    return PastEvent(
        str(type_), int(str(version)), body if isinstance(body, dict) else None, int(str(time)),
        str(who.get("actor", "")), str(who.get("host", "")), str(event.get("origin_id", "")),
    )  # fmt: skip
