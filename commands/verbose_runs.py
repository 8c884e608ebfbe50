"""What `guild runs -v` shows below each row; imported only then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.notes import notes_of
from commands.run_json import as_object, place_of
from commands.table import local_time
from ledger.text import printable

if TYPE_CHECKING:
    from commands.app import App
    from projections.query import RunRow

_CHUNK = 500
_SHOWN = (
    *("id", "operation", "status", "started", "stopped", "run_dir", "exit_status"),
    *("marked", "protected", "tags", "comments"),
)


def verbose(app: App, rows: Sequence[RunRow], lines: Iterable[str]) -> Iterator[str]:
    """Yield each line, and below it more of its run."""
    notes = notes_of(app, ())
    for number, (row, line) in enumerate(zip(rows, lines, strict=False)):
        if number % _CHUNK == 0:
            notes = notes_of(app, rows[number : number + _CHUNK])
        yield line
        details = as_object(row, app)
        details["run_dir"] = place_of(details, app)
        details["started"], details["stopped"] = local_time(row.started), local_time(row.stopped)
        details["marked"], details["protected"] = ("yes" if flag else "no" for flag in (row.marked, row.protected))
        details["tags"] = ", ".join(notes[row.run_id].tags)
        details["comments"] = len(notes[row.run_id].comments)
        for key in _SHOWN:
            value = details[key]
            yield f"  {key}: {'' if value is None else printable(str(value), 4_000)}".rstrip()
