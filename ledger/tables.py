"""The ledger's tables, defined once: what the migrations are checked against, and how servers are spoken to.

The columns stand in the order of `ledger.rows`, so that a row of a table becomes a row of the port by
position.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

NAMES = {
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "%(column_0_label)s",
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
"""How constraints are named: a later migration can only change what has a name."""

metadata = MetaData(naming_convention=NAMES)
"""All tables of the ledger, and nothing else."""

# A STRICT table of SQLite knows no BIGINT; its INTEGER has 64 bits anyway.
_INTEGER = BigInteger().with_variant(Integer(), "sqlite")
_ID_BYTES = 16
_HASH_BYTES = 32


def _length(column: str, count: int) -> CheckConstraint:
    return CheckConstraint(f"length({column}) = {count}", name=f"{column}_length")


def _positive(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} > 0", name=f"{column}_positive")


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
"""What the ledger is: its id, its own origin, its format."""

origin = Table(
    "origin",
    metadata,
    Column("origin_id", LargeBinary, primary_key=True),
    Column("label", Text, nullable=False),
    Column("head_seq", _INTEGER, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    _length("origin_id", _ID_BYTES),
    _length("head_hash", _HASH_BYTES),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
"""One row per ledger that ever wrote here."""

txn = Table(
    "txn",
    metadata,
    Column("seq", _INTEGER, primary_key=True, autoincrement=False),
    Column("txn_id", LargeBinary, nullable=False),
    Column("origin_id", LargeBinary, ForeignKey("origin.origin_id"), nullable=False),
    Column("origin_seq", _INTEGER, nullable=False),
    Column("recorded_at", _INTEGER, nullable=False),
    Column("lamport", _INTEGER, nullable=False),
    Column("header_hash", LargeBinary, nullable=False),
    Column("header", LargeBinary),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("txn_id"),
    UniqueConstraint("origin_id", "origin_seq"),
    _length("txn_id", _ID_BYTES),
    _length("header_hash", _HASH_BYTES),
    _length("prev_hash", _HASH_BYTES),
    _length("hash", _HASH_BYTES),
    _positive("origin_seq"),
    sqlite_strict=True,
)
"""One row per command."""

event = Table(
    "event",
    metadata,
    Column("position", _INTEGER, primary_key=True, autoincrement=False),
    Column("txn_seq", _INTEGER, ForeignKey("txn.seq"), nullable=False),
    Column("origin_id", LargeBinary, ForeignKey("origin.origin_id"), nullable=False),
    Column("stream", Text, nullable=False),
    Column("stream_version", _INTEGER, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema_version", _INTEGER, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    UniqueConstraint("stream", "origin_id", "stream_version"),
    _length("body_hash", _HASH_BYTES),
    _positive("stream_version"),
    _positive("schema_version"),
    Index(None, "txn_seq"),
    sqlite_strict=True,
)
"""One row per event."""
