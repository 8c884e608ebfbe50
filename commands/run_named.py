"""One run by its id, looked up in the ledger alone: purged runs are found too, and a broken index does no harm."""

from __future__ import annotations

from commands.app import App
from ledger.ids import RunId, run_of, run_stream
from ledger.text import printable
from projections.selection import SelectionError

_SHORTEST_NUMERIC_PREFIX = 4
"""As in `projections.selection`: a number with fewer digits is an index and nothing else."""

_LONGEST_ID = 32
_HEXADECIMAL = frozenset("0123456789abcdef")
_MOST = 10


def named_run(app: App, spec: str) -> RunId:
    """Return the run that a word names: the beginning of an id, or an index in `guild runs`.

    Raises:
        SelectionError: it names no run, or several.
        GuildError: the ledger cannot be read.
    """
    is_index = spec.isdecimal() and len(spec) < _SHORTEST_NUMERIC_PREFIX
    if not is_index and spec and set(spec) <= _HEXADECIMAL and len(spec) <= _LONGEST_ID:
        found = [run_id for stream in _streams(app, spec) if (run_id := run_of(stream))]
        if len(found) == 1:
            return found[0]
        if found:
            ids = "\n".join(f"  {run_id[: max(8, len(spec) + 2)]}" for run_id in found[:_MOST])
            more = "\n  and more" if len(found) > _MOST else ""
            raise SelectionError(f"'{spec}' matches multiple runs:\n{ids}{more}", hint="Give more digits of the id.")
    if spec.isdecimal():
        return _by_index(app, spec)
    raise SelectionError(
        f"could not find a run matching '{printable(spec, 80)}'",
        hint="Give an id or its beginning, or an index in `guild runs`; `guild log` names all runs there ever were.",
    )


def _streams(app: App, prefix: str) -> list[str]:
    return app.ledger.store.streams(run_stream(RunId(prefix)), _MOST + 1)


def _by_index(app: App, spec: str) -> RunId:
    from commands.options import Limits
    from commands.selecting import run_filter, selected, tell_moved

    nothing = Limits(everywhere=False, operations=(), statuses=(), labels=())
    (row,) = selected(app, run_filter(app, nothing), [spec])
    tell_moved(app)
    return row.run_id
