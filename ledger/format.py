"""Versions and guards of the stored format: what a ledger is checked against when it is opened."""

from __future__ import annotations

FORMAT = 1
"""Version of the stored format (`meta.format`); a ledger with a larger one is refused."""

REVISIONS = ("0001",)
"""Alembic revisions that this program knows, oldest first; the last one is what it writes."""

REVISION = REVISIONS[-1]

TRIGGERS = (
    "event_no_delete",
    "event_no_replace",
    "event_no_update",
    "origin_no_delete",
    "origin_no_replace",
    "origin_no_rewind",
    "txn_no_delete",
    "txn_no_replace",
    "txn_no_update",
)
"""Guards that make the tables append-only; a ledger without one of them is reported by verification."""
