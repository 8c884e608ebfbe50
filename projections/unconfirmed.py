"""The runs whose directory may not be where it belongs: what a changing command looks after."""

from __future__ import annotations

from ledger.ids import RunId
from projections.errors import index_errors
from projections.index import Index
from projections.schema import PLACES


def has_unconfirmed(index: Index) -> bool:
    """Tell whether there is any run whose directory may not be where it belongs."""
    with index_errors():
        return index.db.execute("SELECT 1 FROM unconfirmed LIMIT 1").fetchone() is not None


def unconfirmed(index: Index) -> list[tuple[RunId, str]]:
    """Return the runs whose directory may not be where it belongs, each with its place."""
    with index_errors():
        rows = index.db.execute("SELECT run_id, place FROM unconfirmed JOIN run USING (run) ORDER BY run").fetchall()
    return [(RunId(run_id.hex()), PLACES[place]) for run_id, place in rows]
